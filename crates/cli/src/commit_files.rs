//! The files of a commit, read from the repository without a checkout.

use shipway_config::{Limits, Source, SourceError};
use shipway_git::{FileAt, GitError, Repository};

/// The files below a folder of a commit.
#[derive(Clone)]
pub(crate) struct CommitFiles {
    /// The repository.
    pub(crate) repository: Repository,
    /// The commit's full id.
    pub(crate) commit: String,
    /// The folder, with a `/` behind; empty for the top.
    pub(crate) folder: String,
}

impl CommitFiles {
    /// A file unless it is larger than `limit` bytes; its path starts at the folder.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<FileAt, GitError> {
        // Git would start at its own directory.
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Ok(FileAt::Missing);
        }
        let path = format!("{}{}", self.folder, path.trim_start_matches('/'));
        self.repository.file_at(&self.commit, &path, limit)
    }
}

impl Source for CommitFiles {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let limit = Limits::default().yaml_bytes;
        match self.read(path, limit as u64).map_err(unreadable)? {
            FileAt::Missing => Err(SourceError::NotFound),
            FileAt::TooLarge => Err(SourceError::TooLarge { limit }),
            FileAt::Content(bytes) => String::from_utf8(bytes).map_err(|_| SourceError::NotText),
        }
    }

    fn list(&self) -> Vec<String> {
        let all = self.repository.list_at(&self.commit).unwrap_or_default();
        let inside = all.iter();
        inside
            .filter_map(|path| path.strip_prefix(&self.folder))
            .map(str::to_owned)
            .collect()
    }
}

/// What git could not do, for who asked for a file.
pub(crate) fn unreadable(error: GitError) -> SourceError {
    SourceError::Unreadable(error.to_string())
}
