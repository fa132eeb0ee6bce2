//! The runner: takes one job at a time per slot and brings it to its end.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use shipway_git::Tree;
use shipway_protocol::{FailureReason, JobPayload, JobState, JobUpdate};

use crate::config::{ExecutorChoice, RunnerConfig};
use crate::control::{self, Canceller, Control, Request};
use crate::directory::{self, Slots};
use crate::executor;
use crate::failure::{JobOutcome, with_causes};
use crate::job::{Ended, Job};
use crate::source::{JobSource, Source, SourceError};
use crate::trace::Trace;

/// Where a job's sources come from.
#[derive(Debug, Clone)]
pub enum Sources {
    /// A snapshot, copied into the job's directory.
    Directory {
        /// The snapshot.
        snapshot: Arc<Tree>,
        /// A repository's `objects` directory that the snapshot's `.git` borrows from; in
        /// containers it is mounted read-only at the same path.
        git_objects: Option<PathBuf>,
    },
    /// A clone of the payload's `git_info`.
    Git,
    /// Nothing; the directory is empty.
    Empty,
}

/// Runs jobs as one configuration says. The last clone, dropped, removes the directories it
/// kept between jobs.
#[derive(Debug, Clone)]
pub struct Runner {
    config: Arc<RunnerConfig>,
    slots: Arc<Slots>,
}

/// What [`Runner::sweep`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Directories of jobs.
    pub directories: usize,
    /// Processes of shell jobs.
    pub processes: usize,
    /// Containers.
    pub containers: usize,
}

impl Runner {
    /// A runner with these settings. Touches nothing yet.
    pub fn new(config: RunnerConfig) -> Self {
        Self {
            slots: Arc::new(Slots::new(&config.builds_dir, config.keep_builds)),
            config: Arc::new(config),
        }
    }

    /// The settings.
    pub fn config(&self) -> &RunnerConfig {
        &self.config
    }

    /// Removes what runners that died left below this builds directory: processes,
    /// containers, directories. Costs nothing when there is nothing. Run it at the start.
    pub fn sweep(&self) -> BoxFuture<'_, Swept> {
        Box::pin(self.sweep_builds())
    }

    async fn sweep_builds(&self) -> Swept {
        let builds = self.config.builds_dir.clone();
        let slots = tokio::task::spawn_blocking(move || directory::abandoned_slots(&builds))
            .await
            .unwrap_or_default();
        let mut swept = Swept::default();
        for (slot, lock) in slots {
            swept.processes += executor::end_abandoned_processes(&slot);
            if self.config.executor != ExecutorChoice::Shell {
                let host = self.config.docker_host.as_deref();
                let certificates = self.config.docker_cert_path.as_deref();
                let removed = executor::remove_abandoned_containers(host, certificates, &slot);
                swept.containers += removed.await;
            }
            let keep = self.config.keep_builds;
            let removed =
                tokio::task::spawn_blocking(move || directory::remove_abandoned(&slot, lock, keep));
            match removed.await {
                Ok(Ok(())) => swept.directories += 1,
                Ok(Err(error)) => tracing::warn!(%error, "a dead runner's directory stays"),
                Err(error) => tracing::warn!(%error, "a dead runner's directory stays"),
            }
        }
        swept
    }

    /// Runs one job to its end and reports it to `source`; whatever happens, the answer is
    /// an outcome. `slot` is the lowest number no other running job of this runner has
    /// (`CI_CONCURRENT_ID`).
    ///
    /// Dropping the future kills the job's shell and leaves the rest to [`Runner::sweep`];
    /// ask through `control` instead.
    pub fn run_job<'a, S: JobSource>(
        &'a self,
        payload: JobPayload,
        sources: Sources,
        source: &'a S,
        slot: u32,
        control: Control,
    ) -> BoxFuture<'a, JobOutcome> {
        self.run_boxed(payload, sources, source, slot, control)
    }

    /// Not generic and not inlined, so that a job's life is compiled in this crate and not in
    /// those that use it.
    #[inline(never)]
    fn run_boxed<'a>(
        &'a self,
        payload: JobPayload,
        sources: Sources,
        source: &'a dyn Source,
        slot: u32,
        control: Control,
    ) -> BoxFuture<'a, JobOutcome> {
        Box::pin(self.run(payload, sources, source, slot, control))
    }

    async fn run(
        &self,
        payload: JobPayload,
        sources: Sources,
        source: &dyn Source,
        slot: u32,
        control: Control,
    ) -> JobOutcome {
        let id = payload.id;
        let trace = Trace::new(self.config.output_limit);
        let (canceller, inner) = control::control();
        // What was asked for before the job began must be seen by its first step.
        canceller.escalate(control.requested());
        let work = async {
            let job = Job::new(
                (&self.config, &self.slots),
                &payload,
                &sources,
                source,
                slot,
                &trace,
                inner,
            )
            .await;
            let ended = job.run().await;
            trace.close();
            ended
        };
        let forward = async {
            let stored = trace.forward(id, source).await;
            if stored.is_err() {
                canceller.abort();
            }
            stored
        };
        let (ended, stored) = tokio::select! {
            both = async { tokio::join!(work, forward) } => both,
            never = pass_on(control, &canceller) => match never {},
        };
        let Ended { outcome, releasing } = ended;
        let outcome = match stored {
            Ok(()) => outcome,
            Err(error) => log_lost(id, &error),
        };
        let update = JobUpdate {
            state: outcome.state,
            failure_reason: outcome.failure_reason,
            exit_code: outcome.exit_code,
        };
        if let Err(error) = source.update_job(id, update).await {
            tracing::error!(job = id, error = with_causes(&error), "result not accepted");
        }
        releasing.await;
        outcome
    }
}

/// Hands every request on, so that the job can also be stopped by what happens in here.
async fn pass_on(mut control: Control, canceller: &Canceller) -> std::convert::Infallible {
    control.reached(Request::Cancel).await;
    canceller.escalate(control.requested());
    control.reached(Request::Abort).await;
    canceller.abort();
    std::future::pending().await
}

/// A job whose log cannot be stored was stopped, however far it had come.
fn log_lost(job: i64, error: &SourceError) -> JobOutcome {
    tracing::error!(job, error = with_causes(error), "log not accepted");
    JobOutcome {
        state: JobState::Failed,
        failure_reason: Some(FailureReason::RunnerSystemFailure),
        exit_code: None,
        canceled: matches!(error, SourceError::Gone { .. }),
    }
}
