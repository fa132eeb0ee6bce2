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
use std::time::Duration;

use shipway_git::{Marks, Tree};

use crate::clone_path::ClonePathError;
use crate::disk::used;

/// A slot that another holds is looked at again so often …
const LOOKS: u32 = 5;
/// … after so long, before its next variant is taken.
const LOOK: Duration = Duration::from_millis(4);

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
    /// `SHIPWAY_STICKY` says nothing that is known.
    #[error("SHIPWAY_STICKY is `{value}`; it is pipeline, project or none")]
    Sticky { value: String },
    /// The job was over before it had its workspace.
    #[error("the workspace that the job shares was in use until the job was over")]
    NoWorkspace,
    /// `GIT_CLONE_PATH` cannot be used.
    #[error(transparent)]
    ClonePath(#[from] ClonePathError),
    /// Two jobs at once cannot have it.
    #[error(
        "GIT_CLONE_PATH is {}, which is another job's; put $CI_CONCURRENT_ID into it, as in \
         $CI_BUILDS_DIR/$CI_CONCURRENT_ID/$CI_PROJECT_NAME",
        path.display()
    )]
    Taken { path: PathBuf },
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
    /// The slot's number, or the name of a workspace that jobs share.
    name: String,
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
    /// The job chose where its project is: not in its slot.
    elsewhere: Option<Elsewhere>,
    /// It is a workspace that jobs share, and its project stays as a job left it.
    is_shared: bool,
    held: Slot,
    made: Vec<(PathBuf, Traits)>,
}

/// A copy of a snapshot, and how it looked when it was fresh.
#[derive(Debug)]
pub(crate) struct SnapshotCopy {
    pub tree: Arc<Tree>,
    pub marks: Marks,
}

