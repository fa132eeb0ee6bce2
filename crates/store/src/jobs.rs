//! Statements on jobs.

use shipway_pipeline::{JobId, PipelineId, Status};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqliteExecutor};

use crate::rows::{JobRow, JobUpdate, NewJob};

const INSERT: &str = "INSERT INTO jobs (pipeline_id, stage, name, status, run_when, \
    allow_failure, scheduling, needs, spec, tags, attempt, triggered, environment, reason) ";

const FIND: &str = "SELECT * FROM jobs WHERE id = $1";

const OF_PIPELINE: &str = "SELECT * FROM jobs WHERE pipeline_id = $1 ORDER BY id";

const UPDATE: &str = "UPDATE jobs SET status = COALESCE($2, status), \
    failure_reason = COALESCE($3, failure_reason), exit_code = COALESCE($4, exit_code), \
    queued_at = COALESCE($5, queued_at), started_at = COALESCE($6, started_at), \
    finished_at = COALESCE($7, finished_at), scheduled_at = COALESCE($8, scheduled_at), \
    allow_failure = COALESCE($9, allow_failure), triggered = COALESCE($10, triggered), \
    run_when = COALESCE($11, run_when), coverage = COALESCE($12, coverage), \
    tests = COALESCE($13, tests), runner = COALESCE($14, runner), \
    trace_bytes = COALESCE($15, trace_bytes), environment = COALESCE($16, environment) \
    WHERE id = $1";

const MARK_RETRIED: &str = "UPDATE jobs SET retried = TRUE WHERE id = $1";

/// Rows of one INSERT, each of 14 values: under SQLite's limit of 32766 values.
const ROWS_PER_INSERT: usize = 1000;

/// Rows of one UPDATE.
const ROWS_PER_UPDATE: usize = 1000;

/// Returns the ids in the order of `jobs`.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    pipeline: PipelineId,
    jobs: &[NewJob],
) -> sqlx::Result<Vec<JobId>> {
    let mut ids = Vec::with_capacity(jobs.len());
    for chunk in jobs.chunks(ROWS_PER_INSERT) {
        let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new(INSERT);
        insert.push_values(chunk, |mut row, job| {
            row.push_bind(pipeline.0)
                .push_bind(job.stage)
                .push_bind(job.name.as_str())
                .push_bind(job.status.as_str())
                .push_bind(job.when.as_str())
                .push_bind(job.allow_failure)
                .push_bind(job.scheduling.as_str())
                .push_bind(job.needs.as_str())
                .push_bind(job.spec.as_str())
                .push_bind(job.tags.as_str())
                .push_bind(job.attempt)
                .push_bind(job.triggered)
                .push_bind(job.environment.as_deref())
                .push_bind(job.reason.as_str());
        });
        insert.push(" RETURNING id");
        let mut chunk_ids: Vec<i64> = insert
            .build_query_scalar()
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        // Ids are given in the order of the values, but RETURNING promises none.
        chunk_ids.sort_unstable();
        ids.extend(chunk_ids.into_iter().map(JobId));
    }
    Ok(ids)
}

pub(crate) async fn find(
    executor: impl SqliteExecutor<'_>,
    id: JobId,
) -> sqlx::Result<Option<JobRow>> {
    sqlx::query_as(FIND)
        .bind(id.0)
        .fetch_optional(executor)
        .await
}

pub(crate) async fn of_pipeline(
    executor: impl SqliteExecutor<'_>,
    pipeline: PipelineId,
) -> sqlx::Result<Vec<JobRow>> {
    sqlx::query_as(OF_PIPELINE)
        .bind(pipeline.0)
        .fetch_all(executor)
        .await
}

/// Returns whether there is such a job.
pub(crate) async fn update(
    executor: impl SqliteExecutor<'_>,
    id: JobId,
    update: &JobUpdate,
) -> sqlx::Result<bool> {
    let done = sqlx::query(UPDATE)
        .bind(id.0)
        .bind(update.status.map(Status::as_str))
        .bind(update.failure_reason.as_deref())
        .bind(update.exit_code)
        .bind(update.queued_at)
        .bind(update.started_at)
        .bind(update.finished_at)
        .bind(update.scheduled_at)
        .bind(update.allow_failure)
        .bind(update.triggered)
        .bind(update.when.as_deref())
        .bind(update.coverage)
        .bind(update.tests.as_deref())
        .bind(update.runner.as_deref())
        .bind(update.trace_bytes)
        .bind(update.environment.as_deref())
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives many jobs one status; a pipeline of thousands may be skipped or cancelled at once.
pub(crate) async fn set_statuses(
    connection: &mut SqliteConnection,
    ids: &[JobId],
    status: Status,
) -> sqlx::Result<u64> {
    let mut changed = 0;
    for chunk in ids.chunks(ROWS_PER_UPDATE) {
        let mut update: QueryBuilder<Sqlite> = QueryBuilder::new("UPDATE jobs SET status = ");
        update.push_bind(status.as_str()).push(" WHERE id IN (");
        let mut list = update.separated(", ");
        for id in chunk {
            list.push_bind(id.0);
        }
        update.push(")");
        let done = update
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await?;
        changed += done.rows_affected();
    }
    Ok(changed)
}

/// Returns whether there is such a job.
pub(crate) async fn mark_retried(
    executor: impl SqliteExecutor<'_>,
    id: JobId,
) -> sqlx::Result<bool> {
    let done = sqlx::query(MARK_RETRIED)
        .bind(id.0)
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}
