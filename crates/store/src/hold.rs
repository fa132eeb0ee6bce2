//! Who works on a pipeline: a lock that the operating system releases when the process dies.
//!
//! A status of `running` in a row says what was; the lock says what is. Recovery after a crash
//! and pruning ask it.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use shipway_pipeline::PipelineId;

use crate::disk::is_same;
use crate::error::StoreError;
use crate::store::Store;

/// The right to work on one pipeline. Dropped, or when the process ends in whatever way, the
/// pipeline is free again.
#[derive(Debug)]
pub struct Hold {
    file: File,
    path: PathBuf,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Removed while locked: whoever opened it in the meantime finds that it is gone and
        // starts over.
        std::fs::remove_file(&self.path).ok();
        self.file.unlock().ok();
    }
}

impl Store {
    /// Takes the pipeline for this process, or returns `None` when it is taken already, by this
    /// process or another. A new pipeline is taken before the transaction that inserts it
    /// commits: no other process sees it before that.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn hold(&self, pipeline: PipelineId) -> Result<Option<Hold>, StoreError> {
        let path = self.hold_path(pipeline);
        let fault = |source| StoreError::Directory {
            path: path.clone(),
            source,
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fault)?;
        }
        loop {
            let file = File::create(&path).map_err(fault)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(fault(source)),
            }
            // The former holder may have removed the file between our two calls.
            if is_same(&file, &path) {
                return Ok(Some(Hold { file, path }));
            }
        }
    }

    /// Some living process works on the pipeline.
    pub fn is_held(&self, pipeline: PipelineId) -> bool {
        match File::open(self.hold_path(pipeline)) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    fn hold_path(&self, pipeline: PipelineId) -> PathBuf {
        self.directory().join("held").join(pipeline.to_string())
    }
}
