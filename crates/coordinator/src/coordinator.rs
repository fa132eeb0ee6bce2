//! The coordinator: creates pipelines and moves them on, one transaction per event.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shipway_pipeline::{Change, Context, Event, JobId, PipelineId, Plan, PlannedJob, Status};
use shipway_store::{JobUpdate, NewJob, NewPipeline, NewStage, PipelineUpdate, Store, Transaction};
use tokio::sync::{Mutex, MutexGuard, broadcast};

use crate::error::Error;
use crate::live::{self, Live};
use crate::notice::{JobNotice, Notice};
use crate::payload::Shared;
use crate::view::mean;

/// Notices a slow watcher may be behind before it misses some.
const NOTICES: usize = 4096;

/// The owner of every decision about what happens next.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) store: Store,
    pub(crate) live: Mutex<HashMap<PipelineId, Live>>,
    notices: broadcast::Sender<Notice>,
    closing: AtomicBool,
}

/// What a new pipeline is made of besides its plan.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The commit; none before the first one.
    pub sha: Option<String>,
    /// Later stages go on after a failure.
    pub keep_going: bool,
}

impl Coordinator {
    /// A coordinator over a store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            live: Mutex::new(HashMap::new()),
            notices: broadcast::channel(NOTICES).0,
            closing: AtomicBool::new(false),
        }
    }

    /// Where it keeps everything.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Hands out no more jobs.
    pub fn stop_handing_out(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Stores a plan as a pipeline and lets its first jobs become pending.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn create_pipeline(
        &self,
        plan: &Plan,
        context: &Context,
        run: &NewRun,
    ) -> Result<PipelineId, Error> {
        let mut state = plan.state();
        state.keep_going = run.keep_going;
        state.apply(&[Event::Process])?;
        let shared = Shared {
            predefined: context.predefined.iter().cloned().collect(),
            variables: plan.variables.clone(),
            outer: context.outer.iter().cloned().collect(),
            keep_going: run.keep_going,
            cancel_on_job_failure: plan.cancel_on_job_failure,
        };
        let new = NewPipeline {
            project: context.project_path.clone(),
            ref_name: context.ref_name.clone(),
            ref_kind: context.ref_kind.as_str().to_owned(),
            sha: run.sha.clone(),
            source: context.source.as_str().to_owned(),
            status: state.pipeline,
            name: plan.name.clone(),
            created_at: now(),
            yaml_errors: None,
            context: json(&shared)?,
            project_id: None,
            user_id: None,
            protected: false,
        };
        let stages: Vec<NewStage> = (state.stages.iter().enumerate())
            .map(|(position, stage)| NewStage {
                position: column(position),
                name: stage.name.clone(),
                status: stage.status,
            })
            .collect();
        let jobs: Vec<NewJob> = (plan.jobs.iter().zip(&state.jobs))
            .map(|(job, state)| new_job(job, state.status))
            .collect::<Result<_, _>>()?;
        let mut transaction = self.store.begin().await?;
        let row = transaction.insert_pipeline(&new).await?;
        transaction.insert_stages(row.id, &stages).await?;
        transaction.insert_jobs(row.id, &jobs).await?;
        let stages = transaction.stages(row.id).await?;
        let jobs = transaction.jobs(row.id).await?;
        let hold = self.store.hold(row.id)?.ok_or(Error::Held(row.id.0))?;
        transaction.commit().await?;
        let id = row.id;
        let live = Live::new(hold, row, &stages, jobs)?;
        for index in 0..live.jobs.len() {
            self.publish(notice_of(&live, index));
        }
        self.live.lock().await.insert(id, live);
        Ok(id)
    }

    /// Lets events happen to a pipeline, stores what changes and tells the watchers.
    pub(crate) async fn advance(
        &self,
        pipeline: PipelineId,
        choose: live::Choose<'_>,
        extra: &[(JobId, JobUpdate)],
    ) -> Result<(), Error> {
        let mut all = self.load(pipeline).await?;
        let live = all.get_mut(&pipeline).ok_or(Error::Held(pipeline.0))?;
        let events = choose(live)?;
        let changes = live.state.apply(&events)?;
        let mut writer = Writer {
            transaction: self.store.begin().await?,
            live,
            now: now(),
            extra: extra.iter().cloned().collect(),
            told: BTreeSet::new(),
        };
        let stored = writer.write_all(&changes).await;
        let Writer {
            transaction, told, ..
        } = writer;
        let stored = match stored {
            Ok(()) => transaction.commit().await.map_err(Error::from),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            // What is kept here no longer is what is stored: read it anew next time.
            all.remove(&pipeline);
            return Err(error);
        }
        live.row.status = live.state.pipeline;
        for index in told {
            self.publish(notice_of(live, index));
        }
        self.publish(Notice::Pipeline {
            pipeline,
            status: live.state.pipeline,
        });
        Ok(())
    }

    /// The live pipelines, with the wanted one among them.
    pub(crate) async fn load(
        &self,
        pipeline: PipelineId,
    ) -> Result<MutexGuard<'_, HashMap<PipelineId, Live>>, Error> {
        let mut all = self.live.lock().await;
        if let Entry::Vacant(vacant) = all.entry(pipeline) {
            let hold = self.store.hold(pipeline)?.ok_or(Error::Held(pipeline.0))?;
            let mut transaction = self.store.begin().await?;
            let row = transaction.pipeline(pipeline).await?;
            let stages = transaction.stages(pipeline).await?;
            let jobs = transaction.jobs(pipeline).await?;
            drop(transaction);
            vacant.insert(Live::new(hold, row, &stages, jobs)?);
        }
        Ok(all)
    }

    /// Lets another process work on the pipeline.
    pub async fn release(&self, pipeline: PipelineId) {
        self.live.lock().await.remove(&pipeline);
    }

    /// Nobody listening is no fault.
    pub(crate) fn publish(&self, notice: Notice) {
        self.notices.send(notice).ok();
    }
}

