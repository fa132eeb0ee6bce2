//! What outlives a process: rows in SQL, logs and artifacts in files.
//!
//! A [`Store`] is one directory: `shipway.db`, `logs/`, `artifacts/` and `held/`. The rows may
//! also be in a database of PostgreSQL, which several machines share, and the artifacts in a
//! bucket of S3. It keeps what it is given and decides nothing about pipelines. Files are written before the rows that name them, so
//! that a process killed in between leaves a file too many, which [`Store::prune`] sweeps, and
//! never a row without its file.
//!
//! Begin with `store.rs` and `transaction.rs`: reading and writing. Every other file has one
//! subject, with its rows, its statements, and its methods of [`Store`] and [`Transaction`]. The
//! rows are plain data; a name that must be unique and is not is [`StoreError::Taken`].
//!
//! Times are microseconds since 1970 in UTC. Columns named JSON hold text that only the
//! coordinator reads.

mod artifacts;
mod backup;
mod badges;
mod blobs;
mod changes;
mod check;
mod commit_statuses;
mod credentials;
mod disk;
mod downstream;
mod engine;
mod environments;
mod error;
mod figures;
#[cfg(feature = "postgres")]
mod group_flush;
mod group_sync;
mod hold;
mod ids;
mod incoming;
mod job_variables;
mod jobs;
mod known_refs;
mod log_lines;
mod logs;
mod members;
mod names;
mod namespaces;
mod packages;
mod page;
mod pipeline_variables;
mod pipelines;
mod projects;
mod protected_refs;
mod prune;
mod queue;
mod registration_tokens;
mod releases;
mod resource_groups;
mod rounds;
mod rows;
mod runners;
mod schedules;
mod schema;
mod sealed_rows;
mod secrets;
mod signing_keys;
mod sql;
mod store;
mod transaction;
mod triggers;
mod users;
mod variables;

pub use backup::{Backup, BackupError};
pub use badges::{BadgeRow, NewBadge};
pub use blobs::{Blob, BlobError, BlobReader, Blobs, ListedBlob, Objects, ObjectsError};
pub use changes::{Change, Changes};
pub use check::{CheckDepth, CheckError, Fault};
pub use commit_statuses::{CommitStatusRow, NewCommitStatus};
pub use credentials::{AccessTokenRow, NewAccessToken, SessionRow};
pub use downstream::{BridgeRow, DownstreamRow};
pub use engine::Committed;
pub use environments::{DeploymentRow, EnvironmentRow, NewDeployment, NewEnvironment};
pub use error::StoreError;
pub use figures::Figures;
pub use hold::Hold;
pub use ids::{
    AccessTokenId, BadgeId, CommitStatusId, DeploymentId, EnvironmentId, NamespaceId,
    PackageFileId, PackageId, PackageUploadId, ProjectId, ProtectedRefId, ReleaseId, ReleaseLinkId,
    RunnerId, ScheduleId, TriggerId, UserId, VariableId,
};
pub use incoming::Incoming;
pub use known_refs::KnownRef;
pub use log_lines::LogLines;
pub use logs::{LogError, Logs};
pub use members::MemberRow;
pub use names::{
    Accessibility, DeploymentStatus, EnvironmentState, Level, MemberSource, NamespaceKind, RefKind,
    RunnerKind, UnknownName, UserState, VariableType, Visibility,
};
pub use namespaces::{NamespaceRow, NewNamespace};
pub use packages::{
    NewPackage, NewPackageFile, PackageFileRow, PackageFilter, PackageOrder, PackageRow,
};
pub use page::{Beyond, Page, Paged};
pub use pipelines::PipelineFilter;
pub use projects::{NewProject, ProjectFilter, ProjectRow, Viewer};
pub use protected_refs::ProtectedRefRow;
pub use prune::{PruneError, Pruned, Usage, tree_size};
pub use queue::{BusyProject, Claim, QueuedJob, RunnerJobs};
pub use registration_tokens::RegistrationTokenRow;
pub use releases::{NewRelease, NewReleaseLink, ReleaseLinkRow, ReleaseOrder, ReleaseRow};
pub use resource_groups::{ClaimantRow, ResourceGroupRow};
pub use rows::{
    ArtifactRow, JobRow, JobUpdate, NewArtifact, NewJob, NewPipeline, NewStage, PipelineRow,
    PipelineUpdate, StageRow,
};
pub use runners::{NewRunner, RunnerManagerRow, RunnerRow};
pub use schedules::{NewSchedule, ScheduleRow};
pub use secrets::{KeyFileError, SecretError, SecretKeys};
pub use signing_keys::SigningKeyRow;
pub use store::{Durability, Options, Store};
pub use transaction::Transaction;
pub use triggers::{NewTrigger, TriggerRow};
pub use users::{NewUser, UserRow};
pub use variables::{NewVariable, VariableRow};
