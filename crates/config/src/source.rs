//! Where included files come from: the only thing the language asks of the world.

use thiserror::Error;

/// The files of a project at one commit or in one work tree.
///
/// Paths are relative to the project's root, with `/` between folders and none in front.
pub trait Source {
    /// The text of a file of the project.
    fn local(&self, path: &str) -> Result<String, SourceError>;

    /// The paths of all files of the project, for `include:local` with wildcards.
    fn list(&self) -> Vec<String>;
}

/// Why a file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("the file does not exist")]
    NotFound,
    /// It exists and cannot be read; the text says why.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is larger than allowed.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
}

/// A project without files: every include fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Source for NoFiles {
    fn local(&self, _path: &str) -> Result<String, SourceError> {
        Err(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        Vec::new()
    }
}
