//! The tables, and how an older database is brought up to date.
//!
//! Only this file knows SQLite's own words; the statements elsewhere are common SQL.

use sqlx::{Connection, SqliteConnection};

/// One script for each schema version, in order; a database at version `n` has seen the first
/// `n`. A published script is never edited: a change is a new script.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1_pipelines.sql"),
    include_str!("schema/2_server.sql"),
];

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
