//! The plan: which jobs a pipeline has, in which form, and why.

use std::collections::HashSet;

use shipway_config::conditions::{ConditionError, Paths};
use shipway_config::{AllowFailure, Config, Job, Need, Source, Variables, When};

use super::conditions::Facts;
use super::scope::Scope;
use super::{Context, Excluded, Reason, conditions, workflow};
use crate::{JobState, StageState, State, Status};

/// The stages at the ends; a pipeline of nothing else is not created.
const EDGE_STAGES: [&str; 2] = [".pre", ".post"];

/// What a pipeline will consist of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Stages that have jobs, in order.
    pub stages: Vec<String>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<PlannedJob>,
    /// The jobs that are left out.
    pub skipped: Vec<SkippedJob>,
    /// The top-level variables, with those of the matching `workflow` rule over them.
    pub variables: Variables,
    /// `workflow:name`.
    pub name: Option<String>,
    /// `workflow:auto_cancel:on_job_failure: all`.
    pub cancel_on_job_failure: bool,
    /// `workflow:auto_cancel:on_new_commit`, where it is given.
    pub on_new_commit: Option<String>,
}

/// A job of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedJob {
    /// Its typed configuration, with what the matching rule changed already in it.
    pub spec: Job,
    /// Index in [`Plan::stages`].
    pub stage: usize,
    /// When it starts.
    pub when: When,
    /// Whether its failure is overlooked.
    pub allow_failure: AllowFailure,
    /// A manual job that was asked for by name.
    pub triggered: bool,
    /// Why it is there.
    pub reason: Reason,
}

/// A job that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// Why.
    pub reason: Excluded,
}

/// Why no pipeline can be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A needed job is not in the pipeline.
    #[error(
        "'{job}' job needs '{need}' job, but '{need}' does not exist in the pipeline. This might be because of the only, except, or rules keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional."
    )]
    MissingNeed {
        /// The job that needs.
        job: String,
        /// The job that is not there.
        need: String,
        /// Why it is not there.
        reason: Option<Excluded>,
    },
    /// No rule of `workflow` matched, or the one that did says never.
    #[error("Pipeline filtered out by workflow rules.")]
    FilteredByWorkflow,
    /// A condition on paths cannot be decided.
    #[error("{reason}")]
    Condition {
        /// The job whose rules they are; `None`: those of `workflow`.
        job: Option<String>,
        /// Why.
        reason: ConditionError,
    },
    /// No job is left.
    #[error(
        "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs."
    )]
    Empty {
        /// The jobs that are left out.
        skipped: Vec<SkippedJob>,
    },
}

impl From<ConditionError> for PlanError {
    fn from(reason: ConditionError) -> Self {
        Self::Condition { job: None, reason }
    }
}

/// Makes the plan. Of `source` are asked the paths that `changes` and `exists` are about.
///
/// # Errors
/// All needs that cannot be met, or [`PlanError::Empty`] when no job outside `.pre` and
/// `.post` is left (language inventory, 11.A).
pub fn create(
    config: &Config,
    context: &Context,
    source: &dyn Source,
) -> Result<Plan, Vec<PlanError>> {
    let paths = Paths::new(source);
    let decision = workflow::decide(config, context, &paths).map_err(|fault| vec![fault])?;
    let mut jobs = Vec::with_capacity(config.jobs.len());
    let mut skipped = Vec::new();
    let mut faults = Vec::new();
    for job in config.jobs.values() {
        match plan_job(job, &decision.variables, context, &paths) {
            Ok(Ok(planned)) => jobs.push(planned),
            Ok(Err(reason)) => skipped.push(SkippedJob {
                name: job.name.clone(),
                stage: job.stage.clone(),
                reason,
            }),
            // What is wrong with one instance of a parallel job is wrong with all of them.
            Err(reason) => faults.push(PlanError::Condition {
                job: Some(job.key.clone()),
                reason,
            }),
        }
    }
    faults.dedup();
    if !faults.is_empty() {
        return Err(faults);
    }
    if !jobs
        .iter()
        .any(|job| !EDGE_STAGES.contains(&job.spec.stage.as_str()))
    {
        return Err(vec![PlanError::Empty { skipped }]);
    }
    settle_needs(&mut jobs, &skipped)?;
    let stages = number_stages(&mut jobs, &config.stages);
    Ok(Plan {
        stages,
        jobs,
        skipped,
        variables: decision.variables,
        name: decision.name,
        cancel_on_job_failure: decision.cancel_on_job_failure,
        on_new_commit: decision.on_new_commit,
    })
}

