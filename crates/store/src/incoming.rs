//! Files on their way in: the directory `incoming`, where an upload is received before it gets
//! its place.
//!
//! Whoever receives a file holds its lock, which the operating system gives up with the
//! process. So what a killed process left can be told from what another still receives.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::disk::is_same;
use crate::prune::PruneError;
use crate::store::Store;

const DIRECTORY: &str = "incoming";

/// A file that is being received. Removed when it is dropped, unless it was moved away.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    path: TempPath,
}

impl Incoming {
    /// Another handle to write with.
    ///
    /// # Errors
    /// When the process has too many open files.
    pub fn writer(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// A new, empty file to receive an upload in. It blocks for a moment.
    ///
    /// # Errors
    /// When the directory `incoming` or the file cannot be made.
    pub fn receive(&self) -> std::io::Result<Incoming> {
        let directory = self.incoming();
        std::fs::create_dir_all(&directory)?;
        loop {
            let (file, path) = tempfile::NamedTempFile::new_in(&directory)?.into_parts();
            file.lock()?;
            // A sweep may have come between our two calls.
            if is_same(&file, &path) {
                return Ok(Incoming { file, path });
            }
        }
    }

    /// Removes halves of uploads that no living process receives, and gives up those to a
    /// bucket; returns how many. For the start of a server.
    ///
    /// # Errors
    /// When a file cannot be removed, or the bucket does not answer.
    pub async fn sweep_uploads(&self) -> Result<usize, PruneError> {
        let directory = self.incoming();
        let swept = tokio::task::spawn_blocking(move || sweep(&directory)).await;
        let swept = swept
            .map_err(|error| PruneError::file(&self.incoming(), std::io::Error::other(error)))??;
        Ok(swept + self.blobs().abort_leftovers().await?)
    }

    fn incoming(&self) -> PathBuf {
        self.directory().join(DIRECTORY)
    }
}

fn sweep(directory: &Path) -> Result<usize, PruneError> {
    let fault = |error| PruneError::file(directory, error);
    let listing = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        listing => listing.map_err(fault)?,
    };
    let mut swept = 0;
    for entry in listing {
        let path = entry.map_err(fault)?.path();
        if sweep_file(&path).map_err(|error| PruneError::file(&path, error))? {
            swept += 1;
        }
    }
    Ok(swept)
}

/// Whether the file was removed. Removed while locked: whoever made it just now finds that it
/// is gone and makes another.
fn sweep_file(path: &Path) -> std::io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match std::fs::remove_file(path) {
        // Received meanwhile, and moved to its place.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}
