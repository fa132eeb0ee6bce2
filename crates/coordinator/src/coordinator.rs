//! The coordinator: creates pipelines and moves them on, one transaction per event.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shipway_config::variables::Variable;
use shipway_git::hosting::BareRepository;
use shipway_pipeline::{Change, Context, Event, JobId, PipelineId, Plan, PlannedJob, Status};
use shipway_store::{
    JobRow, JobUpdate, MergeRequestId, NewJob, NewPipeline, NewStage, PipelineUpdate, ProjectId,
    Store, Transaction, UserId,
};
use tokio::sync::{OwnedMutexGuard, broadcast};

use crate::contacts::Contacts;
use crate::deployments;
use crate::downstream::Link;
use crate::error::Error;
use crate::hosting::Hosting;
use crate::live::{self, Kept, Live, Loaded};
use crate::notice::{JobNotice, Notice};
use crate::nudges::Nudges;
use crate::payload::Shared;
use crate::start::MakeFiles;
use crate::view::mean;

/// Notices a slow watcher may be behind before it misses some.
const NOTICES: usize = 4096;

/// The topic under which a process tells others that jobs became pending.
pub(crate) const QUEUE: &str = "queue";

/// How often a step is tried again because somebody else took one in between.
const CONFLICTS: usize = 20;

/// The owner of every decision about what happens next.
pub struct Coordinator {
    pub(crate) store: Store,
    pub(crate) kept: Kept,
    /// What a server has besides; none in a local run.
    pub(crate) hosting: Option<Hosting>,
    pub(crate) contacts: Contacts,
    /// The files of a local run, for its child pipelines.
    pub(crate) files: Option<MakeFiles>,
    /// Pipelines of which something may follow in others.
    pub(crate) nudges: Nudges,
    notices: broadcast::Sender<Notice>,
    closing: AtomicBool,
}

/// What a new pipeline is made of besides its plan.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The commit; none before the first one.
    pub(crate) sha: Option<String>,
    /// Later stages go on after a failure.
    pub(crate) keep_going: bool,
    /// Where a server's pipeline comes from; none in a local run.
    pub(crate) origin: Option<Origin>,
    /// `workflow:auto_cancel:on_new_commit`.
    pub(crate) on_new_commit: Option<String>,
    /// The status of a pipeline that is over at birth, without jobs, and why.
    pub(crate) verdict: Option<(Status, Option<String>)>,
    /// The job that starts it.
    pub(crate) upstream: Option<Link>,
    /// The merge request that it is of.
    pub(crate) merge_request: Option<MergeRequestId>,
}

impl NewRun {
    /// A local run of a commit, none before the first one; with `keep_going` later stages go
    /// on after a failure.
    pub fn local(sha: Option<String>, keep_going: bool) -> Self {
        Self {
            sha,
            keep_going,
            ..Self::default()
        }
    }
}

/// A future behind a pointer. The work behind it is compiled once, in this crate: a plain
/// `async fn` is compiled where it is awaited, in every crate above this one again.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a server's pipeline comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) project: ProjectId,
    pub(crate) user: Option<UserId>,
    pub(crate) protected: bool,
    /// The pipeline's own variables.
    pub(crate) variables: Vec<Variable>,
    /// The ref, by its full name, whose push this deals with, and what was pushed.
    pub(crate) pushed: Option<(String, String)>,
    /// Where runners fetch the commit.
    pub(crate) repository: BareRepository,
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Coordinator")
            .finish_non_exhaustive()
    }
}

impl Coordinator {
    /// A coordinator of local runs over a store.
    pub fn new(store: Store) -> Self {
        Self::with(store, None)
    }

    /// A server's coordinator. Others may work on the same store at the same time.
    pub fn for_server(store: Store, hosting: Hosting) -> Self {
        Self::with(store, Some(hosting))
    }

    fn with(store: Store, hosting: Option<Hosting>) -> Self {
        Self {
            store,
            kept: Kept::default(),
            hosting,
            contacts: Contacts::default(),
            files: None,
            nudges: Nudges::default(),
            notices: broadcast::channel(NOTICES).0,
            closing: AtomicBool::new(false),
        }
    }

