//! Statements on artifacts.

use shipway_pipeline::{JobId, PipelineId};
use sqlx::SqliteExecutor;

use crate::rows::{ArtifactRow, NewArtifact};

const INSERT: &str = "INSERT INTO artifacts \
    (job_id, file_type, format, file_name, size, expires_at, path) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *";

const OF_JOB: &str = "SELECT * FROM artifacts WHERE job_id = $1 ORDER BY id";

const OF_PIPELINE: &str = "SELECT artifacts.* FROM artifacts \
    JOIN jobs ON jobs.id = artifacts.job_id WHERE jobs.pipeline_id = $1 ORDER BY artifacts.id";

const DELETE: &str = "DELETE FROM artifacts WHERE id = $1";

pub(crate) async fn insert(
    executor: impl SqliteExecutor<'_>,
    new: &NewArtifact,
) -> sqlx::Result<ArtifactRow> {
    sqlx::query_as(INSERT)
        .bind(new.job_id.0)
        .bind(new.file_type.as_str())
        .bind(new.format.as_str())
        .bind(new.file_name.as_str())
        .bind(new.size)
        .bind(new.expires_at)
        .bind(new.path.as_str())
        .fetch_one(executor)
        .await
}

pub(crate) async fn of_job(
    executor: impl SqliteExecutor<'_>,
    job: JobId,
) -> sqlx::Result<Vec<ArtifactRow>> {
    sqlx::query_as(OF_JOB).bind(job.0).fetch_all(executor).await
}

pub(crate) async fn of_pipeline(
    executor: impl SqliteExecutor<'_>,
    pipeline: PipelineId,
) -> sqlx::Result<Vec<ArtifactRow>> {
    sqlx::query_as(OF_PIPELINE)
        .bind(pipeline.0)
        .fetch_all(executor)
        .await
}

pub(crate) async fn delete(executor: impl SqliteExecutor<'_>, id: i64) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(id).execute(executor).await?;
    Ok(())
}
