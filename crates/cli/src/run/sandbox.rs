//! The snapshot of one run: made once, copied for every job, removed when the run is over.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use shipway_git::{Contents, Snapshot, Tree};

use crate::args::RunArgs;
use crate::error::Fault;
use crate::project::Project;

/// How the directory of a run's snapshot begins.
const PREFIX: &str = "run-";
/// The file in it that the run has locked; free once the process is gone.
const LOCK: &str = "lock";

/// A snapshot with the directory it is in.
pub(super) struct Sandbox {
    snapshot: Snapshot,
    objects: Option<PathBuf>,
    seconds: f64,
    _lock: File,
    _directory: tempfile::TempDir,
}

impl Sandbox {
    /// Takes the snapshot that the command line asks for, below the builds directory.
    pub(super) fn take(args: &RunArgs, project: &Project, builds: &Path) -> Result<Self, Fault> {
        let started = Instant::now();
        let parent = builds.join("snapshots");
        let fault = |cause: io::Error| {
            Fault::usage_text(format!("cannot write to {}: {cause}", parent.display())).hint(
                "jobs get their copies of the files there; `--state-dir DIR` puts it elsewhere",
            )
        };
        std::fs::create_dir_all(&parent).map_err(fault)?;
        remove_abandoned(&parent);
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
        let directory = directory.map_err(fault)?;
        let lock = File::create(directory.path().join(LOCK)).map_err(fault)?;
        lock.lock().map_err(fault)?;
        let contents = match (&args.context.reference, args.committed) {
            (Some(reference), _) => Contents::Commit(reference.clone()),
            (None, true) => Contents::Commit("HEAD".to_owned()),
            (None, false) => Contents::WorkTree,
        };
        let path = directory.path().join("project");
        let excluded = [project.state_dir.clone(), builds.to_owned()];
        let repository = &project.repository;
        let snapshot = Snapshot::take(repository, &project.root, contents, &path, &excluded);
        let snapshot = snapshot.map_err(Fault::usage)?;
        Ok(Self {
            objects: snapshot.has_git.then(|| repository.objects_dir()),
            snapshot,
            seconds: started.elapsed().as_secs_f64(),
            _lock: lock,
            _directory: directory,
        })
    }

    /// Where the files are.
    pub(super) fn path(&self) -> &Path {
        &self.snapshot.directory
    }

    /// The files as jobs get them.
    pub(super) fn tree(&self) -> Result<Arc<Tree>, Fault> {
        Tree::read(self.path()).map(Arc::new).map_err(Fault::usage)
    }

    /// The directory from which the snapshot's own repository borrows its objects.
    pub(super) fn git_objects(&self) -> Option<PathBuf> {
        self.objects.clone()
    }

    /// What went in; how long it took where that was long.
    pub(super) fn summary(&self) -> String {
        if self.seconds > 1.0 {
            format!("{} ({:.1}s to copy)", self.snapshot.summary, self.seconds)
        } else {
            self.snapshot.summary.to_string()
        }
    }
}

/// Removes snapshots of runs that were killed. One that cannot be removed stays for the next
/// time; it is no reason not to run.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(PREFIX) {
            continue;
        }
        // Without a lock file another run may just be about to make it.
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok()
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(path = %path.display(), %error, "snapshot.stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_snapshots_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            let lock = File::create(path.join(LOCK)).unwrap();
            (path, lock)
        };
        let (held, lock) = make("run-held");
        lock.lock().unwrap();
        let (dead, _) = make("run-dead");
        let (other, _) = make("other");
        let young = parent.path().join("run-young");
        std::fs::create_dir(&young).unwrap();
        remove_abandoned(parent.path());
        assert!(held.exists() && other.exists() && young.exists());
        assert!(!dead.exists());
    }
}
