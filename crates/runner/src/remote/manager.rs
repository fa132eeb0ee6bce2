//! The process of a remote runner: asks coordinators for jobs and runs them in slots.
//!
//! Each runner of the configuration asks for itself; what they share is the number of jobs
//! at once. A job that was received is followed by the next request at once, so a queue
//! drains faster than one job per interval.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use shipway_protocol::{DecodeError, FailureReason, JobPayload, JobState, JobUpdate};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, Offer};
use super::http::ClientError;
use super::report::{Acknowledged, HttpSource, Pace};
use super::token::short_token;
use crate::control::control;
use crate::disk::Collector;
use crate::failure::with_causes;
use crate::runner::{Runner, Sources};
use crate::source::JobSource;

/// Between two looks at the disk.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(10);
/// So long after the last, also when no job ended.
const LONGEST_WITHOUT_ROUND: Duration = Duration::from_secs(300);

/// What the process is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Go on.
    #[default]
    None,
    /// Take no more jobs and let the running ones end.
    Finish,
    /// End the running jobs too.
    Stop,
}

/// One runner of the configuration.
#[derive(Debug)]
pub struct RemoteRunner {
    /// Its name in logs.
    pub name: String,
    /// Its authentication token.
    pub token: String,
    /// Its coordinator.
    pub client: Arc<Client>,
    /// What runs its jobs.
    pub runner: Runner,
    /// Jobs at once of this runner; 0 is no limit of its own.
    pub limit: u32,
    /// Wait between two requests even after a job was received.
    pub strict_check_interval: bool,
    /// So many requests in a row may be refused …
    pub unhealthy_requests_limit: u32,
    /// … before none is made for so long.
    pub unhealthy_interval: Duration,
    /// How its jobs report.
    pub pace: Pace,
}

/// All runners of one process.
#[derive(Debug)]
pub struct Manager {
    /// The runners.
    pub runners: Vec<RemoteRunner>,
    /// Jobs at once over all of them, at least 1.
    pub concurrent: u32,
    /// Between two requests of one runner.
    pub check_interval: Duration,
    /// How long jobs that are stopped may take to report it.
    pub shutdown_timeout: Duration,
    /// Keeps what jobs leave behind within a budget; `None` removes nothing.
    pub collector: Option<Collector>,
}

/// What the runners of a process share.
#[derive(Debug)]
struct Shared {
    places: Arc<Semaphore>,
    slots: Slots,
    check_interval: Duration,
    shutdown_timeout: Duration,
    /// A job ended: there is more on the disk than before.
    left: Notify,
}

impl Manager {
    /// Works until `shutdown` says otherwise, and until the last job has ended.
    pub async fn run(self, shutdown: watch::Receiver<Shutdown>) {
        let shared = Arc::new(Shared {
            places: Arc::new(Semaphore::new(self.concurrent.max(1) as usize)),
            slots: Slots::default(),
            check_interval: self.check_interval,
            shutdown_timeout: self.shutdown_timeout,
            left: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        for runner in self.runners {
            runner.runner.sweep().await;
            tasks.spawn(serve(
                Arc::new(runner),
                Arc::clone(&shared),
                shutdown.clone(),
            ));
        }
        let keeping = async {
            match &self.collector {
                Some(collector) => keep_disk(collector, &shared.left).await,
                None => std::future::pending().await,
            }
        };
        let working = async {
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "runner.panicked");
                }
            }
        };
        tokio::select! {
            () = working => {}
            never = keeping => match never {},
        }
    }
}

/// Looks after the disk: at the start, after jobs, and by the clock for what others write.
async fn keep_disk(collector: &Collector, left: &Notify) -> std::convert::Infallible {
    loop {
        let found = collector.round(false).await;
        for reason in &found.unreachable {
            tracing::warn!(reason, "disk.engine_not_counted");
        }
        if found.plan.over > 0 {
            let bytes = found.plan.over;
            tracing::warn!(bytes, "disk.over_budget: jobs hold what would have to go");
        }
        for (place, bytes) in &found.plan.short {
            let path = &found.places[*place].path;
            tracing::warn!(path = %path.display(), bytes, "disk.below_floor");
        }
        tokio::time::sleep(BETWEEN_ROUNDS).await;
        // A round that is late costs space for a while, never correctness.
        let _ = tokio::time::timeout(LONGEST_WITHOUT_ROUND, left.notified()).await;
    }
}

