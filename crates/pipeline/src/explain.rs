//! Why a job is in a pipeline or is not: what was tried, what was seen, and what would change
//! it. Plain data for those who show it.

use serde::Serialize;
use shipway_config::conditions::ConditionError;
use shipway_config::{Config, Job, Source as Files};

use crate::create::{Context, Verdict, trace, verdict};
pub use crate::create::{
    Level, PartTrace, RuleTrace, Tried, ValueTrace, VariableUse, VariableValue,
};
use crate::flip::{self, Flip};

/// Why a job is in a pipeline or is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The job's name.
    pub job: String,
    /// Its stage.
    pub stage: String,
    /// Whether it is in the pipeline.
    pub included: bool,
    /// When it starts, where it is in.
    pub when: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// The rules of `workflow`.
    pub workflow: Vec<RuleTrace>,
    /// The rules of the job; empty for one with `only`, `except` or neither.
    pub rules: Vec<RuleTrace>,
    /// `only` and `except`, in words.
    pub policies: Vec<String>,
    /// The variables that were looked at.
    pub variables: Vec<VariableUse>,
    /// The smallest changes that would turn the outcome around, each enough by itself; none
    /// where none was found.
    pub flips: Vec<Flip>,
}

/// Explains one job of a configuration.
///
/// # Errors
/// A condition on paths that cannot be decided.
pub fn explain(
    config: &Config,
    context: &Context,
    files: &dyn Files,
    job: &Job,
) -> Result<Explanation, ConditionError> {
    let found = verdict(config, context, files, job)?;
    let seen = trace(config, context, files, job)?;
    let (included, when, reason) = match &found {
        Verdict::In(reason, when) => (true, Some(when.as_str().to_owned()), reason.to_string()),
        Verdict::Out(excluded) => (false, None, excluded.to_string()),
        Verdict::NoPipeline => (
            false,
            None,
            "there is no pipeline: `workflow` filters it out".to_owned(),
        ),
    };
    Ok(Explanation {
        job: job.name.clone(),
        stage: job.stage.clone(),
        included,
        when,
        reason,
        workflow: seen.workflow,
        rules: seen.rules,
        policies: policies(job),
        variables: seen.variables,
        flips: flip::smallest(config, context, files, job, included),
    })
}

fn policies(job: &Job) -> Vec<String> {
    let mut lines = Vec::new();
    if job.rules.is_some() {
        return lines;
    }
    for (keyword, policy) in [("only", &job.only), ("except", &job.except)] {
        let Some(policy) = policy else { continue };
        let lists = [
            ("refs", policy.refs.as_ref()),
            ("variables", policy.variables.as_ref()),
            ("changes", policy.changes.as_ref()),
        ];
        for (clause, list) in lists {
            if let Some(list) = list {
                lines.push(format!("{keyword}:{clause}: {}", list.join(", ")));
            }
        }
        if policy.kubernetes {
            lines.push(format!("{keyword}:kubernetes: active"));
        }
    }
    lines
}
