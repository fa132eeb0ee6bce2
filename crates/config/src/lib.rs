//! The GitLab CI language: text in, checked and typed configuration out.
//!
//! The modules read in the order in which a line of YAML travels. Nothing here knows
//! pipelines, states of jobs, the clock, the network or the disk: files come in through
//! [`Source`].
//!
//! ```
//! let loaded = shipway_config::load(
//!     ".gitlab-ci.yml",
//!     "test: {script: make test}",
//!     &shipway_config::NoFiles,
//!     &shipway_config::Limits::default(),
//! );
//! let config = loaded.config.expect("no faults");
//! assert_eq!(config.jobs["test"].stage, "test");
//! ```

mod config;
mod context;
mod limits;
#[cfg(test)]
mod oracle;

// From text to nodes.
mod files;
mod source;
#[expect(
    clippy::result_large_err,
    reason = "a fault ends the load, so its size costs nothing"
)]
mod yaml;

// From nodes to one merged tree.
mod extends;
mod include;
mod inputs;
mod merge;
#[expect(
    clippy::result_large_err,
    reason = "a fault ends the load, so its size costs nothing"
)]
mod references;

// From the tree to typed data.
mod checks;
mod keywords;
mod model;
mod origin;
mod parallel;
mod partial;
mod size;

// What the words mean, for people.
pub mod vocabulary;

// What is wrong, and where.
mod diagnostic;
mod doubts;
mod expand;
mod render;
mod suggest;

// The small languages inside values.
pub mod conditions;
pub mod duration;
pub mod expression;
pub mod glob;
mod graph;
pub mod pattern;
pub mod refs;
pub mod variables;

pub use conditions::OtherProjectError;
pub use config::{Config, Loaded, load, load_for, load_within};
pub use context::LoadContext;
pub use diagnostic::{Diagnostic, Severity, Span};
pub use expand::{ExpandOptions, Expanded, PartOrigin};
pub use files::{FileId, Files};
pub use inputs::{InputValues, JobInputError};
pub use limits::Limits;
pub use model::*;
pub use render::render;
pub use source::{NoFiles, OtherProject, ProjectRequest, Reader, RemoteError, Source, SourceError};
pub use suggest::suggest;
