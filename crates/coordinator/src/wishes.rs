//! What people ask of a pipeline, and what time does to it.

use std::time::Duration;

use shipway_pipeline::{Event, Interruptible, JobId, JobState, PipelineId, Status, make_way};
use shipway_store::{ProjectRow, UserId};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::given::Given;
use crate::live::{Live, spec};

impl Coordinator {
    /// Cancels whatever of the pipeline is not finished; running jobs get to know it from
    /// their runner.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel_pipeline(&self, pipeline: PipelineId) -> Result<(), Error> {
        let cancel = |_: &Live| Ok(vec![Event::CancelPipeline]);
        self.advance(pipeline, &cancel, &[]).await?;
        self.cancel_children(pipeline).await
    }

    /// Cancels a job that is not finished.
    ///
    /// # Errors
    /// When the job's status does not allow it, or the store fails.
    pub async fn cancel_job(&self, job: JobId) -> Result<(), Error> {
        self.wish(job, None, Event::Cancel).await
    }

    /// Sets off a manual or delayed job, or retries a finished one; it is the user's then.
    ///
    /// # Errors
    /// [`Error::Outdated`]; when the job's status does not allow it, or the store fails.
    pub async fn play(&self, job: JobId, user: Option<UserId>) -> Result<(), Error> {
        self.may_run(job).await?;
        self.wish(job, user, Event::Play).await
    }

    /// As [`Self::play`], with variables and inputs for this job alone; the variables are above
    /// the pipeline's, and later attempts have all of it too.
    ///
    /// # Errors
    /// As [`Self::play`], and [`Error::Inputs`]; then the job is given nothing.
    pub async fn play_with(
        &self,
        job: JobId,
        user: Option<UserId>,
        given: &Given,
    ) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        self.may_run(job).await?;
        if given.is_empty() {
            return self.play(job, user).await;
        }
        // Before the job can be handed out. Of a refused wish nothing is left that counts: a
        // job that can be played was given nothing yet, and one that cannot keeps what it was.
        let row = self.store.job(job).await?.ok_or(Error::NoJob(job))?;
        if !matches!(row.status, Status::Manual | Status::Scheduled) {
            return Err(Error::NoJob(job));
        }
        spec(&row)?.with_inputs(&given.inputs)?;
        self.store_given(&row, given).await?;
        let play = |live: &Live| Ok(vec![Event::Play(live.current(job)?)]);
        self.advance_for(user, pipeline, &play).await.map(drop)
    }

    /// Plays all manual jobs of a stage that nobody has played yet, and says how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn play_stage(
        &self,
        pipeline: PipelineId,
        user: Option<UserId>,
        stage: &str,
    ) -> Result<usize, Error> {
        let play = |live: &Live| {
            let state = &live.state;
            let of_stage = |(_, job): &(usize, &JobState)| {
                let named = state
                    .stages
                    .get(job.stage)
                    .is_some_and(|one| one.name == stage);
                named && job.status == Status::Manual
            };
            let jobs = state.jobs.iter().enumerate().filter(of_stage);
            Ok(jobs.map(|(index, _)| Event::Play(index)).collect())
        };
        Ok(self.advance_for(user, pipeline, &play).await?.len())
    }

    /// Ends a job that was cancelled and whose runner does not say that it has stopped.
    ///
    /// # Errors
    /// [`Error::NoJob`] where the job is not being cancelled; otherwise when the store fails.
    pub async fn force_cancel(&self, job: JobId) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        let ended = |live: &Live| {
            let index = live.current(job)?;
            match live.state.jobs[index].status {
                Status::Canceling => Ok(vec![Event::Canceled(index)]),
                _ => Err(Error::NoJob(job)),
            }
        };
        self.advance(pipeline, &ended, &[]).await.map(drop)
    }

    /// Stops the timer of a delayed job: it is manual then.
    ///
    /// # Errors
    /// When the job's status does not allow it, or the store fails.
    pub async fn unschedule(&self, job: JobId) -> Result<(), Error> {
        self.wish(job, None, Event::Unschedule).await
    }

    /// Runs a finished job again, and returns the new attempt, which is the user's.
    ///
    /// # Errors
    /// [`Error::Outdated`]; when the job's status does not allow it, or the store fails.
    pub async fn retry_job(&self, job: JobId, user: Option<UserId>) -> Result<JobId, Error> {
        let pipeline = self.pipeline_of(job).await?;
        self.may_run(job).await?;
        let name = self.load(pipeline).await?.named(job)?;
        self.wish(job, user, Event::Retry).await?;
        let live = self.load(pipeline).await?;
        let newest = live.jobs.iter().find(|row| row.name == name);
        newest.map(|row| row.id).ok_or(Error::NoJob(job))
    }

    /// As [`Self::retry_job`], with this in place of what the job was given before.
    ///
    /// # Errors
    /// As [`Self::retry_job`], and [`Error::Inputs`].
    pub async fn retry_with(
        &self,
        job: JobId,
        user: Option<UserId>,
        given: &Given,
    ) -> Result<JobId, Error> {
        self.may_run(job).await?;
        let row = self.store.job(job).await?.ok_or(Error::NoJob(job))?;
        if row.retried || !row.status.is_completed() {
            return Err(Error::NoJob(job));
        }
        spec(&row)?.with_inputs(&given.inputs)?;
        // With the attempt that is over, where the next one finds it: that may be handed out
        // at once.
        self.store_given(&row, given).await?;
        self.retry_job(job, user).await
    }

    /// Runs again what of the pipeline failed or was cancelled.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry_pipeline(
        &self,
        pipeline: PipelineId,
        user: Option<UserId>,
    ) -> Result<(), Error> {
        let retry = |_: &Live| Ok(vec![Event::RetryPipeline]);
        self.advance_for(user, pipeline, &retry).await.map(drop)
    }

    /// Whether what a person wants of a job is not outdated.
    async fn may_run(&self, job: JobId) -> Result<(), Error> {
        if self.hosting.is_none() {
            return Ok(());
        }
        match self.store.job(job).await? {
            Some(row) => self.may_deploy(&row).await,
            None => Err(Error::NoJob(job)),
        }
    }

    async fn wish(
        &self,
        job: JobId,
        user: Option<UserId>,
        event: fn(usize) -> Event,
    ) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        let events = |live: &Live| Ok(vec![event(live.current(job)?)]);
        self.advance_for(user, pipeline, &events).await.map(drop)
    }

    /// Cancels the older pipelines of a ref that a newer one makes redundant, each as its own
    /// `workflow:auto_cancel:on_new_commit` says (language inventory, 5.8).
    pub(crate) async fn cancel_redundant(
        &self,
        project: &ProjectRow,
        ref_name: &str,
        newer: PipelineId,
        sha: Option<&str>,
    ) -> Result<(), Error> {
        let older = self.store.unfinished_pipelines_of(project.id, ref_name);
        for row in older.await? {
            // Another pipeline of the same commit makes none redundant.
            if row.id.0 >= newer.0 || row.sha.as_deref() == sha {
                continue;
            }
            let redundant = |live: &Live| Ok(redundant(live));
            match self.advance(row.id, &redundant, &[]).await {
                // It ended, or was deleted, in the meantime.
                Ok(_) | Err(Error::Illegal(_) | Error::Store(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets the delayed jobs of all pipelines become pending whose time has come.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start_all_due(&self) -> Result<(), Error> {
        for pipeline in self.store.pipelines_with_due_jobs(now()).await? {
            self.start_due(pipeline).await?;
        }
        Ok(())
    }

    /// Lets the delayed jobs become pending whose time has come, and says how long it is
    /// until the next one's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start_due(&self, pipeline: PipelineId) -> Result<Option<Duration>, Error> {
        let now = now();
        let due: Vec<usize> = {
            let live = self.load(pipeline).await?;
            let scheduled = live.jobs.iter().enumerate();
            scheduled
                .filter(|(index, _)| has_timer(&live, *index))
                .filter(|(_, row)| row.scheduled_at.is_none_or(|at| at <= now))
                .map(|(index, _)| index)
                .collect()
        };
        if !due.is_empty() {
            let events = |_: &Live| Ok(due.iter().map(|index| Event::Due(*index)).collect());
            self.advance(pipeline, &events, &[]).await?;
        }
        let live = self.load(pipeline).await?;
        let next = (live.jobs.iter().enumerate())
            .filter(|(index, _)| has_timer(&live, *index))
            .filter_map(|(_, row)| row.scheduled_at)
            .min();
        Ok(next.map(|at| Duration::from_micros(u64::try_from(at - now).unwrap_or_default())))
    }

    /// Cancels the pipelines that a process left behind when it died, and returns them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<Vec<PipelineId>, Error> {
        let mut recovered = Vec::new();
        for row in self.store.unfinished_pipelines().await? {
            // A pipeline that waits for a person was left on purpose.
            let waits = matches!(row.status, Status::Manual | Status::Scheduled);
            if waits || self.store.is_held(row.id) {
                continue;
            }
            let ended = |live: &Live| {
                let running = live.state.jobs.iter().enumerate();
                let running = running.filter(|(_, job)| job.status.is_executing());
                let mut events = vec![Event::CancelPipeline];
                events.extend(running.map(|(index, _)| Event::Canceled(index)));
                Ok(events)
            };
            match self.advance(row.id, &ended, &[]).await {
                Ok(_) => recovered.push(row.id),
                Err(Error::Held(_)) => {}
                Err(error) => return Err(error),
            }
            self.release(row.id);
        }
        Ok(recovered)
    }
}

/// A delayed job, and not one that mirrors a pipeline in which another is delayed.
fn has_timer(live: &Live, index: usize) -> bool {
    let job = &live.state.jobs[index];
    job.status == Status::Scheduled && !job.bridge
}

/// What cancels an older pipeline when its ref has a newer one.
fn redundant(live: &Live) -> Vec<Event> {
    let jobs: Vec<Interruptible> = (live.jobs.iter().enumerate())
        .map(|(index, row)| Interruptible {
            interruptible: live.spec(index).interruptible == Some(true),
            status: row.status,
            // No runner works on a trigger job; its pipeline is judged by its own jobs.
            started: row.started_at.is_some() && !live.state.jobs[index].bridge,
        })
        .collect();
    make_way(live.shared.on_new_commit.as_deref(), &jobs)
}
