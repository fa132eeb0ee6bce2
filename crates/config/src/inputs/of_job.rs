//! `${{ job.inputs.NAME }}`: the inputs of a job, put into what the job does.
//!
//! GitLab leaves that to its runner, whose expressions can do more than name an input. Here
//! whoever hands out the job does it, so that every runner can run it.

use serde_json::Value;

use super::values::text;
use super::{InputValues, resolve};
use crate::Job;

/// The keywords that may name inputs.
const KEYWORDS: [&str; 7] = [
    "before_script",
    "script",
    "after_script",
    "artifacts",
    "cache",
    "image",
    "services",
];

/// Bytes that the texts of one job may have with the values in them.
const LONGEST: usize = 4 * 1024 * 1024;

/// Why the inputs of a job cannot be put where they are named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobInputError {
    /// Values that the job does not take, in GitLab's words.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
    /// No such input.
    #[error("`${{{{ job.inputs.{0} }}}}` names no input of the job")]
    Unknown(String),
    /// Another expression.
    #[error("`${{{{ {0} }}}}` is not understood: name an input, `${{{{ job.inputs.NAME }}}}`")]
    Expression(String),
    /// An expression without an end.
    #[error("`${{{{` is not closed by `}}}}`; a text like that is written `\\${{{{`")]
    Open,
    /// The texts of the job have become too long.
    #[error("the job has more than {LONGEST} bytes with the values of its inputs")]
    TooLong,
    /// Not a job any more; the text says why.
    #[error("the job cannot be read with the values of its inputs: {0}")]
    Form(String),
}

impl Job {
    /// The value of each of the job's inputs: the given one, else the default.
    ///
    /// # Errors
    /// [`JobInputError::Values`]
    pub fn input_values(&self, given: &InputValues) -> Result<InputValues, JobInputError> {
        resolve(&self.inputs, given).map_err(|faults| {
            JobInputError::Values(faults.into_iter().map(|fault| fault.message).collect())
        })
    }

    /// The job with the values of its inputs in place of `${{ job.inputs.NAME }}`. In a job
    /// without inputs such a text means nothing and stays.
    ///
    /// # Errors
    /// [`JobInputError`]
    pub fn with_inputs(&self, given: &InputValues) -> Result<Self, JobInputError> {
        let values = self.input_values(given)?;
        if values.is_empty() {
            return Ok(self.clone());
        }
        let form = |error: serde_json::Error| JobInputError::Form(error.to_string());
        let mut job = serde_json::to_value(self).map_err(form)?;
        let mut left = LONGEST;
        for keyword in KEYWORDS {
            if let Some(value) = job.get_mut(keyword) {
                fill(value, &values, &mut left)?;
            }
        }
        serde_json::from_value(job).map_err(form)
    }
}

