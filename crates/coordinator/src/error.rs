//! What can go wrong in a use case.

use std::path::PathBuf;

use shipway_pipeline::{IllegalTransition, JobId};
use shipway_store::{BlobError, LogError, StoreError};

use crate::reports::dotenv::DotenvError;

/// Why a use case could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A log file.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An artifact's file.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The event makes no sense in the job's status.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// An artifact that cannot be accepted.
    #[error("the report `{file_name}` is refused")]
    Artifact {
        /// Its name.
        file_name: String,
        /// Why.
        #[source]
        source: DotenvError,
    },
    /// A file cannot be read or written.
    #[error("cannot use the file {path}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A stored value is not what this program writes.
    #[error("the stored {what} of job {job} cannot be read")]
    Stored {
        /// Which column.
        what: &'static str,
        /// Which job.
        job: i64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The job is not there, or an older attempt.
    #[error("there is no current job {0}")]
    NoJob(JobId),
    /// The job has no archive.
    #[error("job {0} has no archive")]
    NoArchive(JobId),
    /// Another process works on the pipeline.
    #[error("another process works on pipeline {0}")]
    Held(i64),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn stored(what: &'static str, job: JobId) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Stored {
            what,
            job: job.0,
            source,
        }
    }
}
