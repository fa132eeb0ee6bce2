//! The directories of a running job: `<builds>/<slot>/<project path>`, and `….tmp` beside it.
//!
//! A slot is held by a lock on `<builds>/<slot>.lock`. The operating system frees it when
//! the process dies, so what a killed runner left behind is told apart from what another
//! runner is using without looking at process ids.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shipway_git::{Marks, Tree};

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

/// The slots of one runner. Between two jobs a slot stays locked, and its empty directories
/// stay for the next job: making and removing them costs more than a short job's shell.
/// Dropped, it removes them.
#[derive(Debug)]
pub(crate) struct Slots {
    builds: PathBuf,
    keep: bool,
    idle: Mutex<Vec<Slot>>,
}

/// A slot that this process has locked.
#[derive(Debug)]
struct Slot {
    number: u32,
    /// `<builds>/<slot>`.
    path: PathBuf,
    lock_path: PathBuf,
    ready: Option<Ready>,
    /// What its project directory holds, where that is a used copy of a snapshot.
    copy: Option<SnapshotCopy>,
    _lock: File,
}

/// Directories with nothing in them but each other.
#[derive(Debug)]
struct Ready {
    project: PathBuf,
    temporary: PathBuf,
    /// The slot, the groups, the project and its temporary directory as they were made.
    made: Vec<(PathBuf, Traits)>,
}

/// What a job may have changed about a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Traits {
    /// The kind of file is part of it.
    mode: u32,
    user: u32,
    group: u32,
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
    /// What the project directory held before the job began its work.
    pub copy: Option<SnapshotCopy>,
    held: Slot,
    made: Vec<(PathBuf, Traits)>,
}

/// A copy of a snapshot, and how it looked when it was fresh.
#[derive(Debug)]
pub(crate) struct SnapshotCopy {
    pub tree: Arc<Tree>,
    pub marks: Marks,
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

impl Slots {
    /// The slots below this builds directory. With `keep` the project directories are as the
    /// project's last job in the slot left them, also for later runners.
    pub(crate) fn new(builds: &Path, keep: bool) -> Self {
        Self {
            builds: builds.to_owned(),
            keep,
            idle: Mutex::default(),
        }
    }

    /// Takes the slot where it is idle and its directories are there for this project. That
    /// costs two looks at the disk, less than another thread to do it.
    pub(crate) fn claim_ready(&self, number: u32, full_path: &str) -> Option<JobDirectory> {
        let mut idle = self.idle();
        let index = idle.iter().position(|slot| slot.number == number)?;
        let slot = &idle[index];
        let ready = slot.ready.as_ref()?;
        let is_ready = ready.project == slot.path.join(full_path) && ready.is_there();
        let mut slot = is_ready.then(|| idle.swap_remove(index))?;
        let ready = slot.ready.take()?;
        Some(slot.into_directory(ready))
    }

    /// Takes the slot, or the next free variant of it when it is in use elsewhere, and makes
    /// its directories, empty unless they are kept.
    pub(crate) fn claim(
        &self,
        number: u32,
        full_path: &str,
    ) -> Result<JobDirectory, DirectoryError> {
        let project = project_path(full_path)?;
        if let Some(directory) = self.claim_ready(number, full_path) {
            return Ok(directory);
        }
        let idle = {
            let mut idle = self.idle();
            let found = idle.iter().position(|slot| slot.number == number);
            found.map(|index| idle.swap_remove(index))
        };
        let mut slot = match idle {
            Some(slot) => slot,
            None => Slot::lock(&self.builds, number)?,
        };
        slot.copy = None;
        let ready = Ready::make(&slot.path, slot.path.join(&project), self.keep)?;
        Ok(slot.into_directory(ready))
    }

