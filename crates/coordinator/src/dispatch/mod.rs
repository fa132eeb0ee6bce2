//! Which waiting runner gets which pending job, at once.
//!
//! The pending jobs of all projects are kept in memory. A runner that finds nothing may wait;
//! a job that becomes pending is offered to one waiting runner that may take it, and to no
//! other. What is in memory is only a proposal: the claim decides, in the store. So nothing is
//! lost when a notice is, or when somebody else takes the job; a look at the whole queue every
//! few seconds sees to the rest.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shipway_pipeline::{Candidate, JobId, Reach, Status, Wanted};
use shipway_protocol::JobPayload;
use shipway_store::{Change, ProjectId, QueuedJob, RunnerId, RunnerKind, RunnerRow};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use crate::claim::{Asker, Claimed};
use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::{Busy, Queue, Ticket};

/// Pending jobs that are kept in memory; more are looked at when these are taken.
const QUEUED: i64 = 100_000;

/// Between two looks at the whole queue, at least; longer where a look takes long.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A look at the whole queue may take one part in so many of the time.
const LOOK_SHARE: u32 = 20;

/// How long a runner that does not ask any more is remembered.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Between two looks for jobs whose time is over.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(10);

/// How long [`Dispatch::watch`] holds.
const WATCHED: Duration = Duration::from_secs(10);

/// The topic under which a process tells others that jobs became pending.
const QUEUE: &str = "queue";

/// Hands jobs to runners. There is one in a process.
#[derive(Debug)]
pub struct Dispatch {
    coordinator: Arc<Coordinator>,
    desk: Mutex<Desk>,
    watched: Mutex<HashMap<JobId, Instant>>,
    /// To the task that watches: whoever sends is told when it has seen what happened so far.
    settle: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// The answer to a runner that asks for a job.
#[derive(Debug)]
pub enum Answer {
    /// A job, which is the runner's now.
    Job(Box<JobPayload>),
    /// There is none. The state of the runner's queue is to be sent back with its next
    /// request.
    Nothing {
        /// `X-GitLab-Last-Update`.
        last_update: String,
    },
    /// The runner is gone.
    Unknown,
}

#[derive(Debug, Default)]
struct Desk {
    queue: Queue,
    busy: Busy,
    /// Projects of the jobs that were handed to runners of the instance.
    at_work: HashMap<JobId, i64>,
    runners: HashMap<RunnerId, Seen>,
    /// In the order in which they began to wait.
    waiting: BTreeMap<u64, Waiter>,
    /// Counts waiters and states of queues.
    counter: u64,
    closed: bool,
}

/// A runner that asked lately.
#[derive(Debug)]
struct Seen {
    candidate: Arc<Candidate>,
    /// Another whenever there may be something new for it.
    state: u64,
    at: Instant,
}

#[derive(Debug)]
struct Waiter {
    runner: RunnerId,
    candidate: Arc<Candidate>,
    call: oneshot::Sender<Call>,
}

/// Why a waiting runner is called.
#[derive(Debug)]
enum Call {
    /// There is a job for it.
    Offer(Offer),
    /// It became another: paused, given other tags.
    Changed,
}

/// A job that nobody else is offered, until this is dropped or taken.
#[derive(Debug)]
struct Offer {
    dispatch: Arc<Dispatch>,
    ticket: Option<Ticket>,
}

impl Offer {
    fn take(mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // The runner is not there any more.
        if let Some(ticket) = self.ticket.take() {
            self.dispatch.put_back(ticket);
        }
    }
}

impl Desk {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Remembers what a runner is, and returns the state of its queue.
    fn see(&mut self, runner: RunnerId, candidate: &Arc<Candidate>) -> u64 {
        let fresh = self.counter + 1;
        let seen = self.runners.entry(runner).or_insert_with(|| Seen {
            candidate: Arc::clone(candidate),
            state: fresh,
            at: Instant::now(),
        });
        if seen.candidate != *candidate {
            seen.candidate = Arc::clone(candidate);
            seen.state = fresh;
        }
        seen.at = Instant::now();
        let state = seen.state;
        self.counter = self.counter.max(fresh);
        state
    }

    /// Something new for all runners that may take such jobs.
    fn renew(&mut self, wishes: &HashSet<Arc<Wanted>>) {
        if wishes.is_empty() {
            return;
        }
        let state = self.next();
        for seen in self.runners.values_mut() {
            if wishes.iter().any(|wanted| seen.candidate.takes(wanted)) {
                seen.state = state;
            }
        }
    }

