//! One step of a pipeline: events happen, then everything that follows from them.

use std::collections::HashMap;

use shipway_config::{AllowFailure, When};

use super::order::Order;
use super::{Change, Event, IllegalTransition, JobIndex, JobState, State};
use crate::composite::StatusSet;
use crate::{Status, retry};

/// What events can change before one of them turns out to be impossible.
pub(super) struct Before {
    jobs: Vec<(Status, bool, u32, AllowFailure)>,
}

impl Before {
    pub(super) fn of(state: &State) -> Self {
        let jobs = state.jobs.iter().map(|job| {
            let allow_failure = job.allow_failure.clone();
            (job.status, job.triggered, job.retries, allow_failure)
        });
        Self {
            jobs: jobs.collect(),
        }
    }

    pub(super) fn restore(self, state: &mut State) {
        for (job, saved) in state.jobs.iter_mut().zip(self.jobs) {
            (job.status, job.triggered, job.retries, job.allow_failure) = saved;
        }
    }
}

/// A state under way, with what changed so far.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) changes: Vec<Change>,
}

impl Step<'_> {
    pub(super) fn event(&mut self, event: &Event) -> Result<(), IllegalTransition> {
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
            Event::Assigned(job) => {
                self.expect(*job, "given its resource", |status| {
                    status == Status::WaitingForResource
                })?;
                self.set_job(*job, Status::Pending);
            }
            Event::Followed { job, status } => {
                self.expect(*job, "led by another pipeline", |status| {
                    !matches!(status, Status::Created | Status::Skipped)
                })?;
                self.follow(*job, *status);
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
        if group.is_some() && self.state.shared_groups {
            return self.set_job(job, Status::WaitingForResource);
        }
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

    /// A downstream pipeline that goes on after its end brings a trigger job back to life.
    fn follow(&mut self, job: JobIndex, status: Status) {
        let before = self.state.jobs[job].status;
        if status == Status::Failed && before != Status::Failed {
            return self.fail(job, "unknown_failure", None);
        }
        self.set_job(job, status);
        if before.is_completed() && !status.is_completed() {
            self.revive_dependents(job);
        }
    }

    /// A runner is asked to stop and says when it has; a trigger job has none.
    fn cancel(&mut self, job: JobIndex) {
        let state = &self.state.jobs[job];
        let status = match state.status {
            Status::Running if !state.bridge => Status::Canceling,
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
    pub(super) fn process(&mut self) {
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
