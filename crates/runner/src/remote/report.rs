//! One job's way back to the coordinator: its log, its result, its cancellation.
//!
//! The log is kept on disk and sent piece by piece in the coordinator's own time, so that
//! neither its absence nor its pace touches the job. [`HttpSource::report`] runs beside the
//! job; the job's result ends it and is sent after the last byte of the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use shipway_protocol::{
    ArtifactSpec, Dependency, FailureReason, JobPayload, JobState, JobUpdate, JobUpdateRequest,
    TraceAck,
};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use super::client::{Client, JobStatus, Word};
use super::http::ClientError;
use super::spool::Spool;
use super::transfer;
use crate::control::Canceller;
use crate::failure::with_causes;
use crate::source::{JobSource, SourceError};

/// The most bytes of one piece of log.
const LARGEST_PIECE: u64 = 1024 * 1024;
/// The final phase asks again at most so often: while the log is stored for good, or is
/// wanted once more.
const MOST_ROUNDS: u32 = 200;
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How long a reporter waits; the defaults are those of GitLab's runner.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two pieces of log, until the coordinator names another time.
    pub interval: Duration,
    /// A silent job is mentioned after so long.
    pub heartbeat: Duration,
    /// Before the result is sent again after a failure; it doubles.
    pub first_retry: Duration,
    /// How often sending the result is tried.
    pub final_attempts: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3),
            heartbeat: Duration::from_secs(30),
            first_retry: Duration::from_secs(1),
            final_attempts: 10,
        }
    }
}

/// A [`JobSource`] over HTTP, for one job.
#[derive(Debug)]
pub struct HttpSource {
    client: Arc<Client>,
    job: i64,
    token: String,
    /// The failure reasons the coordinator knows.
    reasons: Vec<String>,
    debug: bool,
    pace: Pace,
    spool: Spool,
    canceller: Canceller,
    wire: Mutex<Wire>,
    finishing: Notify,
    /// The coordinator has ended the job; nothing more is accepted.
    ended: AtomicBool,
    interrupted: AtomicBool,
}

/// How far the coordinator is.
#[derive(Debug)]
struct Wire {
    offset: u64,
    interval: Duration,
    last_success: Instant,
}

/// What became of one attempt to send a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// There was nothing to send.
    Nothing,
    Stored,
    /// The coordinator has another size; the offset is corrected.
    Mismatch,
    /// The coordinator does not want the log any more.
    Unwanted,
    NotFound,
    Failed,
}

/// What a pick-up means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// Run it.
    Run,
    /// It is somebody else's or gone: say and do nothing.
    Drop,
    /// It is being cancelled: end it.
    Canceling,
}

impl HttpSource {
    /// The way back for this job. `spool` is a directory for its log; `canceller` stops the
    /// job when the coordinator says so.
    ///
    /// # Errors
    ///
    /// When no file can be made for the log.
    pub fn new(
        client: Arc<Client>,
        payload: &JobPayload,
        spool: &Path,
        canceller: Canceller,
        pace: Pace,
    ) -> std::io::Result<Self> {
        let is_set = |name: &str| {
            let mut variables = payload.variables.iter().rev();
            let found = variables.find(|variable| variable.key == name);
            found.is_some_and(|variable| matches!(variable.value.as_str(), "true" | "1"))
        };
        Ok(Self {
            client,
            job: payload.id,
            token: payload.token.clone(),
            reasons: payload.features.failure_reasons.clone(),
            debug: is_set("CI_DEBUG_TRACE") || is_set("CI_DEBUG_SERVICES"),
            pace,
            spool: Spool::new(spool)?,
            canceller,
            wire: Mutex::new(Wire {
                offset: 0,
                interval: pace.interval,
                last_success: Instant::now(),
            }),
            finishing: Notify::new(),
            ended: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        })
    }