    /// Jobs for waiting runners, as far as the jobs that became pending go.
    fn offers(&mut self, mut wishes: HashSet<Arc<Wanted>>) -> Vec<(Waiter, Ticket)> {
        let mut offers = Vec::new();
        let mut after = 0;
        loop {
            wishes.retain(|wanted| self.queue.has(wanted));
            let suits = |waiter: &Waiter| {
                wishes.iter().any(|wanted| waiter.candidate.takes(wanted))
                    && !waiter.call.is_closed()
            };
            let mut later = self.waiting.range(after..);
            let Some((&number, _)) = later.find(|(_, waiter)| suits(waiter)) else {
                break;
            };
            after = number + 1;
            let Some(waiter) = self.waiting.remove(&number) else {
                break;
            };
            if let Some(ticket) = self.queue.take(&waiter.candidate, &self.busy) {
                offers.push((waiter, ticket));
            } else {
                self.waiting.insert(number, waiter);
            }
        }
        offers
    }
}

/// A number of jobs as the payload tells it: GitLab's buckets.
fn few(jobs: i64) -> String {
    match jobs {
        0..=4 => jobs.to_string(),
        ..0 => "0".to_owned(),
        _ => "5+".to_owned(),
    }
}

impl Dispatch {
    /// Begins to watch the queue; ends when it is dropped. To be called in a tokio runtime.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(coordinator: Arc<Coordinator>) -> Result<Arc<Self>, Error> {
        let changes = coordinator.store().changes();
        let notices = coordinator.subscribe();
        let (settle, settling) = mpsc::unbounded_channel();
        let dispatch = Arc::new(Self {
            coordinator,
            desk: Mutex::default(),
            watched: Mutex::default(),
            settle,
        });
        dispatch.look().await?;
        let watch = Watch {
            dispatch: Arc::downgrade(&dispatch),
            changes,
            notices,
            settling,
        };
        tokio::spawn(watch.run());
        tokio::spawn(reconcile(Arc::downgrade(&dispatch)));
        Ok(dispatch)
    }

    /// Whose jobs these are.
    pub fn coordinator(&self) -> &Arc<Coordinator> {
        &self.coordinator
    }

    /// Pending jobs.
    pub fn queued(&self) -> usize {
        self.desk().queue.len()
    }

    /// Runners that wait for a job right now.
    pub fn waiting(&self) -> usize {
        let desk = self.desk();
        let open = desk
            .waiting
            .values()
            .filter(|waiter| !waiter.call.is_closed());
        open.count()
    }

