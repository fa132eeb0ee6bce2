//! What is checked out, who wrote it and where it comes from.

use std::path::PathBuf;

use crate::command::{GitError, Running, records};
use crate::message;
use crate::project::{ProjectPath, without_credentials};
use crate::reference::{Kind, Reference, ReferenceError, Refs, commit_sha};
use crate::repository::Repository;

/// Id, parents, author's name and address, date of the commit, whole message.
pub(crate) const COMMIT_FORMAT: &str = "--format=%H%x00%P%x00%an%x00%ae%x00%cI%x00%B";

/// Why the facts could not be told.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// No branch, tag or commit has the name.
    #[error("there is no branch, tag or commit `{name}` in `{}`{}", top.display(), did_you_mean(near))]
    NotFound {
        /// The name asked for.
        name: String,
        /// The work tree.
        top: PathBuf,
        /// Names like it, nearest first.
        near: Vec<String>,
    },
    /// A branch and a tag have the name.
    #[error("`{name}` is both a branch and a tag; say `refs/heads/{name}` or `refs/tags/{name}`")]
    Ambiguous {
        /// The name asked for.
        name: String,
    },
    /// Git failed.
    #[error("cannot read the state of the repository `{}`", top.display())]
    Git {
        /// The work tree.
        top: PathBuf,
        /// What git said.
        source: GitError,
    },
}

impl FactsError {
    pub(crate) fn new(repository: &Repository, error: ReferenceError) -> Self {
        let top = repository.top.clone();
        match error {
            ReferenceError::Ambiguous { name } => Self::Ambiguous { name },
            ReferenceError::NotFound { name, near } => Self::NotFound { name, top, near },
            ReferenceError::Git(source) => Self::Git { top, source },
        }
    }
}

fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => "; `git branch --all` and `git tag` list what there is".to_owned(),
        near => format!("; did you mean `{}`?", near.join("`, `")),
    }
}

/// What a pipeline's predefined variables are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The commit's full id; none while the repository has no commit.
    pub sha: Option<String>,
    /// The first parent's id, or zeros where there is none.
    pub before_sha: String,
    /// The branch that is checked out or was asked for.
    pub branch: Option<String>,
    /// The tag that was asked for, or that a detached `HEAD` is exactly on.
    pub tag: Option<String>,
    /// The message of an annotated tag, without its signature.
    pub tag_message: Option<String>,
    /// Neither a branch is checked out nor was one asked for.
    pub detached: bool,
    /// The branch, else the tag, else the commit's id: `CI_COMMIT_REF_NAME`.
    pub ref_name: String,
    /// The first line of the message; empty without a commit.
    pub title: String,
    /// The whole message.
    pub message: String,
    /// The message without its first line when that is shorter than 100 characters, else all.
    pub description: String,
    /// `Name <email>`.
    pub author: String,
    /// When it was committed, in ISO 8601 with its own offset from UTC; empty without a commit.
    pub timestamp: String,
    /// The branch that `origin/HEAD` leads to, else `init.defaultBranch`, `main` or `master`
    /// where it exists, else the current branch.
    pub default_branch: String,
    /// The address of `origin` without credentials.
    pub remote_url: Option<String>,
    /// Where the project would be on its server.
    pub project: ProjectPath,
    /// Git's `user.name`: who runs the pipeline.
    pub user_name: Option<String>,
    /// Git's `user.email`.
    pub user_email: Option<String>,
}

impl Repository {
    /// The facts of `reference` (a branch, a tag or a commit), or of `HEAD` for `None`.
    ///
    /// # Errors
    ///
    /// When no commit has that name, or git fails.
    pub fn facts(&self, reference: Option<&str>) -> Result<Facts, FactsError> {
        let reference = reference.filter(|name| *name != "HEAD");
        let git = |source| FactsError::Git {
            top: self.top.clone(),
            source,
        };
        // Most often the commit is HEAD's, so it is asked for before the refs are known.
        let head = match reference {
            None => Some(self.start_commit("HEAD").map_err(git)?),
            Some(_) => None,
        };
        let refs = self.refs().map_err(git)?;
        let (commit, checked_out) = match (reference, head) {
            (Some(name), _) => {
                let found = refs
                    .find(name)
                    .map_err(|error| FactsError::new(self, error))?;
                (self.commit_of(name, &found)?, found.kind)
            }
            (None, Some(head)) => self.head(&refs, head).map_err(git)?,
            (None, None) => (None, Kind::Commit),
        };
        self.assemble(&refs, commit, checked_out).map_err(git)
    }

    fn start_commit(&self, revision: &str) -> Result<Running, GitError> {
        self.git()
            .args(["log", "-1", "-z", "--no-show-signature", "--no-patch"])
            .args([
                "--encoding=UTF-8",
                COMMIT_FORMAT,
                "--end-of-options",
                revision,
                "--",
            ])
            .spawn()
    }

    fn commit_of(&self, name: &str, found: &Reference) -> Result<Option<Commit>, FactsError> {
        let sha = commit_sha(self, name, found).map_err(|error| FactsError::new(self, error))?;
        let output = self.start_commit(&sha).and_then(Running::output);
        let output = output.map_err(|source| FactsError::Git {
            top: self.top.clone(),
            source,
        })?;
        Ok(Commit::parse(&output))
    }

