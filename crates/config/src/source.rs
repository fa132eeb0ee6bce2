//! Where files come from: the only thing the language asks of the world.

use crate::conditions::OtherProjectError;
use thiserror::Error;

/// The files of a project at one commit or in one work tree, and how they came about.
///
/// Paths are relative to the project's root, with `/` between folders and none in front.
pub trait Source {
    /// The text of a file of the project.
    fn local(&self, path: &str) -> Result<String, SourceError>;

    /// The paths of all files of the project, for `include:local` with wildcards and for
    /// `exists`.
    fn list(&self) -> Vec<String>;

    /// The paths that changed: against `compare_to` (a branch, tag or commit), or against what
    /// the commit followed, for a merge request its target. `None` where there is nothing to
    /// compare with: a new branch, a tag, a schedule.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] where `compare_to` names no commit.
    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        match compare_to {
            None => Ok(None),
            Some(_) => Err(SourceError::Unsupported("comparing with another ref")),
        }
    }

    /// The paths of another project's ref, or of its default branch.
    ///
    /// # Errors
    /// [`OtherProjectError`]
    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, OtherProjectError> {
        let _ = (project, git_ref);
        Err(SourceError::Unsupported("reading other projects").into())
    }
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
    /// What was asked for cannot be had from here; the text says what that is.
    #[error("{0} is not possible here")]
    Unsupported(&'static str),
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
