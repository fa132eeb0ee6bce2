//! The use cases: every decision about what happens next passes through here.
//!
//! A pipeline is created from a plan, its jobs are handed out, logs, results and artifacts
//! come back, people and time ask for things; each use case loads, asks
//! [`shipway_pipeline::State::apply`], stores in one transaction and tells the watchers after
//! the commit. HTTP, HTML and executors are unknown here.

mod artifacts;
mod at_work;
mod cache_key;
mod candidate;
mod claim;
mod commit_files;
mod commit_statuses;
mod contacts;
mod coordinator;
mod cross_needs;
mod deployments;
mod dispatch;
mod downstream;
mod elsewhere;
mod error;
mod expiry;
mod given;
mod hand_out;
mod hosting;
mod id_tokens;
mod job_token;
mod jobs_at_work;
mod lint;
mod live;
mod merge_request;
mod notice;
mod nudges;
mod payload;
mod predefined;
mod project_variables;
mod protection;
mod push;
mod queue;
mod release_step;
pub mod reports;
mod resource_groups;
mod run_steps;
mod runners;
mod schedules;
mod secrets;
mod settings;
mod slug;
mod start;
mod stuck;
mod timeouts;
mod view;
mod wishes;

pub use artifacts::Accepted;
pub use at_work::Appended;
pub use cache_key::resolve as resolve_cache_keys;
pub use candidate::candidate;
pub use claim::Asker;
pub use commit_statuses::StatusReport;
pub use coordinator::{Coordinator, NewRun};
pub use dispatch::{Answer, Dispatch};
pub use downstream::Child;
pub use elsewhere::{Fetch, Offers};
pub use error::Error;
pub use given::Given;
pub use hosting::{Hosting, ServerAddress};
pub use id_tokens::{Signer, Signing};
pub use lint::{Lint, LintRequest};
pub use notice::{JobNotice, Notice};
pub use predefined::{Occasion, context};
pub use project_variables::VariableScope;
pub use protection::{protections, wildcard_matches};
pub use push::PIPELINES_PER_PUSH;
pub use reports::junit::{TestCase, TestCases, TestStatus, TestTotals};
pub use runners::{RegistrationError, RunnerCall, plain_runner, runner_token};
pub use schedules::{CronError, ScheduleValues, ScheduleVariable, next_run};
pub use settings::{DEFAULT_TIMEOUT, ProjectSettings};
pub use shipway_config::RemoteError;
pub use slug::slug;
pub use start::{MakeFiles, NoPipeline, PipelineFiles, PipelineRequest, Started};
pub use stuck::{is_online, online_since};
pub use view::{ArtifactView, JobView, PipelineView};
