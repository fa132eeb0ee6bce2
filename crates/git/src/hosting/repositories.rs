//! The bare repositories of all projects in one directory.
//!
//! A repository is named after its project's number, `17.git`, never after the project's path.
//! So a project or a whole group is renamed without touching the disk, in one transaction of
//! the database, and no path that a person chose can lead out of the directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::Call;
use super::hook::Hooks;
use super::ref_name;
use super::repository::BareRepository;
use crate::command::GitError;

/// Repositories that are being made; moved to their place when they are complete.
const NEW: &str = "new-";

/// Repositories that are being deleted.
const REMOVED: &str = "removed-";

/// To make a repository takes milliseconds. What is older than this was left by a process that
/// was killed; what is younger may be another process's.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

/// Why something could not be done to a repository as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RepositoriesError {
    /// The directory cannot be used.
    #[error("cannot keep git repositories in `{}`; the server must be able to write there and to run programs from there (no `noexec`)", root.display())]
    Root {
        /// The directory.
        root: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is a repository of that number.
    #[error("project {0} has a repository already")]
    Exists(u64),
    /// There is no repository of that number.
    #[error("project {0} has no repository")]
    Missing(u64),
    /// A branch cannot have that name.
    #[error("`{0}` is not a valid branch name")]
    BranchName(String),
    /// The disk refused.
    #[error("cannot {operation} the repository `{}`", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The repository's directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Git refused.
    #[error("cannot make the repository of project {project}")]
    Git {
        /// The project's number.
        project: u64,
        /// What git said.
        source: GitError,
    },
}

/// A directory of bare repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repositories {
    root: PathBuf,
    hooks: Hooks,
}

impl Repositories {
    /// Uses the directory, which is made where it is missing, and clears away what an earlier
    /// process left half made or half deleted. Several processes may use one directory.
    ///
    /// Blocks for a moment; only for the start of a program.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written or nothing can be executed in it.
    pub fn open(root: &Path) -> Result<Self, RepositoriesError> {
        let fault = |source| RepositoriesError::Root {
            root: root.to_owned(),
            source,
        };
        fs::create_dir_all(root).map_err(fault)?;
        let root = root.canonicalize().map_err(fault)?;
        for entry in fs::read_dir(&root).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            if is_left_behind(&path) {
                gone(fs::remove_dir_all(&path)).map_err(fault)?;
            }
        }
        let hooks = Hooks::install(&root).map_err(fault)?;
        Ok(Self { root, hooks })
    }

    /// Makes the empty repository of a project.
    ///
    /// # Errors
    ///
    /// When there is one already, or the branch cannot have that name, or the disk refuses.
    /// Nothing is left then.
    pub async fn create(
        &self,
        project: u64,
        default_branch: &str,
    ) -> Result<BareRepository, RepositoriesError> {
        if ref_name::refusal(&format!("refs/heads/{default_branch}")).is_some() {
            return Err(RepositoriesError::BranchName(default_branch.to_owned()));
        }
        let path = self.path(project);
        if self.exists(project).await {
            return Err(RepositoriesError::Exists(project));
        }
        let new = self.unused(NEW, project);
        let made = Call::new(&self.root)
            .args(["init", "--quiet", "--bare", "--template="])
            .args([
                format!("--initial-branch={default_branch}").as_ref(),
                new.as_os_str(),
            ])
            .output()
            .await;
        if let Err(source) = made {
            tokio::fs::remove_dir_all(&new).await.ok();
            return Err(RepositoriesError::Git { project, source });
        }
        // A directory cannot take the place of one that is not empty, so of two that make the
        // same repository one loses.
        match tokio::fs::rename(&new, &path).await {
            Ok(()) => Ok(self.at(path)),
            Err(source) => {
                tokio::fs::remove_dir_all(&new).await.ok();
                Err(match source.kind() {
                    ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
                        RepositoriesError::Exists(project)
                    }
                    _ => RepositoriesError::Io {
                        operation: "make",
                        path,
                        source,
                    },
                })
            }
        }
    }

    /// The repository of a project.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn get(&self, project: u64) -> Result<BareRepository, RepositoriesError> {
        if self.exists(project).await {
            return Ok(self.at(self.path(project)));
        }
        Err(RepositoriesError::Missing(project))
    }

    /// Whether the project has a repository.
    pub async fn exists(&self, project: u64) -> bool {
        tokio::fs::metadata(self.path(project).join("HEAD"))
            .await
            .is_ok()
    }

    /// Deletes the repository of a project. It is gone at once for everybody; the space is
    /// freed before this returns, or at the next start.
    ///
    /// # Errors
    ///
    /// When there is none, or the disk refuses.
    pub async fn remove(&self, project: u64) -> Result<(), RepositoriesError> {
        let path = self.path(project);
        let removed = self.unused(REMOVED, project);
        let fault = |source: io::Error| match source.kind() {
            ErrorKind::NotFound => RepositoriesError::Missing(project),
            _ => RepositoriesError::Io {
                operation: "delete",
                path: path.clone(),
                source,
            },
        };
        tokio::fs::rename(&path, &removed).await.map_err(fault)?;
        gone(tokio::fs::remove_dir_all(&removed).await).map_err(fault)
    }

    /// The numbers of all projects that have a repository, in order.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub async fn list(&self) -> Result<Vec<u64>, RepositoriesError> {
        let fault = |source| RepositoriesError::Root {
            root: self.root.clone(),
            source,
        };
        let mut entries = tokio::fs::read_dir(&self.root).await.map_err(fault)?;
        let mut projects = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(fault)? {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".git"));
            projects.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        projects.sort_unstable();
        Ok(projects)
    }

    fn at(&self, path: PathBuf) -> BareRepository {
        BareRepository {
            path,
            hooks: self.hooks.clone(),
        }
    }

    fn path(&self, project: u64) -> PathBuf {
        self.root.join(format!("{project}.git"))
    }

    /// A name that nothing in the directory has.
    fn unused(&self, prefix: &str, project: u64) -> PathBuf {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.root
            .join(format!("{prefix}{project}-{process}-{next}"))
    }
}

fn is_left_behind(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let old = || {
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok());
        age.is_some_and(|age| age > LEFT_BEHIND)
    };
    name.starts_with(REMOVED) || (name.starts_with(NEW) && old())
}

/// That somebody else deleted it meanwhile is no fault.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
