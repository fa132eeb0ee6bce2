//! What a trigger job knows and what it passes on.

use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Forward, Job};
use shipway_store::BridgeRow;

use super::Bridge;
use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::hand_out::Receiver;
use crate::payload::Shared;

impl Coordinator {
    /// The variables of a trigger job, as if it ran.
    pub(super) async fn bridge_variables(&self, row: &BridgeRow) -> Result<Collection, Error> {
        let receiver = Receiver::nobody();
        let payload = self.payload(row.pipeline_id, row.job_id, &receiver).await?;
        let mut known = Collection::default();
        known.extend(payload.variables.into_iter().map(|variable| Variable {
            key: variable.key,
            value: variable.value,
            public: variable.public,
            masked: variable.masked,
            file: variable.file,
            raw: variable.raw,
        }));
        Ok(known)
    }

    /// What the other pipeline gets as its own variables (language inventory, 6.4).
    pub(super) async fn forwarded(
        &self,
        bridge: &Bridge,
        forward: Forward,
    ) -> Result<Vec<Variable>, Error> {
        let dotenv = match forward.pipeline_variables {
            true => self.dotenv_of(bridge.link.upstream, bridge.job).await?,
            false => Vec::new(),
        };
        Ok(passed_on(
            &bridge.spec,
            &bridge.shared,
            &bridge.known,
            dotenv,
            forward,
        ))
    }
}

/// Of the file first, then what the pipeline was started with, then reports of needed jobs:
/// the later wins. A masked variable is not masked any more, as on GitLab.
fn passed_on(
    job: &Job,
    shared: &Shared,
    known: &Collection,
    dotenv: Vec<(String, String)>,
    forward: Forward,
) -> Vec<Variable> {
    let mut passed = Collection::default();
    if forward.yaml_variables {
        let inherited = shared.variables.iter();
        let inherited = inherited.filter(|(key, _)| job.inherit_variables.takes(key));
        for (key, value) in inherited.chain(&job.variables) {
            let text = match value.raw {
                true => value.value.clone(),
                false => known.expand(&value.value, Undefined::Keep, FileReferences::Content),
            };
            passed.push(Variable {
                raw: value.raw,
                ..Variable::new(key, text)
            });
        }
    }
    if forward.pipeline_variables {
        passed.extend(shared.outer.iter().map(|variable| Variable {
            raw: variable.raw,
            ..Variable::new(&variable.key, &variable.value)
        }));
        passed.extend(
            dotenv
                .into_iter()
                .map(|(key, value)| Variable::new(key, value)),
        );
    }
    passed.winners().cloned().collect()
}

#[cfg(test)]
mod tests {
    use shipway_config::{VariableValue, Variables};

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Variables {
        let value = |text: &str| VariableValue {
            value: text.to_owned(),
            raw: false,
        };
        (pairs.iter())
            .map(|(key, text)| ((*key).to_owned(), value(text)))
            .collect()
    }

    #[test]
    fn variables_are_passed_on_as_forward_says() {
        let job = Job {
            variables: values(&[("B", "job $SHA"), ("C", "job")]),
            ..Job::default()
        };
        let shared = Shared {
            variables: values(&[("A", "top"), ("B", "top")]),
            outer: vec![Variable::new("C", "pipeline")],
            ..Shared::default()
        };
        let mut known = Collection::default();
        known.push(Variable::new("SHA", "1a2b"));
        // yaml_variables, pipeline_variables, what comes.
        let table = [
            (true, false, "A=top B=job 1a2b C=job"),
            (false, false, ""),
            (false, true, "C=pipeline D=report"),
            (true, true, "A=top B=job 1a2b C=pipeline D=report"),
        ];
        for (yaml_variables, pipeline_variables, expected) in table {
            let forward = Forward {
                yaml_variables,
                pipeline_variables,
            };
            let dotenv = vec![("D".to_owned(), "report".to_owned())];
            let passed = passed_on(&job, &shared, &known, dotenv, forward);
            let text: Vec<String> = (passed.iter())
                .map(|variable| format!("{}={}", variable.key, variable.value))
                .collect();
            assert_eq!(text.join(" "), expected);
        }
    }
}
