//! Facts of a git work tree and snapshots of it.
//!
//! Everything is asked of the machine's own `git`: it alone knows every work tree format,
//! filter and ignore rule. The calls are few and run side by side, because each costs a
//! process. Nothing here writes into the user's work tree or `.git`, and nothing here knows
//! pipelines.
//!
//! Reading order: [`Repository::discover`] finds the work tree, [`Repository::facts`] tells
//! what is checked out, [`Snapshot::take`] copies it, [`Tree`] copies it again for each job.
//!
//! With the feature `hosting` the module of that name keeps bare repositories and serves them.

mod changes;
mod command;
mod commit_files;
mod config;
mod copy;
mod facts;
#[cfg(feature = "hosting")]
pub mod hosting;
mod listing;
mod message;
mod own_git;
mod project;
mod reference;
mod renew;
mod repository;
mod snapshot;
mod tree;

pub use command::GitError;
pub use commit_files::FileAt;
pub use copy::{Copied, CopyError, CopyMethod};
pub use facts::{Facts, FactsError};
pub use project::ProjectPath;
pub use renew::{Marks, Renewed};
pub use repository::{DiscoverError, Repository};
pub use snapshot::{Contents, Snapshot, SnapshotError, Summary};
pub use tree::Tree;
