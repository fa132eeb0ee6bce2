//! Files a job leaves behind: artifacts and caches.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// `artifacts`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Artifacts {
    /// Base name of the archive.
    pub name: Option<String>,
    /// Globs.
    pub paths: Vec<String>,
    /// Globs taken out again.
    pub exclude: Vec<String>,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// On which result the archive is uploaded.
    pub when: ResultWhen,
    /// Text of the duration, or `never`.
    pub expire_in: Option<String>,
    /// Report type to its paths, `junit` and `dotenv` and the like, in file order.
    pub reports: IndexMap<String, Vec<String>>,
    /// Link text in merge requests.
    pub expose_as: Option<String>,
    /// `all`, `developer`, `maintainer` or `none`.
    pub access: Option<String>,
}

/// On which result something is uploaded or saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultWhen {
    /// After success.
    #[default]
    OnSuccess,
    /// After failure.
    OnFailure,
    /// Always.
    Always,
}

/// One cache.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// What names it.
    pub key: CacheKey,
    /// Globs.
    pub paths: Vec<String>,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// Shared between protected and unprotected refs.
    pub unprotect: bool,
    /// When it is saved.
    pub when: ResultWhen,
    /// `pull-push`, `pull`, `push`, or text with variables.
    pub policy: String,
    /// Tried in order when the key has nothing.
    pub fallback_keys: Vec<String>,
}

/// `cache:key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheKey {
    /// A text with variables.
    Text(String),
    /// A digest of the files' content.
    Files {
        /// Paths or globs.
        files: Vec<String>,
        /// Put before the digest.
        prefix: Option<String>,
    },
    /// A digest of the last commits that touched the files.
    FilesCommits {
        /// Paths.
        files: Vec<String>,
        /// Put before the digest.
        prefix: Option<String>,
    },
}

impl Default for CacheKey {
    fn default() -> Self {
        Self::Text("default".to_owned())
    }
}
