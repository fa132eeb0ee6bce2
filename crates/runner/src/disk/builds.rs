//! Directories of projects that are kept between jobs.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::measure::{self, Places};
use super::plan::{Item, Kind, State};
use super::used;
use crate::directory::{self, temporary_beside};

/// Beginning of the names of directories that are being removed.
const GOING: &str = ".going-";

/// All directories of projects below a builds directory, and what of removed ones is still
/// there. Sizes that are not known are measured and noted.
pub(super) fn list(builds: &Path, places: &mut Places) -> Vec<Item> {
    let place = places.of(builds);
    let mut items = Vec::new();
    for used in used::below(builds) {
        let bytes = used.bytes.unwrap_or_else(|| measure::tree(&used.directory));
        let locks = Locks::take(builds, &used.directory);
        if used.bytes.is_none() && locks.is_some() {
            // What a job still changes is measured again.
            let _ = used::note_size(&used.directory, bytes);
        }
        items.push(Item {
            kind: Kind::Build,
            name: used.directory.display().to_string(),
            bytes,
            last_used: used.last_used,
            state: match locks {
                Some(_) => State::Idle,
                None => State::InUse,
            },
            place,
        });
    }
    for entry in std::fs::read_dir(builds).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(GOING) {
            items.push(Item {
                kind: Kind::Remains,
                name: entry.path().display().to_string(),
                bytes: measure::tree(&entry.path()),
                last_used: 0,
                state: State::Leftover,
                place,
            });
        }
    }
    items
}

/// Removes a project's directory, unless a job has it or had it since `item` was listed.
/// Whether it is gone.
pub(super) fn remove(builds: &Path, item: &Item) -> std::io::Result<bool> {
    let directory = Path::new(&item.name);
    let going = {
        let Some(mut locks) = Locks::take(builds, directory) else {
            return Ok(false);
        };
        match used::read(directory) {
            Some(used) if used.last_used == item.last_used => {}
            _ => return Ok(false),
        }
        // Out of the way at once, so that nobody waits for the lock; gone a moment later.
        let going = tempfile::Builder::new()
            .prefix(GOING)
            .tempdir_in(builds)?
            .keep();
        std::fs::rename(directory, going.join("project"))?;
        used::forget(directory);
        let _ = std::fs::remove_file(directory::sources_mark(directory));
        let temporary = temporary_beside(directory);
        directory::remove_tree(&temporary).map_err(std::io::Error::other)?;
        locks.keep_slot();
        let above = directory.ancestors().skip(1);
        for above in above.take_while(|above| *above != builds) {
            if std::fs::remove_dir(above).is_err() {
                break;
            }
        }
        going
    };
    directory::remove_tree(&going).map_err(std::io::Error::other)?;
    Ok(true)
}

/// Removes what of an earlier round is left.
pub(super) fn remove_remains(item: &Item) -> std::io::Result<bool> {
    directory::remove_tree(Path::new(&item.name)).map_err(std::io::Error::other)?;
    Ok(true)
}

/// Whether a slot's directory is nobody's at this moment.
pub(super) fn is_free(slot: &Path) -> bool {
    let Ok(Some(lock)) = directory::try_lock(&directory::lock_of(slot)) else {
        return false;
    };
    let _ = std::fs::remove_file(directory::lock_of(slot));
    drop(lock);
    true
}

/// The locks without which a directory may not be touched: that of its slot, and its own.
/// Their files go when they are dropped.
struct Locks(Vec<(PathBuf, File)>);

impl Locks {
    /// The locks of a directory below `builds`; nothing where a job has one of them.
    fn take(builds: &Path, directory: &Path) -> Option<Self> {
        let below = directory.strip_prefix(builds).ok()?;
        let slot = builds.join(below.components().next()?);
        let mut taken = Self(Vec::new());
        let mut wanted = vec![directory::lock_of(&slot)];
        if slot != directory {
            wanted.push(directory::lock_of(directory));
        }
        for path in wanted {
            let lock = directory::try_lock(&path).ok()??;
            taken.0.push((path, lock));
        }
        Some(taken)
    }

    /// Gives up the directory's own lock, whose file is beside it.
    fn keep_slot(&mut self) {
        for (path, _lock) in self.0.drain(1..) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        for (path, _lock) in &self.0 {
            // Removed while locked: whoever opened it meanwhile finds out.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Slots;

    #[test]
    fn a_kept_project_goes_and_one_that_a_job_has_stays() {
        let builds = tempfile::tempdir().unwrap();
        let slots = Slots::new(builds.path(), true);
        let idle = slots.claim(0, "g/idle").unwrap();
        std::fs::write(idle.project.join("big"), vec![0; 300_000]).unwrap();
        slots.release(idle).unwrap();
        let busy = slots.claim(1, "g/busy").unwrap();
        let mut items = list(builds.path(), &mut Places::default());
        items.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].state, State::Idle);
        assert!(items[0].bytes >= 300_000);
        assert_eq!(items[1].state, State::InUse);
        assert!(remove(builds.path(), &items[0]).unwrap());
        assert!(!remove(builds.path(), &items[1]).unwrap());
        assert!(busy.project.is_dir());
        slots.release(busy).unwrap();
        let left = list(builds.path(), &mut Places::default());
        assert_eq!(left.len(), 1);
        assert!(left[0].name.ends_with("1/g/busy"), "{left:?}");
        assert!(!builds.path().join("0").exists());
    }

    #[test]
    fn one_that_was_used_since_it_was_listed_stays() {
        let builds = tempfile::tempdir().unwrap();
        let slots = Slots::new(builds.path(), true);
        slots.release(slots.claim(0, "p").unwrap()).unwrap();
        let mut item = list(builds.path(), &mut Places::default()).remove(0);
        item.last_used -= 1;
        assert!(!remove(builds.path(), &item).unwrap());
        item.last_used += 1;
        assert!(remove(builds.path(), &item).unwrap());
        assert_eq!(std::fs::read_dir(builds.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_round_left_is_found_and_what_is_not_the_runners_is_not() {
        let builds = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(builds.path().join(".going-x/project")).unwrap();
        std::fs::create_dir_all(builds.path().join("mine/data")).unwrap();
        let items = list(builds.path(), &mut Places::default());
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].state, State::Leftover);
        assert!(remove_remains(&items[0]).unwrap());
        assert!(builds.path().join("mine/data").exists());
    }
}
