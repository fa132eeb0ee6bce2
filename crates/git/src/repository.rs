//! Finding the repository that a directory belongs to.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::command::{Git, GitError};
use crate::config::Config;
use crate::reference::Refs;

/// Why a directory gave no repository.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// There is no `git` in the search path.
    #[error(
        "git is not installed or not in PATH; install it, on Debian or Ubuntu with `apt install git`"
    )]
    GitNotInstalled,
    /// The directory does not exist.
    #[error("directory `{}` does not exist; check the path given with `-C`", .0.display())]
    DirectoryMissing(PathBuf),
    /// The path leads to something else than a directory.
    #[error("`{}` is not a directory; give the directory of the project with `-C`", .0.display())]
    NotADirectory(PathBuf),
    /// The directory may not be read or entered.
    #[error("no permission to read directory `{}`; run as its owner or change its mode", path.display())]
    NoPermission {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Neither the directory nor one above it is a git work tree.
    #[error("`{}` is not in a git repository; run `git init` there first, or give another directory with `-C`", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no work tree.
    #[error("`{}` is a bare repository, which has no files to run on; clone it with `git clone` and run in the clone", .0.display())]
    Bare(PathBuf),
    /// The directory is inside `.git`, not in the work tree beside it.
    #[error("`{}` is inside a repository's `.git`; run in the work tree instead", .0.display())]
    InsideGitDirectory(PathBuf),
    /// Git does not trust the owner; its own words say what to do.
    #[error("git does not trust the owner of the repository of `{}`: {message}", path.display())]
    DubiousOwnership {
        /// The directory.
        path: PathBuf,
        /// Git's text, with the command that adds the exception.
        message: String,
    },
    /// Git failed in another way.
    #[error("cannot read the repository of `{}`", path.display())]
    Git {
        /// The directory.
        path: PathBuf,
        /// What git said.
        source: GitError,
    },
}

/// A git work tree on this machine. Finding one reads it, nothing more. What is asked of it
/// and of its clones tells of one moment: the refs are read once.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) top: PathBuf,
    pub(crate) git_dir: PathBuf,
    pub(crate) common_dir: PathBuf,
    pub(crate) object_format: String,
    pub(crate) config: Config,
    environment: Vec<(OsString, OsString)>,
    refs: Arc<Mutex<Option<Arc<Refs>>>>,
}

impl Repository {
    /// Finds the repository whose work tree holds `directory`.
    ///
    /// # Errors
    ///
    /// One variant of [`DiscoverError`] for each thing a person would do next.
    pub fn discover(directory: &Path) -> Result<Self, DiscoverError> {
        Self::discover_with_environment(directory, Vec::new())
    }

