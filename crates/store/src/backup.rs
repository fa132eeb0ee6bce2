//! A copy of the database while it is in use, and whether a database is sound.

use std::path::Path;

use crate::engine::Engine;
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Writes a copy of the database, as it is at this instant, to the new file `to`. Only of
    /// a database file: one of PostgreSQL is copied with PostgreSQL's own `pg_dump`.
    ///
    /// # Errors
    /// [`StoreError::NoFile`] for PostgreSQL; otherwise when the copy cannot be written, or
    /// `to` exists already.
    pub async fn copy_database(&self, to: &Path) -> Result<(), StoreError> {
        let readers = self.file()?;
        let to = to.to_string_lossy();
        // In one read transaction: writers go on meanwhile.
        let done = sqlx::query("VACUUM INTO $1")
            .bind(to.as_ref())
            .execute(readers)
            .await;
        done.map(drop).map_err(|error| self.fault(error))
    }

    /// What is wrong with the database, one sentence each; nothing when it is sound. Only of a
    /// database file: a server watches over its own.
    ///
    /// # Errors
    /// [`StoreError::NoFile`] for PostgreSQL; otherwise when the database cannot be read at all.
    pub async fn check_database(&self) -> Result<Vec<String>, StoreError> {
        let readers = self.file()?;
        let mut faults = Vec::new();
        let check = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(readers);
        let lines: Vec<String> = check.await.map_err(|error| self.fault(error))?;
        faults.extend(lines.into_iter().filter(|line| line != "ok"));
        let check = sqlx::query_as("PRAGMA foreign_key_check").fetch_all(readers);
        let orphans: Vec<(String, Option<i64>, String, i64)> =
            check.await.map_err(|error| self.fault(error))?;
        faults.extend(orphans.into_iter().map(|(table, row, parent, _)| {
            let row = row.map_or_else(String::new, |row| format!(" {row}"));
            format!("row{row} of {table} refers to a row of {parent} that is not there")
        }));
        Ok(faults)
    }

    #[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps))]
    fn file(&self) -> Result<&sqlx::SqlitePool, StoreError> {
        match self.engine() {
            Engine::Sqlite { readers, .. } => Ok(readers),
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => Err(StoreError::NoFile {
                path: self.database().to_owned(),
            }),
        }
    }
}