    /// Somebody looks at the log of a job right now; to be said again while that is so. Its
    /// runner then sends the log in short intervals.
    pub fn watch(&self, job: JobId) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, since| since.elapsed() < WATCHED);
        watched.insert(job, Instant::now());
    }

    /// Whether somebody looks at the log of a job.
    pub fn is_watched(&self, job: JobId) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched
            .get(&job)
            .is_some_and(|since| since.elapsed() < WATCHED)
    }

    /// Sends all waiting runners away, and lets none wait any more.
    pub fn close(&self) {
        let waiting = {
            let mut desk = self.desk();
            desk.closed = true;
            std::mem::take(&mut desk.waiting)
        };
        drop(waiting);
    }

    /// A job for the runner. Where there is none, and `last_update` says that the runner knows
    /// that, waits for one as long as `patience`.
    ///
    /// Whoever drops the returned future gets no job: one that was claimed meanwhile goes back
    /// into the queue.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn request_job(
        self: &Arc<Self>,
        mut asker: Asker,
        last_update: Option<&str>,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let deadline = Instant::now() + patience;
        let mut candidate = Arc::new(self.coordinator.candidate(&asker.runner, true).await?);
        let mut knows = false;
        let mut settled = false;
        loop {
            let runner = asker.runner.id;
            let step = {
                let mut desk = self.desk();
                let state = desk.see(runner, &candidate);
                let last = state_text(state);
                knows |= last_update == Some(last.as_str());
                let idle = candidate.paused || desk.closed || self.coordinator.is_closing();
                let busy = std::mem::take(&mut desk.busy);
                let ticket = (!idle)
                    .then(|| desk.queue.take(&candidate, &busy))
                    .flatten();
                desk.busy = busy;
                match ticket {
                    Some(ticket) => Step::Claim(ticket),
                    None if !settled && !idle => Step::Settle,
                    None if knows && !desk.closed && Instant::now() < deadline => {
                        let (call, called) = oneshot::channel();
                        let number = desk.next();
                        let waiter = Waiter {
                            runner,
                            candidate: Arc::clone(&candidate),
                            call,
                        };
                        desk.waiting.insert(number, waiter);
                        Step::Wait(number, called)
                    }
                    None => Step::Answer(last),
                }
            };
            let ticket = match step {
                Step::Answer(last_update) => return Ok(Answer::Nothing { last_update }),
                Step::Claim(ticket) => ticket,
                Step::Settle => {
                    settled = true;
                    self.settle().await;
                    continue;
                }
                Step::Wait(number, called) => {
                    let _place = Place {
                        dispatch: self,
                        number,
                    };
                    match tokio::time::timeout_at(deadline, called).await {
                        Ok(Ok(Call::Offer(offer))) => {
                            // Much may have happened to the runner since it began to wait.
                            let Some(row) = self.coordinator.store().runner(runner).await? else {
                                return Ok(Answer::Unknown);
                            };
                            let fresh = self.coordinator.candidate(&row, true).await?;
                            asker.runner = row;
                            if fresh != *candidate {
                                candidate = Arc::new(fresh);
                                continue;
                            }
                            match offer.take() {
                                Some(ticket) => ticket,
                                None => continue,
                            }
                        }
                        Ok(Ok(Call::Changed)) => {
                            let Some(row) = self.coordinator.store().runner(runner).await? else {
                                return Ok(Answer::Unknown);
                            };
                            candidate = Arc::new(self.coordinator.candidate(&row, true).await?);
                            asker.runner = row;
                            // The answer tells that something changed.
                            knows = false;
                            continue;
                        }
                        // Time is up, or nobody waits any more.
                        Ok(Err(_)) | Err(_) => {
                            let last_update = state_text(self.desk().see(runner, &candidate));
                            return Ok(Answer::Nothing { last_update });
                        }
                    }
                }
            };
            match self.claim(ticket, asker.clone()).await? {
                Claimed::Job(payload) => return Ok(Answer::Job(payload)),
                Claimed::Gone | Claimed::Failed => {}
            }
        }
    }

    /// Waits until the jobs that are pending already are in the queue here.
    async fn settle(&self) {
        let (waits, told) = oneshot::channel();
        if self.settle.send(waits).is_ok() {
            drop(told.await);
        }
    }

    /// Claims in a task of its own, which ends what it began even if nobody wants it any more.
    async fn claim(self: &Arc<Self>, ticket: Ticket, asker: Asker) -> Result<Claimed, Error> {
        let (answer, answered) = oneshot::channel();
        let dispatch = Arc::clone(self);
        tokio::spawn(async move {
            let mut claimed = dispatch.coordinator.claim(&ticket, &asker).await;
            match &mut claimed {
                Ok(Claimed::Job(payload)) if asker.runner.kind == RunnerKind::Instance => {
                    let others = dispatch.began(&ticket);
                    payload
                        .job_info
                        .project_jobs_running_on_instance_runners_count = few(others);
                }
                Ok(_) => {}
                Err(_) => dispatch.put_back(ticket.clone()),
            }
            if let Err(Ok(Claimed::Job(_))) = answer.send(claimed)
                && let Err(error) = dispatch.coordinator.unclaim(ticket.job).await
            {
                // Without a word of the runner it is put back a little later.
                tracing::warn!(job = %ticket.job, %error, "job.unclaim.failed");
            }
        });
        // The task panicked: the runner asks again.
        answered.await.unwrap_or(Ok(Claimed::Gone))
    }

    /// Counts a job that was handed to a runner of the instance; returns how many others of its
    /// project are at work on such runners.
    fn began(&self, ticket: &Ticket) -> i64 {
        let mut desk = self.desk();
        let project = ticket.wanted.project;
        desk.at_work.insert(ticket.job, project);
        let jobs = desk.busy.entry(project).or_default();
        *jobs += 1;
        *jobs - 1
    }

    fn put_back(self: &Arc<Self>, ticket: Ticket) {
        self.add(vec![ticket]);
    }

    /// Adds jobs that became pending, and offers them.
    fn add(self: &Arc<Self>, tickets: Vec<Ticket>) {
        let offers = {
            let mut desk = self.desk();
            let mut wishes = HashSet::new();
            for ticket in tickets {
                let wanted = Arc::clone(&ticket.wanted);
                if desk.queue.insert(ticket) {
                    wishes.insert(wanted);
                }
            }
            desk.renew(&wishes);
            desk.offers(wishes)
        };
        for (waiter, ticket) in offers {
            let offer = Offer {
                dispatch: Arc::clone(self),
                ticket: Some(ticket),
            };
            // One that is not wanted any more is dropped, and so goes back.
            drop(waiter.call.send(Call::Offer(offer)));
        }
    }

    fn remove(&self, job: JobId) {
        let mut desk = self.desk();
        desk.queue.remove(job);
        if let Some(project) = desk.at_work.remove(&job)
            && let Some(jobs) = desk.busy.get_mut(&project)
        {
            *jobs -= 1;
        }
    }

    /// Calls those who wait with this runner's token, because it changed.
    fn call_changed(&self, runner: RunnerId) {
        let called: Vec<Waiter> = {
            let mut desk = self.desk();
            let state = desk.next();
            if let Some(seen) = desk.runners.get_mut(&runner) {
                seen.state = state;
            }
            let of =
                |(number, waiter): (&u64, &Waiter)| (waiter.runner == runner).then_some(*number);
            let numbers: Vec<u64> = desk.waiting.iter().filter_map(of).collect();
            numbers
                .iter()
                .filter_map(|number| desk.waiting.remove(number))
                .collect()
        };
        for waiter in called {
            drop(waiter.call.send(Call::Changed));
        }
    }

    /// Looks at the whole queue.
    async fn look(self: &Arc<Self>) -> Result<(), Error> {
        let store = self.coordinator.store();
        let rows = store.queue(QUEUED).await?;
        let busy = store.busy_projects().await?;
        let tickets = self.tickets(rows).await?;
        {
            let mut desk = self.desk();
            desk.busy = (busy.iter())
                .map(|busy| (busy.project_id.0, busy.jobs))
                .collect();
            let pending: HashSet<JobId> = tickets.iter().map(|ticket| ticket.job).collect();
            let gone: Vec<JobId> = (desk.queue.jobs())
                .filter(|job| !pending.contains(job))
                .collect();
            for job in gone {
                desk.queue.remove(job);
            }
            desk.runners
                .retain(|_, seen| seen.at.elapsed() < REMEMBERED);
            desk.waiting.retain(|_, waiter| !waiter.call.is_closed());
        }
        self.add(tickets);
        Ok(())
    }

    /// Looks at some jobs that became pending.
    async fn look_at(self: &Arc<Self>, jobs: &[JobId]) -> Result<(), Error> {
        let rows = self.coordinator.store().queued(jobs).await?;
        let tickets = self.tickets(rows).await?;
        self.add(tickets);
        Ok(())
    }

    async fn tickets(&self, rows: Vec<QueuedJob>) -> Result<Vec<Ticket>, Error> {
        let mut projects: HashMap<ProjectId, Option<Wanted>> = HashMap::new();
        let mut tickets = Vec::with_capacity(rows.len());
        for row in rows {
            let project = match projects.entry(row.project_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => {
                    vacant.insert(self.coordinator.wanted_in(row.project_id).await?)
                }
            };
            let Some(project) = project else { continue };
            let wanted = Wanted {
                tags: serde_json::from_str(&row.tags).unwrap_or_default(),
                protected: row.protected,
                ..project.clone()
            };
            tickets.push(Ticket {
                job: row.id,
                pipeline: row.pipeline_id,
                wanted: Arc::new(wanted),
            });
        }
        Ok(tickets)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A runner as far as it matters for matching; `projects` are those that it is assigned to.
pub fn candidate(runner: &RunnerRow, projects: &[ProjectId], online: bool) -> Candidate {
    Candidate {
        name: runner.description.clone(),
        reach: match runner.kind {
            RunnerKind::Instance => Reach::Instance,
            RunnerKind::Group => Reach::Groups(runner.owner_id.into_iter().collect()),
            RunnerKind::Project => Reach::Projects(projects.iter().map(|id| id.0).collect()),
        },
        tags: serde_json::from_str(&runner.tags).unwrap_or_default(),
        run_untagged: runner.run_untagged,
        protected_only: runner.protected_only,
        paused: runner.paused,
        online,
    }
}

/// What a runner does next.
enum Step {
    Claim(Ticket),
    /// Looks again when what happened before it asked is known here.
    Settle,
    Wait(u64, oneshot::Receiver<Call>),
    Answer(String),
}

/// The place of one who waits; given up when it goes.
struct Place<'a> {
    dispatch: &'a Dispatch,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waiter = self.dispatch.desk().waiting.remove(&self.number);
        drop(waiter);
    }
}

