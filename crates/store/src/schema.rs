//! The tables, and how an older database is brought up to date.
//!
//! The scripts are written for SQLite; [`postgres_words`] puts the few words that differ. The
//! statements elsewhere are common SQL.

#[cfg(feature = "postgres")]
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx_sqlite::SqliteConnection;

/// One script for each schema version, in order; a database at version `n` has seen the first
/// `n`. A published script is never edited: a change is a new script.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1_pipelines.sql"),
    include_str!("schema/2_server.sql"),
    include_str!("schema/3_digests.sql"),
    include_str!("schema/4_pipeline_variables.sql"),
    include_str!("schema/5_accessibility.sql"),
    include_str!("schema/6_api.sql"),
    include_str!("schema/7_downstream.sql"),
    include_str!("schema/8_releases.sql"),
    include_str!("schema/9_statuses.sql"),
    include_str!("schema/10_signing_keys.sql"),
    include_str!("schema/11_job_users.sql"),
    include_str!("schema/12_auto_stop.sql"),
    include_str!("schema/13_test_failures.sql"),
    include_str!("schema/14_merge_requests.sql"),
    include_str!("schema/15_retired_keys.sql"),
    include_str!("schema/16_squash.sql"),
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

/// Whoever migrates a PostgreSQL database holds this lock: `shipway` in numbers.
#[cfg(feature = "postgres")]
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8375476797655)";

/// As [`migrate`], on PostgreSQL, where it also looks at the version. With a connection of its
/// own: a pool would try a server that does not answer again and again.
#[cfg(feature = "postgres")]
pub(crate) async fn migrate_postgres(pool: &sqlx::PgPool) -> sqlx::Result<i64> {
    let mut connection = pool.connect_options().connect().await?;
    let mut transaction = connection.begin().await?;
    // Everything is in one transaction: the lock is given up and the work undone with a
    // process that dies.
    for statement in [
        MIGRATION_LOCK,
        "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)",
    ] {
        sqlx::raw_sql(statement).execute(&mut *transaction).await?;
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT version FROM schema_version")
        .fetch_optional(&mut *transaction)
        .await?;
    let found = found.unwrap_or_default();
    if found < KNOWN_VERSION {
        let done = usize::try_from(found).unwrap_or(usize::MAX);
        for script in MIGRATIONS.iter().skip(done) {
            let script = sqlx::AssertSqlSafe(postgres_words(script));
            sqlx::raw_sql(script).execute(&mut *transaction).await?;
        }
        sqlx::raw_sql("DELETE FROM schema_version")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO schema_version VALUES ($1)")
            .bind(KNOWN_VERSION)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(found.max(KNOWN_VERSION))
}

/// A column of JSON without NULs.
#[cfg(feature = "postgres")]
macro_rules! without_nul {
    ($column:literal) => {
        concat!("replace(", $column, r", '\u0000', '\ufffd')")
    };
}

/// A script in PostgreSQL's words.
#[cfg(feature = "postgres")]
fn postgres_words(script: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        // Its JSON cannot have an escaped NUL, which no environment takes either.
        (
            "CAST(x'00' || json_extract(context, '$.outer') AS BLOB)",
            concat!(
                r"'\x00'::bytea || convert_to((",
                without_nul!("context"),
                "::json -> 'outer')::text, 'UTF8')"
            ),
        ),
        (
            "json_remove(context, '$.outer')",
            concat!(
                "replace(",
                without_nul!("context"),
                r#", '"outer":' || ("#,
                without_nul!("context"),
                r#"::json -> 'outer')::text, '"outer":[]')"#
            ),
        ),
        (
            "json_array_length(context, '$.outer')",
            concat!(
                "json_array_length(",
                without_nul!("context"),
                "::json -> 'outer')"
            ),
        ),
        (
            "json_extract(spec, '$.artifacts.access')",
            concat!(
                r#"trim(both '"' from ("#,
                without_nul!("spec"),
                "::json #> '{artifacts,access}')::text)"
            ),
        ),
        // Its sequences are not rows of a table.
        (
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'jobs', 0\n    \
            WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs')",
            "SELECT 1",
        ),
        (
            "(SELECT seq FROM sqlite_sequence WHERE name = 'jobs')",
            "(SELECT COALESCE(max(id), 0) FROM jobs)",
        ),
        (
            "UPDATE sqlite_sequence SET seq = max(seq, \
            (SELECT COALESCE(max(id), 0) FROM commit_statuses))\n    WHERE name = 'jobs'",
            "SELECT setval(pg_get_serial_sequence('jobs', 'id'), GREATEST(max(id), \
            pg_sequence_last_value(pg_get_serial_sequence('jobs', 'id')))) \
            FROM commit_statuses HAVING max(id) IS NOT NULL",
        ),
        (
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        ),
        (" BLOB", " BYTEA"),
        (" DOUBLE", " DOUBLE PRECISION"),
    ];
    let mut script = script.to_owned();
    for (sqlite, postgres) in WORDS {
        script = script.replace(sqlite, postgres);
    }
    script
}
