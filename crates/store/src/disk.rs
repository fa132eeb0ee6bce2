//! What the file system needs to be told so that a file survives a power cut, and what it tells.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::store::Durability;

/// Makes a directory with those above it, their names as durable as asked.
pub(crate) fn make_directory(path: &Path, durability: Durability) -> std::io::Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => match path.parent() {
            Some(parent) => sync(parent, durability),
            None => Ok(()),
        },
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            Some(parent) => {
                make_directory(parent, durability)?;
                make_directory(path, durability)
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Waits until a file's content, or a directory's names, are on the disk, where that is asked.
pub(crate) fn sync(path: &Path, durability: Durability) -> std::io::Result<()> {
    match durability {
        Durability::Process => Ok(()),
        Durability::Machine => File::open(path)?.sync_all(),
    }
}

/// Whether `path` still leads to the open file.
pub(crate) fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
