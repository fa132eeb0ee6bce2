//! Questions to a bare repository: refs, commits, files, differences.

use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::call::{Call, complaint};
use super::push_request::{ZERO_ID, object_id};
use super::ref_name;
use super::repository::{BareRepository, checked_id};
use crate::command::GitError;
use crate::facts::{COMMIT_FORMAT, Commit, Facts};
use crate::message;
use crate::project::ProjectPath;

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Not a full object id.
    #[error("`{0}` is not the full id of a commit, which has 40 hexadecimal digits")]
    ObjectId(String),
    /// Not a name that a ref can have.
    #[error("`{0}` is not a valid name of a ref")]
    RefName(String),
    /// A file is larger than the caller takes.
    #[error("`{path}` has {size} bytes at commit {commit}, more than the {limit} that are read")]
    TooLarge {
        /// The file.
        path: String,
        /// The commit.
        commit: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file of the repository cannot be written.
    #[error("cannot write below `{}`; is it writable, is the disk full?", path.display())]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Git works longer on it than the caller's limit.
    #[error("git needs more than {seconds} seconds to answer; ask for less")]
    TooSlow {
        /// The limit in seconds.
        seconds: u64,
    },
    /// Git failed.
    #[error("cannot read the repository")]
    Git(#[source] GitError),
}

/// The branches and tags of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// The branch that `HEAD` leads to; it need not exist.
    pub default_branch: String,
    /// In the order of their names.
    pub branches: Vec<Branch>,
    /// In the order of their names. Tags of something else than a commit are left out.
    pub tags: Vec<Tag>,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Without `refs/heads/`.
    pub name: String,
    /// The commit's id.
    pub commit: String,
    /// When it was committed, in ISO 8601.
    pub date: String,
    /// The first line of the commit's message.
    pub title: String,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Without `refs/tags/`.
    pub name: String,
    /// The id of the commit that it stands for.
    pub commit: String,
    /// The id of the tag itself when it is annotated, else the commit's.
    pub object: String,
    /// When it was made or, if it is not annotated, the commit was; in ISO 8601.
    pub date: String,
    /// The first line of its own or the commit's message.
    pub title: String,
}

/// Paths, in git's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileList {
    /// From the top of the repository. Bytes that are not UTF-8 are replaced.
    pub paths: Vec<String>,
    /// False when there are more than were asked for.
    pub complete: bool,
}

