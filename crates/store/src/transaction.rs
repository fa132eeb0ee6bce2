//! Writing: everything of one step of a pipeline, or nothing of it.
//!
//! The statements are methods of [`Transaction`] beside the rows that they write.

use std::path::PathBuf;

use sqlx::Sqlite;

use crate::error::StoreError;
use crate::sql::{Query, Row};

/// A write that no other process or task interleaves with, from the first statement on: what
/// it loads cannot change before it commits. Dropped without [`Transaction::commit`] it leaves
/// nothing.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Sqlite>,
    path: PathBuf,
}

impl Transaction {
    pub(crate) fn new(inner: sqlx::Transaction<'static, Sqlite>, path: PathBuf) -> Self {
        Self { inner, path }
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

    pub(crate) async fn all<T: Row>(&mut self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let rows = query.all(&mut self.inner).await;
        rows.map_err(|error| self.fault(error))
    }

    pub(crate) async fn optional<T: Row>(
        &mut self,
        query: Query<'_>,
    ) -> Result<Option<T>, StoreError> {
        let row = query.optional(&mut self.inner).await;
        row.map_err(|error| self.fault(error))
    }

    /// The row of a statement that always gives one.
    pub(crate) async fn one<T: Row>(&mut self, query: Query<'_>) -> Result<T, StoreError> {
        let row = self.optional(query).await?;
        row.ok_or_else(|| self.fault(sqlx::Error::RowNotFound))
    }

    /// The row, or an error that names what was looked for.
    pub(crate) async fn existing_row<T: Row>(
        &mut self,
        query: Query<'_>,
        what: &'static str,
        id: i64,
    ) -> Result<T, StoreError> {
        let row = self.optional(query).await?;
        row.ok_or_else(|| self.not_found(what, id))
    }

    /// Returns the number of rows that changed.
    pub(crate) async fn execute(&mut self, query: Query<'_>) -> Result<u64, StoreError> {
        let changed = query.execute(&mut self.inner).await;
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

    /// Makes everything durable and visible.
    ///
    /// # Errors
    /// When the database cannot write it; nothing is stored then.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { inner, path } = self;
        inner
            .commit()
            .await
            .map_err(|error| StoreError::classify(&path, error))
    }
}
