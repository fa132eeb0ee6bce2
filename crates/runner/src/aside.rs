//! What ended jobs left, moved aside and removed when the runner ends.
//!
//! ext4 gives no file the number of one that was deleted within the last seconds, and looks for
//! another number one by one. A runner of many short jobs that removes each one's files at its
//! end pays for that with every file of the next; to move them away is one step. They are removed
//! earlier where the disk has noticeably less room than it had at first.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::directory;

/// How much less free space than at first the disk may have, in bytes, while things lie aside.
const MOST_SPACE: u64 = 1 << 30;

/// The most directories that lie aside.
const MOST_DIRECTORIES: usize = 1000;

/// A directory of directories.
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    moved: usize,
    /// Free bytes of the disk when the first was moved.
    free_at_first: u64,
}

impl Aside {
    /// Nothing lies there yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            moved: 0,
            free_at_first: 0,
        }
    }

    /// Moves what is at `path` away. What lay there before is removed where the disk needs it.
    pub(crate) fn take(&mut self, path: &Path) -> io::Result<()> {
        let free = free_bytes(path)?;
        if self.moved == 0 {
            std::fs::create_dir_all(&self.path)?;
            self.free_at_first = free;
        }
        std::fs::rename(path, self.path.join(self.moved.to_string()))?;
        self.moved += 1;
        if !may_stay(self.moved, self.free_at_first, free) {
            self.remove()?;
        }
        Ok(())
    }

    /// Removes everything.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        if self.moved > 0 {
            directory::remove_tree(&self.path).map_err(io::Error::other)?;
            self.moved = 0;
        }
        Ok(())
    }
}

fn may_stay(moved: usize, free_at_first: u64, free: u64) -> bool {
    moved < MOST_DIRECTORIES
        && free.saturating_add(MOST_SPACE) >= free_at_first
        && free > MOST_SPACE
}

/// What the user may still write to the disk of `path`.
fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = statvfs(path)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_stay_while_there_is_room() {
        const GIB: u64 = 1 << 30;
        for (moved, at_first, free, stays) in [
            (1, 100 * GIB, 100 * GIB, true),
            (1, 100 * GIB, 99 * GIB, true),
            (1, 100 * GIB, 99 * GIB - 1, false),
            (1, 100 * GIB, 150 * GIB, true),
            (1, GIB, GIB, false),
            (1, 0, 0, false),
            (999, 100 * GIB, 100 * GIB, true),
            (1000, 100 * GIB, 100 * GIB, false),
        ] {
            assert_eq!(
                may_stay(moved, at_first, free),
                stays,
                "{moved} {at_first} {free}"
            );
        }
    }

    #[test]
    fn what_is_taken_is_gone_from_its_place_and_later_altogether() {
        let top = tempfile::tempdir().unwrap();
        let mut aside = Aside::new(top.path().join("left"));
        let place = top.path().join("place");
        for _ in 0..3 {
            std::fs::create_dir_all(place.join("deep")).unwrap();
            std::fs::write(place.join("deep/file"), "").unwrap();
            aside.take(&place).unwrap();
            assert!(!place.exists());
        }
        aside.remove().unwrap();
        assert!(!top.path().join("left").exists());
        std::fs::create_dir(&place).unwrap();
        aside.take(&place).unwrap();
        assert!(!place.exists());
    }
}
