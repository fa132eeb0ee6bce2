//! The runner wire format: what a coordinator and a runner say to each other.
//!
//! Plain serde types with GitLab's field names, nothing else: no HTTP, no decisions.
//! The in-process run of `shipway run` hands the same values over by function call,
//! so a job looks the same to the runner wherever it came from.

mod headers;
mod job;
mod runner;
mod secrets;
mod state;

pub use headers::{
    BadRange, ContentRange, JOB_STATUS, JOB_TOKEN, LAST_UPDATE, PRIVATE_TOKEN, RUNNER_TOKEN,
    TRACE_UPDATE_INTERVAL, stored_range, stored_size,
};
pub use job::{
    ArtifactFormat, ArtifactSpec, ArtifactsFile, CacheSpec, Credential, DecodeError, Dependency,
    DockerOptions, ExecutorOptions, Features, GitInfo, Hook, Image, JobInfo, JobPayload,
    KubernetesOptions, RefType, RunnerInfo, Service, Step, User, Variable, When,
};
pub use runner::{
    ErrorMessage, JobRequest, RegisterRequest, RunnerCredentials, RunnerDetails, RunnerFeatures,
    TagList, UnregisterRequest, VerifyRequest,
};
pub use secrets::{Secret, Secrets, VaultAuth, VaultEngine, VaultSecret, VaultServer};
pub use state::{FailureReason, JobState, JobUpdate, JobUpdateRequest, TraceAck, TraceOutput};
