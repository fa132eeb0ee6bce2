//! Writing: everything of one step of a pipeline, or nothing of it.
//!
//! The statements are methods of [`Transaction`] beside the rows that they write.

use std::path::PathBuf;

use crate::changes::{Change, Changed, Topics};
use crate::engine::{Committed, Writer};
use crate::error::StoreError;
use crate::secrets::SecretKeys;
use crate::sql::{Query, Row};

/// A write that nobody interleaves with. On SQLite no other process or task writes from the
/// first statement on; on PostgreSQL the rows that it loads are its own until it ends. Either
/// way, what it loads cannot change before it commits. Dropped without
/// [`Transaction::commit`] it leaves nothing.
///
/// Who changes several rows of a pipeline loads the pipeline first: of two who take the same
/// rows in another order, PostgreSQL ends one with [`StoreError::Busy`].
#[derive(Debug)]
pub struct Transaction {
    inner: Writer,
    path: PathBuf,
    topics: Topics,
    changed: Changed,
    keys: SecretKeys,
}

impl Transaction {
    pub(crate) fn new(inner: Writer, path: PathBuf, changed: Changed, keys: SecretKeys) -> Self {
        Self {
            inner,
            path,
            topics: Topics::default(),
            changed,
            keys,
        }
    }

    fn fault(&self, error: sqlx::Error) -> StoreError {
        StoreError::classify(&self.path, error)
    }

    pub(crate) fn not_found(&self, what: &'static str, id: i64) -> StoreError {
        StoreError::NotFound {
            what,
            id,
            path: self.path.clone(),
        }
    }

    /// What secrets are sealed with.
    pub(crate) fn keys(&self) -> &SecretKeys {
        &self.keys
    }

    /// What is told when it is committed.
    pub(crate) fn topics(&mut self) -> &mut Topics {
        &mut self.topics
    }

    pub(crate) async fn all<T: Row>(&mut self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let rows = query.all(self.inner.connection()).await;
        rows.map_err(|error| self.fault(error))
    }

    pub(crate) async fn optional<T: Row>(
        &mut self,
        query: Query<'_>,
    ) -> Result<Option<T>, StoreError> {
        let row = query.optional(self.inner.connection()).await;
        row.map_err(|error| self.fault(error))
    }

    /// The row of a statement that always gives one.
    pub(crate) async fn one<T: Row>(&mut self, query: Query<'_>) -> Result<T, StoreError> {
        let row = self.optional(query).await?;
        row.ok_or_else(|| self.fault(sqlx::Error::RowNotFound))
    }

    /// The row, ours until the end, or an error that names what was looked for.
    pub(crate) async fn existing_row<T: Row>(
        &mut self,
        query: Query<'_>,
        what: &'static str,
        id: i64,
    ) -> Result<T, StoreError> {
        let row = self.optional(query.locking()).await?;
        row.ok_or_else(|| self.not_found(what, id))
    }

    /// Returns the number of rows that changed.
    pub(crate) async fn execute(&mut self, query: Query<'_>) -> Result<u64, StoreError> {
        let changed = query.execute(self.inner.connection()).await;
        changed.map_err(|error| self.fault(error))
    }

    /// Changes a row, or returns an error that names what was looked for.
    pub(crate) async fn change(
        &mut self,
        query: Query<'_>,
        what: &'static str,
        id: i64,
    ) -> Result<(), StoreError> {
        match self.execute(query).await? {
            0 => Err(self.not_found(what, id)),
            _ => Ok(()),
        }
    }

    /// Makes everything durable and visible, then tells who waits for changes.
    ///
    /// # Errors
    /// When the database cannot write it; nothing is stored then.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.commit_visibly().await?.durably().await
    }

    /// As [`Transaction::commit`], but returns as soon as others see it, before it is on the
    /// disk: what comes after it can begin. Nothing may be acknowledged before
    /// [`Committed::durably`] has returned, which also tells other processes.
    ///
    /// # Errors
    /// When the database cannot write it; nothing is stored then.
    pub async fn commit_visibly(self) -> Result<Committed, StoreError> {
        let Self {
            inner,
            path,
            changed,
            topics,
            ..
        } = self;
        let Topics { here, elsewhere } = topics;
        let to_others = elsewhere.iter().map(|topic| changed.signed(topic));
        let committed = inner.commit(&path, to_others).await?;
        for topic in here {
            changed.send(Change::Topic(topic));
        }
        Ok(committed)
    }
}
