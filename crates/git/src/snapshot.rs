//! A copy of a project as it stands, for the jobs of one pipeline.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::command::{GitError, Running, records};
use crate::copy::{Copied, CopyError, CopyMethod, copy_files};
use crate::facts::FactsError;
use crate::listing::{Changes, Head, Listing, StartedListing};
use crate::own_git::OwnGit;
use crate::reference::{Refs, commit_sha};
use crate::repository::Repository;

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// The files as they are on disk: tracked ones with uncommitted edits, and untracked ones
    /// that are not ignored.
    WorkTree,
    /// The files of a commit, named by branch, tag or id, as a clone would have them.
    Commit(String),
}

/// Why a snapshot could not be taken. What was copied until then stays for the caller to remove.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The project's directory is not in the work tree.
    #[error("`{}` is not a directory of the work tree `{}`", project.display(), top.display())]
    OutsideWorkTree {
        /// The project's directory.
        project: PathBuf,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// The target holds something already.
    #[error("`{}` is not empty; a snapshot needs a directory of its own", .0.display())]
    TargetNotEmpty(PathBuf),
    /// The commit does not hold the project's directory.
    #[error("`{}` does not exist in `{reference}`", directory.display())]
    NotInCommit {
        /// The project's directory below the top.
        directory: PathBuf,
        /// The commit asked for.
        reference: String,
    },
    /// No commit has the name asked for.
    #[error(transparent)]
    Reference(FactsError),
    /// A file could not be copied.
    #[error("cannot take a snapshot of the work tree")]
    Copy(#[from] CopyError),
    /// Git failed.
    #[error("cannot take a snapshot of `{}`", top.display())]
    Git {
        /// The top of the work tree.
        top: PathBuf,
        /// What git said.
        source: GitError,
    },
}

/// What went into a snapshot. Its `Display` is one line for the start of a run:
/// `212 files, 3 modified, 1 untracked`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files and symbolic links.
    pub files: usize,
    /// Tracked files that differ from the commit.
    pub modified: usize,
    /// Files in the index that the commit does not have.
    pub added: usize,
    /// Files that git does not know and does not ignore.
    pub untracked: usize,
    /// Files of the commit that are gone.
    pub deleted: usize,
    /// Repositories inside the work tree that are no submodules, and so are left out.
    pub nested_repositories: Vec<PathBuf>,
    /// How the contents came across.
    pub method: CopyMethod,
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.files == 1 { "" } else { "s" };
        write!(formatter, "{} file{plural}", self.files)?;
        for (count, what) in [
            (self.modified, "modified"),
            (self.added, "added"),
            (self.deleted, "deleted"),
            (self.untracked, "untracked"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// A project's files in a directory of their own.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where the files are.
    pub directory: PathBuf,
    /// The commit they are, or are based on; none before the first commit.
    pub sha: Option<String>,
    /// The snapshot has a `.git` of its own, in which `HEAD` is detached at the commit and
    /// objects are read from the user's repository. Without one, for a project below the top,
    /// whoever runs a job in a copy that lies inside a repository must keep git from finding
    /// that one (`GIT_CEILING_DIRECTORIES`).
    pub has_git: bool,
    /// What went in.
    pub summary: Summary,
}

impl Snapshot {
    /// Copies the project in `project_dir`, the top of `repository`'s work tree or a directory
    /// below it, into the directory `into`, which is empty or does not exist yet.
    ///
    /// Nothing is written into the user's work tree or `.git`. Files under `exclude` and under
    /// `into` are left out. A project at the top gets a `.git` of its own.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, when the commit asked for does not exist, or
    /// when git fails.
    pub fn take(
        repository: &Repository,
        project_dir: &Path,
        what: Contents,
        into: &Path,
        exclude: &[PathBuf],
    ) -> Result<Self, SnapshotError> {
        let outside = || SnapshotError::OutsideWorkTree {
            project: project_dir.to_owned(),
            top: repository.top.clone(),
        };
        let project = project_dir.canonicalize().map_err(|_| outside())?;
        let prefix = project
            .strip_prefix(&repository.top)
            .map_err(|_| outside())?;
        let into = prepare(into)?;
        let taker = Taker {
            repository,
            project: &project,
            prefix,
            into: &into,
        };
        let (sha, summary) = match what {
            Contents::WorkTree => {
                let excluded: Vec<PathBuf> = exclude
                    .iter()
                    .map(|path| project.join(path))
                    .map(|path| path.canonicalize().unwrap_or(path))
                    .chain([into.clone()])
                    .collect();
                taker.work_tree(&excluded)?
            }
            Contents::Commit(reference) => taker.commit(&reference)?,
        };
        Ok(Self {
            sha,
            has_git: prefix.as_os_str().is_empty(),
            summary,
            directory: into,
        })
    }
}

/// The target, made if need be, without symbolic links.
fn prepare(into: &Path) -> Result<PathBuf, SnapshotError> {
    let fault = |error| CopyError::write(into, error);
    std::fs::create_dir_all(into).map_err(fault)?;
    let mut entries = std::fs::read_dir(into).map_err(fault)?;
    if entries.next().is_some() {
        return Err(SnapshotError::TargetNotEmpty(into.to_owned()));
    }
    Ok(into.canonicalize().map_err(fault)?)
}

/// One snapshot being taken.
struct Taker<'a> {
    repository: &'a Repository,
    project: &'a Path,
    /// From the top of the work tree to the project.
    prefix: &'a Path,
    into: &'a Path,
}

impl Taker<'_> {
    fn git_fault(&self, source: GitError) -> SnapshotError {
        SnapshotError::Git {
            top: self.repository.top.clone(),
            source,
        }
    }

    fn is_top(&self) -> bool {
        self.prefix.as_os_str().is_empty()
    }

    fn work_tree(&self, excluded: &[PathBuf]) -> Result<(Option<String>, Summary), SnapshotError> {
        let git = |error| self.git_fault(error);
        let listing = StartedListing::start(self.repository, self.project).map_err(git)?;
        let own = match self.is_top() {
            true => {
                let own = OwnGit::prepare(self.repository, self.into)?;
                let index = self.start_index(own.index()).map_err(git)?;
                Some((own, index, self.repository.refs().map_err(git)?))
            }
            false => None,
        };
        let (mut listing, head) = listing
            .finish(self.repository, self.project, self.prefix)
            .map_err(git)?;
        let index = match own {
            Some((own, index, refs)) => {
                own.finish(&head, &refs)?;
                head.sha.is_some().then_some(index)
            }
            None => None,
        };
        let excluded_files = exclude(&mut listing, self.project, excluded);
        let copied = self.copy(&listing)?;
        if let Some(index) = index {
            index.output().map_err(git)?;
        }
        Ok((head.sha, summary(listing, copied, excluded_files)))
    }

    /// Fills the snapshot's index from the commit, while the files are listed and copied.
    /// Before the first commit git refuses that, and there is no index.
    fn start_index(&self, index: PathBuf) -> Result<Running, GitError> {
        self.repository
            .git_in(self.into)
            // The user's sparse checkout is none of the snapshot's.
            .setting("core.sparseCheckout=false")
            .setting("index.sparse=false")
            .env("GIT_DIR", &self.repository.git_dir)
            .env("GIT_WORK_TREE", self.into)
            .env("GIT_INDEX_FILE", index)
            .args(["read-tree", "HEAD"])
            .spawn()
    }

    fn copy(&self, listing: &Listing) -> Result<Copied, CopyError> {
        let mut sources = Directories::default();
        let mut names = Vec::with_capacity(listing.files.len());
        let mut vanished = 0;
        for name in &listing.files {
            let parent = name.parent().unwrap_or(Path::new(""));
            // A directory that became a symbolic link since git last looked would lead out of
            // the project.
            if !sources.is_real(self.project, parent) {
                vanished += 1;
                continue;
            }
            names.push(name.clone());
        }
        let directories = sources
            .real()
            .chain(listing.empty_directories.iter().map(PathBuf::as_path));
        for directory in directories {
            let target = self.into.join(directory);
            std::fs::create_dir_all(&target).map_err(|error| CopyError::write(&target, error))?;
        }
        let mut copied = copy_files(self.project, self.into, &names)?;
        copied.vanished += vanished;
        Ok(copied)
    }

    /// The files of a commit, written by git so that filters and line endings apply.
    fn commit(&self, name: &str) -> Result<(Option<String>, Summary), SnapshotError> {
        let git = |error| self.git_fault(error);
        let reference = |error| SnapshotError::Reference(FactsError::new(self.repository, error));
        let refs = self.repository.refs().map_err(git)?;
        let found = match name {
            "HEAD" => Refs::default().find(name),
            name => refs.find(name),
        };
        let found = found.map_err(reference)?;
        let sha = commit_sha(self.repository, name, &found).map_err(reference)?;
        let head = Head {
            sha: Some(sha.clone()),
            branch: None,
        };
        let files = if self.is_top() {
            let own = OwnGit::prepare(self.repository, self.into)?;
            let index = own.index();
            own.finish(&head, &refs)?;
            self.check_out(&sha, self.into, &index).map_err(git)?
        } else {
            self.check_out_below(&sha, name)?
        };
        let summary = Summary {
            files,
            ..Summary::default()
        };
        Ok((Some(sha), summary))
    }

    /// Writes the project's part of the commit into `tree` through an index of its own, and
    /// returns the number of files.
    fn check_out(&self, sha: &str, tree: &Path, index: &Path) -> Result<usize, GitError> {
        let git = || {
            self.repository
                .git_in(tree)
                .env("GIT_DIR", &self.repository.git_dir)
                .env("GIT_WORK_TREE", tree)
                .env("GIT_INDEX_FILE", index)
        };
        let path = if self.is_top() {
            Path::new(".")
        } else {
            self.prefix
        };
        git().args(["read-tree", sha]).output()?;
        let listed = git()
            .args(["ls-files", "-z", "--cached", "--full-name", "--"])
            .args([path])
            .output()?;
        git()
            .args(["checkout-index", "--quiet", "--index", "-z", "--stdin"])
            .output_with_input(&listed)?;
        Ok(records(&listed).count())
    }

    /// A project below the top: git writes it with its path from the top, so that every
    /// `.gitattributes` on the way counts, and then it is moved up.
    fn check_out_below(&self, sha: &str, name: &str) -> Result<usize, SnapshotError> {
        let scratch = self.into.join(".checkout");
        let tree = scratch.join("tree");
        std::fs::create_dir_all(&tree).map_err(|error| CopyError::write(&tree, error))?;
        let files = self
            .check_out(sha, &tree, &scratch.join("index"))
            .map_err(|error| self.git_fault(error))?;
        let written = tree.join(self.prefix);
        let entries = std::fs::read_dir(&written).map_err(|_| SnapshotError::NotInCommit {
            directory: self.prefix.to_owned(),
            reference: name.to_owned(),
        })?;
        for entry in entries {
            let entry = entry.map_err(|error| CopyError::read(&written, error))?;
            let target = self.into.join(entry.file_name());
            std::fs::rename(entry.path(), &target)
                .map_err(|error| CopyError::write(&target, error))?;
        }
        std::fs::remove_dir_all(&scratch).map_err(|error| CopyError::write(&scratch, error))?;
        Ok(files)
    }
}