/// A place of a job's choice, and what is in the slot instead.
#[derive(Debug)]
struct Elsewhere {
    slots_project: PathBuf,
    slots_temporary: PathBuf,
    lock_path: PathBuf,
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

/// `<path>.lock`.
pub(crate) fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// `<path>.tmp`.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

impl JobDirectory {
    /// Beside a workspace that jobs share: says that its sources are there, and which job was
    /// there last.
    pub(crate) fn sources_mark(&self) -> PathBuf {
        sources_mark(&self.project)
    }
}

/// `<project>.sources`.
pub(crate) fn sources_mark(project: &Path) -> PathBuf {
    let mut name = project.as_os_str().to_owned();
    name.push(".sources");
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
        let index = idle.iter().position(|slot| slot.is(number))?;
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
            let found = idle.iter().position(|slot| slot.is(number));
            found.map(|index| idle.swap_remove(index))
        };
        let mut slot = match idle {
            Some(slot) => slot,
            None => Slot::lock(&self.builds, number, self.keep)?,
        };
        slot.copy = None;
        let ready = Ready::make(&slot.path, slot.path.join(&project), self.keep)?;
        if self.keep {
            note_use(&ready.project)?;
        }
        Ok(slot.into_directory(ready))
    }

    /// Takes the workspace of that name, with the project as the last job there left it;
    /// nothing while another job has it.
    pub(crate) fn claim_workspace(
        &self,
        name: &str,
        full_path: &str,
    ) -> Result<Option<JobDirectory>, DirectoryError> {
        let project = project_path(full_path)?;
        let idle = {
            let mut idle = self.idle();
            let found = idle.iter().position(|slot| slot.name == name);
            found.map(|index| idle.swap_remove(index))
        };
        let slot = match idle {
            Some(slot) => slot,
            None => match Slot::try_lock(&self.builds, name, name)? {
                Some(slot) => slot,
                None => return Ok(None),
            },
        };
        let ready = Ready::make(&slot.path, slot.path.join(&project), true)?;
        if self.keep {
            note_use(&ready.project)?;
        }
        let directory = slot.into_directory(ready);
        Ok(Some(JobDirectory {
            is_shared: true,
            ..directory
        }))
    }

    /// Puts the project at `path` below the builds directory. The slot stays the job's.
    pub(crate) fn relocate(
        &self,
        directory: JobDirectory,
        path: PathBuf,
    ) -> Result<JobDirectory, DirectoryError> {
        match self.place_at(&directory, &path) {
            Ok(None) => Ok(directory),
            Ok(Some(elsewhere)) => Ok(JobDirectory {
                temporary: temporary_beside(&path),
                project: path,
                elsewhere: Some(elsewhere),
                // That of the slot, which is not where the job's will be.
                copy: None,
                ..directory
            }),
            Err(error) => {
                self.release(directory)?;
                Err(error)
            }
        }
    }

    fn place_at(
        &self,
        directory: &JobDirectory,
        path: &Path,
    ) -> Result<Option<Elsewhere>, DirectoryError> {
        if path == directory.project {
            return Ok(None);
        }
        let taken = || DirectoryError::Taken {
            path: path.to_owned(),
        };
        let below = path.strip_prefix(&self.builds).map_err(|_| taken())?;
        let first = below.components().next().ok_or_else(taken)?;
        let first = self.builds.join(first);
        if first != directory.slot && is_slot(&first) {
            return Err(taken());
        }
        if let Some(above) = path.parent() {
            create(above)?;
        }
        let lock_path = lock_of(path);
        let lock = try_lock(&lock_path)?.ok_or_else(taken)?;
        let temporary = temporary_beside(path);
        remove_tree(&temporary)?;
        if !self.keep {
            remove_tree(path)?;
        }
        create(path)?;
        create(&temporary)?;
        if self.keep {
            note_use(path)?;
        }
        Ok(Some(Elsewhere {
            slots_project: directory.project.clone(),
            slots_temporary: directory.temporary.clone(),
            lock_path,
            _lock: lock,
        }))
    }

    /// Leaves the place of a job's choice, as a slot would be left.
    fn leave(&self, directory: &mut JobDirectory) -> Result<(), DirectoryError> {
        let Some(elsewhere) = directory.elsewhere.take() else {
            return Ok(());
        };
        directory.copy = None;
        let project = std::mem::replace(&mut directory.project, elsewhere.slots_project);
        let temporary = std::mem::replace(&mut directory.temporary, elsewhere.slots_temporary);
        remove_tree(&temporary)?;
        if self.keep {
            note_use(&project)?;
        } else {
            remove_tree(&project)?;
        }
        let _ = std::fs::remove_file(&elsewhere.lock_path);
        let above = project.ancestors().skip(1);
        for above in above.take_while(|above| *above != self.builds) {
            if std::fs::remove_dir(above).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Empties the directories, the project's only where it is not kept, and takes the slot
    /// back. A copy of a snapshot stays as the job left it, for the next to be made like new.
    pub(crate) fn release(&self, mut directory: JobDirectory) -> Result<(), DirectoryError> {
        self.leave(&mut directory)?;
        let mut slot = directory.held;
        let ready = Ready {
            project: directory.project,
            temporary: directory.temporary,
            made: directory.made,
        };
        if self.keep {
            remove_tree(&ready.temporary)?;
            let noted = note_use(&ready.project);
            // Not held until the next job: what is idle may be removed when the disk fills.
            let _ = std::fs::remove_file(&slot.lock_path);
            return noted;
        } else if directory.is_shared {
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
    /// With `patience` waits a moment for whoever only looks whether the slot is idle.
    fn lock(builds: &Path, number: u32, patience: bool) -> Result<Self, DirectoryError> {
        create(builds)?;
        let mut looks = if patience { LOOKS } else { 0 };
        for variant in 0.. {
            let name = match variant {
                0 => number.to_string(),
                variant => format!("{number}-{variant}"),
            };
            let mut locked = Self::try_lock(builds, &number.to_string(), &name)?;
            while locked.is_none() && looks > 0 {
                looks -= 1;
                std::thread::sleep(LOOK);
                locked = Self::try_lock(builds, &number.to_string(), &name)?;
            }
            if let Some(slot) = locked {
                return Ok(slot);
            }
        }
        unreachable!("an endless range has no end")
    }

    /// The slot in the directory of that name, or nothing while somebody has it.
    fn try_lock(
        builds: &Path,
        name: &str,
        directory: &str,
    ) -> Result<Option<Self>, DirectoryError> {
        create(builds)?;
        let path = builds.join(directory);
        let lock_path = lock_of(&path);
        Ok(try_lock(&lock_path)?.map(|lock| Self {
            name: name.to_owned(),
            path,
            lock_path,
            ready: None,
            copy: None,
            _lock: lock,
        }))
    }

    fn is(&self, number: u32) -> bool {
        self.name.parse() == Ok(number)
    }

    fn into_directory(self, ready: Ready) -> JobDirectory {
        JobDirectory {
            slot: self.path.clone(),
            project: ready.project,
            temporary: ready.temporary,
            elsewhere: None,
            is_shared: false,
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

/// Whether a directory among the builds has the name of a slot or of a workspace.
fn is_slot(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.split_once('-') {
        None => number(&name),
        Some(("pipeline" | "project", rest)) => number(rest),
        Some((first, rest)) => number(first) && number(rest),
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
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>, DirectoryError> {
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

fn note_use(project: &Path) -> Result<(), DirectoryError> {
    used::note(project).map_err(|source| DirectoryError::Create {
        path: project.to_owned(),
        source,
    })
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
        assert!(!builds.path().join("0.lock").exists());
        let later = claim(&Slots::new(builds.path(), true));
        assert!(later.project.join("built").exists());
    }

    #[test]
    fn a_workspace_is_one_jobs_at_a_time_and_stays_as_it_was_left() {
        for keep in [false, true] {
            let builds = tempfile::tempdir().unwrap();
            let slots = Slots::new(builds.path(), keep);
            let claim = || slots.claim_workspace("pipeline-1", "g/p").unwrap();
            let first = claim().unwrap();
            assert!(claim().is_none(), "a job has it");
            std::fs::write(first.project.join("built"), "").unwrap();
            std::fs::write(first.temporary.join("secret"), "").unwrap();
            slots.release(first).unwrap();
            let second = claim().unwrap();
            assert!(second.project.join("built").exists());
            assert!(!second.temporary.join("secret").exists());
            let slot = slots.claim(0, "g/p").unwrap();
            assert!(!slot.project.join("built").exists());
            slots.release(slot).unwrap();
            slots.release(second).unwrap();
            let other = slots.claim_workspace("pipeline-2", "g/p").unwrap().unwrap();
            assert!(!other.project.join("built").exists());
            slots.release(other).unwrap();
            drop(slots);
            let is_there = builds.path().join("pipeline-1/g/p/built").exists();
            assert_eq!(is_there, keep);
        }
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