/// Writes changes in the order in which they came.
struct Writer<'a> {
    transaction: Transaction,
    live: &'a mut Live,
    now: i64,
    /// What else is to be written of a job, along with its next status.
    extra: HashMap<JobId, JobUpdate>,
    /// Jobs that watchers are told of.
    told: BTreeSet<usize>,
}

impl Writer<'_> {
    async fn write_all(&mut self, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            self.write(change).await?;
        }
        for (job, update) in std::mem::take(&mut self.extra) {
            self.transaction.update_job(job, &update).await?;
        }
        Ok(())
    }

    async fn write(&mut self, change: &Change) -> Result<(), Error> {
        match *change {
            Change::Attempt { job, triggered } => self.attempt(job, triggered).await,
            Change::Job { job, status } => self.status(job, status).await,
            Change::FailureAllowed { job } => {
                self.live.jobs[job].allow_failure = true;
                let update = JobUpdate {
                    allow_failure: Some(true),
                    ..JobUpdate::default()
                };
                Ok(self
                    .transaction
                    .update_job(self.live.jobs[job].id, &update)
                    .await?)
            }
            Change::Stage { stage, status } => {
                let pipeline = self.live.id();
                let position = column(stage);
                let done = self
                    .transaction
                    .set_stage_status(pipeline, position, status);
                Ok(done.await?)
            }
            Change::Pipeline { status } => self.pipeline(status).await,
        }
    }

    async fn attempt(&mut self, job: usize, triggered: bool) -> Result<(), Error> {
        let old = &self.live.jobs[job];
        let new = NewJob {
            stage: old.stage,
            name: old.name.clone(),
            status: Status::Created,
            when: old.when.clone(),
            allow_failure: live::spec(old)?.allow_failure
                == Some(shipway_config::AllowFailure::Always(true)),
            scheduling: old.scheduling.clone(),
            needs: old.needs.clone(),
            spec: old.spec.clone(),
            tags: old.tags.clone(),
            attempt: old.attempt + 1,
            triggered,
            environment: old.environment.clone(),
            reason: old.reason.clone(),
        };
        self.transaction.mark_retried(old.id).await?;
        let id = self.transaction.insert_job(self.live.id(), &new).await?;
        self.live.jobs[job] = self.transaction.job(id).await?;
        Ok(())
    }

    async fn status(&mut self, job: usize, status: Status) -> Result<(), Error> {
        let now = self.now;
        let delay = match status {
            Status::Scheduled => live::spec(&self.live.jobs[job])?.start_in,
            _ => None,
        };
        let row = &mut self.live.jobs[job];
        let mut update = self.extra.remove(&row.id).unwrap_or_default();
        row.exit_code = update.exit_code.or(row.exit_code);
        row.coverage = update.coverage.or(row.coverage);
        match status {
            Status::Pending => update.queued_at = Some(now),
            Status::Running => update.started_at = Some(now),
            Status::Scheduled => {
                let delay = i64::try_from(delay.unwrap_or_default()).unwrap_or(i64::MAX);
                update.scheduled_at = Some(now.saturating_add(delay.saturating_mul(1_000_000)));
            }
            status if status.is_completed() => update.finished_at = Some(now),
            _ => {}
        }
        row.status = status;
        row.queued_at = update.queued_at.or(row.queued_at);
        row.started_at = update.started_at.or(row.started_at);
        row.scheduled_at = update.scheduled_at.or(row.scheduled_at);
        row.finished_at = update.finished_at.or(row.finished_at);
        if row.started_at.is_none() && status.is_completed() {
            // A job that never ran has no end either.
            row.finished_at = None;
            update.finished_at = None;
        }
        self.told.insert(job);
        Ok(self
            .transaction
            .set_job_status(row.id, status, update)
            .await?)
    }

    async fn pipeline(&mut self, status: Status) -> Result<(), Error> {
        let coverage = || mean(self.live.jobs.iter().filter_map(|row| row.coverage));
        let update = match status {
            Status::Running => PipelineUpdate {
                started_at: Some(self.now),
                ..PipelineUpdate::default()
            },
            status if status.is_completed() => PipelineUpdate {
                finished_at: Some(self.now),
                coverage: coverage(),
                ..PipelineUpdate::default()
            },
            _ => PipelineUpdate::default(),
        };
        let id = self.live.id();
        Ok(self
            .transaction
            .set_pipeline_status(id, status, &update)
            .await?)
    }
}