    /// As [`Repository::discover`], with variables set on top of this process's environment
    /// for every git call; tests use it to keep the machine's own configuration out.
    ///
    /// # Errors
    ///
    /// As [`Repository::discover`].
    pub fn discover_with_environment(
        directory: &Path,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Self, DiscoverError> {
        let directory = real_directory(directory)?;
        let fault = |error| fault(&directory, error);
        let git = || Git::new(&directory, &environment);
        // The last answer takes the rest of the output: a path may hold line breaks.
        let location = git()
            .args(["rev-parse", "--is-bare-repository", "--is-inside-work-tree"])
            .args(["--show-object-format", "--show-cdup", "--absolute-git-dir"])
            .spawn()
            .map_err(fault)?;
        let config = git()
            .args(["config", "--list", "-z"])
            .spawn()
            .map_err(fault)?;
        let location = location.output().map_err(fault)?;
        let config = config.output().map_err(fault)?;

        let mut lines = location.splitn(5, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let (bare, inside, object_format) = (line(), line(), line());
        if bare == b"true" {
            return Err(DiscoverError::Bare(directory));
        }
        if inside != b"true" {
            return Err(DiscoverError::InsideGitDirectory(directory));
        }
        let up = Path::new(OsStr::from_bytes(line()));
        let git_dir = line();
        let git_dir = PathBuf::from(OsStr::from_bytes(
            git_dir.strip_suffix(b"\n").unwrap_or(git_dir),
        ));
        let top =
            directory
                .join(up)
                .canonicalize()
                .map_err(|source| DiscoverError::NoPermission {
                    path: directory.clone(),
                    source,
                })?;
        Ok(Self {
            top,
            common_dir: common_dir(&git_dir),
            git_dir,
            object_format: String::from_utf8_lossy(object_format).into_owned(),
            config: Config::parse(&config),
            environment,
            refs: Arc::default(),
        })
    }

    /// The top of the work tree, absolute and without symbolic links.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The `.git` directory; in a linked work tree its own one below the main `.git`.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The directory of the objects, which a snapshot's `.git` borrows: whoever shows a
    /// snapshot to a container must show this directory to it too, at the same path.
    pub fn objects_dir(&self) -> PathBuf {
        self.common_dir.join("objects")
    }

    /// A git call at the top of the work tree.
    pub(crate) fn git(&self) -> Git {
        Git::new(&self.top, &self.environment)
    }

    /// A git call in another directory of this work tree, a submodule's for instance.
    pub(crate) fn git_in(&self, directory: &Path) -> Git {
        Git::new(directory, &self.environment)
    }

    /// All refs, as they were when they were first asked for. Whoever asks meanwhile waits for
    /// the same answer.
    pub(crate) fn refs(&self) -> Result<Arc<Refs>, GitError> {
        let mut refs = self.refs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refs) = &*refs {
            return Ok(Arc::clone(refs));
        }
        let listed = Arc::new(Refs::parse(&self.git().args(Refs::ARGUMENTS).output()?));
        *refs = Some(Arc::clone(&listed));
        Ok(listed)
    }

    /// The object id of nothing, as long as this repository's ids are.
    pub(crate) fn zero_sha(&self) -> String {
        "0".repeat(if self.object_format == "sha256" {
            64
        } else {
            40
        })
    }
}

/// The directory without symbolic links, checked before git is asked: its words for a missing
/// or locked directory are those of the operating system alone.
fn real_directory(directory: &Path) -> Result<PathBuf, DiscoverError> {
    let fault = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => DiscoverError::DirectoryMissing(directory.to_owned()),
        ErrorKind::NotADirectory => DiscoverError::NotADirectory(directory.to_owned()),
        _ => DiscoverError::NoPermission {
            path: directory.to_owned(),
            source,
        },
    };
    let real = directory.canonicalize().map_err(fault)?;
    if !real.is_dir() {
        return Err(DiscoverError::NotADirectory(real));
    }
    std::fs::read_dir(&real).map_err(fault)?;
    Ok(real)
}

/// The directory that linked work trees share (gitrepository-layout, `commondir`).
fn common_dir(git_dir: &Path) -> PathBuf {
    let Ok(content) = std::fs::read(git_dir.join("commondir")) else {
        return git_dir.to_owned();
    };
    let content = content.strip_suffix(b"\n").unwrap_or(&content);
    let common = git_dir.join(OsStr::from_bytes(content));
    common.canonicalize().unwrap_or(common)
}

fn fault(directory: &Path, error: GitError) -> DiscoverError {
    let path = directory.to_owned();
    match error {
        GitError::NotInstalled => DiscoverError::GitNotInstalled,
        GitError::Failed { ref stderr, .. } if stderr.contains("dubious ownership") => {
            DiscoverError::DubiousOwnership {
                path,
                message: stderr.trim().trim_start_matches("fatal: ").to_owned(),
            }
        }
        GitError::Failed { ref stderr, .. } if stderr.contains("not a git repository") => {
            DiscoverError::NotARepository(path)
        }
        // `rev-parse` says so when asked for the work tree of a repository that has none.
        GitError::Failed { ref stderr, .. } if stderr.contains("must be run in a work tree") => {
            DiscoverError::Bare(path)
        }
        source => DiscoverError::Git { path, source },
    }
}
