//! A pipeline that this process works on: its rows and its state, as they are in the store.

use shipway_config::{AllowFailure, Job, When};
use shipway_pipeline::{Event, JobId, JobState, PipelineId, StageState, State};
use shipway_store::{Hold, JobRow, PipelineRow, StageRow};

use crate::error::Error;
use crate::payload::Shared;

/// A pipeline under way. The hold makes this process its only writer, so that the state can
/// be kept here between two events instead of being read anew.
#[derive(Debug)]
pub(crate) struct Live {
    /// Released when the pipeline is let go.
    pub(crate) _hold: Hold,
    pub(crate) row: PipelineRow,
    pub(crate) shared: Shared,
    /// The newest attempts, in the order of [`State::jobs`].
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) state: State,
}

impl Live {
    pub(crate) fn new(
        hold: Hold,
        row: PipelineRow,
        stages: &[StageRow],
        jobs: Vec<JobRow>,
    ) -> Result<Self, Error> {
        let shared: Shared =
            serde_json::from_str(&row.context).map_err(Error::stored("context", JobId(0)))?;
        let jobs: Vec<JobRow> = jobs.into_iter().filter(|job| !job.retried).collect();
        let state = State {
            pipeline: row.status,
            stages: (stages.iter())
                .map(|stage| StageState {
                    name: stage.name.clone(),
                    status: stage.status,
                })
                .collect(),
            jobs: jobs.iter().map(job_state).collect::<Result<_, _>>()?,
            cancel_on_job_failure: shared.cancel_on_job_failure,
            keep_going: shared.keep_going,
        };
        Ok(Self {
            _hold: hold,
            row,
            shared,
            jobs,
            state,
        })
    }

    pub(crate) fn id(&self) -> PipelineId {
        self.row.id
    }

    pub(crate) fn index(&self, job: JobId) -> Option<usize> {
        self.jobs.iter().position(|row| row.id == job)
    }

    /// The typed configuration of a job.
    pub(crate) fn spec(&self, index: usize) -> Result<Job, Error> {
        spec(&self.jobs[index])
    }
}

/// The typed configuration of a stored job.
pub(crate) fn spec(row: &JobRow) -> Result<Job, Error> {
    serde_json::from_str(&row.spec).map_err(Error::stored("configuration", row.id))
}

fn job_state(row: &JobRow) -> Result<JobState, Error> {
    let spec = spec(row)?;
    let needs =
        (spec.needs.as_ref()).map(|needs| needs.iter().map(|need| need.job.clone()).collect());
    let allow_failure = match spec.allow_failure {
        Some(AllowFailure::ExitCodes(codes)) if !row.status.is_completed() => {
            AllowFailure::ExitCodes(codes)
        }
        _ => AllowFailure::Always(row.allow_failure),
    };
    Ok(JobState {
        name: row.name.clone(),
        stage: usize::try_from(row.stage).unwrap_or_default(),
        status: row.status,
        when: spec.when.unwrap_or(When::OnSuccess),
        allow_failure,
        needs,
        triggered: row.triggered,
        retry: spec.retry,
        resource_group: spec.resource_group,
        retries: u32::try_from(row.attempt - 1).unwrap_or_default(),
    })
}

/// Events of one job, chosen by what the state says of it.
pub(crate) type Choose<'a> = &'a (dyn Fn(&Live) -> Result<Vec<Event>, Error> + Send + Sync);
