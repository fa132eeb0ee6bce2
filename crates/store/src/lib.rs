//! What outlives a process: rows in SQL, logs and artifacts in files.
//!
//! A [`Store`] is one directory: `shipway.db`, `logs/`, `artifacts/` and `held/`. It keeps
//! what it is given and decides nothing about pipelines. Files are written before the rows
//! that name them, so that a process killed in between leaves a file too many, which
//! [`Store::prune`] sweeps, and never a row without its file.
//!
//! Times are microseconds since 1970 in UTC. Columns named JSON hold text that only the
//! coordinator reads.

mod artifacts;
mod blobs;
mod error;
mod hold;
mod jobs;
mod logs;
mod pipelines;
mod prune;
mod rows;
mod schema;
mod store;
mod transaction;

pub use blobs::{Blob, BlobError, Blobs};
pub use error::StoreError;
pub use hold::Hold;
pub use logs::{LogError, Logs};
pub use prune::{PruneError, Pruned, Usage, tree_size};
pub use rows::{
    ArtifactRow, JobRow, JobUpdate, NewArtifact, NewJob, NewPipeline, NewStage, PipelineRow,
    PipelineUpdate, StageRow,
};
pub use store::{Durability, Options, Store};
pub use transaction::Transaction;
