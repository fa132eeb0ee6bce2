//! `workflow`: whether there is a pipeline at all, its name and its variables
//! (language inventory, 1.3).

use shipway_config::variables::{FileReferences, Undefined};
use shipway_config::{AutoCancel, Config, Variables, When};

use shipway_config::conditions::Paths;

use super::conditions::Facts;
use super::scope::Scope;
use super::{Context, PlanError};

/// What `workflow` decides about a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Decision {
    /// Its name, where one is left after expansion.
    pub(super) name: Option<String>,
    /// The top-level variables with those of the matching rule over them.
    pub(super) variables: Variables,
    /// The first failing job cancels the rest.
    pub(super) cancel_on_job_failure: bool,
    /// What a newer commit does, where the file says so.
    pub(super) on_new_commit: Option<String>,
}

pub(super) fn decide(
    config: &Config,
    context: &Context,
    paths: &Paths<'_>,
) -> Result<Decision, PlanError> {
    let mut decision = Decision {
        variables: config.variables.clone(),
        ..Decision::default()
    };
    let Some(workflow) = &config.workflow else {
        return Ok(decision);
    };
    let mut auto_cancel = workflow.auto_cancel.clone();
    if let Some(rules) = &workflow.rules {
        let scope = Scope::of_pipeline(context, &config.variables);
        let facts = Facts {
            context,
            scope: &scope,
            paths,
        };
        let mut found = None;
        for rule in rules {
            if facts.hold(
                rule.condition.as_deref(),
                rule.changes.as_ref(),
                rule.exists.as_ref(),
            )? {
                found = Some(rule);
                break;
            }
        }
        let rule = found.filter(|rule| rule.when != Some(When::Never));
        let rule = rule.ok_or(PlanError::FilteredByWorkflow)?;
        let AutoCancel {
            on_new_commit,
            on_job_failure,
        } = rule.auto_cancel.clone();
        auto_cancel.on_job_failure = on_job_failure.or(auto_cancel.on_job_failure);
        auto_cancel.on_new_commit = on_new_commit.or(auto_cancel.on_new_commit);
        decision.variables.extend(rule.variables.clone());
    }
    decision.cancel_on_job_failure = auto_cancel.on_job_failure.as_deref() == Some("all");
    decision.on_new_commit = auto_cancel.on_new_commit;
    decision.name = workflow.name.as_ref().and_then(|name| {
        let variables = Scope::of_pipeline(context, &decision.variables).collection();
        let name = variables.expand(name, Undefined::Empty, FileReferences::Content);
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    });
    Ok(decision)
}