    /// With the files of a local run, from which child pipelines are made.
    #[must_use]
    pub fn with_files(mut self, files: MakeFiles) -> Self {
        self.files = Some(files);
        self
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
    pub fn create_pipeline<'a>(
        &'a self,
        plan: &'a Plan,
        context: &'a Context,
        run: &'a NewRun,
    ) -> Boxed<'a, Result<PipelineId, Error>> {
        Box::pin(self.create(plan, context, run))
    }

    async fn create(
        &self,
        plan: &Plan,
        context: &Context,
        run: &NewRun,
    ) -> Result<PipelineId, Error> {
        let mut state = plan.state();
        state.keep_going = run.keep_going;
        state.shared_groups = self.hosting.is_some();
        state.apply(&[Event::Process])?;
        let (verdict, yaml_errors) = run.verdict.clone().unzip();
        let origin = run.origin.as_ref();
        let outer = match origin {
            Some(origin) => origin.variables.clone(),
            None => context.outer.iter().cloned().collect(),
        };
        let shared = Shared {
            predefined: context.predefined.iter().cloned().collect(),
            variables: plan.variables.clone(),
            outer,
            keep_going: run.keep_going,
            cancel_on_job_failure: plan.cancel_on_job_failure,
            on_new_commit: run.on_new_commit.clone(),
            upstream: run.upstream.map(|link| link.upstream.0),
        };
        let now = now();
        let new = NewPipeline {
            project: context.project_path.clone(),
            ref_name: context.ref_name.clone(),
            ref_kind: context.ref_kind.as_str().to_owned(),
            sha: run.sha.clone(),
            source: context.source.as_str().to_owned(),
            status: verdict.unwrap_or(state.pipeline),
            name: plan.name.clone(),
            created_at: now,
            yaml_errors: yaml_errors.flatten(),
            context: json(&shared)?,
            variables: match shared.outer.is_empty() {
                true => Vec::new(),
                false => json(&shared.outer)?.into_bytes(),
            },
            project_id: origin.map(|origin| origin.project),
            user_id: origin.and_then(|origin| origin.user),
            protected: origin.is_some_and(|origin| origin.protected),
        };
        let stages: Vec<NewStage> = (state.stages.iter().enumerate())
            .map(|(position, stage)| NewStage {
                position: column(position),
                name: stage.name.clone(),
                status: stage.status,
            })
            .collect();
        let jobs: Vec<NewJob> = (plan.jobs.iter().zip(&state.jobs))
            .map(|(job, state)| new_job(job, state.status, plan, context))
            .collect::<Result<_, _>>()?;
        let mut transaction = self.store.begin().await?;
        if context.source == shipway_pipeline::Source::External
            && let Some(found) = transaction.external_pipeline(&new).await?
        {
            return Ok(found);
        }
        let mut row = transaction.insert_pipeline(&new).await?;
        transaction.insert_stages(row.id, &stages).await?;
        let ids = transaction.insert_jobs(row.id, &jobs).await?;
        let bridges = (ids.iter().zip(&state.jobs))
            .filter(|(_, job)| job.bridge)
            .map(|(id, _)| *id);
        let bridges: Vec<JobId> = bridges.collect();
        transaction.insert_bridges(row.id, &bridges).await?;
        for (id, job) in ids.iter().zip(&state.jobs) {
            if let (Some(group), Some(origin), false) =
                (&job.resource_group, origin, job.status.is_completed())
            {
                let join = transaction.join_resource_group(*id, origin.project, group, now);
                join.await?;
            }
        }
        if let Some(link) = run.upstream {
            transaction.insert_downstream(&link.row(row.id)).await?;
        }
        if let Some(request) = run.merge_request {
            transaction.link_merge_request(row.id, request).await?;
        }
        if let Some(status) = verdict {
            let over = PipelineUpdate {
                finished_at: status.is_completed().then_some(now),
                ..PipelineUpdate::default()
            };
            transaction
                .set_pipeline_status(row.id, status, &over)
                .await?;
            row.finished_at = over.finished_at;
        }
        if let Some(origin) = origin {
            if let Some((name, sha)) = &origin.pushed {
                let known = transaction.set_known_ref(origin.project, name, Some(sha));
                known.await?;
            }
            // Before anybody sees the pipeline: a runner that has its job fetches at once.
            if let (Some(sha), false) = (&run.sha, ids.is_empty()) {
                origin.repository.pin_pipeline(row.id.0, sha).await?;
            }
        }
        let hold = match &self.hosting {
            Some(_) => None,
            None => Some(self.store.hold(row.id)?.ok_or(Error::Held(row.id.0))?),
        };
        let id = row.id;
        let mut jobs: Vec<JobRow> = (jobs.into_iter().zip(ids))
            .map(|(job, id)| job.stored(id, &row))
            .collect();
        // The timers of the first jobs run from now on.
        let delayed = jobs.iter_mut().zip(&plan.jobs);
        for (row, job) in delayed.filter(|(row, _)| row.status == Status::Scheduled) {
            let update = JobUpdate {
                scheduled_at: Some(due(now, job.spec.start_in)),
                ..JobUpdate::default()
            };
            transaction.update_job(row.id, &update).await?;
            row.update(&update);
        }
        let specs = plan.jobs.iter().map(|job| Arc::new(job.spec.clone()));
        let live = Live::born(hold, row, shared, jobs, specs.collect(), state);
        let all = (0..live.jobs.len()).collect();
        self.tell_other_processes(&mut transaction, &live, &all);
        transaction.commit().await?;
        let notices: Vec<Notice> = all.iter().map(|index| notice_of(&live, *index)).collect();
        let status = live.row.status;
        self.nudge(&live);
        *self.kept.place(id).await = Some(live);
        for notice in notices {
            self.publish(notice);
        }
        self.publish(Notice::Pipeline {
            pipeline: id,
            status,
        });
        Ok(id)
    }

    /// Lets events happen to a pipeline, stores what changes and tells the watchers.
    ///
    /// What is kept of the pipeline may be out of date when others share the database: then
    /// it is read anew and `choose` is asked again, before anything is stored and before any
    /// refusal is believed. Returns the events.
    pub(crate) fn advance<'a>(
        &'a self,
        pipeline: PipelineId,
        choose: live::Choose<'a>,
        extra: &'a [(JobId, JobUpdate)],
    ) -> Boxed<'a, Result<Vec<Event>, Error>> {
        Box::pin(self.step(pipeline, choose, extra, None))
    }

    /// As [`Self::advance`], as a user wishes: the jobs that this plays or retries are the
    /// user's from now on.
    pub(crate) fn advance_for<'a>(
        &'a self,
        user: Option<UserId>,
        pipeline: PipelineId,
        choose: live::Choose<'a>,
    ) -> Boxed<'a, Result<Vec<Event>, Error>> {
        Box::pin(self.step(pipeline, choose, &[], user))
    }

    async fn step(
        &self,
        pipeline: PipelineId,
        choose: live::Choose<'_>,
        extra: &[(JobId, JobUpdate)],
        user: Option<UserId>,
    ) -> Result<Vec<Event>, Error> {
        for _ in 0..CONFLICTS {
            let (mut live, fresh) = self.load_or_keep(pipeline).await?;
            let events = match choose(&live) {
                Ok(events) => events,
                Err(_) if !fresh && !self.is_current(&live).await? => {
                    live.stale = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let changes = match live.state.apply(&events) {
                Ok(changes) => changes,
                Err(_) if !fresh && !self.is_current(&live).await? => {
                    live.stale = true;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // Until it is stored; also when this future is dropped half-way.
            live.stale = true;
            let mut writer = Writer {
                transaction: self.store.begin().await?,
                live: &mut live,
                now: now(),
                extra: extra.iter().cloned().collect(),
                user,
                told: BTreeSet::new(),
                replaced: Vec::new(),
            };
            if !writer.is_current().await? {
                continue;
            }
            writer.write_all(&changes).await?;
            let Writer {
                mut transaction,
                told,
                replaced,
                ..
            } = writer;
            self.tell_other_processes(&mut transaction, &live, &told);
            let committed = transaction.commit_visibly().await?;
            live.stale = false;
            live.row.status = live.state.pipeline;
            live.row.version += 1;
            for job in replaced {
                self.kept.at_work.remove(job);
            }
            for index in told {
                self.kept.at_work.note(&live.jobs[index]);
                self.publish(notice_of(&live, index));
            }
            let status = live.state.pipeline;
            self.publish(Notice::Pipeline { pipeline, status });
            // A big one takes room, and is not asked for any more, as a rule.
            if status.is_completed() && live.hold.is_none() {
                self.kept.forget(pipeline);
            }
            self.nudge(&live);
            // The next step of the pipeline need not wait for the disk as well.
            drop(live);
            committed.durably().await?;
            return Ok(events);
        }
        Err(Error::Contended(pipeline.0))
    }

    /// Whether what is kept of a pipeline is what is stored. To read all of it anew instead
    /// would cost by its jobs, and of many who do so none may come to act on what it read.
    async fn is_current(&self, live: &Live) -> Result<bool, Error> {
        if live.hold.is_some() {
            return Ok(true);
        }
        let stored = self.store.pipeline_version(live.id()).await?;
        Ok(stored == Some(live.row.version))
    }

    /// The pipeline, for nobody else until it is dropped.
    pub(crate) fn load(&self, pipeline: PipelineId) -> Boxed<'_, Result<Loaded, Error>> {
        Box::pin(async move { self.load_or_keep(pipeline).await.map(|(live, _)| live) })
    }

    /// The pipeline, and whether it was read just now.
    async fn load_or_keep(&self, pipeline: PipelineId) -> Result<(Loaded, bool), Error> {
        let mut place = self.kept.place(pipeline).await;
        let fresh = place.as_ref().is_none_or(|live| live.stale);
        if fresh {
            let kept = place.take().and_then(|live| live.hold);
            let hold = match (kept, &self.hosting) {
                (Some(hold), _) => Some(hold),
                (None, Some(_)) => None,
                (None, None) => Some(self.store.hold(pipeline)?.ok_or(Error::Held(pipeline.0))?),
            };
            let mut transaction = self.store.begin().await?;
            let row = transaction.pipeline(pipeline).await?;
            let variables = transaction.pipeline_variables(pipeline).await?;
            let stages = transaction.stages(pipeline).await?;
            let jobs = transaction.jobs(pipeline).await?;
            drop(transaction);
            let mut live = Live::new(hold, row, &variables, &stages, jobs)?;
            live.state.shared_groups = self.hosting.is_some();
            *place = Some(live);
        }
        let live = OwnedMutexGuard::try_map(place, Option::as_mut);
        Ok((live.map_err(|_| Error::Held(pipeline.0))?, fresh))
    }

    /// Lets another process work on the pipeline.
    pub fn release(&self, pipeline: PipelineId) {
        self.kept.remove(pipeline);
    }

    /// Notices of this process are sent by [`Self::publish`]; those who share the database
    /// learn by the store's.
    fn tell_other_processes(
        &self,
        transaction: &mut Transaction,
        live: &Live,
        told: &BTreeSet<usize>,
    ) {
        if self.hosting.is_none() {
            return;
        }
        transaction.notify_others(format!("pipeline {}", live.id()));
        let pending = |index: &usize| live.jobs[*index].status == Status::Pending;
        if told.iter().any(pending) {
            transaction.notify_others(QUEUE);
        }
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
    /// Who wishes it.
    user: Option<UserId>,
    /// Jobs that watchers are told of.
    told: BTreeSet<usize>,
    /// Attempts in whose place there are newer ones.
    replaced: Vec<JobId>,
}

impl Writer<'_> {
    /// Nobody else wrote since the pipeline was read.
    async fn is_current(&mut self) -> Result<bool, Error> {
        if self.live.hold.is_some() {
            return Ok(true);
        }
        let (id, version) = (self.live.id(), self.live.row.version);
        Ok(self.transaction.next_version(id, version).await?)
    }

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
        self.take_turns(job, Status::Success).await?;
        let old = &self.live.jobs[job];
        let new = NewJob {
            stage: old.stage,
            name: old.name.clone(),
            status: Status::Created,
            when: old.when.clone(),
            allow_failure: self.live.spec(job).allow_failure
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
        self.replaced.push(old.id);
        let older = old.id;
        let id = self.transaction.insert_job(self.live.id(), &new).await?;
        match self.user {
            Some(user) => self.transaction.set_job_user(id, user).await?,
            None => self.transaction.inherit_job_user(older, id).await?,
        }
        self.live.jobs[job] = self.transaction.job(id).await?;
        if self.live.state.jobs[job].bridge {
            let pipeline = self.live.id();
            self.transaction.insert_bridges(pipeline, &[id]).await?;
        }
        self.take_turns(job, Status::Created).await
    }

    /// A job of a resource group is among those that take turns until it is over.
    async fn take_turns(&mut self, job: usize, status: Status) -> Result<(), Error> {
        let (Some(group), Some(project)) = (
            &self.live.state.jobs[job].resource_group,
            self.live.row.project_id,
        ) else {
            return Ok(());
        };
        let id = self.live.jobs[job].id;
        match status.is_completed() {
            true => self.transaction.leave_resource_group(id).await?,
            false => {
                let join = (self.transaction).join_resource_group(id, project, group, self.now);
                join.await?;
            }
        }
        Ok(())
    }

    async fn status(&mut self, job: usize, status: Status) -> Result<(), Error> {
        let now = self.now;
        let delay = match status {
            Status::Scheduled => self.live.spec(job).start_in,
            _ => None,
        };
        // Played: whoever reads the pipeline anew must know it too.
        let triggered = self.live.state.jobs[job].triggered;
        let row = &mut self.live.jobs[job];
        let mut update = self.extra.remove(&row.id).unwrap_or_default();
        update.status = Some(status);
        if triggered && !row.triggered {
            update.triggered = Some(true);
            if let Some(user) = self.user {
                self.transaction.set_job_user(row.id, user).await?;
            }
        }
        match status {
            Status::Pending => update.queued_at = Some(now),
            Status::Running => update.started_at = Some(now),
            Status::Scheduled => {
                update.scheduled_at = Some(due(now, delay));
            }
            // A job that never ran has no end either.
            status if status.is_completed() && row.started_at.is_some() => {
                update.finished_at = Some(now);
            }
            _ => {}
        }
        row.update(&update);
        self.told.insert(job);
        self.transaction.update_job(row.id, &update).await?;
        self.take_turns(job, status).await?;
        deployments::follow(&mut self.transaction, self.live, job, now).await
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

fn new_job(
    job: &PlannedJob,
    status: Status,
    plan: &Plan,
    context: &Context,
) -> Result<NewJob, Error> {
    let spec = &job.spec;
    let environment = deployments::environment(spec, plan, context);
    let environment = environment.as_ref().map(json).transpose()?;
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
    let between = |start: Option<i64>, end: Option<i64>| {
        let micros = end?.saturating_sub(start?);
        Some(Duration::from_micros(
            u64::try_from(micros).unwrap_or_default(),
        ))
    };
    Notice::Job(JobNotice {
        pipeline: row.pipeline_id,
        id: row.id,
        name: row.name.clone(),
        status: row.status,
        allow_failure: row.allow_failure,
        waited: between(row.queued_at, row.started_at),
        duration: between(row.started_at, row.finished_at),
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

/// When a timer of so many seconds is over that begins now.
fn due(now: i64, seconds: Option<u64>) -> i64 {
    let seconds = i64::try_from(seconds.unwrap_or_default()).unwrap_or(i64::MAX);
    now.saturating_add(seconds.saturating_mul(1_000_000))
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
