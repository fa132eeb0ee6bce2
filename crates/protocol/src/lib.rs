//! The runner wire format: what a coordinator and a runner say to each other.
//!
//! Plain serde types with GitLab's field names, nothing else: no HTTP, no decisions.
//! The in-process run of `shipway run` hands the same values over by function call,
//! so a job looks the same to the runner wherever it came from.

mod job;
mod state;

pub use job::{
    ArtifactFormat, ArtifactSpec, ArtifactsFile, CacheSpec, Credential, Dependency, DockerOptions,
    ExecutorOptions, Features, GitInfo, Hook, Image, JobInfo, JobPayload, KubernetesOptions,
    RefType, RunnerInfo, Service, Step, User, Variable, When,
};
pub use state::{FailureReason, JobState, JobUpdate, TraceAck};
