//! Git hosting: bare repositories on disk, served over HTTP by whoever has HTTP.
//!
//! The pack work is done by the machine's own `git upload-pack` and `git receive-pack`. This
//! module starts them with the right settings, streams both ways in constant memory, and stops
//! them when the client is gone. It knows neither HTTP nor users: a face finds the project and
//! decides who may read, and gives the rules of a push as [`PushRules`].
//!
//! Everything async needs a tokio runtime with time and IO enabled.
//!
//! Reading order: [`Repositories`] and [`BareRepository`] for what is on disk; [`Endpoint`] for
//! what a client asks; [`advertise`], [`upload_pack`] and [`receive_pack`] for the answers.
//! What a forge shows of a repository (trees, commits, differences, archives) are methods of
//! [`BareRepository`].

mod archive;
mod body;
mod call;
mod commits;
mod diff;
mod endpoint;
mod full_path;
mod hook;
mod merge;
mod new_tag;
mod pkt_line;
mod push_options;
mod push_request;
mod push_rules;
mod queries;
mod receive_pack;
mod ref_name;
mod report;
mod repositories;
mod repository;
mod service;
mod stream;
mod tree;
mod upload_pack;

pub use archive::{Archive, ArchiveFormat};
pub use body::{Encoding, InputError, Output};
pub use commits::{CommitInfo, History};
pub use diff::{Diff, FileChange, FileDiff, LineStats};
pub use endpoint::Endpoint;
pub use full_path::{FullPath, FullPathError};
pub use merge::{MergeCommits, MergePlan, Merged};
pub use new_tag::Annotation;
pub use pkt_line::BadLength;
pub use push_options::{PushOptions, skips_ci};
pub use push_request::{PushRequestError, RefUpdate, ZERO_ID};
pub use push_rules::{Change, Push, PushRules};
pub use queries::{Branch, FileList, QueryError, Refs, Tag};
pub use receive_pack::{ReceiveError, receive_pack};
pub use repositories::{Repositories, RepositoriesError};
pub use repository::{BareRepository, Housekeeping};
pub use service::{Limits, Service};
pub use tree::{EntryKind, Tree, TreeEntry};
pub use upload_pack::{advertise, upload_pack};
