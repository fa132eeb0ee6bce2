//! A copy of a tree that was used is made like new: what is unchanged stays.
//!
//! The operating system notes when a file or what it says about a file last changed (`ctime`),
//! and no program can set that. So a file whose number, size, mode, owner and `ctime` are as
//! they were after the copy has the content that the copy gave it. To look is far cheaper than
//! to remove a file and to make it again.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::copy::{Copied, CopyError, Kept, Outcome, in_parallel};
use crate::tree::{Content, Tree};

/// Clocks that file systems read stand still for up to this long, in nanoseconds: a file may
/// change within it and keep its `ctime`.
const TICK: i128 = 20_000_000;
/// The same for file systems that count whole seconds, some of them only even ones.
const SECONDS: i128 = 2_000_000_000;

/// Bytes of a file that are compared at a time.
const BUFFER: usize = 128 * 1024;

/// How a copy looked when it was fresh.
#[derive(Debug)]
pub struct Marks {
    /// As in the tree.
    directories: Vec<Mark>,
    /// As in the tree.
    files: Vec<Mark>,
}

/// A copy that was made like new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// What it holds.
    pub copied: Copied,
    /// How many of its files and links were copied again.
    pub again: usize,
    /// How many files and directories that do not belong there were removed.
    pub removed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    number: u64,
    mode: u32,
    user: u32,
    group: u32,
    size: u64,
    /// Nanoseconds since 1970.
    changed: i128,
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            mode: metadata.mode(),
            user: metadata.uid(),
            group: metadata.gid(),
            size: metadata.size(),
            changed: i128::from(metadata.ctime()) * 1_000_000_000
                + i128::from(metadata.ctime_nsec()),
        }
    }

    fn at(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// The same file with the same rights; of a directory the rest changes with its entries.
    fn is_same(&self, other: &Self) -> bool {
        let rights = |mark: &Self| (mark.device, mark.number, mark.mode, mark.user, mark.group);
        rights(self) == rights(other)
    }

    /// Whether a change right after `now`, by the clock of the file system, may have left no
    /// trace in the mark.
    fn is_recent(&self, now: i128) -> bool {
        let blind = match self.changed % 1_000_000_000 {
            0 => SECONDS,
            _ => TICK,
        };
        self.changed + blind >= now
    }
}

impl Marks {
    /// When the copy was finished, by the clock of the file system.
    fn finished(&self) -> i128 {
        self.directories
            .first()
            .map_or(i128::MAX, |top| top.changed)
    }
}

impl Tree {
    /// Notes how the copy at `at` looks. To be called when it is fresh: nothing may have
    /// changed in it since [`Tree::copy_to`] or [`Tree::renew`] but modes and owners.
    ///
    /// # Errors
    ///
    /// When something is missing or cannot be looked at: then it cannot be made like new.
    pub fn look(&self, at: &Path) -> io::Result<Marks> {
        let marks = |names: &mut dyn Iterator<Item = &Path>| -> io::Result<Vec<Mark>> {
            names.map(|name| Mark::at(&at.join(name))).collect()
        };
        Ok(Marks {
            files: marks(&mut self.files.iter().map(|(name, _)| name.as_path()))?,
            directories: marks(&mut self.directories.iter().map(|(name, _)| name.as_path()))?,
        })
    }

    /// Makes the copy at `to` like new, after programs had their way with it; none may be at
    /// work there any more. Unchanged files stay, others are copied again, and what does not
    /// belong there is removed.
    ///
    /// # Errors
    ///
    /// When something cannot be read, written or removed, or a directory is not the one that
    /// was made. The caller then removes the whole and copies anew.
    pub fn renew(&self, to: &Path, marks: &Marks) -> Result<Renewed, CopyError> {
        let removed = self.remove_strange(to, marks)?;
        let again = AtomicUsize::new(0);
        let now = marks.finished();
        let mut copied = in_parallel(self.files.len(), |index| {
            let (name, content) = &self.files[index];
            let target = to.join(name);
            if self.is_unchanged(index, &target, &marks.files[index], now) {
                return Ok(match content {
                    Content::Link(_) => Outcome::Linked,
                    _ => Outcome::Copied,
                });
            }
            again.fetch_add(1, Ordering::Relaxed);
            remove(&target).map_err(|error| CopyError::write(&target, error))?;
            self.copy_one(name, content, &target)
        })?;
        self.finish(to, &mut copied)?;
        Ok(Renewed {
            copied,
            again: again.into_inner(),
            removed,
        })
    }

    /// Removes what is in no directory of the tree, from the top downwards, so that no link is
    /// followed.
    fn remove_strange(&self, to: &Path, marks: &Marks) -> Result<usize, CopyError> {
        let known = self.known();
        let mut removed = 0;
        for ((directory, _), mark) in self.directories.iter().zip(&marks.directories) {
            let path = to.join(directory);
            let read = |error| CopyError::read(&path, error);
            if !Mark::at(&path).map_err(read)?.is_same(mark) {
                return Err(read(io::Error::other("the directory was changed")));
            }
            for entry in std::fs::read_dir(&path).map_err(read)? {
                let entry = entry.map_err(read)?;
                if !known.contains(&(directory.as_os_str(), entry.file_name())) {
                    let path = entry.path();
                    remove(&path).map_err(|error| CopyError::write(&path, error))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn is_unchanged(&self, index: usize, at: &Path, mark: &Mark, now: i128) -> bool {
        let (name, content) = &self.files[index];
        Mark::at(at).is_ok_and(|found| found == *mark)
            && (!mark.is_recent(now) || self.has_content(name, content, at).unwrap_or(false))
    }

    /// Whether the file holds what a copy of the tree's would, and has its time.
    fn has_content(&self, name: &Path, content: &Content, at: &Path) -> io::Result<bool> {
        match content {
            Content::Small(bytes, kept) => {
                Ok(kept.is_time_of(&at.metadata()?) && std::fs::read(at)? == *bytes)
            }
            Content::Link(target) => Ok(std::fs::read_link(at)? == *target),
            Content::OnDisk => {
                let from = self.from.join(name);
                let kept = Kept::of(&from.metadata()?);
                Ok(kept.is_time_of(&at.metadata()?) && are_equal(&from, at)?)
            }
        }
    }

    /// The directory and the name of everything in the tree.
    fn known(&self) -> HashSet<(&OsStr, OsString)> {
        let directories = self.directories.iter().map(|(path, _)| path);
        let all = directories.chain(self.files.iter().map(|(path, _)| path));
        all.filter_map(|path| {
            let directory = path.parent()?;
            Some((directory.as_os_str(), path.file_name()?.to_owned()))
        })
        .collect()
    }
}

/// Whether two files hold the same.
fn are_equal(one: &Path, other: &Path) -> io::Result<bool> {
    let mut one = BufReader::with_capacity(BUFFER, File::open(one)?);
    let mut other = BufReader::with_capacity(BUFFER, File::open(other)?);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if length == 0 {
            return Ok(left.len() == right.len());
        }
        if left[..length] != right[..length] {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// Removes a file, or a directory with everything in it.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