    /// Says that the runner itself stops the job; its failure is `runner_interrupted`.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
        self.canceller.abort();
    }

    /// The second phase of the pick-up: tells the coordinator that the job starts.
    pub(super) async fn acknowledge(&self) -> Acknowledged {
        let update = self.update(JobState::Running);
        let word = match self.client.update_job(self.job, update).await {
            Ok(word) => word,
            Err(error) => {
                tracing::warn!(job = self.job, %error, "job.not_acknowledged");
                return Acknowledged::Run;
            }
        };
        match (word.job, word.status) {
            (JobStatus::Ended, _) | (_, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                Acknowledged::Drop
            }
            (JobStatus::Canceling, _) => Acknowledged::Canceling,
            _ => Acknowledged::Run,
        }
    }

    /// Sends the log while the job runs, at most one piece per interval, and a sign of life
    /// when there is none. Returns when the job's result is about to be sent, or when the
    /// coordinator has ended the job.
    pub async fn report(&self) {
        loop {
            let interval = self.wire.lock().await.interval;
            tokio::select! {
                () = self.finishing.notified() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let mut wire = self.wire.lock().await;
            let sent = self.send_piece(&mut wire).await;
            if matches!(sent, Sent::Nothing | Sent::Stored) {
                self.keep_alive(&mut wire).await;
            }
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    async fn keep_alive(&self, wire: &mut Wire) {
        if wire.last_success.elapsed() < self.pace.heartbeat {
            return;
        }
        let mut update = self.update(JobState::Running);
        update.output = self.spool.output();
        match self.client.update_job(self.job, update).await {
            Ok(word) => {
                self.obey(word);
                if word.status.is_success() {
                    wire.last_success = Instant::now();
                }
            }
            Err(error) => tracing::warn!(job = self.job, %error, "job.heartbeat_failed"),
        }
    }

    async fn send_piece(&self, wire: &mut Wire) -> Sent {
        let bytes = match self.spool.read(wire.offset, LARGEST_PIECE) {
            Ok(bytes) if bytes.is_empty() => return Sent::Nothing,
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(job = self.job, %error, "the log cannot be read again");
                return Sent::Failed;
            }
        };
        let end = wire.offset + bytes.len() as u64;
        let sent = self
            .client
            .patch_trace(self.job, &self.token, wire.offset, bytes, self.debug)
            .await;
        let word = match sent {
            Ok(word) => word,
            Err(error) => {
                tracing::warn!(
                    job = self.job,
                    error = with_causes(&error),
                    "trace.not_sent"
                );
                return Sent::Failed;
            }
        };
        if let Some(interval) = word.interval {
            wire.interval = interval;
        }
        self.obey(word);
        if self.ended.load(Ordering::Relaxed) {
            return Sent::Unwanted;
        }
        match word.status {
            StatusCode::ACCEPTED => {
                wire.offset = end;
                wire.last_success = Instant::now();
                Sent::Stored
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                // A coordinator that claims more than there is gets what it lacks later.
                wire.offset = word.stored.min(self.spool.size());
                tracing::info!(job = self.job, offset = wire.offset, "trace.resumed");
                Sent::Mismatch
            }
            StatusCode::NOT_FOUND => Sent::NotFound,
            status => {
                tracing::warn!(job = self.job, %status, "trace.refused");
                Sent::Failed
            }
        }
    }

    /// Stops the job when the coordinator says so.
    fn obey(&self, word: Word) {
        if word.job == JobStatus::Ended || word.status == StatusCode::FORBIDDEN {
            if !self.ended.swap(true, Ordering::Relaxed) {
                tracing::info!(job = self.job, "job.ended_by_coordinator");
            }
            self.canceller.abort();
        } else if word.job == JobStatus::Canceling {
            self.canceller.cancel();
        }
    }

    fn update(&self, state: JobState) -> JobUpdateRequest {
        JobUpdateRequest {
            token: self.token.clone(),
            state: state.as_str().to_owned(),
            ..JobUpdateRequest::default()
        }
    }

    fn final_update(&self, outcome: &JobUpdate) -> JobUpdateRequest {
        let reason = match outcome.failure_reason {
            Some(FailureReason::UnknownFailure) if self.interrupted.load(Ordering::Relaxed) => {
                Some(FailureReason::RunnerInterrupted)
            }
            reason => reason,
        };
        JobUpdateRequest {
            failure_reason: reason.map(|reason| supported(reason, &self.reasons).to_owned()),
            exit_code: outcome.exit_code.filter(|code| *code != 0),
            output: self.spool.output(),
            ..self.update(outcome.state)
        }
    }

    /// Sends what is left of the log and then the result, until the coordinator has both.
    async fn deliver(
        &self,
        wire: &mut Wire,
        update: &JobUpdateRequest,
    ) -> Result<(), DeliveryError> {
        let mut rounds = 0;
        while rounds < MOST_ROUNDS {
            match self.send_piece(wire).await {
                Sent::Stored => continue,
                Sent::Mismatch => {
                    rounds += 1;
                    tokio::time::sleep(wire.interval).await;
                    continue;
                }
                Sent::Unwanted => return Ok(()),
                Sent::Nothing | Sent::NotFound => {}
                Sent::Failed => return Err(DeliveryError::Log),
            }
            let word = self.client.update_job(self.job, update.clone()).await?;
            if let Some(interval) = word.interval {
                wire.interval = interval;
            }
            match word.status {
                StatusCode::OK => return Ok(()),
                _ if word.job == JobStatus::Ended => return Ok(()),
                status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                    tracing::warn!(job = self.job, %status, "result.unwanted");
                    return Ok(());
                }
                StatusCode::ACCEPTED => {}
                StatusCode::PRECONDITION_FAILED => wire.offset = 0,
                status => return Err(DeliveryError::Result { status }),
            }
            rounds += 1;
            tokio::time::sleep(wire.interval).await;
        }
        Err(DeliveryError::Rounds)
    }
}

