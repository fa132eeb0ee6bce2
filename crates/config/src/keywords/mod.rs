//! The merged tree to typed data: one file per group of keywords. No keyword stops another
//! from being checked; what is wrong is told through [`place::Place`].

mod artifacts;
mod cache;
mod dast;
mod default;
mod environment;
mod failure;
mod flow;
pub(crate) mod header;
mod hints;
mod hooks;
mod id_tokens;
mod image;
mod inherit;
mod inputs;
mod job;
mod kind;
mod kubernetes;
mod matrix;
mod needs;
mod pages;
mod paths;
pub(crate) mod place;
mod policy;
mod release;
pub(crate) mod report;
mod rules;
mod run;
mod script;
mod secrets;
mod stages;
mod trigger;
pub(crate) mod values;
mod variables;
mod workflow;

use crate::yaml::{Map, get};
use crate::{Limits, PrefilledVariable, Variables, Workflow};
use indexmap::IndexMap;
use place::Place;
use report::Report;
use values::value;

pub(crate) use default::TOP_LEVEL as TOP_LEVEL_DEFAULTS;
pub(crate) use failure::RETRY_WHEN;
pub(crate) use job::Read as ReadJob;
#[cfg(test)]
pub(crate) use kind::KEYS as JOB_KEYS;
pub(crate) use matrix::{Matrix, Parallel, instance_count};
pub(crate) use rules::IncludeRule;

/// The keywords of the top level; every other key there is a job.
pub(crate) const GLOBALS: [&str; 11] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "before_script",
    "after_script",
    "image",
    "services",
    "cache",
    "spec",
];

/// A configuration before instances are made and jobs are held against each other.
pub(crate) struct Read {
    /// Empty where the list is wrong.
    pub(crate) stages: Vec<String>,
    pub(crate) variables: Variables,
    pub(crate) form: IndexMap<String, PrefilledVariable>,
    pub(crate) workflow: Option<Workflow>,
    pub(crate) jobs: Vec<ReadJob>,
}

/// `include:rules`
pub(crate) fn include_rules(node: &crate::yaml::Node, report: &Report) -> Vec<IncludeRule> {
    rules::of_include(node, &Place::top("include", report).key("rules"))
}

/// Reads every keyword of the configuration.
pub(crate) fn read(root: &Map, limits: &Limits, report: &Report) -> Read {
    let top = |key| Place::top(key, report);
    let (variables, form) = match value(root, "variables") {
        Some(node) => variables::of_pipeline(node, &top("variables")),
        None => Default::default(),
    };
    let workflow =
        value(root, "workflow").and_then(|node| workflow::workflow(node, &top("workflow")));
    let defaults = default::defaults(root, report, limits);
    let around = job::Surroundings {
        defaults: &defaults,
        has_workflow_rules: workflow
            .as_ref()
            .is_some_and(|workflow| workflow.rules.is_some()),
        limits,
    };
    let mut jobs = Vec::new();
    let mut has_visible = false;
    for (key, entry) in root {
        let name = key.as_str();
        if key.is_text() && (name.starts_with('.') || is_global(root, name)) {
            continue;
        }
        has_visible = true;
        jobs.extend(job::job(key, entry, &around, report));
    }
    if !has_visible {
        report.push(
            crate::Diagnostic::error_anywhere(
                "jobs config should contain at least one visible job",
            )
            .hint("a job is a key of the top level with a `script`; names with a dot are hidden"),
        );
    }
    Read {
        stages: stages::stages(value(root, "stages"), &top("stages")).unwrap_or_default(),
        variables,
        form,
        workflow,
        jobs,
    }
}

/// Whether a key of the top level is a global keyword. `default` with a script is a job.
fn is_global(root: &Map, name: &str) -> bool {
    let is_job = name == "default"
        && get(root, name).is_some_and(|entry| entry.node.get("script").is_some());
    GLOBALS.contains(&name) && !is_job
}
