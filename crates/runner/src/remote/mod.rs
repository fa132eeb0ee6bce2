//! The runner protocol over HTTP: jobs from a Shipway server or a GitLab.
//!
//! `settings` is the file of runners and `build` makes runners of it.
//! `http`, `retry` and `client` are the calls; `spool`, `report` and `transfer` are one
//! job's way back; `manager` asks for jobs and runs them; `token`, `system_id` and
//! `features` are what a runner is called.

mod build;
mod cache_table;
mod client;
mod docker_table;
mod features;
mod http;
mod manager;
mod report;
mod retry;
mod settings;
mod spool;
mod system_id;
#[cfg(test)]
mod tests;
mod token;
mod transfer;
pub(crate) mod vault;

pub use build::{BuildError, Surroundings};
pub use cache_table::CacheTable;
pub use client::{Client, Offer};
pub use docker_table::DockerTable;
pub use features::details;
pub use http::{ClientError, Endpoint};
pub use manager::{Manager, RemoteRunner, Shutdown};
pub use report::{HttpSource, Pace};
pub use settings::{
    ConfigError, ConfigFile, CustomBuildDir, NewRunner, OneOrMany, RunnerSettings, Settings,
};
pub use system_id::system_id;
pub use token::{is_created_token, short_token};
