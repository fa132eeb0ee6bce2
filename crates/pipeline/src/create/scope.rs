//! The variables that exist while a pipeline is created, by level (language inventory, 2.3
//! and 3.1).

use serde::Serialize;
use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Inherit, Job, Variables};

use super::Context;

/// Where the value of a variable comes from, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub enum Level {
    /// GitLab's own variables.
    Predefined,
    /// The top level of the file.
    Pipeline,
    /// A rule of `workflow`.
    WorkflowRule {
        /// Its number, from 1.
        rule: usize,
    },
    /// The job.
    Job,
    /// The rule of the job that matched.
    JobRule {
        /// Its number, from 1.
        rule: usize,
    },
    /// From outside of the file: the command line, the project, the trigger or schedule.
    Outer,
}

/// The variables of `workflow`, or of one job, level by level.
pub(super) struct Scope<'a> {
    context: &'a Context,
    global: &'a Variables,
    inherit: &'a Inherit,
    job: Option<&'a Variables>,
    job_predefined: Collection,
}

impl<'a> Scope<'a> {
    /// What `workflow` sees.
    pub(super) fn of_pipeline(context: &'a Context, global: &'a Variables) -> Self {
        Self {
            context,
            global,
            inherit: &Inherit::All,
            job: None,
            job_predefined: Collection::new(),
        }
    }

    /// What a job's conditions and its server-side fields see.
    pub(super) fn of_job(context: &'a Context, global: &'a Variables, job: &'a Job) -> Self {
        Self {
            context,
            global,
            inherit: &job.inherit_variables,
            job: Some(&job.variables),
            job_predefined: job_predefined(job),
        }
    }

    /// The value of a name as it was written: conditions never expand.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        if let Some(value) = self.context.outer.value(name) {
            return Some(value);
        }
        if let Some(found) = self.job.and_then(|variables| variables.get(name)) {
            return Some(&found.value);
        }
        if self.inherit.takes(name)
            && let Some(found) = self.global.get(name)
        {
            return Some(&found.value);
        }
        let predefined = self.job_predefined.value(name);
        predefined.or_else(|| self.context.predefined.value(name))
    }

    /// Where the value of a name comes from.
    pub(super) fn level(&self, name: &str) -> Option<Level> {
        if self.context.outer.get(name).is_some() {
            Some(Level::Outer)
        } else if self.job.is_some_and(|own| own.contains_key(name)) {
            Some(Level::Job)
        } else if self.inherit.takes(name) && self.global.contains_key(name) {
            Some(Level::Pipeline)
        } else if self.job_predefined.get(name).is_some()
            || self.context.predefined.get(name).is_some()
        {
            Some(Level::Predefined)
        } else {
            None
        }
    }

    /// All of them in rising precedence, with where they come from.
    pub(super) fn levels(&self) -> Vec<(Level, Variable)> {
        let predefined = self.context.predefined.iter();
        let predefined = predefined.chain(self.job_predefined.iter());
        let predefined = predefined.map(|one| (Level::Predefined, one.clone()));
        let global = self.global.iter();
        let global = global.filter(|(key, _)| self.inherit.takes(key));
        let global = global.map(|(key, value)| (Level::Pipeline, key, value));
        let own = self.job.into_iter().flatten();
        let own = own.map(|(key, value)| (Level::Job, key, value));
        let in_file = global.chain(own).map(|(level, key, value)| {
            let variable = Variable {
                raw: value.raw,
                ..Variable::new(key, &value.value)
            };
            (level, variable)
        });
        let outer = self.context.outer.iter();
        let outer = outer.map(|one| (Level::Outer, one.clone()));
        predefined.chain(in_file).chain(outer).collect()
    }

    /// All of them in rising precedence.
    pub(super) fn collection(&self) -> Collection {
        let mut all = self.context.predefined.clone();
        all.extend(self.job_predefined.iter().cloned());
        let global = self
            .global
            .iter()
            .filter(|(key, _)| self.inherit.takes(key));
        for (key, value) in global.chain(self.job.into_iter().flatten()) {
            all.push(Variable {
                raw: value.raw,
                ..Variable::new(key, &value.value)
            });
        }
        all.extend(self.context.outer.iter().cloned());
        all
    }

    /// A field the server expands: an undefined name becomes empty.
    pub(super) fn expand(&self, text: &str) -> String {
        if !text.contains(['$', '%']) {
            return text.to_owned();
        }
        let expanded = self.collection();
        let expanded = expanded.expand_all_or_keep(Undefined::Empty, FileReferences::Content);
        expanded.expand(text, Undefined::Empty, FileReferences::Content)
    }
}

impl Scope<'_> {
    /// A pattern of paths: a name that is not defined stays as it was written.
    pub(super) fn expand_existing(&self, text: &str) -> String {
        if !text.contains(['$', '%']) {
            return text.to_owned();
        }
        let expanded = self.collection();
        let expanded = expanded.expand_all_or_keep(Undefined::Keep, FileReferences::Content);
        expanded.expand(text, Undefined::Keep, FileReferences::Content)
    }
}

/// Predefined variables of one job that exist while rules are evaluated.
fn job_predefined(job: &Job) -> Collection {
    let mut variables = Collection::new();
    variables.push(Variable::new("CI_JOB_NAME", &job.name));
    variables.push(Variable::new("CI_JOB_STAGE", &job.stage));
    if let Some(instance) = job.parallel {
        variables.push(Variable::new("CI_NODE_INDEX", instance.index.to_string()));
        variables.push(Variable::new("CI_NODE_TOTAL", instance.total.to_string()));
    }
    variables
}
