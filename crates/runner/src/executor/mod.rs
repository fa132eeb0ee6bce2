//! What runs the commands of a job: a shell on this machine, or a container.
//!
//! An executor is prepared once, runs the script of each stage in a fresh shell, and cleans
//! up whatever happened. The lifecycle in `job` does everything else in this process.

mod docker;
mod processes;
mod shell;
mod start;

use std::future::Future;
use std::path::Path;

use shipway_protocol::FailureReason;
use tokio::time::Instant;

use crate::control::{Control, Request};
use crate::failure_shell::FailureShell;
use crate::log::{Log, Output};

pub(crate) use docker::DockerExecutor;
pub(crate) use docker::address::slot_prefix;
pub use docker::engine::docker_answers;
pub(crate) use docker::engine::remove as remove_container;
pub(crate) use docker::engine::remove_abandoned as remove_abandoned_containers;
pub(crate) use docker::engine::{DockerError, SLOT_LABEL, connect};
pub(crate) use docker::images::words as engine_words;
pub(crate) use docker::network::remove as remove_network;
pub(crate) use processes::end_abandoned as end_abandoned_processes;
pub(crate) use shell::ShellExecutor;

/// The directories of a job as its commands see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobPaths {
    /// `CI_BUILDS_DIR`.
    pub builds: String,
    /// `CI_PROJECT_DIR`.
    pub project: String,
    /// `RUNNER_TEMP_PROJECT_DIR`.
    pub temporary: String,
}

impl JobPaths {
    /// Inside a container: GitLab's `/builds/<project path>`.
    pub(crate) fn in_container(project_full_path: &str) -> Self {
        let project = format!("/builds/{project_full_path}");
        Self {
            builds: "/builds".to_owned(),
            temporary: format!("{project}.tmp"),
            project,
        }
    }

    /// For a job that sees the machine's own directories.
    pub(crate) fn on_host(builds: &Path, project: &Path, temporary: &Path) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Self {
            builds: text(builds),
            project: text(project),
            temporary: text(temporary),
        }
    }
}

/// One stage's script with all that it runs with.
#[derive(Debug)]
pub(crate) struct StageRequest<'a> {
    /// What the shell reads.
    pub script: &'a str,
    /// The job's variables.
    pub environment: &'a [(String, String)],
    /// When the stage is stopped.
    pub deadline: Instant,
    /// The least request that stops it: `after_script` is not stopped by a cancellation.
    pub stop_on: Request,
    /// What a person types is given to the script after its text.
    pub failure_shell: Option<&'a FailureShell>,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageEnd {
    /// By itself, with this code; 128 and the number when a signal killed the shell.
    Exited(i32),
    /// At its deadline.
    TimedOut,
    /// On request, with grace.
    Canceled,
    /// On request, at once.
    Aborted,
}

/// What runs the commands of a job.
pub(crate) trait Executor: Send {
    /// `shell` or `docker`, as in the log.
    const NAME: &'static str;

    /// Gets ready: finds a shell, pulls an image.
    fn prepare(&mut self, log: &mut Log) -> impl Future<Output = Result<(), ExecutorError>> + Send;

    /// A line that says where the job runs.
    fn place(&self) -> String;

    /// Runs one stage to its end. Nothing it started runs on afterwards.
    fn run(
        &mut self,
        request: StageRequest<'_>,
        output: &mut Output,
        control: &mut Control,
    ) -> impl Future<Output = Result<StageEnd, ExecutorError>> + Send;

    /// Whether the job's commands run as a user who may not write the runner's files.
    fn runs_as_other_user(&self) -> bool {
        false
    }

    /// The project directory is as the job's scripts shall find it.
    fn files_are_settled(&mut self) {}

    /// Makes files of another user's the runner's own, so that it can pack and remove them, and
    /// those of another machine this one's.
    fn reclaim(&mut self) -> impl Future<Output = Result<(), ExecutorError>> + Send {
        async { Ok(()) }
    }

    /// Removes what the executor made. Also called when preparing failed.
    fn cleanup(&mut self) -> impl Future<Output = Result<(), ExecutorError>> + Send;
}

/// Why an executor could not do its part; the job's own failures are not errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecutorError {
    /// Of the shell executor.
    #[error(transparent)]
    Shell(#[from] shell::ShellError),
    /// Of the Docker executor.
    #[error(transparent)]
    Docker(#[from] docker::engine::DockerError),
}

impl ExecutorError {
    /// The failure reason the job gets.
    pub(crate) fn failure_reason(&self) -> FailureReason {
        match self {
            Self::Shell(_) => FailureReason::RunnerSystemFailure,
            Self::Docker(error) => error.failure_reason(),
        }
    }

    /// Whether what the job made did not come to this machine: nothing can be saved of it.
    pub(crate) fn loses_files(&self) -> bool {
        matches!(self, Self::Docker(docker::engine::DockerError::Copy { .. }))
    }
}
