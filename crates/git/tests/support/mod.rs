//! Real repositories in temporary directories, free of the machine's own git configuration.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use shipway_git::{Contents, DiscoverError, Repository, Snapshot, SnapshotError};
use tempfile::TempDir;

/// A directory that holds a home, a repository in `work`, and what else a test makes.
pub(crate) struct Sandbox {
    pub(crate) root: PathBuf,
    pub(crate) work: PathBuf,
    _directory: TempDir,
}

impl Sandbox {
    /// An empty repository on branch `main`.
    pub(crate) fn new() -> Self {
        let sandbox = Self::bare();
        sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
        sandbox.git(&["config", "user.name", "Ann Example"]);
        sandbox.git(&["config", "user.email", "ann@example.com"]);
        sandbox
    }

    /// A directory `work` that is no repository.
    pub(crate) fn bare() -> Self {
        let directory = tempfile::tempdir().expect("temp dir");
        let root = directory.path().canonicalize().expect("temp dir");
        let work = root.join("work");
        std::fs::create_dir(&work).expect("work");
        std::fs::create_dir(root.join("home")).expect("home");
        Self {
            root,
            work,
            _directory: directory,
        }
    }

    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        [
            ("HOME", self.root.join("home").into_os_string()),
            ("XDG_CONFIG_HOME", self.root.join("home").into_os_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            (
                "GIT_CEILING_DIRECTORIES",
                self.root.clone().into_os_string(),
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
    }

    /// Runs git in `work` and returns its output without the last line break.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.work, args)
    }

    pub(crate) fn git_in(&self, directory: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment())
            .env("GIT_AUTHOR_DATE", "2024-02-29T12:00:00+0100")
            .env("GIT_COMMITTER_DATE", "2024-02-29T11:00:00+0000")
            .output()
            .expect("git");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim_end().to_owned()
    }

    /// Writes a file below `work`, with the directories above it.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.work.join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        std::fs::write(&path, content).expect("write");
        path
    }

    /// Commits everything there is.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn discover(&self, directory: &Path) -> Result<Repository, DiscoverError> {
        Repository::discover_with_environment(directory, self.environment())
    }

    pub(crate) fn repository(&self) -> Repository {
        self.discover(&self.work).expect("repository")
    }

    /// A snapshot of the whole work tree in `snapshot`.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.take(Contents::WorkTree).expect("snapshot")
    }

    pub(crate) fn take(&self, what: Contents) -> Result<Snapshot, SnapshotError> {
        let into = self.root.join("snapshot");
        Snapshot::take(&self.repository(), &self.work, what, &into, &[])
    }
}

/// What one entry of a listing is: its kind and mode, size, time of change, and target.
pub(crate) type Entry = (u32, u64, (i64, i64), Option<PathBuf>);

/// Everything below a directory, `.git` too, with what a write would change.
pub(crate) fn listing(top: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut pending = vec![top.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = path.symlink_metadata().expect("metadata");
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).expect("directory");
            pending.extend(entries.map(|entry| entry.expect("entry").path()));
        }
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let entry = (
            metadata.mode(),
            metadata.len(),
            changed,
            std::fs::read_link(&path).ok(),
        );
        found.insert(path, entry);
    }
    found
}

/// The names of the files below a directory, without `.git`.
pub(crate) fn names(top: &Path) -> Vec<String> {
    listing(top)
        .iter()
        .filter(|(_, (mode, ..))| mode & 0o170_000 != 0o040_000)
        .map(|(path, _)| {
            path.strip_prefix(top)
                .expect("below")
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with(".git/"))
        .collect()
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is below a directory: its kind and mode, its time, and its content.
pub(crate) fn state(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).expect("directory") {
        let path = entry.expect("entry").path();
        let metadata = path.symlink_metadata().expect("metadata");
        let content = match metadata.is_file() {
            true => read(&path),
            false => format!("{:?}", std::fs::read_link(&path).ok()),
        };
        let (mode, modified) = (metadata.mode(), (metadata.mtime(), metadata.mtime_nsec()));
        let modified = (!metadata.is_symlink()).then_some(modified);
        found.push(format!(
            "{} {mode:o} {modified:?} {content}",
            path.display()
        ));
        if metadata.is_dir() {
            found.extend(state(&path));
        }
    }
    found.sort();
    found
}
