//! The directories of a running job: `<builds>/<slot>/<project path>`, and `….tmp` beside it.
//!
//! A slot is held by a lock on `<builds>/<slot>.lock`. The operating system frees it when
//! the process dies, so what a killed runner left behind is told apart from what another
//! runner is using without looking at process ids.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Why a job has no directories.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// The payload's project path is no plain relative path.
    #[error("`{path}` is not a project path: only names separated by `/` are")]
    ProjectPath { path: String },
    /// A directory could not be made.
    #[error("cannot create {}: {source}; is it writable, is the disk full?", path.display())]
    Create {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A directory could not be removed.
    #[error("cannot remove {}: {source}", path.display())]
    Remove {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// A slot's directories, held until dropped.
#[derive(Debug)]
pub(crate) struct JobDirectory {
    /// `<builds>/<slot>`.
    pub slot: PathBuf,
    /// Where the sources are.
    pub project: PathBuf,
    /// File variables and `GITLAB_ENV`.
    pub temporary: PathBuf,
    lock_path: PathBuf,
    keep: bool,
    _lock: File,
}

/// `group/project` as a path that stays below the directory it is joined to.
pub(crate) fn project_path(full_path: &str) -> Result<PathBuf, DirectoryError> {
    let path = Path::new(full_path);
    let normal = path
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    if !normal || full_path.is_empty() || full_path.contains('\0') {
        return Err(DirectoryError::ProjectPath {
            path: full_path.to_owned(),
        });
    }
    Ok(path.to_owned())
}

/// `<path>.tmp`.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

impl JobDirectory {
    /// Takes the slot, or the next free variant of it when another process uses the same
    /// builds directory, and makes its directories, empty. With `keep` the project directory
    /// is as the project's last job in this slot left it.
    pub(crate) fn claim(
        builds: &Path,
        slot: u32,
        full_path: &str,
        keep: bool,
    ) -> Result<Self, DirectoryError> {
        let project = project_path(full_path)?;
        create(builds)?;
        for variant in 0.. {
            let name = match variant {
                0 => slot.to_string(),
                variant => format!("{slot}-{variant}"),
            };
            let lock_path = builds.join(format!("{name}.lock"));
            let Some(lock) = try_lock(&lock_path)? else {
                continue;
            };
            let slot = builds.join(name);
            let project = slot.join(&project);
            let temporary = temporary_beside(&project);
            remove_tree(if keep { &temporary } else { &slot })?;
            let directory = Self {
                temporary,
                slot,
                project,
                lock_path,
                keep,
                _lock: lock,
            };
            create(&directory.project)?;
            create(&directory.temporary)?;
            return Ok(directory);
        }
        unreachable!("an endless range has no end")
    }

    /// Removes the directories, the project's only where it is not kept, and gives the slot
    /// back.
    pub(crate) fn release(self) -> Result<(), DirectoryError> {
        let removed = if self.keep {
            &self.temporary
        } else {
            &self.slot
        };
        remove_tree(removed)?;
        // Removed while locked: whoever opened it meanwhile finds out in `try_lock`.
        let _ = std::fs::remove_file(&self.lock_path);
        Ok(())
    }
}

/// Slots below `builds` that no living process holds: their directories, with the lock that
/// keeps others away until it is dropped.
pub(crate) fn abandoned_slots(builds: &Path) -> Vec<(PathBuf, File)> {
    let Ok(entries) = std::fs::read_dir(builds) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "lock")
        })
        .filter_map(|path| {
            let lock = try_lock(&path).ok()??;
            Some((path.with_extension(""), lock))
        })
        .collect()
}

/// Removes an abandoned slot, its lock file last. With `keep` the directories stay for the
/// next job.
pub(crate) fn remove_abandoned(slot: &Path, lock: File, keep: bool) -> Result<(), DirectoryError> {
    if !keep {
        remove_tree(slot)?;
    }
    let _ = std::fs::remove_file(slot.with_extension("lock"));
    drop(lock);
    Ok(())
}

/// The lock, or `None` while another holds it.
fn try_lock(path: &Path) -> Result<Option<File>, DirectoryError> {
    let failed = |source| DirectoryError::Create {
        path: path.to_owned(),
        source,
    };
    loop {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The previous holder may have removed the file between opening and locking; a lock
        // on a removed file keeps nobody away.
        if is_same_file(&file, path) {
            return Ok(Some(file));
        }
    }
}

fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

fn create(path: &Path) -> Result<(), DirectoryError> {
    std::fs::create_dir_all(path).map_err(|source| DirectoryError::Create {
        path: path.to_owned(),
        source,
    })
}

/// Removes a tree, also one whose directories are not writable. Nothing there is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), DirectoryError> {
    let removed = match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_directories(path);
            std::fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(DirectoryError::Remove {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Makes the directories of a tree writable for their owner, as far as possible.
fn open_directories(path: &Path) {
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        // Links are not followed: `file_type` is the link's own.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_directories(&entry.path());
        }
    }
}

/// Empties a directory.
pub(crate) fn clear(path: &Path) -> Result<(), DirectoryError> {
    remove_tree(path)?;
    create(path)
}

/// Lets every user read and write a tree: a container's user is not the runner's.
pub(crate) fn open_to_everyone(path: &Path) -> std::io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let search = if metadata.is_dir() || mode & 0o111 != 0 {
        0o111
    } else {
        0
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o666 | search))?;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            open_to_everyone(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_paths_stay_below() {
        for good in ["project", "group/sub/project", "a.b/c-d"] {
            assert!(project_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc", "..", "a/../b", "../x", "a\0b", "."] {
            assert!(project_path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slot_is_not_taken_twice() {
        let builds = tempfile::tempdir().unwrap();
        let first = JobDirectory::claim(builds.path(), 0, "g/p", false).unwrap();
        let second = JobDirectory::claim(builds.path(), 0, "g/p", false).unwrap();
        assert_eq!(first.project, builds.path().join("0/g/p"));
        assert_eq!(second.project, builds.path().join("0-1/g/p"));
        assert!(abandoned_slots(builds.path()).is_empty());
        first.release().unwrap();
        second.release().unwrap();
        assert_eq!(std::fs::read_dir(builds.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_slot_whose_holder_died_is_found_and_removed() {
        let builds = tempfile::tempdir().unwrap();
        drop(JobDirectory::claim(builds.path(), 3, "p", false).unwrap());
        let mut slots = abandoned_slots(builds.path());
        let (slot, lock) = slots.pop().unwrap();
        assert_eq!(slot, builds.path().join("3"));
        remove_abandoned(&slot, lock, false).unwrap();
        assert_eq!(std::fs::read_dir(builds.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_kept_project_is_found_again() {
        let builds = tempfile::tempdir().unwrap();
        let first = JobDirectory::claim(builds.path(), 0, "g/p", true).unwrap();
        std::fs::write(first.project.join("built"), "").unwrap();
        std::fs::write(first.temporary.join("secret"), "").unwrap();
        first.release().unwrap();
        let second = JobDirectory::claim(builds.path(), 0, "g/p", true).unwrap();
        assert!(second.project.join("built").exists());
        assert!(!second.temporary.join("secret").exists());
    }

    #[test]
    fn a_tree_without_write_permission_is_removed() {
        let top = tempfile::tempdir().unwrap();
        let tree = top.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/file"), "").unwrap();
        std::fs::set_permissions(tree.join("a"), std::fs::Permissions::from_mode(0o500)).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        remove_tree(&tree).unwrap();
    }
}
