//! What happens next: a pipeline's state and some events make a list of changes.
//!
//! The local run, the server, `simulate` and the recovery after a crash all call
//! [`State::apply`]. The rules are GitLab's (language inventory, 5.2 and 5.4).

mod order;
mod step;

use shipway_config::{AllowFailure, Retry, When};

use crate::Status;
use crate::composite::StatusSet;
use step::{Before, Step};

/// A pipeline as far as its future depends on it. Only the newest attempt of a job is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The pipeline's status.
    pub pipeline: Status,
    /// The stages that have jobs, in order.
    pub stages: Vec<StageState>,
    /// The newest attempts.
    pub jobs: Vec<JobState>,
    /// `workflow:auto_cancel:on_job_failure: all`.
    pub cancel_on_job_failure: bool,
    /// A failure does not keep jobs of later stages from starting. GitLab has no such thing;
    /// it is `shipway run --keep-going`.
    pub keep_going: bool,
    /// Resource groups are shared with other pipelines: a job of one waits for its resource
    /// until [`Event::Assigned`]. Otherwise only the jobs of this pipeline take turns.
    pub shared_groups: bool,
}

/// A stage of a [`State`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageState {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
}

/// A job of a [`State`].
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// Index of its stage.
    pub stage: usize,
    /// Its status.
    pub status: Status,
    /// When it starts.
    pub when: When,
    /// Whether its failure, its cancellation or its waiting for a person is overlooked.
    pub allow_failure: AllowFailure,
    /// Names of needed jobs; `None` for a job ordered by its stage.
    pub needs: Option<Vec<String>>,
    /// A manual or delayed job that a person set off: it does not wait again.
    pub triggered: bool,
    /// `retry`.
    pub retry: Option<Retry>,
    /// How many attempts came before this one.
    pub retries: u32,
    /// Jobs of one group never run together.
    pub resource_group: Option<String>,
    /// It starts or follows another pipeline, and no runner takes it.
    pub bridge: bool,
}

impl JobState {
    fn overlooked(&self) -> bool {
        self.allow_failure == AllowFailure::Always(true)
    }
}

/// Index of a job in [`State::jobs`].
pub type JobIndex = usize;

/// Something that happened, or that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The pipeline was created, or should be looked at again.
    Process,
    /// A runner took the job.
    Started(JobIndex),
    /// The runner that took the job never began with it: the job waits again.
    Returned(JobIndex),
    /// The job ended well.
    Succeeded(JobIndex),
    /// The job failed.
    Failed {
        /// Which one.
        job: JobIndex,
        /// GitLab's name of the failure reason.
        reason: String,
        /// The script's exit code.
        exit_code: Option<i32>,
    },
    /// The runner ended a job whose cancellation had been asked for.
    Canceled(JobIndex),
    /// The job has got the resource of its group.
    Assigned(JobIndex),
    /// The pipeline that a trigger job started, or mirrors, gives the job this status
    /// ([`Trigger`](shipway_config::Trigger) and [`crate::follow`]).
    Followed {
        /// Which one.
        job: JobIndex,
        /// The job's status from now on.
        status: Status,
    },
    /// Somebody cancels the job.
    Cancel(JobIndex),
    /// Somebody cancels the pipeline.
    CancelPipeline,
    /// Somebody plays a manual or delayed job.
    Play(JobIndex),
    /// Somebody stops the timer of a delayed job.
    Unschedule(JobIndex),
    /// The delay of a job is over.
    Due(JobIndex),
    /// Somebody retries a finished job.
    Retry(JobIndex),
    /// Somebody retries all that failed or was cancelled.
    RetryPipeline,
}

/// One difference between the state before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new attempt takes the job's place; it is `created`. Later changes mean the new one.
    Attempt {
        /// Which one.
        job: JobIndex,
        /// It is already set off by a person.
        triggered: bool,
    },
    /// The job has a new status.
    Job {
        /// Which one.
        job: JobIndex,
        /// The new status.
        status: Status,
    },
    /// The job's failure turned out to be an allowed one.
    FailureAllowed {
        /// Which one.
        job: JobIndex,
    },
    /// The stage has a new status.
    Stage {
        /// Index in [`State::stages`].
        stage: usize,
        /// The new status.
        status: Status,
    },
    /// The pipeline has a new status.
    Pipeline {
        /// The new status.
        status: Status,
    },
}

/// An event that makes no sense in the job's present status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job `{job}` is {status}, so it cannot be {wish}")]
pub struct IllegalTransition {
    /// The job's name.
    pub job: String,
    /// Its status.
    pub status: Status,
    /// What was asked: `started`, `retried` and the like.
    pub wish: &'static str,
}

impl State {
    /// Lets the events happen, then everything that follows from them, and says what changed.
    ///
    /// # Errors
    /// The first event that is not possible; the state is then as before.
    pub fn apply(&mut self, events: &[Event]) -> Result<Vec<Change>, IllegalTransition> {
        let before = Before::of(self);
        let mut step = Step {
            state: self,
            changes: Vec::new(),
        };
        let possible = events.iter().try_for_each(|event| step.event(event));
        if let Err(fault) = possible {
            before.restore(self);
            return Err(fault);
        }
        step.process();
        Ok(step.changes)
    }

    /// Index of the job of this name.
    pub fn job(&self, name: &str) -> Option<JobIndex> {
        self.jobs.iter().position(|job| job.name == name)
    }

    /// Whether some job failed or was cancelled and was allowed to.
    pub fn has_warnings(&self) -> bool {
        self.set(|_| true).has_warnings()
    }

    fn set(&self, filter: impl Fn(&JobState) -> bool) -> StatusSet {
        let jobs = self.jobs.iter().filter(|job| filter(job));
        jobs.map(|job| (job.status, job.overlooked())).collect()
    }
}
