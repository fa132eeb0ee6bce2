//! One wait for the disk for all who wrote before it began.
//!
//! SQLite would wait inside of each commit, while nobody else may write. It writes its log
//! without waiting instead, and whoever committed waits here, where one `fdatasync` serves
//! everybody who came until it began.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// A file that many append to.
#[derive(Debug, Clone)]
pub(crate) struct GroupSync(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// How many asked to be synced.
    asked: AtomicU64,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    /// How many of those who asked are served.
    served: u64,
    /// The disk refused once. What it was to keep it may have forgotten, so that asking again
    /// proves nothing: the process has to start anew.
    refused: bool,
    /// How often the disk was asked, for tests.
    #[cfg(test)]
    syncs: u64,
}

impl GroupSync {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Shared {
            path,
            asked: AtomicU64::new(0),
            done: Mutex::default(),
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
        let shared = &self.0;
        let ticket = shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut done = shared.done.lock().await;
        if done.refused {
            return Err(std::io::Error::other("an earlier write was refused"));
        }
        if done.served >= ticket {
            return Ok(());
        }
        let asked = shared.asked.load(Ordering::SeqCst);
        let file = self.clone();
        let synced = tokio::task::spawn_blocking(move || file.sync()).await;
        let synced = synced.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        match &synced {
            Ok(()) => done.served = asked,
            Err(_) => done.refused = true,
        }
        #[cfg(test)]
        {
            done.syncs += 1;
        }
        synced
    }

    fn sync(&self) -> std::io::Result<()> {
        // Opened each time: the file may have been removed and made anew.
        match File::open(&self.0.path) {
            Ok(file) => file.sync_data(),
            // SQLite removes its log when all of it is in the database, and that on the disk.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_come_while_it_syncs_share_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "x").unwrap();
        let sync = GroupSync::new(path);
        // On one thread all ask before the first is served.
        let asking = (0..100).map(|_| {
            let sync = sync.clone();
            tokio::spawn(async move { sync.wait().await })
        });
        for asked in asking.collect::<Vec<_>>() {
            asked.await.unwrap().unwrap();
        }
        let done = sync.0.done.lock().await;
        assert_eq!(done.served, 100);
        assert!(done.syncs <= 2, "{} syncs", done.syncs);
    }

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
