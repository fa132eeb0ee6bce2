//! One state directory with its database, and opening it.
//!
//! Reading is methods of [`Store`] beside the rows that they read.

use std::fs::File;
use std::path::{Path, PathBuf};
#[cfg(feature = "postgres")]
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::ConnectOptions;
#[cfg(feature = "postgres")]
use sqlx::Connection;
use sqlx_sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use crate::blobs::{Blobs, Objects};
use crate::changes::Changed;
#[cfg(feature = "postgres")]
use crate::changes::Listener;
use crate::engine::Engine;
use crate::error::StoreError;
#[cfg(feature = "postgres")]
use crate::group_flush::GroupFlush;
use crate::group_sync::GroupSync;
use crate::logs::Logs;
use crate::schema;
use crate::secrets::SecretKeys;
use crate::sql::{Boxed, Query, Row};
use crate::transaction::Transaction;

/// How long a statement waits for another process that writes.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a task waits for another task of this process that writes.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections to SQLite that read at the same time; they are opened when needed.
const READERS: u32 = 4;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process at any instant; enough for a run on a laptop.
    #[default]
    Process,
    /// A power cut as well; each commit and each log write waits for the disk.
    Machine,
}

/// How a store is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Where the files of artifacts are.
    pub objects: Objects,
    /// What secrets are encrypted with. Once some are, the store opens with their keys only.
    pub keys: SecretKeys,
}

/// Rows, logs and artifacts in one directory, which several processes may use at a time. The
/// rows may be in a database elsewhere.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    /// The database's file; of a server its address, for messages.
    database: PathBuf,
    engine: Engine,
    changed: Changed,
    #[cfg(feature = "postgres")]
    listener: Arc<OnceLock<Listener>>,
    logs: Logs,
    blobs: Blobs,
    keys: SecretKeys,
    objects: Objects,
}

impl Store {
    /// Opens the store in `directory`, which is made if it does not exist.
    ///
    /// # Errors
    /// A variant of [`StoreError`] for each thing a person would do next.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_with(directory, Options::default()).await
    }

    /// As [`Store::open`], with other than the default options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(directory: &Path, options: Options) -> Result<Self, StoreError> {
        Self::open_url("sqlite:", directory, options).await
    }

    /// Opens the store in `directory` with its rows at `url`: `sqlite:` for a file in the
    /// directory, `sqlite:PATH` for another file or directory, relative to this one, or
    /// `postgres://…`, which needs the cargo feature `postgres`.
    ///
    /// # Errors
    /// [`StoreError::Url`]; otherwise as [`Store::open`].
    pub async fn open_url(
        url: &str,
        directory: &Path,
        options: Options,
    ) -> Result<Self, StoreError> {
        Self::open_boxed(url, directory, options).await
    }

    fn open_boxed<'a>(
        url: &'a str,
        directory: &'a Path,
        options: Options,
    ) -> Boxed<'a, Result<Self, StoreError>> {
        Box::pin(Self::open_now(url, directory, options))
    }

    async fn open_now(url: &str, directory: &Path, options: Options) -> Result<Self, StoreError> {
        let fault = |source| StoreError::Directory {
            path: directory.to_owned(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(fault)?;
        // Absolute: the process may change its directory.
        let directory = directory.canonicalize().map_err(fault)?;
        let (engine, database) = connect(url, &directory, options.durability)?;
        let store = Self {
            engine,
            database,
            changed: Changed::new(),
            #[cfg(feature = "postgres")]
            listener: Arc::default(),
            logs: Logs::new(directory.join("logs"), options.durability),
            blobs: Blobs::new(&options.objects, &directory, options.durability)?,
            keys: options.keys,
            objects: options.objects,
            directory,
        };
        store.check_schema().await?;
        store.check_secrets().await?;
        store.blobs.probe().await?;
        Ok(store)
    }

    async fn check_schema(&self) -> Result<(), StoreError> {
        let fault = |error| self.fault(error);
        let found = match &self.engine {
            Engine::Sqlite { writer, .. } => {
                let mut connection = writer.acquire().await.map_err(fault)?;
                let mut found = schema::version(&mut connection).await.map_err(fault)?;
                if found < schema::KNOWN_VERSION {
                    // SQLite's own waiting does not cover the switch to write-ahead logging,
                    // so two processes that make one database take turns.
                    let _turn = self.take_turn().await?;
                    found = schema::migrate(&mut connection).await.map_err(fault)?;
                }
                found
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres { pool, .. } => schema::migrate_postgres(pool).await.map_err(fault)?,
        };
        if found > schema::KNOWN_VERSION {
            return Err(StoreError::NewerSchema {
                path: self.database.clone(),
                found,
                known: schema::KNOWN_VERSION,
            });
        }
        Ok(())
    }

    /// Waits, a moment at most, until nobody else migrates.
    async fn take_turn(&self) -> Result<File, StoreError> {
        let path = self.directory.join("migrate.lock");
        let lock = {
            let path = path.clone();
            move || File::create(path).and_then(|file| file.lock().map(|()| file))
        };
        // On a thread of its own: the holder may need this one to go on.
        let taken = tokio::task::spawn_blocking(lock).await;
        taken
            .map_err(std::io::Error::other)
            .and_then(|taken| taken)
            .map_err(|source| StoreError::Directory { path, source })
    }

    pub(crate) fn fault(&self, error: sqlx::Error) -> StoreError {
        StoreError::classify(&self.database, error)
    }

    /// The state directory, absolute.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The database file.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn changed(&self) -> &Changed {
        &self.changed
    }

    /// What listens to other processes, once somebody wants to know.
    #[cfg(feature = "postgres")]
    pub(crate) fn listener(&self) -> &Arc<OnceLock<Listener>> {
        &self.listener
    }

    /// Where the files of artifacts were said to be.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What secrets are sealed with.
    pub(crate) fn keys(&self) -> &SecretKeys {
        &self.keys
    }

    /// The logs of jobs.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// The files of artifacts.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Begins to write. On SQLite other writers, in this process or another, wait until it is
    /// over; on PostgreSQL those wait that want the same rows.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another writer takes too long.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let inner = self.engine.begin().await;
        let inner = inner.map_err(|error| self.fault(error))?;
        let (path, changed) = (self.database.clone(), self.changed.clone());
        Ok(Transaction::new(inner, path, changed, self.keys.clone()))
    }

    pub(crate) async fn all<T: Row>(&self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let rows = async { query.all(self.engine.reader().await?.connection()).await };
        rows.await.map_err(|error| self.fault(error))
    }

    pub(crate) async fn optional<T: Row>(&self, query: Query<'_>) -> Result<Option<T>, StoreError> {
        let row = async {
            query
                .optional(self.engine.reader().await?.connection())
                .await
        };
        row.await.map_err(|error| self.fault(error))
    }

    /// The number that a statement gives: a count.
    pub(crate) async fn number(&self, query: Query<'_>) -> Result<i64, StoreError> {
        let row: Option<(i64,)> = self.optional(query).await?;
        Ok(row.map_or(0, |(number,)| number))
    }

    /// Waits for running statements and closes the database. Not needed for durability: a
    /// process may end at any time.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// Whether [`Store::close`] was called: nothing is answered any more.
    pub fn is_closed(&self) -> bool {
        self.engine.is_closed()
    }
}