    /// Empties the directories, the project's only where it is not kept, and takes the slot
    /// back. A copy of a snapshot stays as the job left it, for the next to be made like new.
    pub(crate) fn release(&self, directory: JobDirectory) -> Result<(), DirectoryError> {
        let mut slot = directory.held;
        let ready = Ready {
            project: directory.project,
            temporary: directory.temporary,
            made: directory.made,
        };
        if self.keep {
            remove_tree(&ready.temporary)?;
        } else if ready
            .empty(&slot.path, directory.copy.is_none())
            .is_ok_and(|emptied| emptied)
        {
            slot.ready = Some(ready);
            slot.copy = directory.copy;
        } else {
            remove_tree(&slot.path)?;
        }
        self.idle().push(slot);
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in std::mem::take(&mut *self.idle()) {
            if !self.keep
                && let Err(error) = remove_tree(&slot.path)
            {
                tracing::warn!(%error, "an idle slot's directory stays");
                continue;
            }
            // Removed while locked: whoever opened it meanwhile finds out in `try_lock`.
            let _ = std::fs::remove_file(&slot.lock_path);
        }
    }
}

impl Slot {
    fn lock(builds: &Path, number: u32) -> Result<Self, DirectoryError> {
        create(builds)?;
        for variant in 0.. {
            let name = match variant {
                0 => number.to_string(),
                variant => format!("{number}-{variant}"),
            };
            let lock_path = builds.join(format!("{name}.lock"));
            if let Some(lock) = try_lock(&lock_path)? {
                return Ok(Self {
                    number,
                    path: builds.join(name),
                    ready: None,
                    copy: None,
                    lock_path,
                    _lock: lock,
                });
            }
        }
        unreachable!("an endless range has no end")
    }

    fn into_directory(self, ready: Ready) -> JobDirectory {
        JobDirectory {
            slot: self.path.clone(),
            project: ready.project,
            temporary: ready.temporary,
            made: ready.made,
            copy: self.copy,
            held: Self {
                ready: None,
                copy: None,
                ..self
            },
        }
    }
}

impl Ready {
    /// Makes the directories, without what an earlier job left in them unless it is kept.
    fn make(slot: &Path, project: PathBuf, keep: bool) -> Result<Self, DirectoryError> {
        let temporary = temporary_beside(&project);
        remove_tree(if keep { &temporary } else { slot })?;
        create(&project)?;
        create(&temporary)?;
        let above = project.ancestors().skip(1);
        let above = above.take_while(|path| path.starts_with(slot));
        let mut made = Vec::new();
        for path in above.chain([project.as_path(), temporary.as_path()]) {
            let traits = Traits::of(path).map_err(|source| DirectoryError::Create {
                path: path.to_owned(),
                source,
            })?;
            made.push((path.to_owned(), traits));
        }
        // From the slot downwards, so that no link is followed to what is checked next.
        made.sort_by_key(|(path, _)| path.components().count());
        Ok(Self {
            project,
            temporary,
            made,
        })
    }

    /// Whether nobody cleared the builds directory meanwhile.
    fn is_there(&self) -> bool {
        self.project.is_dir() && self.temporary.is_dir()
    }