fn new_job(job: &PlannedJob, status: Status) -> Result<NewJob, Error> {
    let spec = &job.spec;
    let environment = spec.environment.as_ref().map(json).transpose()?;
    Ok(NewJob {
        stage: column(job.stage),
        name: spec.name.clone(),
        status,
        when: job.when.as_str().to_owned(),
        allow_failure: job.allow_failure == shipway_config::AllowFailure::Always(true),
        scheduling: if spec.needs.is_some() { "dag" } else { "stage" }.to_owned(),
        needs: json(&spec.needs)?,
        spec: json(spec)?,
        tags: json(&spec.tags)?,
        attempt: 1,
        triggered: job.triggered,
        environment,
        reason: job.reason.to_string(),
    })
}

fn notice_of(live: &Live, index: usize) -> Notice {
    let row = &live.jobs[index];
    let duration = row
        .started_at
        .zip(row.finished_at)
        .map(|(start, end)| Duration::from_micros(u64::try_from(end - start).unwrap_or_default()));
    Notice::Job(JobNotice {
        pipeline: row.pipeline_id,
        id: row.id,
        name: row.name.clone(),
        status: row.status,
        allow_failure: row.allow_failure,
        duration,
        exit_code: row.exit_code.and_then(|code| i32::try_from(code).ok()),
        coverage: row.coverage,
    })
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::stored("value", JobId(0)))
}

fn column(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A time as ISO 8601 in UTC, to the second, as GitLab's variables have it.
pub(crate) fn iso(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
