//! Which waiting runner gets which pending job, at once.
//!
//! The pending jobs of all projects are kept in memory. A runner that finds nothing may wait;
//! a job that becomes pending is offered to one waiting runner that may take it, and to no
//! other. What is in memory is only a proposal: the claim decides, in the store. So nothing is
//! lost when a notice is, or when somebody else takes the job; a look at the whole queue every
//! few seconds sees to the rest.

mod desk;
mod look;
mod watch;
mod watched_logs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shipway_protocol::JobPayload;
use shipway_store::RunnerKind;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::desk::{Call, Desk, Waiter};
use self::watch::Watch;
use self::watched_logs::WatchedLogs;
use crate::claim::{Asker, Claimed};
use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::queue::Ticket;

/// Hands jobs to runners. There is one in a process.
#[derive(Debug)]
pub struct Dispatch {
    coordinator: Arc<Coordinator>,
    desk: Mutex<Desk>,
    watched: WatchedLogs,
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
            watched: WatchedLogs::default(),
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
        tokio::spawn(watch::reconcile(Arc::downgrade(&dispatch)));
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

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
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