    /// Empties the project's directory if told to, and the temporary one. Whether the rest is as it was made;
    /// else the job changed what is not its own, and the whole slot has to go.
    fn empty(&self, slot: &Path, project_too: bool) -> std::io::Result<bool> {
        for (path, traits) in &self.made {
            if Traits::of(path)? != *traits {
                return Ok(false);
            }
        }
        if project_too {
            empty(&self.project)?;
        }
        empty(&self.temporary)?;
        let ours = |path: &Path| self.made.iter().any(|(ours, _)| ours == path);
        for above in self.project.ancestors().skip(1) {
            if !above.starts_with(slot) {
                break;
            }
            for entry in std::fs::read_dir(above)? {
                if !ours(&entry?.path()) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Traits {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self {
            mode: metadata.mode(),
            user: metadata.uid(),
            group: metadata.gid(),
        })
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

/// Empties a directory, which is made anew where it is not one that can be emptied.
pub(crate) fn clear(path: &Path) -> Result<(), DirectoryError> {
    let is_directory = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_directory && empty(path).is_ok() {
        return Ok(());
    }
    remove_tree(path)?;
    create(path)
}

/// Removes what is in a directory; the caller knows that it is no link to one.
fn empty(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path()).map_err(std::io::Error::other)?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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
    let open = mode | 0o666 | search;
    // What is open already keeps its `ctime`, by which a copy is known to be unchanged.
    if open != mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(open))?;
    }
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
        let (one, other) = (
            Slots::new(builds.path(), false),
            Slots::new(builds.path(), false),
        );
        let first = one.claim(0, "g/p").unwrap();
        let second = one.claim(0, "g/p").unwrap();
        let third = other.claim(0, "g/p").unwrap();
        assert_eq!(first.project, builds.path().join("0/g/p"));
        assert_eq!(second.project, builds.path().join("0-1/g/p"));
        assert_eq!(third.project, builds.path().join("0-2/g/p"));
        assert!(abandoned_slots(builds.path()).is_empty());
        for directory in [first, second] {
            one.release(directory).unwrap();
        }
        other.release(third).unwrap();
        assert!(abandoned_slots(builds.path()).is_empty());
        drop((one, other));
        assert_eq!(std::fs::read_dir(builds.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_slot_whose_holder_died_is_found_and_removed() {
        let builds = tempfile::tempdir().unwrap();
        let slots = Slots::new(builds.path(), false);
        drop(slots.claim(3, "p").unwrap());
        let mut found = abandoned_slots(builds.path());
        let (slot, lock) = found.pop().unwrap();
        assert_eq!(slot, builds.path().join("3"));
        remove_abandoned(&slot, lock, false).unwrap();
        assert_eq!(std::fs::read_dir(builds.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_kept_project_is_found_again() {
        let builds = tempfile::tempdir().unwrap();
        let claim = |slots: &Slots| slots.claim(0, "g/p").unwrap();
        let slots = Slots::new(builds.path(), true);
        let first = claim(&slots);
        std::fs::write(first.project.join("built"), "").unwrap();
        std::fs::write(first.temporary.join("secret"), "").unwrap();
        slots.release(first).unwrap();
        let second = claim(&slots);
        assert!(second.project.join("built").exists());
        assert!(!second.temporary.join("secret").exists());
        slots.release(second).unwrap();
        drop(slots);
        let later = claim(&Slots::new(builds.path(), true));
        assert!(later.project.join("built").exists());
    }

    /// Everything below `path`, sorted.
    fn listing(path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path());
            if entry.file_type().unwrap().is_dir() {
                found.extend(listing(&entry.path()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_next_job_finds_nothing_of_the_last_wherever_that_one_wrote() {
        use std::os::unix::fs::symlink;
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("precious"), "").unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let deeds: [&dyn Fn(&JobDirectory); 10] = [
            &|_| {},
            &|job| std::fs::write(job.project.join("file"), "").unwrap(),
            &|job| {
                std::fs::create_dir_all(job.project.join("a/b")).unwrap();
                mode(&job.project.join("a"), 0o500);
            },
            &|job| std::fs::write(job.temporary.join("file"), "").unwrap(),
            &|job| std::fs::write(job.slot.join("file"), "").unwrap(),
            &|job| std::fs::create_dir(job.slot.join("g/other")).unwrap(),
            &|job| mode(&job.slot.join("g"), 0o777),
            &|job| mode(&job.project, 0o500),
            &|job| {
                std::fs::remove_dir(&job.project).unwrap();
                symlink(elsewhere.path(), &job.project).unwrap();
            },
            &|job| {
                std::fs::remove_dir_all(job.slot.join("g")).unwrap();
                symlink(elsewhere.path(), job.slot.join("g")).unwrap();
            },
        ];
        for (number, deed) in deeds.iter().enumerate() {
            let builds = tempfile::tempdir().unwrap();
            let slots = Slots::new(builds.path(), false);
            let first = slots.claim(0, "g/p").unwrap();
            let (fresh, traits) = (listing(&first.slot), Traits::of(&first.slot.join("g")));
            deed(&first);
            slots.release(first).unwrap();
            let second = slots.claim(0, "g/p").unwrap();
            assert_eq!(listing(&second.slot), fresh, "{number}");
            let group = Traits::of(&second.slot.join("g")).unwrap();
            assert_eq!(group, *traits.as_ref().unwrap(), "{number}");
            slots.release(second).unwrap();
            let other = slots.claim(0, "p").unwrap();
            assert!(!other.slot.join("g").exists(), "{number}");
            slots.release(other).unwrap();
            drop(slots);
            assert!(listing(builds.path()).is_empty(), "{number}");
        }
        assert!(elsewhere.path().join("precious").exists());
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
