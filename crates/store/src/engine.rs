//! The two engines behind one face: what holds the rows, and how to reach it.
//!
//! Without the cargo feature `postgres` there is only SQLite.

use std::path::Path;

use sqlx::pool::PoolConnection;
#[cfg(feature = "postgres")]
use sqlx::{PgConnection, PgPool, Postgres};
use sqlx_sqlite::{Sqlite, SqliteConnection, SqlitePool};

use crate::error::StoreError;
#[cfg(feature = "postgres")]
use crate::group_flush::{GroupFlush, Line};
use crate::group_sync::GroupSync;
use crate::sql::Boxed;

/// An open database.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    /// A file. One connection writes: SQLite lets one write at a time, and a queue here is
    /// fairer and quicker than its retries.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// Its log, where commits wait for the disk.
        log: Option<GroupSync>,
    },
    /// A server.
    #[cfg(feature = "postgres")]
    Postgres {
        pool: PgPool,
        /// Where commits wait for the disk.
        flush: GroupFlush,
    },
}

impl Engine {
    /// A connection to read with.
    pub(crate) fn reader(&self) -> Boxed<'_, sqlx::Result<Reader>> {
        Box::pin(async {
            Ok(match self {
                Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
                #[cfg(feature = "postgres")]
                Self::Postgres { pool, .. } => Reader::Postgres(pool.acquire().await?),
            })
        })
    }

    /// Begins to write.
    pub(crate) fn begin(&self) -> Boxed<'_, sqlx::Result<Writer>> {
        Box::pin(async {
            Ok(match self {
                // A plain BEGIN would fail at once, without waiting, when another process wrote
                // between our first read and our first write.
                Self::Sqlite { writer, log, .. } => {
                    let transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                    Writer::Sqlite(transaction, log.clone())
                }
                #[cfg(feature = "postgres")]
                Self::Postgres { pool, flush } => {
                    let line = flush.line().await?;
                    Writer::Postgres(pool.begin().await?, flush.clone(), line)
                }
            })
        })
    }

    /// Whether closing has begun.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite { readers, .. } => readers.is_closed(),
            #[cfg(feature = "postgres")]
            Self::Postgres { pool, .. } => pool.is_closed(),
        }
    }

    pub(crate) fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            match self {
                Self::Sqlite {
                    writer, readers, ..
                } => {
                    readers.close().await;
                    writer.close().await;
                }
                #[cfg(feature = "postgres")]
                Self::Postgres { pool, flush } => {
                    flush.close().await;
                    pool.close().await;
                }
            }
        })
    }
}

/// A connection that is given back when dropped.
#[derive(Debug)]
pub(crate) enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(PoolConnection<Postgres>),
}

impl Reader {
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}

/// A transaction that is undone when dropped.
#[derive(Debug)]
pub(crate) enum Writer {
    /// With the log that has to be on the disk.
    Sqlite(sqlx::Transaction<'static, Sqlite>, Option<GroupSync>),
    /// With who waits for the disk.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, Postgres>, GroupFlush, Line),
}

impl Writer {
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction, _) => Connection::Sqlite(transaction),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction, ..) => Connection::Postgres(transaction),
        }
    }

    /// Returns when others see it. On PostgreSQL other processes are told of the topics along
    /// with the wait for the disk.
    pub(crate) fn commit<'a>(
        self,
        path: &'a Path,
        topics: impl IntoIterator<Item = String, IntoIter: Send> + Send + 'a,
    ) -> Boxed<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            let fault = |error| StoreError::classify(path, error);
            match self {
                Self::Sqlite(transaction, log) => {
                    // From now on the next may write, while this one waits for the disk. Another
                    // process has nobody to be told by.
                    drop(topics);
                    transaction.commit().await.map_err(fault)?;
                    Ok(Committed(Pending::Sqlite(log)))
                }
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, flush, line) => {
                    transaction.commit().await.map_err(fault)?;
                    flush.tell(topics);
                    Ok(Committed(Pending::Postgres(flush, line)))
                }
            }
        })
    }
}

/// What others see already.
#[derive(Debug)]
#[must_use = "what is not durable may be lost"]
pub struct Committed(Pending);

/// What has yet to be on the disk.
#[derive(Debug)]
enum Pending {
    /// The log, where the store is asked to wait for it.
    Sqlite(Option<GroupSync>),
    #[cfg(feature = "postgres")]
    Postgres(GroupFlush, Line),
}

impl Committed {
    /// Returns when it is as durable as the store is asked to be.
    ///
    /// # Errors
    /// [`StoreError::Unconfirmed`].
    pub async fn durably(self) -> Result<(), StoreError> {
        let (path, waited) = match &self.0 {
            Pending::Sqlite(None) => return Ok(()),
            Pending::Sqlite(Some(log)) => (log.path(), log.wait().await),
            #[cfg(feature = "postgres")]
            Pending::Postgres(flush, line) => (flush.name(), flush.wait(*line).await),
        };
        waited.map_err(|source| StoreError::Unconfirmed {
            path: path.to_owned(),
            source,
        })
    }
}

/// What runs a statement.
#[derive(Debug)]
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}
