//! The tables, and how an older database is brought up to date.
//!
//! Only this file knows SQLite's own words; the statements elsewhere are common SQL.

use sqlx::{Connection, SqliteConnection};

/// One script for each schema version, in order; a database at version `n` has seen the first
/// `n`. A published script is never edited: a change is a new script.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE projects (
        path TEXT NOT NULL PRIMARY KEY,
        last_iid BIGINT NOT NULL
    );
    CREATE TABLE pipelines (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        iid BIGINT NOT NULL,
        project TEXT NOT NULL,
        ref_name TEXT NOT NULL,
        ref_kind TEXT NOT NULL,
        sha TEXT,
        source TEXT NOT NULL,
        status TEXT NOT NULL,
        name TEXT,
        created_at BIGINT NOT NULL,
        started_at BIGINT,
        finished_at BIGINT,
        yaml_errors TEXT,
        context TEXT NOT NULL,
        coverage DOUBLE,
        UNIQUE (project, iid)
    );
    CREATE TABLE stages (
        pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
        position BIGINT NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        PRIMARY KEY (pipeline_id, position)
    );
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
        stage BIGINT NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        run_when TEXT NOT NULL,
        allow_failure BOOLEAN NOT NULL,
        scheduling TEXT NOT NULL,
        needs TEXT NOT NULL,
        spec TEXT NOT NULL,
        tags TEXT NOT NULL,
        retried BOOLEAN NOT NULL DEFAULT FALSE,
        attempt BIGINT NOT NULL,
        triggered BOOLEAN NOT NULL,
        failure_reason TEXT,
        exit_code BIGINT,
        queued_at BIGINT,
        started_at BIGINT,
        finished_at BIGINT,
        scheduled_at BIGINT,
        coverage DOUBLE,
        tests TEXT,
        runner TEXT,
        trace_bytes BIGINT NOT NULL DEFAULT 0,
        environment TEXT,
        reason TEXT NOT NULL
    );
    CREATE INDEX jobs_by_pipeline ON jobs (pipeline_id);
    CREATE TABLE artifacts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        file_type TEXT NOT NULL,
        format TEXT NOT NULL,
        file_name TEXT NOT NULL,
        size BIGINT NOT NULL,
        expires_at BIGINT,
        path TEXT NOT NULL
    );
    CREATE INDEX artifacts_by_job ON artifacts (job_id);
"];

/// The schema version that this program writes.
pub(crate) const KNOWN_VERSION: i64 = MIGRATIONS.len() as i64;

/// The version of the database; 0 for an empty one.
pub(crate) async fn version(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await
}

/// Brings the database from any older version to [`KNOWN_VERSION`], unless another process has
/// done so in the meantime. Returns its version, which may be a newer one.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    let found = version(&mut *connection).await?;
    if found >= KNOWN_VERSION {
        return Ok(found);
    }
    // Outside of the transaction, where SQLite wants it; it stays in the file.
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&mut *connection)
        .await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for script in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    let statement = format!("PRAGMA user_version = {KNOWN_VERSION}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(KNOWN_VERSION)
}
