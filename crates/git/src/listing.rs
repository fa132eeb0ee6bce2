//! Which files a work tree holds, and how they differ from its commit.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::command::{GitError, Running, records};
use crate::repository::Repository;

/// Submodules within submodules are followed this deep.
const SUBMODULE_DEPTH: usize = 16;

/// The files of a work tree, relative to where it was listed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Tracked files that are not known to be deleted, and untracked ones that are not ignored.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Submodules that are not initialised: empty directories in a clone.
    pub(crate) empty_directories: BTreeSet<PathBuf>,
    /// Repositories inside this one that it does not know as submodules; git would not take
    /// their files either.
    pub(crate) nested_repositories: Vec<PathBuf>,
    pub(crate) changes: Changes,
}

/// How the work tree differs from its commit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: usize,
    pub(crate) modified: usize,
    pub(crate) deleted: usize,
    pub(crate) untracked: usize,
}

/// The two git calls that list one work tree, running side by side.
pub(crate) struct StartedListing {
    tracked: Running,
    status: Running,
}

impl StartedListing {
    /// Starts listing `directory`'s part of the work tree that it belongs to.
    pub(crate) fn start(repository: &Repository, directory: &Path) -> Result<Self, GitError> {
        let git = || repository.git_in(directory);
        Ok(Self {
            // First, because it takes longest.
            status: git()
                .args(["status", "--porcelain=v2", "-z", "--branch", "--no-renames"])
                .args(["--no-ahead-behind", "--untracked-files=all"])
                // Submodules are listed by themselves; here git would start one more process
                // for each.
                .args(["--ignore-submodules=all", "--", "."])
                .spawn()?,
            tracked: git()
                .args(["ls-files", "-z", "--stage", "--", "."])
                .spawn()?,
        })
    }

    /// Waits for the answers. `prefix` leads from the top of the work tree to the directory:
    /// `ls-files` names files from there, `status` from the top.
    pub(crate) fn finish(
        self,
        repository: &Repository,
        directory: &Path,
        prefix: &Path,
    ) -> Result<(Listing, Head), GitError> {
        self.finish_to_depth(repository, directory, prefix, SUBMODULE_DEPTH)
    }

    fn finish_to_depth(
        self,
        repository: &Repository,
        directory: &Path,
        prefix: &Path,
        depth: usize,
    ) -> Result<(Listing, Head), GitError> {
        let status = Status::parse(&self.status.output()?, prefix);
        let tracked = Tracked::parse(&self.tracked.output()?);
        let mut listing = Listing {
            nested_repositories: status.nested_repositories,
            changes: status.changes,
            ..Listing::default()
        };
        listing.files = tracked.files.difference(&status.missing).cloned().collect();
        listing.files.extend(status.untracked);
        for submodule in tracked.submodules {
            let inside = directory.join(&submodule);
            if depth == 0 || !inside.join(".git").exists() {
                listing.empty_directories.insert(submodule);
                continue;
            }
            let started = Self::start(repository, &inside)?;
            let (inner, _) =
                started.finish_to_depth(repository, &inside, Path::new(""), depth - 1)?;
            listing.absorb(&submodule, inner);
        }
        Ok((listing, status.head))
    }
}

impl Listing {
    fn absorb(&mut self, submodule: &Path, inner: Self) {
        let below = |paths: BTreeSet<PathBuf>| paths.into_iter().map(|path| submodule.join(path));
        self.files.extend(below(inner.files));
        self.empty_directories
            .extend(below(inner.empty_directories));
        let nested = inner.nested_repositories.into_iter();
        self.nested_repositories
            .extend(nested.map(|path| submodule.join(path)));
        self.changes.added += inner.changes.added;
        self.changes.modified += inner.changes.modified;
        self.changes.deleted += inner.changes.deleted;
        self.changes.untracked += inner.changes.untracked;
    }
}

/// What is checked out, as `git status` tells it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The commit's id; none before the first commit.
    pub(crate) sha: Option<String>,
    /// The branch; none when detached.
    pub(crate) branch: Option<String>,
}

/// What `git ls-files --stage -z` prints: `mode object stage\tpath`.
#[derive(Debug, Default)]
struct Tracked {
    files: BTreeSet<PathBuf>,
    submodules: Vec<PathBuf>,
}

