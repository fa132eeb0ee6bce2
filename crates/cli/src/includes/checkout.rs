//! Checkouts of other projects on this machine.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use shipway_config::{Limits, OtherProject, OtherProjectError, ProjectRequest, SourceError};
use shipway_git::Repository;

use crate::commit_files::{CommitFiles, unreadable};
use crate::config_files::ProjectFiles;

/// `GROUP/NAME=DIR`, `HOST/GROUP/NAME=DIR` or `GROUP/NAME@REF=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkout {
    /// The project's path, with the host of its components in front or without.
    path: String,
    /// The one ref that the directory stands for as it is.
    git_ref: Option<String>,
    directory: PathBuf,
}

impl Checkout {
    /// Reads what a person wrote; a relative directory starts at `base`.
    pub(super) fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let fault =
            || format!("`{text}` does not name a project and its checkout; write GROUP/NAME=DIR");
        let (name, directory) = text.split_once('=').ok_or_else(fault)?;
        let (path, git_ref) = match name.split_once('@') {
            Some((path, git_ref)) => (path, Some(git_ref)),
            None => (name, None),
        };
        let is_path = path.contains('/') && path.split('/').all(|part| !part.is_empty());
        if !is_path || directory.is_empty() || git_ref == Some("") {
            return Err(fault());
        }
        Ok(Self {
            path: path.to_owned(),
            git_ref: git_ref.map(str::to_owned),
            directory: base.join(directory),
        })
    }

    fn is_for(&self, request: &ProjectRequest<'_>) -> bool {
        // Paths of GitLab are the same in capitals and small letters.
        if self.path.eq_ignore_ascii_case(request.path) {
            return true;
        }
        request.host.is_some_and(|host| {
            let whole = format!("{host}/{}", request.path);
            self.path.eq_ignore_ascii_case(&whole)
        })
    }

    /// The project at the ref that is asked for.
    ///
    /// Without a ref, and where the directory stands for that ref, these are the files as they
    /// are, edits included: so templates can be tried before they are pushed.
    pub(super) fn at(
        &self,
        request: &ProjectRequest<'_>,
    ) -> Result<OtherProject, OtherProjectError> {
        if !self.directory.is_dir() {
            return Err(SourceError::Refused {
                reason: format!("there is no directory {}", self.directory.display()),
                hint: "look at what `--project` or `git config shipway.project` say of it"
                    .to_owned(),
            }
            .into());
        }
        let wanted = request.git_ref.filter(|_| self.git_ref.is_none());
        let repository = Repository::discover(&self.directory).ok();
        let Some(git_ref) = wanted else {
            let sha = match &repository {
                Some(repository) => repository.resolve("HEAD").map_err(unreadable)?,
                None => None,
            };
            return Ok(OtherProject {
                sha,
                files: Rc::new(ProjectFiles::new(&self.directory, &Limits::default())),
            });
        };
        let Some(repository) = repository else {
            return Err(SourceError::Refused {
                reason: format!(
                    "{} is not a git repository, so it has no `{git_ref}`",
                    self.directory.display()
                ),
                hint: format!(
                    "say that it is this ref: `--project {}@{git_ref}=DIR`",
                    self.path
                ),
            }
            .into());
        };
        let commit = repository.resolve(git_ref).map_err(unreadable)?;
        let commit = commit.ok_or(OtherProjectError::Ref)?;
        Ok(OtherProject {
            sha: Some(commit.clone()),
            files: Rc::new(CommitFiles {
                repository,
                commit,
                folder: String::new(),
            }),
        })
    }

    /// The tags of its repository; none where it is no repository.
    pub(super) fn tags(&self) -> Result<Vec<String>, SourceError> {
        match Repository::discover(&self.directory) {
            Ok(repository) if self.git_ref.is_none() => repository.tags().map_err(unreadable),
            _ => Ok(Vec::new()),
        }
    }
}

/// The first checkout for the ref that is asked for, or else for any.
pub(super) fn find<'c>(
    checkouts: &'c [Checkout],
    request: &ProjectRequest<'_>,
) -> Option<&'c Checkout> {
    let of_ref = |checkout: &&Checkout| {
        checkout.git_ref.is_some() && checkout.git_ref.as_deref() == request.git_ref
    };
    let fitting = || checkouts.iter().filter(|checkout| checkout.is_for(request));
    fitting()
        .find(of_ref)
        .or_else(|| fitting().find(|checkout| checkout.git_ref.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes() {
        for (text, expected) in [
            ("g/p=../p", Some(("g/p", None, "/base/../p"))),
            ("g/s/p=/p", Some(("g/s/p", None, "/p"))),
            (
                "h.test/g/p@v1=p=q",
                Some(("h.test/g/p", Some("v1"), "/base/p=q")),
            ),
            ("g/p", None),
            ("p=dir", None),
            ("g/p=", None),
            ("/p=dir", None),
            ("g/p@=dir", None),
        ] {
            let found = Checkout::parse(text, Path::new("/base"));
            let found = found.ok().map(|found| {
                let directory = found.directory.display().to_string();
                (found.path, found.git_ref, directory)
            });
            let expected = expected.map(|(path, git_ref, directory)| {
                (
                    path.to_owned(),
                    git_ref.map(str::to_owned),
                    directory.to_owned(),
                )
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_checkout_of_a_ref_comes_before_that_of_all() {
        let checkouts: Vec<Checkout> = ["g/p=any", "g/p@v1=one", "h/g/q=host"]
            .map(|text| Checkout::parse(text, Path::new("")).unwrap())
            .into();
        for (host, path, git_ref, expected) in [
            (None, "g/p", None, Some("any")),
            (None, "G/p", Some("v1"), Some("one")),
            (Some("h"), "g/p", Some("v2"), Some("any")),
            (Some("h"), "g/q", Some("v2"), Some("host")),
            (Some("i"), "g/q", None, None),
            (None, "g/q", None, None),
        ] {
            let request = ProjectRequest {
                host,
                git_ref,
                ..ProjectRequest::new(path)
            };
            let found = find(&checkouts, &request);
            let found = found.map(|found| found.directory.to_str().unwrap());
            assert_eq!(found, expected, "{request:?}");
        }
    }
}