/// As `X-GitLab-Last-Update` has it. The process's own number keeps the states of two
/// processes apart.
fn state_text(state: u64) -> String {
    static PROCESS: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        let mut bytes = [0; 8];
        // Without randomness the time has to do.
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(_) => now().unsigned_abs(),
        }
    });
    format!("{:016x}{state:016x}", *PROCESS)
}

/// Sees to jobs whose time is over, again and again.
async fn reconcile(dispatch: std::sync::Weak<Dispatch>) {
    let mut interval = tokio::time::interval(RECONCILE_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(dispatch) = dispatch.upgrade() else {
            return;
        };
        if let Err(error) = dispatch.coordinator.end_overdue_jobs(now()).await {
            tracing::warn!(%error, "jobs.overdue.failed");
        }
    }
}

/// The task that watches.
struct Watch {
    dispatch: std::sync::Weak<Dispatch>,
    changes: shipway_store::Changes,
    notices: broadcast::Receiver<Notice>,
    settling: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

/// What there is to do.
#[derive(Debug, Default)]
struct News {
    pending: Vec<JobId>,
    all: bool,
}

impl Watch {
    async fn run(mut self) {
        let mut next_look = Instant::now();
        let mut news = News::default();
        let mut settled = Vec::new();
        loop {
            tokio::select! {
                change = self.changes.next() => self.changed(change, &mut news),
                notice = self.notices.recv() => match notice {
                    Ok(notice) => self.noticed(notice, &mut news),
                    Err(broadcast::error::RecvError::Lagged(_)) => news.all = true,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(waits) = self.settling.recv() => settled.push(waits),
                () = tokio::time::sleep_until(next_look), if news.all => {}
            }
            while let Ok(waits) = self.settling.try_recv() {
                settled.push(waits);
            }
            // What came at the same time is looked at together.
            while let Ok(notice) = self.notices.try_recv() {
                self.noticed(notice, &mut news);
            }
            let Some(dispatch) = self.dispatch.upgrade() else {
                return;
            };
            let looked = if news.all && Instant::now() >= next_look {
                news = News::default();
                let begun = Instant::now();
                let looked = dispatch.look().await;
                next_look = Instant::now() + LOOK_INTERVAL.max(begun.elapsed() * LOOK_SHARE);
                looked
            } else if news.pending.is_empty() {
                Ok(())
            } else {
                dispatch.look_at(&std::mem::take(&mut news.pending)).await
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "queue.unreadable");
                news.all = true;
                next_look = Instant::now() + LOOK_INTERVAL * LOOK_SHARE;
            }
            for waits in settled.drain(..) {
                // Whoever asked may have gone.
                let _ = waits.send(());
            }
        }
    }

    fn changed(&self, change: Change, news: &mut News) {
        match change {
            Change::Everything => news.all = true,
            Change::Topic(topic) if topic == QUEUE => news.all = true,
            Change::Topic(topic) => {
                let runner = topic.strip_prefix("runner ").and_then(|id| id.parse().ok());
                if let (Some(id), Some(dispatch)) = (runner, self.dispatch.upgrade()) {
                    dispatch.call_changed(RunnerId(id));
                }
            }
        }
    }

    fn noticed(&self, notice: Notice, news: &mut News) {
        let Notice::Job(job) = notice else { return };
        let Some(dispatch) = self.dispatch.upgrade() else {
            return;
        };
        match job.status {
            Status::Pending => news.pending.push(job.id),
            Status::Running => {}
            Status::Canceling => {
                tokio::spawn(async move {
                    // What is missed here is found by the reconciler.
                    if let Err(error) = dispatch.coordinator.cancel_at_once(job.id).await {
                        tracing::warn!(job = %job.id, %error, "job.cancel.failed");
                    }
                });
            }
            _ => dispatch.remove(job.id),
        }
    }
}
