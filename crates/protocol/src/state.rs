//! How a job ended, and what a coordinator answers to a trace.

use serde::{Deserialize, Serialize};

use crate::runner::RunnerDetails;

/// A job's state as a runner reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// The runner prepares, keep the job for it.
    Pending,
    /// The job runs.
    Running,
    /// It ended well.
    Success,
    /// It failed; the reason says why.
    Failed,
}

/// Why a job failed, as runners report it and users see it.
///
/// Source: GitLab's failure reasons, rows of section 5.7 of the language inventory that a
/// runner can produce. Reasons the coordinator alone knows live with the pipeline's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// No reason recorded; also a graceful cancel.
    UnknownFailure,
    /// The script, or a command of a helper stage, ended with a non-zero code.
    ScriptFailure,
    /// The runner or the machine failed, not the job.
    RunnerSystemFailure,
    /// The job's or the script's time limit.
    JobExecutionTimeout,
    /// The image could not be pulled.
    ImagePullFailure,
    /// The job asks for something this runner's configuration forbids or lacks.
    RunnerConfigurationError,
    /// A registry, DNS or the network.
    RunnerExternalDependencyFailure,
    /// The runner was told to stop.
    RunnerInterrupted,
    /// The runner lacks a feature the job needs.
    RunnerUnsupported,
}

impl JobState {
    /// The name on the wire, such as `running`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

impl FailureReason {
    /// Those that a runner reports when it may, that is, when the coordinator lists them.
    pub const ALL: [Self; 9] = [
        Self::UnknownFailure,
        Self::ScriptFailure,
        Self::RunnerSystemFailure,
        Self::JobExecutionTimeout,
        Self::ImagePullFailure,
        Self::RunnerConfigurationError,
        Self::RunnerExternalDependencyFailure,
        Self::RunnerInterrupted,
        Self::RunnerUnsupported,
    ];

    /// The reason of this name; [`Self::UnknownFailure`] for a name of another version.
    pub fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == name);
        found.unwrap_or(Self::UnknownFailure)
    }

    /// The name on the wire, such as `script_failure`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownFailure => "unknown_failure",
            Self::ScriptFailure => "script_failure",
            Self::RunnerSystemFailure => "runner_system_failure",
            Self::JobExecutionTimeout => "job_execution_timeout",
            Self::ImagePullFailure => "image_pull_failure",
            Self::RunnerConfigurationError => "runner_configuration_error",
            Self::RunnerExternalDependencyFailure => "runner_external_dependency_failure",
            Self::RunnerInterrupted => "runner_interrupted",
            Self::RunnerUnsupported => "runner_unsupported",
        }
    }
}

/// The body of `PUT /api/v4/jobs/:id` that carries a job's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobUpdate {
    /// The state.
    pub state: JobState,
    /// Only with `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// The script's exit code, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// The body of `PUT /api/v4/jobs/:id`, sent as a heartbeat and with the job's result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobUpdateRequest {
    /// What the runner is and can do.
    pub info: RunnerDetails,
    /// The job token; also in the header `JOB-TOKEN`.
    pub token: String,
    /// `running`, `pending`, `success` or `failed`; the coordinator refuses other texts.
    pub state: String,
    /// Only with `failed`. A text, because runners of other versions know other reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// An older place of `output.checksum`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// What of the log there is so far.
    pub output: TraceOutput,
    /// The script's exit code, where it is not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The whole log so far, from clients that know no other way to send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Size and checksum of all log bytes made so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceOutput {
    /// `crc32:` and eight hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Bytes; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytesize: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The coordinator's answer to a piece of log: what it has on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceAck {
    /// Bytes of the log that are stored; the next piece starts here.
    pub stored: u64,
}
