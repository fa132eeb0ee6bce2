//! The two engines behind one face: what holds the rows, and how to reach it.
//!
//! Without the cargo feature `postgres` there is only SQLite.

use std::path::Path;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};
#[cfg(feature = "postgres")]
use sqlx::{PgConnection, PgPool, Postgres};

use crate::error::StoreError;
use crate::group_sync::GroupSync;

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
    Postgres(PgPool),
}

impl Engine {
    /// A connection to read with.
    pub(crate) async fn reader(&self) -> sqlx::Result<Reader> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// Begins to write.
    pub(crate) async fn begin(&self) -> sqlx::Result<Writer> {
        Ok(match self {
            // A plain BEGIN would fail at once, without waiting, when another process wrote
            // between our first read and our first write.
            Self::Sqlite { writer, log, .. } => {
                let transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                Writer::Sqlite(transaction, log.clone())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Writer::Postgres(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite {
                writer, readers, ..
            } => {
                readers.close().await;
                writer.close().await;
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
        }
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
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Writer {
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction, _) => Connection::Sqlite(transaction),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => Connection::Postgres(transaction),
        }
    }

    /// Returns when others see it, with the log that has yet to be on the disk.
    pub(crate) async fn commit(self, path: &Path) -> Result<Option<GroupSync>, StoreError> {
        let fault = |error| StoreError::classify(path, error);
        match self {
            Self::Sqlite(transaction, log) => {
                // From now on the next may write, while this one waits for the disk.
                transaction.commit().await.map_err(fault)?;
                Ok(log)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => {
                transaction.commit().await.map_err(fault)?;
                Ok(None)
            }
        }
    }
}

/// What runs a statement.
#[derive(Debug)]
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}