/// Asks for jobs of one runner and runs them.
async fn serve(
    runner: Arc<RemoteRunner>,
    shared: Arc<Shared>,
    mut shutdown: watch::Receiver<Shutdown>,
) {
    let own_places = match runner.limit {
        0 => Semaphore::MAX_PERMITS,
        limit => limit as usize,
    };
    let own_places = Arc::new(Semaphore::new(own_places));
    let mut jobs = JoinSet::new();
    let mut refused = 0;
    let mut can_be_held = runner.client.can_be_held();
    tracing::info!(
        runner = runner.name,
        token = short_token(&runner.token),
        "runner.started"
    );
    loop {
        let next = async {
            // Closed semaphores do not occur; without a place there is nothing to ask for.
            let own = Arc::clone(&own_places).acquire_owned().await.ok()?;
            let place = Arc::clone(&shared.places).acquire_owned().await.ok()?;
            let asked = Instant::now();
            let offer = runner.client.request_job(&runner.token).await;
            Some((offer, [own, place], asked.elapsed()))
        };
        let answered = tokio::select! {
            answered = next => answered,
            () = reached(&mut shutdown, Shutdown::Finish) => break,
        };
        let Some((offer, places, took)) = answered else {
            break;
        };
        while jobs.try_join_next().is_some() {}
        // A coordinator that held the request back for long has done the waiting.
        let mut wait = shared.check_interval.saturating_sub(took);
        match offer {
            Ok(offer) => {
                refused = 0;
                let received = !matches!(offer, Offer::Nothing);
                start(offer, &runner, &shared, &shutdown, places, &mut jobs);
                // The first answer comes at once, whatever is in the queue; only now can the
                // coordinator hold a request until something is.
                let first = !can_be_held && runner.client.can_be_held();
                can_be_held |= first;
                if (received || first) && !runner.strict_check_interval {
                    continue;
                }
            }
            Err(error) => {
                drop(places);
                if is_unhealthy(&error) {
                    refused += 1;
                }
                tracing::warn!(
                    runner = runner.name,
                    error = with_causes(&error),
                    "request.failed"
                );
                if refused >= runner.unhealthy_requests_limit {
                    refused = 0;
                    wait = runner.unhealthy_interval;
                    tracing::error!(
                        runner = runner.name,
                        seconds = wait.as_secs(),
                        "runner.unhealthy"
                    );
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = reached(&mut shutdown, Shutdown::Finish) => break,
        }
    }
    tracing::info!(runner = runner.name, jobs = jobs.len(), "runner.finishing");
    while jobs.join_next().await.is_some() {}
    tracing::info!(runner = runner.name, "runner.ended");
}

/// Only a refused token counts; a coordinator that is away or busy is asked again.
fn is_unhealthy(error: &ClientError) -> bool {
    error.status() == Some(StatusCode::FORBIDDEN)
}

fn start(
    offer: Offer,
    runner: &Arc<RemoteRunner>,
    shared: &Arc<Shared>,
    shutdown: &watch::Receiver<Shutdown>,
    places: [OwnedSemaphorePermit; 2],
    jobs: &mut JoinSet<()>,
) {
    let (runner, shared, shutdown) = (runner.clone(), shared.clone(), shutdown.clone());
    match offer {
        Offer::Nothing => {}
        Offer::Job(payload) => {
            jobs.spawn(async move {
                let _places = places;
                run(*payload, &runner, &shared, shutdown).await;
            });
        }
        Offer::Unusable(error) => {
            jobs.spawn(async move {
                let _places = places;
                report_unusable(error, &runner).await;
            });
        }
    }
}

/// Runs one job from its pick-up to its result.
async fn run(
    mut payload: JobPayload,
    runner: &RemoteRunner,
    shared: &Shared,
    mut shutdown: watch::Receiver<Shutdown>,
) {
    complete(&mut payload);
    let id = payload.id;
    let info = &payload.job_info;
    tracing::info!(
        runner = runner.name,
        job = id,
        project = info.project_full_path,
        name = info.name,
        "job.received"
    );
    let (canceller, control) = control();
    let client = Arc::clone(&runner.client);
    let spool = &runner.runner.config().temp_dir;
    let source = match HttpSource::new(client, &payload, spool, canceller.clone(), runner.pace) {
        Ok(source) => source,
        Err(error) => {
            // Unreported, the job is given to another runner when its time is up.
            tracing::error!(job = id, %error, path = %spool.display(), "job.no_spool");
            return;
        }
    };
    match source.acknowledge().await {
        Acknowledged::Run => {}
        Acknowledged::Drop => {
            tracing::info!(job = id, "job.dropped");
            return;
        }
        Acknowledged::Canceling => canceller.cancel(),
    }
    let sources = match payload.git_info.repo_url.as_str() {
        "" => Sources::Empty,
        _ => Sources::Git,
    };
    let slot = shared.slots.take();
    let work = async {
        let job = runner
            .runner
            .run_job(payload, sources, &source, slot.number, control);
        let (outcome, ()) = tokio::join!(job, source.report());
        tracing::info!(
            job = id,
            state = outcome.state.as_str(),
            reason = outcome.failure_reason.map(FailureReason::as_str),
            "job.ended"
        );
    };
    tokio::pin!(work);
    tokio::select! {
        () = &mut work => return shared.left.notify_one(),
        () = reached(&mut shutdown, Shutdown::Stop) => source.interrupt(),
    }
    if tokio::time::timeout(shared.shutdown_timeout, work)
        .await
        .is_err()
    {
        tracing::error!(job = id, "job.abandoned");
    }
}

/// Fills in what older coordinators leave out.
fn complete(payload: &mut JobPayload) {
    if !payload.job_info.project_full_path.is_empty() {
        return;
    }
    let variable = payload
        .variables
        .iter()
        .rev()
        .find(|variable| variable.key == "CI_PROJECT_PATH")
        .map(|variable| variable.value.clone());
    let of_url = || {
        let url = reqwest::Url::parse(&payload.git_info.repo_url).ok()?;
        let path = url.path().trim_matches('/');
        Some(path.strip_suffix(".git").unwrap_or(path).to_owned())
    };
    payload.job_info.project_full_path = variable
        .or_else(of_url)
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| format!("project-{}", payload.job_info.project_id));
}

/// Tells the coordinator, and whoever reads the log, that a job cannot be run here.
async fn report_unusable(error: DecodeError, runner: &RemoteRunner) {
    let text = with_causes(&error);
    tracing::error!(runner = runner.name, error = text, "job.unusable");
    let Some((id, token)) = error.job else {
        return;
    };
    let payload = JobPayload {
        id,
        token,
        ..JobPayload::default()
    };
    let client = Arc::clone(&runner.client);
    let spool = &runner.runner.config().temp_dir;
    let Ok(source) = HttpSource::new(client, &payload, spool, control().0, runner.pace) else {
        return;
    };
    if source.acknowledge().await == Acknowledged::Drop {
        return;
    }
    let line = format!("\x1b[31;1mERROR: Job failed (system failure): {text}\x1b[0;m\n");
    let update = JobUpdate {
        state: JobState::Failed,
        failure_reason: Some(FailureReason::RunnerSystemFailure),
        exit_code: None,
    };
    let told = match source.append_trace(id, 0, line.as_bytes()).await {
        Ok(_) => source.update_job(id, update).await,
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        tracing::warn!(job = id, error = with_causes(&error), "job.not_reported");
    }
}

/// Waits until at least this much is asked for.
async fn reached(shutdown: &mut watch::Receiver<Shutdown>, level: Shutdown) {
    if shutdown.wait_for(|asked| *asked >= level).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The numbers of running jobs: each has the lowest that no other one has.
#[derive(Debug, Default)]
struct Slots(Mutex<BTreeSet<u32>>);

#[derive(Debug)]
struct Slot<'a> {
    slots: &'a Slots,
    number: u32,
}

impl Slots {
    fn take(&self) -> Slot<'_> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = (0..)
            .find(|number| !taken.contains(number))
            .unwrap_or_default();
        taken.insert(number);
        Slot {
            slots: self,
            number,
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_the_lowest_free_number() {
        let slots = Slots::default();
        let first = slots.take();
        let second = slots.take();
        assert_eq!((first.number, second.number), (0, 1));
        drop(first);
        assert_eq!(slots.take().number, 0);
    }

    #[test]
    fn an_older_coordinators_job_has_a_project_path() {
        let mut payload = JobPayload::default();
        payload.job_info.project_id = 4;
        let mut path = |url: &str| {
            payload.git_info.repo_url = url.to_owned();
            payload.job_info.project_full_path.clear();
            complete(&mut payload);
            payload.job_info.project_full_path.clone()
        };
        assert_eq!(path("https://u:p@h/a/b/c.git"), "a/b/c");
        assert_eq!(path(""), "project-4");
        assert_eq!(path("https://h/"), "project-4");
    }
}