/// Why one delivery of log and result failed.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    /// The call.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A piece of the log was not taken.
    #[error("the rest of the log was not taken")]
    Log,
    /// The result was not taken.
    #[error("the coordinator answered {status} to the result")]
    Result { status: StatusCode },
    /// It never ended.
    #[error("the coordinator asked for more {MOST_ROUNDS} times")]
    Rounds,
}

/// The name of this failure for a coordinator that knows these ones. Source: GitLab's runner,
/// which names only what the job's `features.failure_reasons` list.
fn supported(reason: FailureReason, known: &[String]) -> &'static str {
    use FailureReason as Reason;
    let name = reason.as_str();
    match reason {
        Reason::ScriptFailure | Reason::RunnerSystemFailure | Reason::JobExecutionTimeout => name,
        _ if known.iter().any(|known| known == name) => name,
        Reason::ImagePullFailure | Reason::RunnerExternalDependencyFailure => {
            Reason::RunnerSystemFailure.as_str()
        }
        Reason::RunnerUnsupported => Reason::RunnerSystemFailure.as_str(),
        Reason::RunnerConfigurationError => Reason::ScriptFailure.as_str(),
        Reason::RunnerInterrupted | Reason::UnknownFailure => Reason::UnknownFailure.as_str(),
    }
}

impl JobSource for HttpSource {
    async fn append_trace(
        &self,
        _job: i64,
        _offset: u64,
        bytes: &[u8],
    ) -> Result<TraceAck, SourceError> {
        let stored = self
            .spool
            .append(bytes)
            .map_err(|error| SourceError::Failed {
                what: "keeping the log on disk".to_owned(),
                cause: Box::new(error),
            })?;
        Ok(TraceAck { stored })
    }

    async fn update_job(&self, _job: i64, update: JobUpdate) -> Result<(), SourceError> {
        self.finishing.notify_one();
        let mut wire = self.wire.lock().await;
        if self.ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        wire.interval = self.pace.interval;
        let update = self.final_update(&update);
        let mut pause = self.pace.first_retry;
        let mut attempt = 1;
        loop {
            match self.deliver(&mut wire, &update).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt >= self.pace.final_attempts => {
                    return Err(SourceError::Failed {
                        what: "reporting the result".to_owned(),
                        cause: Box::new(error),
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        job = self.job,
                        attempt,
                        error = with_causes(&error),
                        "result.not_delivered"
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn upload_artifact(
        &self,
        job: i64,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
    ) -> Result<(), SourceError> {
        transfer::upload(&self.client.http, job, &self.token, spec, file_name, file).await
    }

    async fn download_artifact(
        &self,
        _job: i64,
        dependency: &Dependency,
        into: &Path,
    ) -> Result<(), SourceError> {
        transfer::download(&self.client.http, dependency, &self.token, into).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_hears_only_reasons_it_knows() {
        use FailureReason::*;
        let known = ["runner_interrupted".to_owned()];
        for (reason, name) in [
            (ScriptFailure, "script_failure"),
            (JobExecutionTimeout, "job_execution_timeout"),
            (ImagePullFailure, "runner_system_failure"),
            (RunnerConfigurationError, "script_failure"),
            (RunnerExternalDependencyFailure, "runner_system_failure"),
            (RunnerInterrupted, "runner_interrupted"),
            (UnknownFailure, "unknown_failure"),
        ] {
            assert_eq!(supported(reason, &known), name, "{reason:?}");
        }
        assert_eq!(supported(RunnerInterrupted, &[]), "unknown_failure");
        let known = ["image_pull_failure".to_owned()];
        assert_eq!(supported(ImagePullFailure, &known), "image_pull_failure");
    }
}
