//! The first part of a block: `inputs.servers[0].host`, a way through values.

use serde_json::Value;

/// Bytes of one way.
const MAX_BYTES: usize = 1024;
/// Steps between dots; what lies behind is one name.
const MAX_STEPS: usize = 5;

/// The value at the end of the way.
///
/// # Errors
/// GitLab's text for what is wrong with it.
pub(super) fn access<'v>(way: &str, context: &'v Value) -> Result<&'v Value, String> {
    let steps: Vec<&str> = way.splitn(MAX_STEPS, '.').collect();
    if steps.len() < 2 {
        return Err("invalid interpolation access pattern".to_owned());
    }
    if way.len() > MAX_BYTES {
        return Err("maximum interpolation expression size exceeded".to_owned());
    }
    let mut value = context;
    for step in steps {
        let (name, indices) = match step.find('[') {
            Some(at) => step.split_at(at),
            None => (step, ""),
        };
        value = value
            .get(name)
            .ok_or_else(|| format!("unknown interpolation key: `{name}`"))?;
        for index in indices_of(indices).ok_or_else(|| syntax(way))? {
            let list = value
                .as_array()
                .ok_or_else(|| format!("`{name}` is not an array and has no element {index}"))?;
            value = list.get(index).ok_or_else(|| {
                format!(
                    "array index {index} is out of bounds: `{name}` has {} elements",
                    list.len()
                )
            })?;
        }
    }
    Ok(value)
}

fn syntax(way: &str) -> String {
    format!("invalid array index syntax in `{way}`")
}

/// `[0][1]`
fn indices_of(mut text: &str) -> Option<Vec<usize>> {
    let mut indices = Vec::new();
    while !text.is_empty() {
        let (index, rest) = text.strip_prefix('[')?.split_once(']')?;
        let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        indices.push(digits.then(|| index.parse().ok()).flatten()?);
        text = rest;
    }
    Some(indices)
}

#[cfg(test)]
mod tests {
    use super::access;
    use serde_json::json;

    #[test]
    fn ways_lead_through_maps_and_lists() {
        let context = json!({"inputs": {
            "a": "text", "a-b": [1, 2], "m": [["x", "y"]], "s": [{"host": "h"}],
        }});
        for (way, expected) in [
            ("inputs.a", Ok(json!("text"))),
            ("inputs.a-b", Ok(json!([1, 2]))),
            ("inputs.a-b[1]", Ok(json!(2))),
            ("inputs.m[0][1]", Ok(json!("y"))),
            ("inputs.s[0].host", Ok(json!("h"))),
            ("inputs", Err("invalid interpolation access pattern")),
            ("", Err("invalid interpolation access pattern")),
            ("inputs.z", Err("unknown interpolation key: `z`")),
            ("foo.bar", Err("unknown interpolation key: `foo`")),
            (
                "inputs.a[0]",
                Err("`a` is not an array and has no element 0"),
            ),
            (
                "inputs.a-b[2]",
                Err("array index 2 is out of bounds: `a-b` has 2 elements"),
            ),
            (
                "inputs.a-b[-1]",
                Err("invalid array index syntax in `inputs.a-b[-1]`"),
            ),
            (
                "inputs.a-b[0",
                Err("invalid array index syntax in `inputs.a-b[0`"),
            ),
        ] {
            let found = access(way, &context).cloned();
            assert_eq!(found, expected.map_err(str::to_owned), "{way}");
        }
        let long = format!("inputs.{}", "x".repeat(1100));
        assert_eq!(
            access(&long, &context),
            Err("maximum interpolation expression size exceeded".to_owned())
        );
    }
}
