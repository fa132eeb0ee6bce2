//! `workflow`: whether there is a pipeline at all, its name and its variables
//! (language inventory, 1.3).

use shipway_config::variables::{FileReferences, Undefined};
use shipway_config::{Config, Variables, When};

use super::scope::Scope;
use super::{Context, PlanError, conditions};

/// What `workflow` decides about a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Decision {
    /// Its name, where one is left after expansion.
    pub(super) name: Option<String>,
    /// The top-level variables with those of the matching rule over them.
    pub(super) variables: Variables,
    /// The first failing job cancels the rest.
    pub(super) cancel_on_job_failure: bool,
}

pub(super) fn decide(config: &Config, context: &Context) -> Result<Decision, PlanError> {
    let mut decision = Decision {
        variables: config.variables.clone(),
        ..Decision::default()
    };
    let Some(workflow) = &config.workflow else {
        return Ok(decision);
    };
    let mut on_job_failure = workflow.auto_cancel.on_job_failure.clone();
    if let Some(rules) = &workflow.rules {
        let scope = Scope::of_pipeline(context, &config.variables);
        let rule = rules.iter().find(|rule| {
            let condition = rule.condition.as_deref();
            condition
                .is_none_or(|condition| conditions::is_true(condition, &|name| scope.value(name)))
        });
        let rule = rule.filter(|rule| rule.when != Some(When::Never));
        let rule = rule.ok_or(PlanError::FilteredByWorkflow)?;
        on_job_failure = rule.auto_cancel.on_job_failure.clone().or(on_job_failure);
        decision.variables.extend(rule.variables.clone());
    }
    decision.cancel_on_job_failure = on_job_failure.as_deref() == Some("all");
    decision.name = workflow.name.as_ref().and_then(|name| {
        let variables = Scope::of_pipeline(context, &decision.variables).collection();
        let name = variables.expand(name, Undefined::Empty, FileReferences::Content);
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    });
    Ok(decision)
}