impl Tracked {
    fn parse(output: &[u8]) -> Self {
        let mut tracked = Self::default();
        for record in records(output) {
            let Some(tab) = record.iter().position(|byte| *byte == b'\t') else {
                continue;
            };
            let path = PathBuf::from(OsStr::from_bytes(&record[tab + 1..]));
            if record.starts_with(b"160000 ") {
                tracked.submodules.push(path);
            } else {
                // A file in conflict is listed once for each side; the set keeps one.
                tracked.files.insert(path);
            }
        }
        tracked.submodules.dedup();
        tracked
    }
}

/// What `git status --porcelain=v2 -z` prints.
#[derive(Debug, Default)]
struct Status {
    head: Head,
    changes: Changes,
    missing: BTreeSet<PathBuf>,
    untracked: Vec<PathBuf>,
    nested_repositories: Vec<PathBuf>,
}

impl Status {
    fn parse(output: &[u8], prefix: &Path) -> Self {
        let mut status = Self::default();
        for record in records(output) {
            let Some((kind, rest)) = record.split_first() else {
                continue;
            };
            let rest = rest.strip_prefix(b" ").unwrap_or(rest);
            match kind {
                b'#' => status.header(&String::from_utf8_lossy(rest)),
                // XY sub mH mI mW hH hI path
                b'1' => status.changed(rest, 7, prefix),
                // XY sub m1 m2 m3 mW h1 h2 h3 path
                b'u' => status.changed(rest, 9, prefix),
                b'?' => status.untracked(rest, prefix),
                _ => {}
            }
        }
        status
    }

    fn header(&mut self, header: &str) {
        if let Some(sha) = header.strip_prefix("branch.oid ") {
            self.head.sha = Some(sha.to_owned()).filter(|sha| sha != "(initial)");
        } else if let Some(branch) = header.strip_prefix("branch.head ") {
            self.head.branch = Some(branch.to_owned()).filter(|name| name != "(detached)");
        }
    }

    /// `fields` stand before the path, the first of them the states of index and work tree.
    fn changed(&mut self, record: &[u8], fields: usize, prefix: &Path) {
        let mut parts = record.splitn(fields + 1, |byte| *byte == b' ');
        let states = parts.next().unwrap_or_default();
        let Some(path) = parts.nth(fields - 1) else {
            return;
        };
        match states {
            [_, b'D'] => {
                self.missing.insert(relative(path, prefix));
                self.changes.deleted += 1;
            }
            [b'D', _] => self.changes.deleted += 1,
            [b'A', _] | [_, b'A'] => self.changes.added += 1,
            _ => self.changes.modified += 1,
        }
    }

    fn untracked(&mut self, path: &[u8], prefix: &Path) {
        match path.strip_suffix(b"/") {
            // Of a directory the files are listed; a name that ends in a slash is a repository.
            Some(directory) => self.nested_repositories.push(relative(directory, prefix)),
            None => {
                self.untracked.push(relative(path, prefix));
                self.changes.untracked += 1;
            }
        }
    }
}

fn relative(path: &[u8], prefix: &Path) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(path));
    path.strip_prefix(prefix).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_records_are_counted_by_what_happened() {
        let output = b"# branch.oid (initial)\0# branch.head main\0\
            1 .M N... 100644 100644 100644 a b sub/with space\0\
            1 A. N... 000000 100644 100644 a b sub/new\nline\0\
            1 .D N... 100644 100644 000000 a b sub/gone\0\
            1 D. N... 100644 000000 000000 a b sub/removed\0\
            u UU N... 100644 100644 100644 100644 a b c sub/conflict\0\
            u UD N... 100644 100644 100644 000000 a b c sub/theirs\0\
            ? sub/caf\xe9\0? sub/nested/\0";
        let status = Status::parse(output, Path::new("sub"));
        assert_eq!(
            status.head,
            Head {
                sha: None,
                branch: Some("main".to_owned())
            }
        );
        assert_eq!(
            status.changes,
            Changes {
                added: 1,
                modified: 2,
                deleted: 3,
                untracked: 1
            }
        );
        assert_eq!(
            status.missing,
            BTreeSet::from(["gone".into(), "theirs".into()])
        );
        assert_eq!(
            status.untracked,
            [PathBuf::from(OsStr::from_bytes(b"caf\xe9"))]
        );
        assert_eq!(status.nested_repositories, [PathBuf::from("nested")]);
    }

    #[test]
    fn tracked_files_are_told_from_submodules() {
        let tracked = Tracked::parse(
            b"100644 aa 0\ta b\x00160000 bb 0\tlib\x00100644 aa 1\tc\x00100644 aa 2\tc\0",
        );
        assert_eq!(tracked.files, BTreeSet::from(["a b".into(), "c".into()]));
        assert_eq!(tracked.submodules, [PathBuf::from("lib")]);
    }
}
