//! One bare repository: its refs and its upkeep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::Call;
use super::hook::Hooks;
use super::push_request::object_id;
use super::queries::QueryError;
use super::ref_name;
use crate::command::GitError;

/// More loose objects than this slow reading down (git's own `gc.auto` is 6,700).
const MANY_LOOSE_OBJECTS: u64 = 5_000;

/// As git's own `gc.autoPackLimit`.
const MANY_PACKS: u64 = 50;

/// A bare repository of [`super::Repositories`]. Cheap to clone; holds nothing open.
#[derive(Debug, Clone)]
pub struct BareRepository {
    pub(super) path: PathBuf,
    pub(super) hooks: Hooks,
}

/// How much there is to tidy up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Objects that are files of their own.
    pub loose_objects: u64,
    /// Pack files.
    pub packs: u64,
    /// What all objects take on disk, in bytes, as git counts them in KiB.
    pub bytes: u64,
}

impl Housekeeping {
    /// Whether [`BareRepository::housekeep`] is worth its time.
    pub fn is_due(&self) -> bool {
        self.loose_objects > MANY_LOOSE_OBJECTS || self.packs > MANY_PACKS
    }
}

impl BareRepository {
    /// Where it is on disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The branch that `HEAD` leads to, whether or not it has a commit.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn default_branch(&self) -> Result<String, QueryError> {
        let output = self.call().args(["symbolic-ref", "HEAD"]).output().await?;
        let name = String::from_utf8_lossy(&output);
        let name = name.trim_end();
        Ok(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned())
    }

    /// Makes a branch, which need not exist, the default one.
    ///
    /// # Errors
    ///
    /// When a branch cannot have that name, or git fails.
    pub async fn set_default_branch(&self, branch: &str) -> Result<(), QueryError> {
        let name = format!("refs/heads/{branch}");
        if ref_name::refusal(&name).is_some() {
            return Err(QueryError::RefName(branch.to_owned()));
        }
        let call = self.call().args(["symbolic-ref", "HEAD", &name]);
        call.output().await?;
        Ok(())
    }

    /// Makes or moves a ref, by its full name. `refs/pipelines/7` for instance keeps a
    /// pipeline's commit and lets runners fetch it.
    ///
    /// # Errors
    ///
    /// When the name or the id is malformed, or the object does not exist.
    pub async fn create_ref(&self, name: &str, id: &str) -> Result<(), QueryError> {
        let id = checked_id(id)?;
        let call = self.call().args(["update-ref", "--no-deref"]);
        call.args([checked_name(name)?, &id]).output().await?;
        Ok(())
    }

    /// Keeps a pipeline's commit as `refs/pipelines/NUMBER`, where runners fetch it. The commit
    /// is known to exist. Without a process of git: this is done for each pipeline, while
    /// others wait.
    ///
    /// # Errors
    ///
    /// When the id is malformed or the file cannot be written.
    pub async fn pin_pipeline(&self, pipeline: i64, commit: &str) -> Result<(), QueryError> {
        let commit = checked_id(commit)?;
        let directory = self.path.join("refs/pipelines");
        let write = async {
            tokio::fs::create_dir_all(&directory).await?;
            // As git does it: written beside, then put in place.
            let new = directory.join(format!("{pipeline}.lock"));
            tokio::fs::write(&new, format!("{commit}\n")).await?;
            tokio::fs::rename(&new, directory.join(pipeline.to_string())).await
        };
        write.await.map_err(|source| QueryError::Write {
            path: directory.clone(),
            source,
        })
    }

    /// Deletes refs by their full names, all or none. One that does not exist is none.
    ///
    /// # Errors
    ///
    /// When a name is malformed, or git fails.
    pub async fn delete_refs(&self, names: &[&str]) -> Result<(), QueryError> {
        let mut input = String::new();
        for name in names {
            input.push_str(&format!("delete {}\n", checked_name(name)?));
        }
        let call = self.call().args(["update-ref", "--no-deref", "--stdin"]);
        call.output_with_input(input.as_bytes()).await?;
        Ok(())
    }

    /// Takes over all refs of another repository with what they need. That one may be in use.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn copy_from(&self, other: &Self) -> Result<(), QueryError> {
        let call = self
            .call()
            .args(["fetch", "--quiet", "--no-write-fetch-head"]);
        let call = call.args([other.path.as_os_str(), "+refs/*:refs/*".as_ref()]);
        call.output().await?;
        Ok(())
    }

    /// What `git fsck` finds wrong, in its words; empty when all objects are there and whole.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub async fn damage(&self) -> Result<String, QueryError> {
        let call = self
            .call()
            .args(["fsck", "--full", "--no-dangling", "--no-progress"]);
        match call.output().await {
            Ok(_) => Ok(String::new()),
            Err(GitError::Failed { stderr, .. }) => Ok(stderr),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the first commit is the second or one that it descends from. False when either
    /// does not exist.
    ///
    /// # Errors
    ///
    /// When an id is malformed, or git cannot be run.
    pub async fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, QueryError> {
        let (old, new) = (checked_id(old)?, checked_id(new)?);
        let call = self
            .call()
            .args(["merge-base", "--is-ancestor", &old, &new]);
        Ok(call.answer().await?.is_some())
    }

    /// Counts what there is to tidy up; a matter of milliseconds.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn housekeeping(&self) -> Result<Housekeeping, QueryError> {
        let output = self.call().args(["count-objects", "-v"]).output().await?;
        let text = String::from_utf8_lossy(&output);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(": ")?.parse::<u64>().ok()
        };
        let value = |name| value(name).unwrap_or_default();
        Ok(Housekeeping {
            loose_objects: value("count"),
            packs: value("packs"),
            bytes: (value("size") + value("size-pack")) * 1024,
        })
    }

    /// Packs what is loose and deletes objects that nothing has led to for two weeks, with
    /// what broken-off pushes left. Takes seconds to minutes; requests may go on meanwhile.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn housekeep(&self) -> Result<(), QueryError> {
        let call = self.call().args(["gc", "--quiet", "--prune=2.weeks.ago"]);
        call.output().await?;
        Ok(())
    }

    /// Removes what pushes received whose process was killed: the directories in which git
    /// keeps objects apart until a push is accepted, those that nobody has written to for so
    /// long. Returns how many. (`git gc` would, but runs only when there is much to pack.)
    ///
    /// # Errors
    ///
    /// When a directory cannot be read or removed.
    pub async fn sweep(&self, untouched: Duration) -> std::io::Result<usize> {
        let objects = self.path.join("objects");
        let swept = tokio::task::spawn_blocking(move || sweep(&objects, untouched)).await;
        swept.map_err(std::io::Error::other)?
    }

    pub(super) fn call(&self) -> Call {
        Call::new(&self.path)
    }
}

