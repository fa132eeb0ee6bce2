//! Artifacts: the rows; their files are in [`crate::Blobs`].

use shipway_pipeline::{JobId, PipelineId};

use crate::error::StoreError;
use crate::rows::{ArtifactRow, NewArtifact};
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

const INSERT: &str = "INSERT INTO artifacts \
    (job_id, file_type, format, file_name, size, expires_at, path, digest, accessibility) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *";

const OF_JOB: &str = "SELECT * FROM artifacts WHERE job_id = $1 ORDER BY id";

const OF_PIPELINE: &str = "SELECT artifacts.* FROM artifacts \
    JOIN jobs ON jobs.id = artifacts.job_id WHERE jobs.pipeline_id = $1 ORDER BY artifacts.id";

const EXPIRED: &str = "SELECT * FROM artifacts WHERE expires_at <= $1 AND id > $2 \
    ORDER BY id LIMIT $3";

const SET_EXPIRY: &str = "UPDATE artifacts SET expires_at = $2 WHERE job_id = $1";

const DELETE: &str = "DELETE FROM artifacts WHERE id = $1";

impl Store {
    /// The job's artifacts in the order in which they were stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn artifacts_of(&self, job: JobId) -> Result<Vec<ArtifactRow>, StoreError> {
        self.all(query(OF_JOB).bind(job.0)).await
    }

    /// The artifacts of all of a pipeline's jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn artifacts_of_pipeline(
        &self,
        pipeline: PipelineId,
    ) -> Result<Vec<ArtifactRow>, StoreError> {
        self.all(query(OF_PIPELINE).bind(pipeline.0)).await
    }

    /// The artifacts that may be removed at `now`, in the order of their ids from the one
    /// after `after` on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expired_artifacts(
        &self,
        now: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ArtifactRow>, StoreError> {
        let expired = query(EXPIRED).bind(now).bind(after).bind(limit);
        self.all(expired).await
    }
}

impl Transaction {
    /// The job's artifacts as they stand. Whoever has loaded the job in this transaction is the
    /// only one who adds to them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn artifacts_of(&mut self, job: JobId) -> Result<Vec<ArtifactRow>, StoreError> {
        self.all(query(OF_JOB).bind(job.0)).await
    }

    /// Stores an artifact whose file is in place.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_artifact(&mut self, new: &NewArtifact) -> Result<ArtifactRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.job_id.0)
            .bind(&new.file_type)
            .bind(&new.format)
            .bind(&new.file_name)
            .bind(new.size)
            .bind(new.expires_at)
            .bind(&new.path)
            .bind(new.digest.as_deref())
            .bind(new.accessibility);
        self.one(insert).await
    }

    /// Lets all of a job's artifacts expire at another time, or never; returns how many
    /// there are.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_artifact_expiry(
        &mut self,
        job: JobId,
        expires_at: Option<i64>,
    ) -> Result<u64, StoreError> {
        self.execute(query(SET_EXPIRY).bind(job.0).bind(expires_at))
            .await
    }

    /// Forgets an artifact; its file stays.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_artifact(&mut self, id: i64) -> Result<(), StoreError> {
        self.execute(query(DELETE).bind(id)).await.map(drop)
    }
}