impl BareRepository {
    /// All branches and tags.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn refs(&self) -> Result<Refs, QueryError> {
        let format = "--format=%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)\
                      %00%(*objecttype)%00%(creatordate:iso-strict)%00%(contents:subject)";
        let call = self.call().args(["for-each-ref", format, HEADS, TAGS]);
        let (output, default_branch) = tokio::join!(call.output(), self.default_branch());
        let mut refs = Refs {
            default_branch: default_branch?,
            ..Refs::default()
        };
        String::from_utf8_lossy(&output?)
            .lines()
            .for_each(|line| refs.add(line));
        Ok(refs)
    }

    /// The commit that a name stands for: the full name of a ref, a branch, a tag, or a
    /// commit's id of at least 7 digits, in this order. Git's expressions (`main~3`) are not
    /// understood: the name comes from outside.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn resolve(&self, name: &str) -> Result<Option<String>, QueryError> {
        let mut candidates = Vec::new();
        for prefix in ["", HEADS, TAGS] {
            let full = format!("{prefix}{name}");
            if full.starts_with("refs/") && ref_name::is_well_formed(&full) {
                candidates.push(full);
            }
        }
        if (7..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            candidates.push(name.to_owned());
        }
        for candidate in candidates {
            let call = self
                .call()
                .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
                .args([format!("{candidate}^{{commit}}")]);
            if let Some(answer) = call.answer().await? {
                let answer = String::from_utf8_lossy(&answer);
                return Ok(object_id(answer.trim_end()));
            }
        }
        Ok(None)
    }

    /// The facts of a commit (or of the commit that an annotated tag stands for) as a pipeline
    /// for `reference` needs them: `refs/heads/…`, `refs/tags/…`, or anything else for none.
    /// The commit is given apart from the ref, which may have moved on.
    ///
    /// `project` is filled in as given; who runs the pipeline, and what was before the push,
    /// is for the caller to say. `None` when there is no such commit.
    ///
    /// # Errors
    ///
    /// When the id is malformed, or git fails.
    pub async fn facts(
        &self,
        id: &str,
        reference: &str,
        project: ProjectPath,
    ) -> Result<Option<Facts>, QueryError> {
        let id = checked_id(id)?;
        let log = self
            .call()
            .args(["log", "-1", "-z", "--no-show-signature", "--no-patch"])
            .args([
                "--encoding=UTF-8",
                COMMIT_FORMAT,
                "--end-of-options",
                &id,
                "--",
            ]);
        let tag = reference.strip_prefix(TAGS);
        let (log, default_branch, tag_message) = tokio::join!(
            log.answer(),
            self.default_branch(),
            self.tag_message(tag.map(|_| reference))
        );
        let Some(commit) = log?.and_then(|output| Commit::parse(&output)) else {
            return Ok(None);
        };
        let branch = reference.strip_prefix(HEADS);
        Ok(Some(Facts {
            before_sha: commit.first_parent.unwrap_or_else(|| ZERO_ID.to_owned()),
            ref_name: branch.or(tag).unwrap_or(&commit.sha).to_owned(),
            sha: Some(commit.sha),
            branch: branch.map(str::to_owned),
            tag: tag.map(str::to_owned),
            tag_message: tag_message?,
            detached: branch.is_none(),
            title: message::title(&commit.message).to_owned(),
            description: message::description(&commit.message).to_owned(),
            message: commit.message,
            author: commit.author,
            timestamp: commit.timestamp,
            default_branch: default_branch?,
            remote_url: None,
            project,
            user_name: None,
            user_email: None,
        }))
    }

    async fn tag_message(&self, reference: Option<&str>) -> Result<Option<String>, QueryError> {
        let Some(reference) = reference.filter(|name| ref_name::is_well_formed(name)) else {
            return Ok(None);
        };
        let call = self.call().args(["for-each-ref", "--count=1"]).args([
            "--format=%(objecttype)%00%(contents:subject)%00%(contents:body)",
            reference,
        ]);
        let output = call.output().await?;
        let text = String::from_utf8_lossy(&output);
        let mut fields = text.split('\0');
        let mut field = || fields.next().unwrap_or_default();
        let (kind, subject, body) = (field(), field(), field());
        let message = format!("{subject}\n\n{body}");
        Ok((kind == "tag").then(|| message.trim_end().to_owned()))
    }

    /// The content of a file at a commit, of a symbolic link its target; `None` when there is
    /// no such file.
    ///
    /// # Errors
    ///
    /// When it has more than `limit` bytes, the id is malformed, or git fails.
    pub async fn read_file(
        &self,
        commit: &str,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, QueryError> {
        let commit = checked_id(commit)?;
        // A question is one line. An empty path would be the tree itself, and a relative one
        // has no meaning without a work tree.
        let relative = path.starts_with("./") || path.starts_with("../");
        if path.is_empty() || relative || path.contains(['\n', '\0']) {
            return Ok(None);
        }
        let call = self.call().args(["cat-file", "--batch"]);
        let mut process = call.spawn_with_input()?;
        let (stdin, stdout) = (process.child.stdin.take(), process.child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Ok(None);
        };
        let stderr = process.child.stderr.take();
        let failed = |source| QueryError::Git(process.run_error(source));
        let question = format!("{commit}:{path}\n");
        stdin.write_all(question.as_bytes()).await.map_err(failed)?;
        drop(stdin);
        let mut stdout = BufReader::new(stdout);
        let mut head = Vec::new();
        stdout.read_until(b'\n', &mut head).await.map_err(failed)?;
        let head = String::from_utf8_lossy(&head);
        let mut fields = head.trim_end().rsplitn(3, ' ');
        let (size, kind) = (fields.next().unwrap_or_default(), fields.next());
        let (Some("blob"), Ok(size)) = (kind, size.parse::<u64>()) else {
            let complaint = complaint(stderr).await;
            process.end(complaint).await?;
            return Ok(None);
        };
        if size > limit {
            return Err(QueryError::TooLarge {
                path: path.to_owned(),
                commit,
                size,
                limit,
            });
        }
        let mut content = Vec::new();
        let mut limited = stdout.take(size);
        limited.read_to_end(&mut content).await.map_err(failed)?;
        if (content.len() as u64) < size {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Some(content))
    }

    /// The paths of all files at a commit, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the commit does not exist, or git fails.
    pub async fn list_files(&self, commit: &str, limit: usize) -> Result<FileList, QueryError> {
        let commit = checked_id(commit)?;
        let call = self.call().args(["ls-tree", "-r", "-z", "--name-only"]);
        paths(call.args(["--full-tree", &commit]), limit).await
    }

    /// The paths that differ between two commits, at most `limit`; a file that was moved is
    /// both paths. `None` when the first does not exist, as on a new branch or after a forced
    /// push and housekeeping.
    ///
    /// # Errors
    ///
    /// When the second commit does not exist, or git fails.
    pub async fn changed_paths(
        &self,
        before: &str,
        after: &str,
        limit: usize,
    ) -> Result<Option<FileList>, QueryError> {
        let (before, after) = (checked_id(before)?, checked_id(after)?);
        if self.resolve(&before).await?.is_none() {
            return Ok(None);
        }
        let call = self.call().args(["diff-tree", "-r", "-z", "--name-only"]);
        let call = call.args(["--no-renames", "--no-ext-diff", &before, &after, "--"]);
        paths(call, limit).await.map(Some)
    }

    /// The full name of a branch, or else of a tag, that has the commit in its history.
    ///
    /// # Errors
    ///
    /// When the id is malformed, or git cannot be run.
    pub async fn ref_with(&self, commit: &str) -> Result<Option<String>, QueryError> {
        let commit = checked_id(commit)?;
        for prefix in [HEADS, TAGS] {
            let call = self.call().args(["for-each-ref", "--count=1"]);
            let call = call.args(["--format=%(refname)", "--contains", &commit, prefix]);
            let answer = call.answer().await?.unwrap_or_default();
            let name = String::from_utf8_lossy(&answer).trim_end().to_owned();
            if !name.is_empty() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The best common ancestor of two commits.
    ///
    /// # Errors
    ///
    /// When an id is malformed, or git cannot be run.
    pub async fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, QueryError> {
        let (one, other) = (checked_id(one)?, checked_id(other)?);
        let answer = self.call().args(["merge-base", &one, &other]).answer();
        let answer = answer.await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&answer);
        Ok(object_id(text.trim_end()))
    }
}

impl Refs {
    /// Reads a line of `for-each-ref`.
    fn add(&mut self, line: &str) {
        let mut fields = line.split('\0');
        let mut field = || fields.next().unwrap_or_default();
        let (name, object, kind) = (field(), field(), field());
        let (peeled, peeled_kind) = (field(), field());
        let (date, title) = (field(), field().to_owned());
        let date = match date.strip_suffix("+00:00") {
            Some(utc) => format!("{utc}Z"),
            None => date.to_owned(),
        };
        let commit = match (kind, peeled_kind) {
            ("commit", _) => object.to_owned(),
            ("tag", "commit") => peeled.to_owned(),
            _ => return,
        };
        if let Some(name) = name.strip_prefix(HEADS) {
            self.branches.push(Branch {
                name: name.to_owned(),
                commit,
                date,
                title,
            });
        } else if let Some(name) = name.strip_prefix(TAGS) {
            self.tags.push(Tag {
                name: name.to_owned(),
                commit,
                object: object.to_owned(),
                date,
                title,
            });
        }
    }
}

/// The paths that git names, each ended by NUL; git is stopped when there are enough.
pub(super) async fn paths(call: Call, limit: usize) -> Result<FileList, QueryError> {
    let mut process = call.spawn()?;
    let mut list = FileList::default();
    let stdout = process.child.stdout.take();
    let stderr = process.child.stderr.take();
    let read = async {
        let Some(stdout) = stdout else {
            return Ok(true);
        };
        let mut stdout = BufReader::new(stdout);
        let mut path = Vec::new();
        loop {
            path.clear();
            if stdout.read_until(0, &mut path).await? == 0 {
                return Ok(true);
            }
            if list.paths.len() == limit {
                return Ok(false);
            }
            let path = path.strip_suffix(b"\0").unwrap_or(&path);
            list.paths.push(String::from_utf8_lossy(path).into_owned());
        }
    };
    let complete: Result<bool, std::io::Error> = read.await;
    list.complete = complete.map_err(|source| QueryError::Git(process.run_error(source)))?;
    if list.complete {
        let complaint = complaint(stderr).await;
        process.end(complaint).await?;
    }
    Ok(list)
}