/// The directories that hold files, each looked at once.
#[derive(Default)]
struct Directories(BTreeMap<PathBuf, bool>);

impl Directories {
    /// `directory` and everything above it up to `top` are directories, not symbolic links.
    fn is_real(&mut self, top: &Path, directory: &Path) -> bool {
        if directory.as_os_str().is_empty() {
            return true;
        }
        if let Some(known) = self.0.get(directory) {
            return *known;
        }
        let real = directory
            .parent()
            .is_none_or(|parent| self.is_real(top, parent))
            && std::fs::symlink_metadata(top.join(directory)).is_ok_and(|found| found.is_dir());
        self.0.insert(directory.to_owned(), real);
        real
    }

    /// The real ones, each after the one above it.
    fn real(&self) -> impl Iterator<Item = &Path> {
        self.0
            .iter()
            .filter(|(_, real)| **real)
            .map(|(path, _)| path.as_path())
    }
}

/// Takes the excluded directories out and returns how many files they held.
fn exclude(listing: &mut Listing, project: &Path, excluded: &[PathBuf]) -> usize {
    let excluded: Vec<&Path> = excluded
        .iter()
        .filter_map(|path| path.strip_prefix(project).ok())
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let kept = |path: &Path| !excluded.iter().any(|excluded| path.starts_with(excluded));
    let before = listing.files.len();
    listing.files.retain(|path| kept(path));
    listing.empty_directories.retain(|path| kept(path));
    listing.nested_repositories.retain(|path| kept(path));
    before - listing.files.len()
}

/// Excluded files count as untracked at most: the state directory is not in a commit.
fn summary(listing: Listing, copied: Copied, excluded: usize) -> Summary {
    let Changes {
        added,
        modified,
        deleted,
        untracked,
    } = listing.changes;
    Summary {
        files: copied.files + copied.links,
        modified,
        added,
        untracked: untracked.saturating_sub(excluded),
        deleted,
        nested_repositories: listing.nested_repositories,
        method: copied.method,
    }
}