fn fill(value: &mut Value, values: &InputValues, left: &mut usize) -> Result<(), JobInputError> {
    match value {
        Value::String(text) => {
            if text.contains("${{") {
                *text = filled(text, values, *left)?;
            }
            *left = left.checked_sub(text.len()).ok_or(JobInputError::TooLong)?;
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| fill(item, values, left)),
        Value::Object(map) => map
            .values_mut()
            .try_for_each(|item| fill(item, values, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn filled(source: &str, values: &InputValues, longest: usize) -> Result<String, JobInputError> {
    let mut filled = String::new();
    let mut rest = source;
    while let Some(at) = rest.find("${{") {
        let (before, after) = (&rest[..at], &rest[at + 3..]);
        if let Some(before) = before.strip_suffix('\\') {
            filled.push_str(before);
            filled.push_str("${{");
            rest = after;
            continue;
        }
        let (expression, after) = after.split_once("}}").ok_or(JobInputError::Open)?;
        let expression = expression.trim();
        let name =
            named(expression).ok_or_else(|| JobInputError::Expression(expression.to_owned()))?;
        let value = values
            .get(name)
            .ok_or_else(|| JobInputError::Unknown(name.to_owned()))?;
        filled.push_str(before);
        filled.push_str(&text(value));
        if filled.len() > longest {
            return Err(JobInputError::TooLong);
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The input that an expression names: `job.inputs.NAME`, or `job.inputs["NAME"]` for a name
/// with other characters than letters, digits and `_`.
fn named(expression: &str) -> Option<&str> {
    let rest = expression.strip_prefix("job.inputs")?.trim_start();
    if let Some(name) = rest.strip_prefix('.') {
        let name = name.trim();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        return (!name.is_empty() && name.chars().all(is_word)).then_some(name);
    }
    let quoted = rest.strip_prefix('[')?.strip_suffix(']')?.trim();
    ['"', '\''].into_iter().find_map(|quote| {
        let name = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
        (!name.contains(['"', '\'', '\\'])).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Cache, Image, Input, InputType};

    fn input(kind: InputType, default: Value) -> Input {
        Input {
            kind,
            default: Some(default),
            ..Input::default()
        }
    }

    fn job(script: &str) -> Job {
        let inputs = [
            ("where", input(InputType::String, json!("staging"))),
            ("count", input(InputType::Number, json!(2))),
            ("list", input(InputType::Array, json!(["a", 1]))),
            ("a-b", input(InputType::Boolean, json!(true))),
        ];
        Job {
            script: vec![script.to_owned()],
            inputs: inputs
                .into_iter()
                .map(|(name, input)| (name.to_owned(), input))
                .collect(),
            ..Job::default()
        }
    }

    #[test]
    fn values_are_put_into_texts() {
        use JobInputError::{Expression, Open, Unknown};
        let table = [
            ("to ${{ job.inputs.where }}.", Ok("to staging.")),
            (
                "${{job.inputs.where}}${{ job.inputs.count }}",
                Ok("staging2"),
            ),
            ("${{ job.inputs.list }}", Ok("[\"a\",1]")),
            (
                "${{ job.inputs[\"a-b\"] }} ${{ job.inputs['where'] }}",
                Ok("true staging"),
            ),
            (
                r"\${{ job.inputs.where }} $where",
                Ok("${{ job.inputs.where }} $where"),
            ),
            ("${{ job.inputs.gone }}", Err(Unknown("gone".to_owned()))),
            (
                "${{ job.inputs.a-b }}",
                Err(Expression("job.inputs.a-b".to_owned())),
            ),
            ("${{ 1 + 2 }}", Err(Expression("1 + 2".to_owned()))),
            (
                "${{ job.inputs }}",
                Err(Expression("job.inputs".to_owned())),
            ),
            ("${{ job.inputs.where", Err(Open)),
        ];
        for (script, expected) in table {
            let found = job(script).with_inputs(&InputValues::new());
            let found = found.map(|job| job.script[0].clone());
            assert_eq!(found, expected.map(str::to_owned), "{script}");
        }
        let plain = Job {
            inputs: [].into(),
            ..job("${{ job.inputs.where }}")
        };
        let same = plain.with_inputs(&InputValues::new()).unwrap();
        assert_eq!(same.script, ["${{ job.inputs.where }}"]);
    }

    #[test]
    fn keywords_that_may_name_inputs() {
        let image = Image {
            name: "python:${{ job.inputs.count }}".to_owned(),
            ..Image::default()
        };
        let job = Job {
            image: Some(image),
            cache: vec![Cache {
                paths: vec!["${{ job.inputs.where }}/".to_owned()],
                ..Cache::default()
            }],
            after_script: vec!["${{ job.inputs.where }}".to_owned()],
            coverage: Some("${{ job.inputs.where }}".to_owned()),
            ..job("x")
        };
        let given = [("where".to_owned(), json!("live"))].into();
        let job = job.with_inputs(&given).unwrap();
        assert_eq!(job.image.unwrap().name, "python:2");
        assert_eq!(job.cache[0].paths, ["live/"]);
        assert_eq!(job.after_script, ["live"]);
        assert_eq!(job.coverage.unwrap(), "${{ job.inputs.where }}");
    }

    #[test]
    fn given_values_are_checked() {
        for (name, value, fault) in [
            (
                "count",
                json!("many"),
                "`count` input: provided value is not a number",
            ),
            ("other", json!(1), "unknown input arguments: other"),
        ] {
            let given = [(name.to_owned(), value)].into();
            let error = job("x").with_inputs(&given).unwrap_err();
            assert_eq!(error.to_string(), fault);
        }
        let long = [("where".to_owned(), json!("x".repeat(1024 * 1024)))].into();
        let script = "${{ job.inputs.where }}".repeat(5);
        assert_eq!(job(&script).with_inputs(&long), Err(JobInputError::TooLong));
    }
}
