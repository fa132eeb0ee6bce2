//! Statements on pipelines and their stages.

use shipway_pipeline::{PipelineId, Status};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqliteExecutor};

use crate::rows::{NewPipeline, NewStage, PipelineRow, PipelineUpdate, StageRow};

const NEXT_IID: &str = "INSERT INTO projects (path, last_iid) VALUES ($1, 1) \
    ON CONFLICT (path) DO UPDATE SET last_iid = projects.last_iid + 1 RETURNING last_iid";

const INSERT: &str = "INSERT INTO pipelines \
    (iid, project, ref_name, ref_kind, sha, source, status, name, created_at, yaml_errors, context) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *";

const FIND: &str = "SELECT * FROM pipelines WHERE id = $1";

const NEWEST: &str = "SELECT * FROM pipelines ORDER BY id DESC LIMIT $1";

const UNFINISHED: &str = "SELECT * FROM pipelines WHERE finished_at IS NULL ORDER BY id";

const ALL_IDS: &str = "SELECT id FROM pipelines ORDER BY id";

const UPDATE: &str = "UPDATE pipelines SET status = $2, \
    started_at = COALESCE($3, started_at), finished_at = COALESCE($4, finished_at), \
    coverage = COALESCE($5, coverage) WHERE id = $1";

const DELETE: &str = "DELETE FROM pipelines WHERE id = $1";

const STAGES: &str = "SELECT * FROM stages WHERE pipeline_id = $1 ORDER BY position";

const UPDATE_STAGE: &str = "UPDATE stages SET status = $3 WHERE pipeline_id = $1 AND position = $2";

/// Rows of one INSERT; engines limit the values of one statement.
const ROWS_PER_INSERT: usize = 1000;

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewPipeline,
) -> sqlx::Result<PipelineRow> {
    let iid: i64 = sqlx::query_scalar(NEXT_IID)
        .bind(new.project.as_str())
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query_as(INSERT)
        .bind(iid)
        .bind(new.project.as_str())
        .bind(new.ref_name.as_str())
        .bind(new.ref_kind.as_str())
        .bind(new.sha.as_deref())
        .bind(new.source.as_str())
        .bind(new.status.as_str())
        .bind(new.name.as_deref())
        .bind(new.created_at)
        .bind(new.yaml_errors.as_deref())
        .bind(new.context.as_str())
        .fetch_one(connection)
        .await
}

pub(crate) async fn find(
    executor: impl SqliteExecutor<'_>,
    id: PipelineId,
) -> sqlx::Result<Option<PipelineRow>> {
    sqlx::query_as(FIND)
        .bind(id.0)
        .fetch_optional(executor)
        .await
}

pub(crate) async fn newest(
    executor: impl SqliteExecutor<'_>,
    limit: i64,
) -> sqlx::Result<Vec<PipelineRow>> {
    sqlx::query_as(NEWEST).bind(limit).fetch_all(executor).await
}

pub(crate) async fn unfinished(
    executor: impl SqliteExecutor<'_>,
) -> sqlx::Result<Vec<PipelineRow>> {
    sqlx::query_as(UNFINISHED).fetch_all(executor).await
}

pub(crate) async fn all_ids(executor: impl SqliteExecutor<'_>) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(ALL_IDS).fetch_all(executor).await
}

/// Returns whether there is such a pipeline.
pub(crate) async fn update(
    executor: impl SqliteExecutor<'_>,
    id: PipelineId,
    status: Status,
    update: &PipelineUpdate,
) -> sqlx::Result<bool> {
    let done = sqlx::query(UPDATE)
        .bind(id.0)
        .bind(status.as_str())
        .bind(update.started_at)
        .bind(update.finished_at)
        .bind(update.coverage)
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes the pipeline with its stages, jobs and artifacts.
pub(crate) async fn delete(executor: impl SqliteExecutor<'_>, id: PipelineId) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(id.0).execute(executor).await?;
    Ok(())
}

pub(crate) async fn insert_stages(
    connection: &mut SqliteConnection,
    pipeline: PipelineId,
    stages: &[NewStage],
) -> sqlx::Result<()> {
    for chunk in stages.chunks(ROWS_PER_INSERT) {
        let mut insert: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO stages (pipeline_id, position, name, status) ");
        insert.push_values(chunk, |mut row, stage| {
            row.push_bind(pipeline.0)
                .push_bind(stage.position)
                .push_bind(stage.name.as_str())
                .push_bind(stage.status.as_str());
        });
        insert
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn stages(
    executor: impl SqliteExecutor<'_>,
    pipeline: PipelineId,
) -> sqlx::Result<Vec<StageRow>> {
    sqlx::query_as(STAGES)
        .bind(pipeline.0)
        .fetch_all(executor)
        .await
}

/// Returns whether there is such a stage.
pub(crate) async fn update_stage(
    executor: impl SqliteExecutor<'_>,
    pipeline: PipelineId,
    position: i64,
    status: Status,
) -> sqlx::Result<bool> {
    let done = sqlx::query(UPDATE_STAGE)
        .bind(pipeline.0)
        .bind(position)
        .bind(status.as_str())
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}
