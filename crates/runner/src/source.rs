//! Where jobs come from and where their logs, results and artifacts go.

use std::future::Future;
use std::path::Path;

use futures_util::future::BoxFuture;
use shipway_protocol::{ArtifactSpec, Dependency, JobUpdate, TraceAck};

/// The coordinator as a runner sees it, for one job at a time.
///
/// Whether a call is HTTP or a function call is settled by who implements it. The
/// implementation retries what is worth retrying: an error it returns is final.
pub trait JobSource: Send + Sync + 'static {
    /// Stores `bytes` of the job's log, which start at `offset`, and says how much of the
    /// log is stored now.
    fn append_trace(
        &self,
        job: i64,
        offset: u64,
        bytes: &[u8],
    ) -> impl Future<Output = Result<TraceAck, SourceError>> + Send;

    /// Reports the job's result. Called once, after the whole log was appended.
    fn update_job(
        &self,
        job: i64,
        update: JobUpdate,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Stores a finished archive or report; `file` is a temporary file of the runner's.
    fn upload_artifact(
        &self,
        job: i64,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Writes the archive of a job this job depends on to the file `into`.
    fn download_artifact(
        &self,
        job: i64,
        dependency: &Dependency,
        into: &Path,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;
}

/// A [`JobSource`] behind a pointer. So a job's life is compiled once, in this crate, and not
/// again wherever somebody runs jobs.
pub(crate) trait Source: Send + Sync {
    fn append_trace<'a>(
        &'a self,
        job: i64,
        offset: u64,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<TraceAck, SourceError>>;

    fn update_job(&self, job: i64, update: JobUpdate) -> BoxFuture<'_, Result<(), SourceError>>;

    fn upload_artifact<'a>(
        &'a self,
        job: i64,
        spec: &'a ArtifactSpec,
        file_name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<(), SourceError>>;

    fn download_artifact<'a>(
        &'a self,
        job: i64,
        dependency: &'a Dependency,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<(), SourceError>>;
}

impl<S: JobSource> Source for S {
    fn append_trace<'a>(
        &'a self,
        job: i64,
        offset: u64,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<TraceAck, SourceError>> {
        Box::pin(JobSource::append_trace(self, job, offset, bytes))
    }

    fn update_job(&self, job: i64, update: JobUpdate) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(JobSource::update_job(self, job, update))
    }

    fn upload_artifact<'a>(
        &'a self,
        job: i64,
        spec: &'a ArtifactSpec,
        file_name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(JobSource::upload_artifact(self, job, spec, file_name, file))
    }

    fn download_artifact<'a>(
        &'a self,
        job: i64,
        dependency: &'a Dependency,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(JobSource::download_artifact(self, job, dependency, into))
    }
}

/// Why a call of a [`JobSource`] failed for good.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The job was removed, finished or given to another runner; working on is pointless.
    #[error("the job is no longer wanted: {reason}")]
    Gone {
        /// The coordinator's words.
        reason: String,
    },
    /// The coordinator understood and said no; a repetition gives the same answer.
    #[error("{what} refused: {reason}")]
    Refused {
        /// What was asked, such as `upload of report.zip`.
        what: String,
        /// The coordinator's words.
        reason: String,
    },
    /// The call could not be carried out.
    #[error("{what} failed")]
    Failed {
        /// What was asked.
        what: String,
        /// Why it could not be done.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}
