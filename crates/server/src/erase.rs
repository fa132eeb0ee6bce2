//! Erasing what a job left behind.

use shipway_store::{ArtifactRow, JobRow};

use crate::app::App;
use crate::error::ApiError;

impl App {
    /// Removes a job's log and artifacts; `false` when it is not over, or has neither.
    ///
    /// # Errors
    /// When rows or the log cannot be removed.
    pub(crate) async fn erase(&self, job: &JobRow) -> Result<bool, ApiError> {
        let files = self.store().artifacts_of(job.id).await?;
        let logs = self.store().logs();
        let length = logs.length(job.pipeline_id, job.id);
        let length = length.map_err(|error| ApiError::internal(&error))?;
        if !is_erasable(job, &files, length) {
            return Ok(false);
        }
        self.remove_artifacts(&files).await?;
        let removed = logs.remove(job.pipeline_id, job.id);
        removed.map_err(|error| ApiError::internal(&error))?;
        let mut transaction = self.store().begin().await?;
        transaction.note_erased(job.id, crate::clock::now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes files with their rows, which go first: a row never names a file that is gone.
    ///
    /// # Errors
    /// When the rows cannot be removed; nothing is then.
    pub(crate) async fn remove_artifacts(&self, files: &[ArtifactRow]) -> Result<(), ApiError> {
        let mut transaction = self.store().begin().await?;
        for file in files {
            transaction.delete_artifact(file.id).await?;
        }
        transaction.commit().await?;
        for file in files {
            if let Err(error) = self.store().blobs().delete(&file.path).await {
                tracing::warn!(path = file.path, %error, "artifact.left");
            }
        }
        Ok(())
    }
}

/// Whether there is something to erase: `length` is the log's in bytes.
pub(crate) fn is_erasable(job: &JobRow, files: &[ArtifactRow], length: u64) -> bool {
    job.status.is_completed() && !(files.is_empty() && length == 0)
}