    /// The commit and the branch of `HEAD`, which may not have a commit yet.
    fn head(&self, refs: &Refs, head: Running) -> Result<(Option<Commit>, Kind), GitError> {
        let branch = refs.current_branch().map(str::to_owned);
        match (branch, head.output()) {
            (Some(name), Ok(output)) => Ok((Commit::parse(&output), Kind::Branch(name))),
            (None, Ok(output)) => Ok((Commit::parse(&output), Kind::Commit)),
            (None, Err(refused @ GitError::Failed { .. })) => match self.unborn_branch()? {
                Some(name) => Ok((None, Kind::Branch(name))),
                None => Err(refused),
            },
            (_, Err(error)) => Err(error),
        }
    }

    /// The branch that the first commit will be on.
    fn unborn_branch(&self) -> Result<Option<String>, GitError> {
        let output = self
            .git()
            .args(["symbolic-ref", "--quiet", "HEAD"])
            .spawn()?
            .answer()?;
        Ok(output.and_then(|name| {
            let name = String::from_utf8_lossy(&name);
            Some(name.trim_end().strip_prefix("refs/heads/")?.to_owned())
        }))
    }

    fn assemble(
        &self,
        refs: &Refs,
        commit: Option<Commit>,
        found: Kind,
    ) -> Result<Facts, GitError> {
        let (branch, tag) = match (found, &commit) {
            (Kind::Branch(name), _) => (Some(name), None),
            (Kind::Tag(name), _) => (None, self.tag(&format!("refs/tags/{name}"), None)?),
            (Kind::Commit, Some(commit)) => (None, self.tag("refs/tags", Some(&commit.sha))?),
            (Kind::Commit, None) => (None, None),
        };
        let (tag, tag_message) = tag.map_or((None, None), |(name, text)| (Some(name), text));
        let remote = self.config.remote_url("origin");
        let directory = self.top.file_name().unwrap_or_default().to_string_lossy();
        let project = match &remote {
            Some(url) => ProjectPath::parse(url, &directory),
            None => ProjectPath::local(&directory),
        };
        let sha = commit.as_ref().map(|commit| commit.sha.clone());
        let ref_name = branch.as_ref().or(tag.as_ref()).or(sha.as_ref()).cloned();
        let configured = self.config.get("init.defaultbranch");
        let commit = commit.unwrap_or_default();
        Ok(Facts {
            sha,
            before_sha: commit.first_parent.unwrap_or_else(|| self.zero_sha()),
            ref_name: ref_name.unwrap_or_default(),
            detached: branch.is_none(),
            title: message::title(&commit.message).to_owned(),
            description: message::description(&commit.message).to_owned(),
            message: commit.message,
            author: commit.author,
            timestamp: commit.timestamp,
            default_branch: refs.default_branch(configured, branch.as_deref()),
            branch,
            tag,
            tag_message,
            remote_url: remote.as_deref().map(without_credentials),
            project,
            user_name: self.config.get("user.name").map(str::to_owned),
            user_email: self.config.get("user.email").map(str::to_owned),
        })
    }

    /// The newest tag among `pattern` (that points at `commit`), and the message it carries.
    fn tag(
        &self,
        pattern: &str,
        commit: Option<&str>,
    ) -> Result<Option<(String, Option<String>)>, GitError> {
        let output = self
            .git()
            .args(["for-each-ref", "--count=1"])
            .args(["--sort=-version:refname", "--sort=-creatordate"])
            .args(["--format=%(refname:lstrip=2)%00%(objecttype)%00%(contents:subject)%00%(contents:body)"])
            .args(commit.map(|sha| format!("--points-at={sha}")))
            .args([pattern])
            .output()?;
        let text = String::from_utf8_lossy(&output);
        let mut fields = text.split('\0');
        let mut field = || fields.next().unwrap_or_default();
        let (name, kind, subject, body) = (field(), field(), field(), field());
        if name.is_empty() {
            return Ok(None);
        }
        let message = format!("{subject}\n\n{body}");
        let message = (kind == "tag").then(|| message.trim_end().to_owned());
        Ok(Some((name.to_owned(), message)))
    }
}

/// What `git log` told of one commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) first_parent: Option<String>,
    pub(crate) author: String,
    pub(crate) timestamp: String,
    pub(crate) message: String,
}

impl Commit {
    pub(crate) fn parse(output: &[u8]) -> Option<Self> {
        let mut fields = records(output).map(|field| String::from_utf8_lossy(field).into_owned());
        let sha = fields.next().filter(|sha| !sha.is_empty())?;
        let parents = fields.next()?;
        let (name, email) = (fields.next()?, fields.next()?);
        let timestamp = fields.next()?;
        Some(Self {
            sha,
            first_parent: parents
                .split(' ')
                .next()
                .filter(|sha| !sha.is_empty())
                .map(str::to_owned),
            author: format!("{name} <{email}>"),
            // Newer versions of git write `Z` themselves, as GitLab does.
            timestamp: match timestamp.strip_suffix("+00:00") {
                Some(utc) => format!("{utc}Z"),
                None => timestamp,
            },
            message: fields.next().unwrap_or_default(),
        })
    }
}
