//! What happens next: a pipeline's state and some events make a list of changes.
//!
//! The local run, the server, `simulate` and the recovery after a crash all call
//! [`State::apply`]. The rules are GitLab's (language inventory, 5.2 and 5.4).

use std::collections::HashMap;

use shipway_config::{AllowFailure, Retry, When};

use crate::composite::StatusSet;
use crate::{Status, retry};

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

/// What events can change before one of them turns out to be impossible.
struct Before {
    jobs: Vec<(Status, bool, u32, AllowFailure)>,
}

impl Before {
    fn of(state: &State) -> Self {
        let jobs = state.jobs.iter().map(|job| {
            let allow_failure = job.allow_failure.clone();
            (job.status, job.triggered, job.retries, allow_failure)
        });
        Self {
            jobs: jobs.collect(),
        }
    }

    fn restore(self, state: &mut State) {
        for (job, saved) in state.jobs.iter_mut().zip(self.jobs) {
            (job.status, job.triggered, job.retries, job.allow_failure) = saved;
        }
    }
}

/// A state under way, with what changed so far.
struct Step<'a> {
    state: &'a mut State,
    changes: Vec<Change>,
}

impl Step<'_> {
    fn event(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        match event {
            Event::Process => {}
            Event::Started(job) => {
                self.expect(*job, "started", |status| status == Status::Pending)?;
                self.set_job(*job, Status::Running);
            }
            Event::Returned(job) => {
                self.expect(*job, "returned", |status| status == Status::Running)?;
                self.set_job(*job, Status::Pending);
            }
            Event::Succeeded(job) => {
                self.expect(*job, "finished", is_unfinished)?;
                self.set_job(*job, Status::Success);
            }
            Event::Failed {
                job,
                reason,
                exit_code,
            } => {
                self.expect(*job, "failed", is_unfinished)?;
                self.fail(*job, reason, *exit_code);
            }
            Event::Canceled(job) => {
                self.expect(*job, "canceled", |status| !status.is_completed())?;
                self.set_job(*job, Status::Canceled);
            }
            Event::Cancel(job) => {
                self.expect(*job, "canceled", Status::is_cancelable)?;
                self.cancel(*job);
            }
            Event::CancelPipeline => self.cancel_all(),
            Event::Play(job) => match self.state.jobs[*job].status {
                Status::Manual | Status::Scheduled => {
                    self.state.jobs[*job].triggered = true;
                    self.enqueue(*job);
                    self.revive_dependents(*job);
                }
                _ => self.retry(*job, "played")?,
            },
            Event::Unschedule(job) => {
                self.expect(*job, "unscheduled", |status| status == Status::Scheduled)?;
                self.set_job(*job, Status::Manual);
            }
            Event::Due(job) => {
                self.expect(*job, "started", |status| status == Status::Scheduled)?;
                self.enqueue(*job);
            }
            Event::Retry(job) => self.retry(*job, "retried")?,
            Event::RetryPipeline => self.retry_all(),
        }
        Ok(())
    }

    fn expect(
        &self,
        job: JobIndex,
        wish: &'static str,
        legal: impl Fn(Status) -> bool,
    ) -> Result<(), IllegalTransition> {
        let job = &self.state.jobs[job];
        if legal(job.status) {
            return Ok(());
        }
        Err(IllegalTransition {
            job: job.name.clone(),
            status: job.status,
            wish,
        })
    }

    fn set_job(&mut self, job: JobIndex, status: Status) {
        let state = &mut self.state.jobs[job];
        if state.status != status {
            state.status = status;
            self.changes.push(Change::Job { job, status });
        }
    }

    /// Puts a job into the queue, or lets it wait while another of its group has the resource.
    fn enqueue(&mut self, job: JobIndex) {
        let group = &self.state.jobs[job].resource_group;
        let holds = |other: &JobState| {
            other.resource_group == *group
                && (other.status == Status::Pending || other.status.is_executing())
        };
        let busy = group.is_some() && self.state.jobs.iter().any(holds);
        let status = if busy {
            Status::WaitingForResource
        } else {
            Status::Pending
        };
        self.set_job(job, status);
    }

    fn fail(&mut self, job: JobIndex, reason: &str, exit_code: Option<i32>) {
        let state = &mut self.state.jobs[job];
        if let AllowFailure::ExitCodes(codes) = &state.allow_failure {
            let allowed = exit_code.is_some_and(|code| codes.contains(&code));
            state.allow_failure = AllowFailure::Always(allowed);
            if allowed {
                self.changes.push(Change::FailureAllowed { job });
            }
        }
        self.set_job(job, Status::Failed);
        let state = &self.state.jobs[job];
        if retry::retries_again(state.retry.as_ref(), reason, exit_code, state.retries) {
            self.attempt(job, true);
        } else if self.state.cancel_on_job_failure && !self.state.jobs[job].overlooked() {
            self.cancel_all();
        }
    }

    fn cancel(&mut self, job: JobIndex) {
        let status = match self.state.jobs[job].status {
            Status::Running => Status::Canceling,
            _ => Status::Canceled,
        };
        self.set_job(job, status);
    }

    fn cancel_all(&mut self) {
        for job in 0..self.state.jobs.len() {
            if self.state.jobs[job].status.is_cancelable() {
                self.cancel(job);
            }
        }
    }

    fn retry(&mut self, job: JobIndex, wish: &'static str) -> Result<(), IllegalTransition> {
        self.expect(job, wish, |status| {
            status.is_completed() && status != Status::Skipped
        })?;
        self.attempt(job, true);
        self.revive_dependents(job);
        Ok(())
    }

    fn retry_all(&mut self) {
        for job in 0..self.state.jobs.len() {
            match self.state.jobs[job].status {
                Status::Failed | Status::Canceled => self.attempt(job, false),
                Status::Skipped => self.set_job(job, Status::Created),
                _ => {}
            }
        }
    }

    fn attempt(&mut self, job: JobIndex, triggered: bool) {
        let state = &mut self.state.jobs[job];
        state.status = Status::Created;
        state.triggered = triggered;
        state.retries += 1;
        self.changes.push(Change::Attempt { job, triggered });
    }

    /// Jobs that need this one, directly or through others, and jobs of later stages: those
    /// that were skipped are judged anew.
    fn revive_dependents(&mut self, job: JobIndex) {
        let stage = self.state.jobs[job].stage;
        let dependents = self.dependents(job);
        for (other, depends) in dependents.into_iter().enumerate() {
            let state = &self.state.jobs[other];
            if state.status == Status::Skipped && (depends || state.stage > stage) {
                self.set_job(other, Status::Created);
            }
        }
    }

    fn dependents(&self, job: JobIndex) -> Vec<bool> {
        let mut needed_by: HashMap<&str, Vec<JobIndex>> = HashMap::new();
        for (index, state) in self.state.jobs.iter().enumerate() {
            for need in state.needs.iter().flatten() {
                needed_by.entry(need).or_default().push(index);
            }
        }
        let mut found = vec![false; self.state.jobs.len()];
        let mut queue = vec![job];
        while let Some(next) = queue.pop() {
            let name = self.state.jobs[next].name.as_str();
            for &dependent in needed_by.get(name).into_iter().flatten() {
                if !std::mem::replace(&mut found[dependent], true) {
                    queue.push(dependent);
                }
            }
        }
        found
    }

    /// Judges every created job, stage after stage, until nothing moves any more.
    fn process(&mut self) {
        let order = Order::of(self.state);
        loop {
            let before = self.changes.len();
            let mut earlier = StatusSet::default();
            for (stage, jobs) in order.stages.iter().enumerate() {
                for &job in jobs {
                    match self.state.jobs[job].status {
                        Status::Created => self.judge(job, earlier, &order.needs),
                        Status::WaitingForResource => self.enqueue(job),
                        _ => {}
                    }
                }
                let own = StatusSet::from_iter(jobs.iter().map(|&job| {
                    let job = &self.state.jobs[job];
                    (job.status, job.overlooked())
                }));
                self.store_stage(stage, own);
                earlier = earlier.union(own);
            }
            self.store_pipeline(earlier);
            if self.changes.len() == before {
                return;
            }
        }
    }

    fn judge(&mut self, job: JobIndex, earlier: StatusSet, needs: &[Option<Vec<JobIndex>>]) {
        let state = &self.state.jobs[job];
        let previous = match &needs[job] {
            None => earlier.status(),
            Some(needs) => needs
                .iter()
                .map(|&need| &self.state.jobs[need])
                .map(|need| (need.status, need.overlooked()))
                .collect::<StatusSet>()
                .needs_status(),
        };
        let mut previous = previous.unwrap_or(Status::Success);
        if self.state.keep_going
            && previous == Status::Failed
            && state.needs.is_none()
            && state.when != When::OnFailure
        {
            previous = Status::Success;
        }
        if !previous.is_completed() {
            return;
        }
        if !starts_after(state.when, previous, state.needs.is_some()) {
            return self.set_job(job, Status::Skipped);
        }
        match state.when {
            When::Manual if !state.triggered => self.set_job(job, Status::Manual),
            When::Delayed if !state.triggered => self.set_job(job, Status::Scheduled),
            _ => self.enqueue(job),
        }
    }

    /// A result of `created` is not stored: a stage keeps the status it had.
    fn store_stage(&mut self, stage: usize, jobs: StatusSet) {
        let Some(status) = jobs.status() else { return };
        let stored = &mut self.state.stages[stage].status;
        if status != Status::Created && *stored != status {
            *stored = status;
            self.changes.push(Change::Stage { stage, status });
        }
    }

    /// As for stages; moreover a pipeline that has run never goes back to `pending`.
    fn store_pipeline(&mut self, jobs: StatusSet) {
        let Some(mut status) = jobs.status() else {
            return;
        };
        let has_run = matches!(
            self.state.pipeline,
            Status::Running
                | Status::Success
                | Status::Failed
                | Status::Canceled
                | Status::Canceling
        );
        if status == Status::Pending && has_run {
            status = Status::Running;
        }
        if status != Status::Created && self.state.pipeline != status {
            self.state.pipeline = status;
            self.changes.push(Change::Pipeline { status });
        }
    }
}

