//! Disk use, and giving disk back: old pipelines, and files that no row names.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use shipway_pipeline::{PipelineId, Status};

use crate::blobs::BlobError;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::rows::PipelineRow;
use crate::store::Store;

/// Pruning or measuring failed; what was pruned until then stays pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The rows could not be read or deleted.
    #[error("cannot prune the pipelines")]
    Store(#[from] StoreError),
    /// The files of artifacts could not be listed or removed.
    #[error("cannot remove or measure artifacts")]
    Blobs(#[from] BlobError),
    /// A file or directory could not be measured or removed.
    #[error("cannot remove or measure `{}`; check its owner and mode", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl PruneError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// Bytes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The database file with its write-ahead log; 0 for one of a server.
    pub database: u64,
    /// The logs of jobs.
    pub logs: u64,
    /// The files of artifacts, wherever they are.
    pub artifacts: u64,
}

impl Usage {
    /// Everything together.
    pub fn total(&self) -> u64 {
        self.database + self.logs + self.artifacts
    }
}

/// What a pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The pipelines deleted, oldest first.
    pub pipelines: Vec<PipelineId>,
    /// Files removed that no row named.
    pub orphans: usize,
    /// Bytes freed.
    pub freed: u64,
    /// Bytes still in use; more than the budget when nothing else may be deleted.
    pub remaining: u64,
}

impl Store {
    /// How much room the store uses.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub async fn usage(&self) -> Result<Usage, PruneError> {
        let mut database = 0;
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.database().as_os_str().to_owned();
            path.push(suffix);
            database += tree_size(Path::new(&path))?;
        }
        Ok(Usage {
            database,
            logs: tree_size(self.logs().directory())?,
            artifacts: self.artifacts_size("").await?,
        })
    }

    async fn artifacts_size(&self, prefix: &str) -> Result<u64, BlobError> {
        let files = self.blobs().everything(prefix).await?;
        Ok(files.iter().map(|file| file.size).sum())
    }

    /// Removes files that no row names, then deletes pipelines with their logs and artifacts,
    /// oldest first, until the store uses at most `budget` bytes. A pipeline that some process
    /// works on, or that is neither over nor waiting for a person, stays.
    ///
    /// # Errors
    /// When rows or files cannot be deleted.
    pub async fn prune(&self, budget: u64) -> Result<Pruned, PruneError> {
        let before = self.usage().await?.total();
        let mut pruned = Pruned {
            orphans: self.sweep().await?,
            ..Pruned::default()
        };
        let mut used = self.usage().await?.total();
        for id in self.pipeline_ids().await? {
            if used <= budget {
                break;
            }
            if self.delete_if_over(id).await? {
                used = used.saturating_sub(self.remove_files(id).await?);
                pruned.pipelines.push(id);
            }
        }
        if !pruned.pipelines.is_empty() {
            self.compact().await?;
        }
        pruned.remaining = self.usage().await?.total();
        pruned.freed = before.saturating_sub(pruned.remaining);
        Ok(pruned)
    }

    /// Rows first: a process killed now leaves files that the next sweep removes.
    async fn delete_if_over(&self, id: PipelineId) -> Result<bool, StoreError> {
        // Looked at before it is held: whoever works on a pipeline that is not over must never
        // find it taken by us.
        if !self.pipeline(id).await?.is_some_and(|row| is_over(&row)) {
            return Ok(false);
        }
        // Held for the time of the deletion, so that nobody begins to work on it.
        let Some(_hold) = self.hold(id)? else {
            return Ok(false);
        };
        let mut transaction = self.begin().await?;
        match transaction.pipeline(id).await {
            Ok(row) if is_over(&row) => {}
            Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        transaction.delete_pipeline(id).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn remove_files(&self, id: PipelineId) -> Result<u64, PruneError> {
        let path = self.logs().directory().join(id.to_string());
        let freed = tree_size(&path)?;
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(PruneError::file(&path, error));
            }
            _ => {}
        }
        Ok(freed + self.blobs().delete_pipeline(id).await?)
    }

    /// Removes what a killed process left: directories of pipelines without a row, files
    /// without a row in pipelines that nobody works on, and halves of uploads. Returns how many
    /// files.
    ///
    /// # Errors
    /// When rows cannot be read or files not be removed.
    pub async fn sweep(&self) -> Result<usize, PruneError> {
        let mut found = pipelines_on_disk(self.logs().directory())?;
        found.extend(self.blobs().pipelines().await?);
        // The rows are read after the directories: a pipeline's row comes before its files.
        let rows: BTreeSet<PipelineId> = self.pipeline_ids().await?.into_iter().collect();
        let mut removed = self.blobs().abort_leftovers().await?;
        for id in found {
            let id = PipelineId(id);
            if !rows.contains(&id) {
                removed += files(&self.logs().directory().join(id.to_string()))?.len();
                removed += self.blobs().everything(&id.to_string()).await?.len();
                self.remove_files(id).await?;
                continue;
            }
            let over = self.pipeline(id).await?.is_some_and(|row| is_over(&row));
            if over && let Some(_hold) = self.hold(id)? {
                removed += self.sweep_artifacts(id).await?;
            }
        }
        Ok(removed)
    }

    async fn sweep_artifacts(&self, id: PipelineId) -> Result<usize, PruneError> {
        // Files being put have no row either.
        let found = self.blobs().everything(&id.to_string()).await?;
        let rows = self.artifacts_of_pipeline(id).await?;
        let known: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        let mut removed = 0;
        for file in found {
            if !known.contains(file.path.as_str()) {
                self.blobs().delete(&file.path).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Gives the room of deleted rows back to the file system.
    async fn compact(&self) -> Result<(), StoreError> {
        // PostgreSQL does so by itself; without its feature there is nothing else.
        #[cfg_attr(not(feature = "postgres"), expect(irrefutable_let_patterns))]
        let Engine::Sqlite { writer, .. } = self.engine() else {
            return Ok(());
        };
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let done = sqlx::query(statement).execute(writer).await;
            match done.map_err(|error| self.fault(error)) {
                // Somebody reads or writes; the room is used again later.
                Ok(_) | Err(StoreError::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Nothing more happens to it by itself: it ended, or it waits for a person.
fn is_over(row: &PipelineRow) -> bool {
    row.status.is_completed() || row.status == Status::Manual
}

/// The numbers that name a directory's entries.
fn pipelines_on_disk(directory: &Path) -> Result<BTreeSet<i64>, PruneError> {
    let names = entries(directory)?;
    Ok(names
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
        .collect())
}

/// All files below a directory.
fn files(directory: &Path) -> Result<Vec<PathBuf>, PruneError> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for path in entries(&directory)? {
            match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => pending.push(path),
                Ok(_) => found.push(path),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(PruneError::file(&path, error)),
            }
        }
    }
    Ok(found)
}

/// Bytes of a file, or of all files below a directory; 0 for what is not there.
///
/// # Errors
/// When a directory cannot be read.
pub fn tree_size(path: &Path) -> Result<u64, PruneError> {
    let size = |path: &Path| match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(None),
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(0)),
        Err(error) => Err(PruneError::file(path, error)),
    };
    match size(path)? {
        Some(bytes) => Ok(bytes),
        None => files(path)?
            .iter()
            .try_fold(0, |sum, file| Ok(sum + size(file)?.unwrap_or(0))),
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, PruneError> {
    let fault = |error| PruneError::file(directory, error);
    let listing = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(fault)?,
    };
    listing
        .map(|entry| Ok(entry.map_err(fault)?.path()))
        .collect()
}
