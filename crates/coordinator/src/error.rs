//! What can go wrong in a use case.

use std::path::PathBuf;

use shipway_git::hosting::{QueryError, RepositoriesError};
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
    /// The job does not wait for a runner any more.
    #[error("job {0} is not pending")]
    NotPending(JobId),
    /// The job is not with a runner.
    #[error("job {job} is {status}, so its runner has nothing more to say")]
    NotAtWork {
        /// Which job.
        job: JobId,
        /// Where it stands.
        status: shipway_pipeline::Status,
    },
    /// Values that the inputs of a job do not take.
    #[error(transparent)]
    Inputs(#[from] shipway_config::JobInputError),
    /// No token can be made.
    #[error("the operating system gives no random numbers: {0}")]
    NoRandomness(String),
    /// The job has no archive.
    #[error("job {0} has no archive")]
    NoArchive(JobId),
    /// A job needs what another pipeline has not made.
    #[error("job {job} needs the artifacts of {what}, which are not there; run that first")]
    MissingDependency {
        /// The job.
        job: String,
        /// Whose artifacts.
        what: String,
    },
    /// No variable says where a secret of a job is.
    #[error(
        "job {job} takes the secret `{secret}` from a Vault, and no variable says which; set VAULT_SERVER_URL"
    )]
    NoSecretsProvider {
        /// Which job.
        job: String,
        /// The secret's variable.
        secret: String,
    },
    /// An ID token cannot be made.
    #[error("the ID tokens of job {job} cannot be signed")]
    Unsigned {
        /// Which job.
        job: i64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A server's use case was asked of a local run's coordinator.
    #[error("there are no hosted projects here")]
    NoRepositories,
    /// A repository.
    #[error(transparent)]
    Repository(#[from] RepositoriesError),
    /// Git could not answer.
    #[error(transparent)]
    Git(#[from] QueryError),
    /// The commit is not in the repository.
    #[error("there is no commit {sha} in {project}; push it first")]
    NoCommit {
        /// The project's path.
        project: String,
        /// What was asked for.
        sha: String,
    },
    /// There is no such pipeline.
    #[error("there is no pipeline {0}")]
    NoPipeline(i64),
    /// A bug of ours, caught.
    #[error("the configuration could not be read: {0}; please report this")]
    Panicked(String),
    /// Others changed the pipeline again and again while this wanted to.
    #[error("pipeline {0} changes all the time; try again")]
    Contended(i64),
    /// Another process works on the pipeline.
    #[error("another process works on pipeline {0}")]
    Held(i64),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The failure reason of a job that cannot be handed out for this, where it is no fault of
    /// the server.
    pub(crate) fn of_job(&self) -> Option<&'static str> {
        match self {
            Self::MissingDependency { .. } => Some("missing_dependency_failure"),
            Self::NoSecretsProvider { .. } => Some("secrets_provider_not_found"),
            _ => None,
        }
    }

    pub(crate) fn stored(what: &'static str, job: JobId) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Stored {
            what,
            job: job.0,
            source,
        }
    }
}