/// Jobs by stage, needed ones before those that need them, and where the needed ones are.
struct Order {
    stages: Vec<Vec<JobIndex>>,
    /// Needs that are in the pipeline; `None` for a job ordered by its stage.
    needs: Vec<Option<Vec<JobIndex>>>,
}

impl Order {
    fn of(state: &State) -> Self {
        let names: HashMap<&str, JobIndex> = (state.jobs.iter().enumerate())
            .map(|(index, job)| (job.name.as_str(), index))
            .collect();
        let found = |needs: &Vec<String>| -> Vec<JobIndex> {
            let indices = needs.iter().filter_map(|need| names.get(need.as_str()));
            indices.copied().collect()
        };
        let mut order = Self {
            stages: vec![Vec::new(); state.stages.len()],
            needs: (state.jobs.iter())
                .map(|job| job.needs.as_ref().map(found))
                .collect(),
        };
        let mut seen = vec![false; state.jobs.len()];
        let mut stack = Vec::new();
        for start in 0..state.jobs.len() {
            stack.push((start, false));
            while let Some((job, needs_done)) = stack.pop() {
                if needs_done {
                    order.stages[state.jobs[job].stage].push(job);
                } else if !std::mem::replace(&mut seen[job], true) {
                    stack.push((job, true));
                    let needs = order.needs[job].iter().flatten();
                    stack.extend(needs.map(|&need| (need, false)));
                }
            }
        }
        order
    }
}

fn is_unfinished(status: Status) -> bool {
    matches!(
        status,
        Status::Created | Status::Pending | Status::Running | Status::Canceling
    )
}

/// The table of 5.4: whether a job starts once what came before has this status.
fn starts_after(when: When, previous: Status, by_needs: bool) -> bool {
    match when {
        When::OnSuccess | When::Manual | When::Delayed => {
            previous == Status::Success || (previous == Status::Skipped && !by_needs)
        }
        When::OnFailure => previous == Status::Failed,
        When::Always => matches!(previous, Status::Success | Status::Failed | Status::Skipped),
        When::Never => false,
    }
}