/// How git's names of such directories begin.
const QUARANTINE: &str = "tmp_objdir-incoming-";

fn sweep(objects: &Path, untouched: Duration) -> std::io::Result<usize> {
    let mut swept = 0;
    for entry in std::fs::read_dir(objects)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(QUARANTINE) && age(&path)? >= untouched {
            std::fs::remove_dir_all(&path)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// How long ago somebody wrote to the directory or what is in it.
fn age(path: &Path) -> std::io::Result<Duration> {
    let metadata = match std::fs::symlink_metadata(path) {
        // Its push goes on.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Duration::ZERO),
        metadata => metadata?,
    };
    let mut age = metadata.modified()?.elapsed().unwrap_or_default();
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            age = age.min(self::age(&entry?.path())?);
        }
    }
    Ok(age)
}

/// A full object id, or the error that names it.
pub(super) fn checked_id(id: &str) -> Result<String, QueryError> {
    object_id(id).ok_or_else(|| QueryError::ObjectId(id.to_owned()))
}

fn checked_name(name: &str) -> Result<&str, QueryError> {
    if name.starts_with("refs/") && ref_name::is_well_formed(name) {
        return Ok(name);
    }
    Err(QueryError::RefName(name.to_owned()))
}

impl From<GitError> for QueryError {
    fn from(source: GitError) -> Self {
        Self::Git(source)
    }
}