/// The engine of a URL, and what messages call its database.
fn connect(
    url: &str,
    directory: &Path,
    durability: Durability,
) -> Result<(Engine, PathBuf), StoreError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let mut file = directory.join(path);
        if file.is_dir() || path.ends_with('/') {
            file.push("shipway.db");
        }
        return Ok((sqlite(&file, durability), file));
    }
    #[cfg(feature = "postgres")]
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return postgres(url, durability);
    }
    // A URL may hold a password: of what is shown, only the scheme is the user's.
    let scheme = url.split(':').next().unwrap_or_default().to_owned();
    Err(StoreError::Url { scheme })
}

fn sqlite(file: &Path, durability: Durability) -> Engine {
    let log = match durability {
        Durability::Process => None,
        Durability::Machine => {
            let mut path = file.as_os_str().to_owned();
            path.push("-wal");
            Some(GroupSync::new(PathBuf::from(path)))
        }
    };
    let connect = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        // A commit waits for the disk afterwards, see `group_sync`.
        .synchronous(SqliteSynchronous::Normal)
        .disable_statement_logging();
    let pool = |size| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    Engine::Sqlite {
        writer: pool(1).connect_lazy_with(connect.clone()),
        readers: pool(READERS).connect_lazy_with(connect),
        log,
    }
}

/// Connections to PostgreSQL at the same time, besides the one that listens and the one that
/// waits for the disk; its own default limit for everybody together is 100.
#[cfg(feature = "postgres")]
const CONNECTIONS: u32 = 20;

/// A connection to PostgreSQL that rested for longer is tried before it is used: the server may
/// have been started anew.
#[cfg(feature = "postgres")]
const UNTESTED: Duration = Duration::from_secs(1);

#[cfg(feature = "postgres")]
fn postgres(url: &str, durability: Durability) -> Result<(Engine, PathBuf), StoreError> {
    let connect: sqlx::postgres::PgConnectOptions =
        url.parse().map_err(|_| StoreError::PostgresUrl)?;
    let name = format!(
        "postgres://{}:{}/{}",
        connect.get_host(),
        connect.get_port(),
        connect.get_database().unwrap_or_default()
    );
    let wait = format!("{}s", BUSY_TIMEOUT.as_secs());
    let connect = connect
        .application_name("shipway")
        .options([
            // A commit waits for the disk afterwards, see `group_flush`.
            ("synchronous_commit", "off"),
            ("lock_timeout", wait.as_str()),
        ])
        .disable_statement_logging();
    let name = PathBuf::from(name);
    let durable = durability == Durability::Machine;
    let flush = GroupFlush::new(connect.clone(), name.clone(), durable);
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        // Under load each connection was used a moment ago.
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for > UNTESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect);
    Ok((Engine::Postgres { pool, flush }, name))
}
