//! `run` of scripts: each becomes a step of the job, in a shell of its own, which any runner
//! that knows several steps can run. What needs the language of steps is refused before
//! (`shipway_pipeline::Unsupported`).

use serde_json::Value;
use shipway_protocol::{Step, When};

/// The steps of `run`, in their order; the first that fails ends the job.
pub(crate) fn steps(run: &Value, timeout: i64) -> Vec<Step> {
    let list = run.as_array().map(Vec::as_slice).unwrap_or_default();
    let steps = list.iter().enumerate().map(|(index, step)| {
        let name = step["name"].as_str().unwrap_or_default();
        let script = step["script"].as_str().unwrap_or_default();
        let exports = step["env"].as_object().into_iter().flatten();
        let exports = exports.map(|(key, value)| format!("export {key}={}", quoted(value)));
        Step {
            name: section(index, name),
            script: exports.chain([script.to_owned()]).collect(),
            timeout,
            when: When::OnSuccess,
            allow_failure: false,
        }
    });
    steps.collect()
}

/// A name for the log, which no other step of the job has.
fn section(index: usize, name: &str) -> String {
    let legal = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    };
    let name: String = name.chars().map(legal).collect();
    format!("run_{}_{name}", index + 1)
}

/// A value as the shell takes it, whatever is in it.
fn quoted(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_script_is_a_step() {
        let run = json!([
            { "name": "Say it", "script": "echo one\necho two" },
            { "name": "after_script", "script": "echo $A", "env": { "A": "it's $B", "N": 5 } },
        ]);
        let steps = steps(&run, 60);
        let found: Vec<(&str, Vec<&str>)> = steps
            .iter()
            .map(|step| {
                let script = step.script.iter().map(String::as_str);
                (step.name.as_str(), script.collect())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("run_1_say_it", vec!["echo one\necho two"]),
                (
                    "run_2_after_script",
                    vec![r"export A='it'\''s $B'", "export N='5'", "echo $A"]
                ),
            ]
        );
    }
}