fn plan_job(
    job: &Job,
    variables: &Variables,
    context: &Context,
    paths: &Paths<'_>,
) -> Result<Result<PlannedJob, Excluded>, ConditionError> {
    let scope = Scope::of_job(context, variables, job);
    let facts = Facts {
        context,
        scope: &scope,
        paths,
    };
    let (rule, reason) = match conditions::decide(job, &facts)? {
        Ok(decision) => decision,
        Err(excluded) => return Ok(Err(excluded)),
    };

    let mut spec = job.clone();
    let mut when = job.when.unwrap_or_default();
    let mut allow_failure = job.allow_failure.clone();
    if let Some(rule) = rule {
        when = rule.when.unwrap_or(when);
        spec.start_in = rule.start_in.or(spec.start_in);
        spec.interruptible = rule.interruptible.or(spec.interruptible);
        spec.variables.extend(rule.variables.clone());
        if let Some(needs) = &rule.needs {
            spec.needs = Some(needs.clone());
        }
        allow_failure = rule
            .allow_failure
            .map(AllowFailure::Always)
            .or(allow_failure);
    }
    // Only a manual job of the job level is optional by default; one that a rule made manual
    // blocks (language inventory, 11.H, point 3).
    let allow_failure =
        allow_failure.unwrap_or(AllowFailure::Always(job.when == Some(When::Manual)));
    spec.when = Some(when);
    spec.allow_failure = Some(allow_failure.clone());
    expand_fields(&mut spec, variables, context);
    Ok(Ok(PlannedJob {
        spec,
        stage: 0,
        when,
        allow_failure,
        triggered: false,
        reason,
    }))
}

/// Expands what the server expands when it creates a job (language inventory, 3.4).
fn expand_fields(spec: &mut Job, variables: &Variables, context: &Context) {
    let mut expanded = spec.clone();
    let scope = Scope::of_job(context, variables, spec);
    expanded.tags = spec.tags.iter().map(|tag| scope.expand(tag)).collect();
    expanded.resource_group = spec.resource_group.as_ref().map(|key| scope.expand(key));
    if let Some(environment) = &mut expanded.environment {
        environment.name = scope.expand(&environment.name);
    }
    *spec = expanded;
}

/// Takes optional needs that are not there off the lists and complains of the others.
fn settle_needs(jobs: &mut [PlannedJob], skipped: &[SkippedJob]) -> Result<(), Vec<PlanError>> {
    let names: HashSet<String> = jobs.iter().map(|job| job.spec.name.clone()).collect();
    let mut faults = Vec::new();
    for job in jobs {
        let Some(needs) = &mut job.spec.needs else {
            continue;
        };
        needs.retain(|need: &Need| {
            let there = names.contains(&need.job);
            if !there && !need.optional {
                let excluded = skipped.iter().find(|skipped| skipped.name == need.job);
                faults.push(PlanError::MissingNeed {
                    job: job.spec.name.clone(),
                    need: need.job.clone(),
                    reason: excluded.map(|skipped| skipped.reason.clone()),
                });
            }
            there
        });
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Drops stages without jobs and tells each job the number of its stage.
pub(super) fn number_stages(jobs: &mut [PlannedJob], stages: &[String]) -> Vec<String> {
    let used: HashSet<&str> = jobs.iter().map(|job| job.spec.stage.as_str()).collect();
    let kept: Vec<String> = (stages.iter())
        .filter(|stage| used.contains(stage.as_str()))
        .cloned()
        .collect();
    for job in jobs {
        let position = kept.iter().position(|stage| *stage == job.spec.stage);
        job.stage = position.unwrap_or_default();
    }
    kept
}

impl Plan {
    /// The state in which the pipeline begins.
    pub fn state(&self) -> State {
        let stages = self.stages.iter().map(|name| StageState {
            name: name.clone(),
            status: Status::Created,
        });
        State {
            pipeline: Status::Created,
            stages: stages.collect(),
            jobs: self.jobs.iter().map(PlannedJob::state).collect(),
            cancel_on_job_failure: self.cancel_on_job_failure,
            keep_going: false,
            shared_groups: false,
        }
    }
}

impl PlannedJob {
    /// The state in which the job begins.
    pub fn state(&self) -> JobState {
        let needs = self.spec.needs.as_ref();
        JobState {
            name: self.spec.name.clone(),
            stage: self.stage,
            status: Status::Created,
            when: self.when,
            allow_failure: self.allow_failure.clone(),
            needs: needs.map(|needs| needs.iter().map(|need| need.job.clone()).collect()),
            triggered: self.triggered,
            retry: self.spec.retry.clone(),
            retries: 0,
            resource_group: self.spec.resource_group.clone(),
            bridge: self.spec.trigger.is_some(),
        }
    }
}
