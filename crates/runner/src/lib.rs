//! One job from payload to result, on this machine's shell or in a container.
//!
//! [`Runner::run_job`] takes a payload and a [`JobSource`] and brings the job to its end:
//! sources, caches and artifacts in, script, `after_script`, caches and artifacts out,
//! clean-up. It knows nothing of pipelines, storage or HTTP.
//!
//! Reading order: `runner` starts a job, `job` is its life, and `secrets`, `sources`,
//! `transfer`, `cache`, `artifacts` and `stage` are the parts of it; `executor` runs its commands. `predefined`,
//! `variables`, `script`, `timeouts`, `failure`, `glob` and `duration` are plain decisions.
//! `files`, `archive` and `directory` touch what a job left on disk and do not trust it.
//! `disk` keeps what all that leaves behind within a budget.
//! `git` fetches a job's repository; `remote`, behind the feature of that name, gets jobs over HTTP.
//! `log`, `mask`, `stamps`, `limit` and `trace` are the way of a line of output to the coordinator.

mod archive;
mod artifacts;
mod cache;
mod clone_path;
mod config;
mod control;
mod directory;
pub mod disk;
mod docker_settings;
mod duration;
mod executor;
mod failure;
mod failure_shell;
mod files;
mod git;
mod glob;
mod job;
mod limit;
mod log;
mod mask;
mod meter;
mod predefined;
#[cfg(feature = "remote")]
pub mod remote;
mod runner;
mod script;
mod secret_forms;
mod secrets;
mod shared_cache;
mod source;
mod sources;
mod stage;
mod stamps;
mod sticky;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeouts;
mod trace;
mod transfer;
mod variables;

pub use archive::{ExtractError, unpack};
pub use config::{
    ExecutorChoice, ExtractLimits, PullPolicy, RunnerConfig, RunnerScripts, user_environment,
};
pub use control::{Canceller, Control, Request, control};
pub use docker_settings::{
    Allowed, ContainerOptions, DockerSettings, Resources, docker_certificates,
};
pub use executor::docker_answers;
pub use failure::JobOutcome;
pub use failure_shell::FailureShell;
pub use runner::{Runner, Sources, Swept};
pub use shared_cache::SharedCache;
pub use source::{JobSource, SourceError};
