//! One wait for the disk for all who wrote to SQLite before it began.
//!
//! SQLite would wait inside of each commit, while nobody else may write. It writes its log
//! without waiting instead, and whoever committed waits here, where one `fdatasync` serves
//! everybody who came until it began.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rounds::Rounds;

/// A file that many append to.
#[derive(Debug, Clone)]
pub(crate) struct GroupSync(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    rounds: Rounds,
    /// The disk refused once. What it was to keep it may have forgotten, so that asking again
    /// proves nothing: the process has to start anew.
    refused: AtomicBool,
}

impl GroupSync {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Shared {
            path,
            rounds: Rounds::default(),
            refused: AtomicBool::new(false),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns when all that was written to the file before the call is on the disk.
    ///
    /// # Errors
    /// When the disk refused it, or something before it.
    pub(crate) async fn wait(&self) -> std::io::Result<()> {
        let sync = async || {
            if self.0.refused.load(Ordering::SeqCst) {
                return Err(std::io::Error::other("an earlier write was refused"));
            }
            let file = self.clone();
            let synced = tokio::task::spawn_blocking(move || file.sync()).await;
            synced.unwrap_or_else(|error| Err(std::io::Error::other(error)))
        };
        self.0.rounds.share(sync).await
    }

    fn sync(&self) -> std::io::Result<()> {
        // Opened each time: the file may have been removed and made anew.
        let synced = match File::open(&self.0.path) {
            Ok(file) => file.sync_data(),
            // SQLite removes its log when all of it is in the database, and that on the disk.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        if synced.is_err() {
            self.0.refused.store(true, Ordering::SeqCst);
        }
        synced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_refusal_nothing_is_confirmed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        // A link to itself cannot be opened.
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let sync = GroupSync::new(path.clone());
        sync.wait().await.unwrap_err();
        std::fs::remove_file(&path).unwrap();
        sync.wait().await.unwrap_err();
        GroupSync::new(path).wait().await.unwrap();
    }
}
