//! The variables of a job with where they came from.

use serde::Serialize;
use shipway_config::variables::{Collection, FileReferences, Undefined};
use shipway_config::{Config, Variables};

use super::scope::{Level, Scope};
use super::{Context, PlannedJob, Reason};

/// A variable of a job as it is before the job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariableValue {
    /// Its name.
    pub name: String,
    /// Its value, references replaced as far as the server does it; `None` where it is masked.
    pub value: Option<String>,
    /// Whether the value is kept secret.
    pub masked: bool,
    /// Whether the job gets the path of a file with the value.
    pub file: bool,
    /// Where it came from.
    #[serde(flatten)]
    pub level: Level,
    /// Whether a stronger one has replaced it.
    pub overridden: bool,
}

/// The variables of a planned job in rising precedence. `global` are those of the plan, with
/// what a rule of `workflow` put over them.
pub fn variables_of(
    config: &Config,
    context: &Context,
    global: &Variables,
    job: &PlannedJob,
) -> Vec<VariableValue> {
    let scope = Scope::of_job(context, global, &job.spec);
    let levels = scope.levels();
    let all: Collection = levels.iter().map(|(_, one)| one.clone()).collect();
    let expanded = all.expand_all_or_keep(Undefined::Keep, FileReferences::Keep);
    let secrets: Vec<&str> = (all.iter())
        .filter(|variable| variable.masked && !variable.value.is_empty())
        .map(|variable| variable.value.as_str())
        .collect();
    let rule = match job.reason {
        Reason::Rule { rule, .. } => Some(rule),
        _ => None,
    };
    let last =
        |index: usize, name: &str| !levels[index + 1..].iter().any(|(_, one)| one.key == name);
    levels
        .iter()
        .enumerate()
        .map(|(index, (level, variable))| {
            let wins = last(index, &variable.key);
            // An overridden value is shown as it was written.
            let value = if wins {
                expanded.value(&variable.key).unwrap_or(&variable.value)
            } else {
                &variable.value
            };
            VariableValue {
                name: variable.key.clone(),
                value: (!variable.masked).then(|| without_secrets(value, &secrets)),
                masked: variable.masked,
                file: variable.file,
                level: exact(*level, config, global, job, rule, &variable.key),
                overridden: !wins,
            }
        })
        .collect()
}

/// A value may have a secret put in.
fn without_secrets(value: &str, secrets: &[&str]) -> String {
    let replace = |text: String, secret: &&str| text.replace(secret, "[MASKED]");
    secrets.iter().fold(value.to_owned(), replace)
}

/// The level with the rule that the value came from, where one did.
fn exact(
    level: Level,
    config: &Config,
    global: &Variables,
    job: &PlannedJob,
    rule: Option<usize>,
    name: &str,
) -> Level {
    match level {
        Level::Job => {
            let of_rule = rule.filter(|rule| {
                let rules = job.spec.rules.as_ref();
                let rule = rules.and_then(|rules| rules.get(rule - 1));
                rule.is_some_and(|rule| rule.variables.contains_key(name))
            });
            of_rule.map_or(level, |rule| Level::JobRule { rule })
        }
        Level::Pipeline if global.get(name) != config.variables.get(name) => {
            let rules = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
            let mut rules = rules.into_iter().flatten();
            let found = rules.position(|rule| rule.variables.get(name) == global.get(name));
            found.map_or(level, |index| Level::WorkflowRule { rule: index + 1 })
        }
        other => other,
    }
}
