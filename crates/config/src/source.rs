//! Where files come from: the only thing the language asks of the world.

use crate::conditions::OtherProjectError;
use std::rc::Rc;
use std::time::Duration;
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
        let request = ProjectRequest {
            git_ref,
            ..ProjectRequest::new(project)
        };
        Ok(self.project(&request)?.files.list())
    }

    /// Another project at one of its commits, for `include:project` and `include:component`.
    ///
    /// # Errors
    /// [`OtherProjectError`]; a project that may not be read is as good as none.
    fn project(&self, request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        let _ = request;
        Err(SourceError::Unsupported("reading other projects").into())
    }

    /// The names of another project's tags, of which the newest version of a component is
    /// chosen. The request's ref does not count.
    ///
    /// # Errors
    /// [`OtherProjectError`]
    fn tags_of(&self, request: &ProjectRequest<'_>) -> Result<Vec<String>, OtherProjectError> {
        let _ = request;
        Err(SourceError::Unsupported("reading other projects").into())
    }

    /// The text at an address of HTTP or HTTPS, for `include:remote`. `max_age` is how old an
    /// answer kept from before may be; `None` asks anew.
    ///
    /// # Errors
    /// [`RemoteError`]
    fn remote(&self, url: &str, max_age: Option<Duration>) -> Result<String, RemoteError> {
        let _ = (url, max_age);
        Err(RemoteError::new(
            "files from other hosts cannot be had here",
        ))
    }

    /// The text of a template, by its name with `.gitlab-ci.yml`, for `include:template`.
    ///
    /// # Errors
    /// [`SourceError`]
    fn template(&self, name: &str) -> Result<String, SourceError> {
        let _ = name;
        Err(SourceError::Unsupported("reading templates"))
    }

    /// Whether files of others that cannot be had are left out with a warning, and with them the
    /// jobs that build on them. They are faults otherwise, as on GitLab.
    fn leaves_out_missing(&self) -> bool {
        false
    }

    /// The time that reading all files may take, where it is over.
    fn out_of_time(&self) -> Option<Duration> {
        None
    }
}

/// What is asked of [`Source::project`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProjectRequest<'a> {
    /// The host in the address of a component; `None` where only a path is written.
    pub host: Option<&'a str>,
    /// The full path: `group/subgroup/name`.
    pub path: &'a str,
    /// A branch, tag or commit; `None` is the default branch.
    pub git_ref: Option<&'a str>,
    /// Whose rights count.
    pub reader: Reader,
}

impl<'a> ProjectRequest<'a> {
    /// The default branch of a project, for the pipeline's user.
    pub fn new(path: &'a str) -> Self {
        Self {
            host: None,
            path,
            git_ref: None,
            reader: Reader::User,
        }
    }
}

/// Whose rights count when another project is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Who starts the pipeline.
    User,
    /// Nobody: the include stands in a file that came from outside, so only what is public
    /// may be read.
    Anonymous,
}

/// Another project at one commit.
#[derive(Clone)]
pub struct OtherProject {
    /// The commit; `None` for a work tree as it is.
    pub sha: Option<String>,
    /// Its files: [`Source::local`] and [`Source::list`] are asked of them.
    pub files: Rc<dyn Source>,
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
    /// It is not offered; the text says why.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// Why there is no text at an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("could not be fetched because {reason}")]
pub struct RemoteError {
    /// Ends the sentence "could not be fetched because …".
    pub reason: String,
    /// What to do, where we know.
    pub hint: Option<String>,
}

impl RemoteError {
    /// For a reason that ends the sentence "could not be fetched because …".
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
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
