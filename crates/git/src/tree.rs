//! A tree that is read once and copied many times: a snapshot for the jobs of its pipeline.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::copy::{Copied, CopyError, Kept, Outcome, Reflink, copy_file, in_parallel, is_gone};

/// Files up to this many bytes are kept in memory: opening one again and having the kernel
/// copy it takes longer than writing it …
const SMALL: u64 = 16 * 1024;
/// … until they are this many bytes together.
const MEMORY: u64 = 8 * 1024 * 1024;

/// What is in a directory, read once. The directory must not change as long as this lives.
#[derive(Debug)]
pub struct Tree {
    /// Without symbolic links.
    pub(crate) from: PathBuf,
    /// Relative to `from`, which is the first; a directory comes before those in it.
    pub(crate) directories: Vec<(PathBuf, Kept)>,
    pub(crate) files: Vec<(PathBuf, Content)>,
    special: usize,
    vanished: usize,
    reflink: Reflink,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Small(Vec<u8>, Kept),
    /// It is read anew for each copy.
    OnDisk,
    /// Where the symbolic link leads.
    Link(PathBuf),
}

impl Tree {
    /// Lists a directory with all below it. Symbolic links are never followed.
    ///
    /// # Errors
    ///
    /// At the first directory or file that cannot be read, with its name.
    pub fn read(from: &Path) -> Result<Self, CopyError> {
        let from = from
            .canonicalize()
            .map_err(|error| CopyError::read(from, error))?;
        let mut tree = Self {
            from,
            directories: Vec::new(),
            files: Vec::new(),
            special: 0,
            vanished: 0,
            reflink: Reflink::default(),
        };
        let mut memory = MEMORY;
        let mut pending = vec![PathBuf::new()];
        while let Some(directory) = pending.pop() {
            let path = tree.from.join(&directory);
            let read = |error| CopyError::read(&path, error);
            let kept = Kept::of(&std::fs::symlink_metadata(&path).map_err(read)?);
            for entry in std::fs::read_dir(&path).map_err(read)? {
                let entry = entry.map_err(read)?;
                let name = directory.join(entry.file_name());
                let metadata = match entry.metadata() {
                    Err(error) if is_gone(&error) => {
                        tree.vanished += 1;
                        continue;
                    }
                    metadata => metadata.map_err(|error| CopyError::read(&entry.path(), error))?,
                };
                if metadata.is_dir() {
                    pending.push(name);
                } else if metadata.is_file() || metadata.is_symlink() {
                    let content = content(&entry.path(), &metadata, &mut memory)
                        .map_err(|error| CopyError::read(&entry.path(), error))?;
                    tree.files.push((name, content));
                } else {
                    tree.special += 1;
                }
            }
            tree.directories.push((directory, kept));
        }
        Ok(tree)
    }

    /// Copies everything into directory `to`, which is made if needed.
    ///
    /// Modes and times of files and directories are kept. Sockets, pipes and devices are
    /// counted and left out.
    ///
    /// # Errors
    ///
    /// At the first file that cannot be read or written, with its name.
    pub fn copy_to(&self, to: &Path) -> Result<Copied, CopyError> {
        self.refuse_into_itself(to)?;
        std::fs::create_dir_all(to).map_err(|error| CopyError::write(to, error))?;
        for (directory, _) in self.directories.iter().skip(1) {
            let target = to.join(directory);
            match std::fs::create_dir(&target) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && target.is_dir() => {}
                made => made.map_err(|error| CopyError::write(&target, error))?,
            }
        }
        let mut copied = in_parallel(self.files.len(), |index| {
            let (name, content) = &self.files[index];
            self.copy_one(name, content, &to.join(name))
        })?;
        self.finish(to, &mut copied)?;
        Ok(copied)
    }

    /// Gives the directories their times and modes, and counts what is no file.
    pub(crate) fn finish(&self, to: &Path, copied: &mut Copied) -> Result<(), CopyError> {
        copied.directories = self.directories.len().saturating_sub(1);
        copied.special_skipped += self.special;
        copied.vanished += self.vanished;
        // Deepest first and after the files: a directory may be read-only, and writing into
        // one changes its time. The top comes last: its `ctime` tells when all was done.
        for (directory, kept) in self.directories.iter().rev() {
            let target = to.join(directory);
            File::open(&target)
                .and_then(|directory| kept.apply(&directory))
                .map_err(|error| CopyError::write(&target, error))?;
        }
        Ok(())
    }

    pub(crate) fn copy_one(
        &self,
        name: &Path,
        content: &Content,
        to: &Path,
    ) -> Result<Outcome, CopyError> {
        let write = |error| CopyError::write(to, error);
        match content {
            Content::Small(bytes, kept) => {
                let mut file = kept.create(to).map_err(write)?;
                file.write_all(bytes).map_err(write)?;
                kept.apply(&file).map_err(write)?;
                Ok(Outcome::Copied)
            }
            Content::Link(target) => {
                symlink(target, to).map_err(write)?;
                Ok(Outcome::Linked)
            }
            Content::OnDisk => copy_file(&self.from.join(name), to, &self.reflink),
        }
    }

    fn refuse_into_itself(&self, to: &Path) -> Result<(), CopyError> {
        let absolute = std::path::absolute(to).map_err(|error| CopyError::write(to, error))?;
        // The target need not exist yet; its nearest existing parent says where it will be.
        let real = absolute.ancestors().find_map(|parent| {
            let rest = absolute.strip_prefix(parent).ok()?;
            Some(parent.canonicalize().ok()?.join(rest))
        });
        match real {
            Some(to) if to.starts_with(&self.from) => Err(CopyError::IntoItself {
                from: self.from.clone(),
                to,
            }),
            _ => Ok(()),
        }
    }
}

fn content(path: &Path, metadata: &Metadata, memory: &mut u64) -> std::io::Result<Content> {
    if metadata.is_symlink() {
        return Ok(Content::Link(std::fs::read_link(path)?));
    }
    if metadata.len() > SMALL.min(*memory) {
        return Ok(Content::OnDisk);
    }
    *memory -= metadata.len();
    let mut bytes = Vec::new();
    File::open(path)?.take(SMALL).read_to_end(&mut bytes)?;
    Ok(Content::Small(bytes, Kept::of(metadata)))
}
