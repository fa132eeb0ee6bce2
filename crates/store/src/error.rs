//! Why a statement or the opening of a store failed, and what to do about it.

use std::path::{Path, PathBuf};

use crate::blobs::{BlobError, ObjectsError};
use crate::secrets::SecretError;

/// Primary result codes of SQLite that a person can do something about.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// An operation on the rows failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made or entered.
    #[error("cannot use `{}` as state directory; make it writable or choose another with `--state-dir`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database cannot be opened or written.
    #[error("cannot write the database `{}`; make it and its directory writable or choose another with `--state-dir`", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Nobody knows what kind of database it is.
    #[error("`{scheme}:` is no database that this Shipway can use; give `sqlite:FILE`{}", if cfg!(feature = "postgres") { " or `postgres://USER@HOST/NAME`" } else { "; PostgreSQL needs a Shipway built with the feature `postgres`" })]
    Url {
        /// What stands before the colon.
        scheme: String,
    },
    /// The address of a PostgreSQL database is wrong. It may hold a password and is not shown.
    #[error(
        "the address of the PostgreSQL database is not valid; write it as `postgres://USER:PASSWORD@HOST:PORT/NAME`"
    )]
    PostgresUrl,
    /// The server of the database does not answer, or lets us not in.
    #[error("cannot reach the database `{}`; is the server running, and do user and password fit?", path.display())]
    Unreachable {
        /// Its address.
        path: PathBuf,
        /// What was tried.
        source: sqlx::Error,
    },
    /// A secret cannot be read; of the database when it is opened.
    #[error("cannot read the secret of `{what}`")]
    Secret {
        /// The database, or table and row.
        what: String,
        /// Why.
        source: SecretError,
    },
    /// The place of the artifacts cannot be used.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The place of the artifacts does not answer, or lets us not in.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// It is asked of a database file, and the rows are in a server.
    #[error("the database `{}` is no file that Shipway could copy or check; use the programs of its server, `pg_dump` for instance", path.display())]
    NoFile {
        /// Its address.
        path: PathBuf,
    },
    /// The disk has no room.
    #[error("the disk of the database `{}` is full; free some space, `shipway clean` removes old pipelines", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Somebody else writes for longer than the time limit.
    #[error("the database `{}` has been locked for {seconds} s{}; wait for it or end it, then try again", path.display(), by(holders))]
    Busy {
        /// The database file.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// The processes that have the file open, as `name (pid)`.
        holders: Vec<String>,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The file is not a database, or a broken one.
    #[error("the database `{}` is damaged; move it away to start with an empty history, or restore it from a backup", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// A newer Shipway made the database.
    #[error("the database `{}` has schema version {found}, this Shipway knows up to {known}; update Shipway, or choose another `--state-dir`", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The disk did not confirm what was committed; it may be lost in a power cut.
    #[error("the disk did not confirm what was written to `{}`; check the disk, then start again", path.display())]
    Unconfirmed {
        /// The database's log.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no such row.
    #[error("there is no {what} {id} in `{}`; it may have been removed by `shipway clean`", path.display())]
    NotFound {
        /// `pipeline`, `stage` or `job`.
        what: &'static str,
        /// Its number.
        id: i64,
        /// The database file.
        path: PathBuf,
    },
    /// Another row has the name, path, key or token already.
    #[error("the database `{}` has such a row already; choose another name", path.display())]
    Taken {
        /// The database file.
        path: PathBuf,
        /// What the database said, which names the columns.
        source: sqlx::Error,
    },
    /// Anything else.
    #[error("the database `{}` did not answer", path.display())]
    Query {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

fn by(holders: &[String]) -> String {
    match holders {
        [] => String::new(),
        holders => format!("; {} has it open", holders.join(", ")),
    }
}

impl StoreError {
    /// Sorts a fault of the database by what a person would do next.
    pub(crate) fn classify(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        if let Some(error) = source.as_database_error()
            && error.is_unique_violation()
        {
            return Self::Taken { path, source };
        }
        if let Some(kind) = postgres_kind(&source) {
            return match kind {
                PostgresKind::Busy => Self::Busy {
                    seconds: crate::store::BUSY_TIMEOUT.as_secs(),
                    holders: Vec::new(),
                    path,
                    source,
                },
                PostgresKind::Full => Self::Full { path, source },
                PostgresKind::Unreachable => Self::Unreachable { path, source },
                PostgresKind::Other => Self::Query { path, source },
            };
        }
        // The primary code is the low byte of the extended one.
        match primary_code(&source) {
            Some(code::BUSY | code::LOCKED) => Self::Busy {
                seconds: crate::store::BUSY_TIMEOUT.as_secs(),
                holders: holders(&path),
                path,
                source,
            },
            Some(code::READONLY | code::CANTOPEN) => Self::ReadOnly { path, source },
            Some(code::FULL) => Self::Full { path, source },
            Some(code::CORRUPT | code::NOTADB) => Self::Damaged { path, source },
            // The pool of a server waits for connections that it cannot make.
            _ if matches!(source, sqlx::Error::PoolTimedOut) && path.starts_with("postgres:") => {
                Self::Unreachable { path, source }
            }
            _ if matches!(source, sqlx::Error::PoolTimedOut) => Self::Busy {
                seconds: crate::store::ACQUIRE_TIMEOUT.as_secs(),
                holders: Vec::new(),
                path,
                source,
            },
            _ if matches!(source, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) => {
                Self::Unreachable { path, source }
            }
            _ => Self::Query { path, source },
        }
    }
}

/// What a person can do something about when PostgreSQL complains.
enum PostgresKind {
    Busy,
    Full,
    Unreachable,
    Other,
}

/// Sorts PostgreSQL's codes, which have five characters; SQLite's numbers have fewer.
fn postgres_kind(error: &sqlx::Error) -> Option<PostgresKind> {
    let code = error.as_database_error()?.code()?;
    let class = code.get(..2).filter(|_| code.len() == 5)?;
    Some(match (class, code.as_ref()) {
        // Lock not available, deadlock, serialization failure.
        (_, "55P03" | "40P01" | "40001") => PostgresKind::Busy,
        (_, "53100") => PostgresKind::Full,
        // No such user or password, no such database, connection, too many of them, shutdown.
        ("28" | "3D" | "08" | "57", _) | (_, "53300") => PostgresKind::Unreachable,
        _ => PostgresKind::Other,
    })
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// The other processes that have `path` open, where the system can tell (`/proc`).
fn holders(path: &Path) -> Vec<String> {
    let Ok(path) = path.canonicalize() else {
        return Vec::new();
    };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    processes
        .flatten()
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
            let holds =
                files.any(|file| std::fs::read_link(file.path()).is_ok_and(|open| open == path));
            (holds && pid != own).then(|| {
                let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                format!("{} ({pid})", name.trim())
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, Connection};
    use sqlx_sqlite::{SqliteConnectOptions, SqliteConnection};

    use super::*;

    async fn connect(path: &Path) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(std::time::Duration::ZERO)
            .connect()
            .await
            .expect("connect")
    }

    async fn run(connection: &mut SqliteConnection, statement: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(statement).execute(connection).await.map(drop)
    }

    #[tokio::test]
    async fn a_full_database_is_told_with_a_remedy() {
        let directory = tempfile::tempdir().expect("temp dir");
        let path = directory.path().join("shipway.db");
        let mut connection = connect(&path).await;
        // SQLite reports its own limit on the file's size just as it reports a full disk.
        run(
            &mut connection,
            "PRAGMA max_page_count = 3; CREATE TABLE t (x)",
        )
        .await
        .unwrap();
        let error = run(&mut connection, "INSERT INTO t VALUES (zeroblob(100000))").await;
        let error = StoreError::classify(&path, error.unwrap_err());
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.to_string().contains("shipway clean"), "{error}");
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_locked_database_is_told_with_who_holds_it() {
        let directory = tempfile::tempdir().expect("temp dir");
        let path = directory.path().join("shipway.db");
        let mut first = connect(&path).await;
        run(&mut first, "CREATE TABLE t (x); BEGIN IMMEDIATE")
            .await
            .unwrap();
        let mut second = connect(&path).await;
        // Another process that has the file open.
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .stdin(std::fs::File::open(&path).unwrap())
            .spawn()
            .unwrap();
        let error = run(&mut second, "BEGIN IMMEDIATE").await.unwrap_err();
        let error = StoreError::classify(&path, error);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("({}) has it open", other.id())),
            "{text}"
        );
        assert!(text.contains(&path.display().to_string()), "{text}");
    }

    #[tokio::test]
    async fn a_database_without_write_permission_is_told_apart() {
        let directory = tempfile::tempdir().expect("temp dir");
        let path = directory.path().join("shipway.db");
        let mut connection = connect(&path).await;
        run(&mut connection, "CREATE TABLE t (x)").await.unwrap();
        // What SQLite does by itself where the file system refuses to write.
        run(&mut connection, "PRAGMA query_only = TRUE")
            .await
            .unwrap();
        let error = run(&mut connection, "INSERT INTO t VALUES (1)")
            .await
            .unwrap_err();
        let error = StoreError::classify(&path, error);
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains("writable"), "{error}");
    }
}
