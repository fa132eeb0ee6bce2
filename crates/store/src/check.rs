//! Whether what the rows promise is there.

use std::path::Path;

use sha2::{Digest, Sha256};
use shipway_pipeline::{JobId, PipelineId};
use sqlx::ConnectOptions;
use sqlx_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::io::AsyncReadExt;

use crate::blobs::BlobError;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::ids::PackageFileId;
use crate::logs::LogError;
use crate::packages::PackageFileRow;
use crate::rows::{ArtifactRow, Key};
use crate::sql::query;
use crate::store::Store;

/// How much of artifacts a check reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckDepth {
    /// Whether they are there with their size.
    #[default]
    Sizes,
    /// All of them, to compare their digests.
    Contents,
}

/// Something that [`Store::check`] found wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// In the database itself.
    #[error("the database: {0}")]
    Database(String),
    /// The file of an artifact is not there, or cannot be read.
    #[error("artifact {id} of job {job}: {reason}")]
    Artifact {
        /// The row.
        id: i64,
        /// Whose it is.
        job: JobId,
        /// What is wrong.
        reason: String,
    },
    /// The content of a package's file is not there, or cannot be read.
    #[error("file {} of a package: {reason}", id.0)]
    Package {
        /// The row.
        id: PackageFileId,
        /// What is wrong.
        reason: String,
    },
    /// A log lost its end.
    #[error("the log of job {job} has {stored} bytes, and {expected} were acknowledged")]
    Log {
        /// Whose pipeline it is.
        pipeline: PipelineId,
        /// Whose log it is.
        job: JobId,
        /// Bytes that are there.
        stored: u64,
        /// Bytes that should be.
        expected: u64,
    },
}

/// A check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The rows cannot be read.
    #[error("cannot check the rows")]
    Store(#[from] StoreError),
    /// A log cannot be looked at.
    #[error("cannot check the logs")]
    Log(#[from] LogError),
    /// The place of the artifacts does not answer.
    #[error("cannot check the artifacts")]
    Blobs(#[from] BlobError),
}

/// Rows looked at in one statement.
const ROWS: i64 = 500;

const ARTIFACTS: &str = "SELECT * FROM artifacts WHERE id > $1 ORDER BY id LIMIT $2";

const ARTIFACT: &str = "SELECT * FROM artifacts WHERE id = $1";

const PACKAGE_FILES: &str = "SELECT * FROM package_files WHERE id > $1 ORDER BY id LIMIT $2";

const PACKAGE_FILE: &str = "SELECT * FROM package_files WHERE id = $1";

const LOGGED: &str = "SELECT id, pipeline_id, trace_bytes FROM jobs \
    WHERE id > $1 AND trace_bytes > 0 ORDER BY id LIMIT $2";

/// A job with a log.
#[derive(sqlx::FromRow)]
struct Logged {
    #[sqlx(try_from = "Key")]
    id: JobId,
    #[sqlx(try_from = "Key")]
    pipeline_id: PipelineId,
    trace_bytes: i64,
}

impl Store {
    /// What is wrong with the store, while it is in use: with the database file, where it is
    /// one, with artifacts that are not there as their rows say, and with logs that are shorter
    /// than acknowledged. Nothing when it is sound.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn check(&self, depth: CheckDepth) -> Result<Vec<Fault>, CheckError> {
        let mut faults = match self.check_database().await {
            Ok(faults) => faults.into_iter().map(Fault::Database).collect(),
            // A server watches over its own.
            Err(StoreError::NoFile { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut last = 0;
        loop {
            let rows: Vec<ArtifactRow> = self.all(query(ARTIFACTS).bind(last).bind(ROWS)).await?;
            let Some(end) = rows.last() else {
                break;
            };
            last = end.id;
            for row in rows {
                faults.extend(self.check_artifact(&row, depth).await?);
            }
        }
        last = 0;
        loop {
            let files = query(PACKAGE_FILES).bind(last).bind(ROWS);
            let rows: Vec<PackageFileRow> = self.all(files).await?;
            let Some(end) = rows.last() else {
                break;
            };
            last = end.id.0;
            for row in rows {
                faults.extend(self.check_package_file(&row, depth).await?);
            }
        }
        last = 0;
        loop {
            let rows: Vec<Logged> = self.all(query(LOGGED).bind(last).bind(ROWS)).await?;
            let Some(end) = rows.last() else {
                return Ok(faults);
            };
            last = end.id.0;
            for row in rows {
                faults.extend(self.check_log(&row).await?);
            }
        }
    }

    async fn check_artifact(
        &self,
        row: &ArtifactRow,
        depth: CheckDepth,
    ) -> Result<Option<Fault>, CheckError> {
        let digest = row.digest.as_deref();
        let Some(reason) = self.check_blob(&row.path, row.size, digest, depth).await? else {
            return Ok(None);
        };
        // It may have been removed or replaced while we looked.
        let now: Option<ArtifactRow> = self.optional(query(ARTIFACT).bind(row.id)).await?;
        Ok((now.as_ref() == Some(row)).then_some(Fault::Artifact {
            id: row.id,
            job: row.job_id,
            reason,
        }))
    }

    async fn check_package_file(
        &self,
        row: &PackageFileRow,
        depth: CheckDepth,
    ) -> Result<Option<Fault>, CheckError> {
        let digest = Some(row.digest.as_slice());
        let Some(reason) = self.check_blob(&row.path, row.size, digest, depth).await? else {
            return Ok(None);
        };
        let now: Option<PackageFileRow> = self.optional(query(PACKAGE_FILE).bind(row.id)).await?;
        let id = row.id;
        Ok(now.map(|_| Fault::Package { id, reason }))
    }

    /// What is wrong with a file of a row.
    async fn check_blob(
        &self,
        path: &str,
        size: i64,
        digest: Option<&[u8]>,
        depth: CheckDepth,
    ) -> Result<Option<String>, CheckError> {
        let expected = u64::try_from(size).unwrap_or_default();
        match self.blobs().size(path).await {
            Ok(size) if size != expected => {
                Ok(Some(format!("`{path}` has {size} bytes, not {expected}")))
            }
            Ok(_) => match (depth, digest) {
                (CheckDepth::Contents, Some(digest)) => self.compare(path, digest).await,
                _ => Ok(None),
            },
            // Of the row alone; the place as a whole answers.
            Err(error @ (BlobError::Missing { .. } | BlobError::Name { .. })) => {
                Ok(Some(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is such a file of a package.
    pub(crate) async fn has_package_file(&self, id: PackageFileId) -> Result<bool, StoreError> {
        let found: Option<PackageFileRow> = self.optional(query(PACKAGE_FILE).bind(id)).await?;
        Ok(found.is_some())
    }

    async fn compare(&self, path: &str, expected: &[u8]) -> Result<Option<String>, CheckError> {
        let mut reader = match self.blobs().get(path, ..).await {
            Err(error @ BlobError::Missing { .. }) => return Ok(Some(error.to_string())),
            reader => reader?,
        };
        let mut digest = Sha256::new();
        let mut part = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut part).await {
                Ok(0) => break,
                Ok(length) => digest.update(&part[..length]),
                Err(error) => return Ok(Some(format!("`{path}` cannot be read: {error}"))),
            }
        }
        let differs = digest.finalize().as_slice() != expected;
        Ok(differs.then(|| format!("`{path}` has another content than was stored")))
    }

    async fn check_log(&self, row: &Logged) -> Result<Option<Fault>, CheckError> {
        let stored = self.logs().length(row.pipeline_id, row.id)?;
        let expected = u64::try_from(row.trace_bytes).unwrap_or_default();
        if stored >= expected || self.job(row.id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Fault::Log {
            pipeline: row.pipeline_id,
            job: row.id,
            stored,
            expected,
        }))
    }

    /// What is wrong with the database, one sentence each; nothing when it is sound. Only of a
    /// database file: a server watches over its own.
    ///
    /// # Errors
    /// [`StoreError::NoFile`] for PostgreSQL; otherwise when the database cannot be read at all.
    pub async fn check_database(&self) -> Result<Vec<String>, StoreError> {
        let faults = faults(self.file()?).await;
        faults.map_err(|error| self.fault(error))
    }

    /// Whether the artifact's row is there.
    pub(crate) async fn has_artifact(&self, id: i64) -> Result<bool, StoreError> {
        let row: Option<ArtifactRow> = self.optional(query(ARTIFACT).bind(id)).await?;
        Ok(row.is_some())
    }

    #[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps))]
    pub(crate) fn file(&self) -> Result<&SqlitePool, StoreError> {
        match self.engine() {
            Engine::Sqlite { readers, .. } => Ok(readers),
            #[cfg(feature = "postgres")]
            Engine::Postgres { .. } => Err(StoreError::NoFile {
                path: self.database().to_owned(),
            }),
        }
    }
}

/// What is wrong with a database file that nobody uses.
pub(crate) async fn file_faults(path: &Path) -> Result<Vec<String>, StoreError> {
    let options = SqliteConnectOptions::new().filename(path);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_lazy_with(options.disable_statement_logging());
    let found = faults(&pool).await;
    pool.close().await;
    match found.map_err(|error| StoreError::classify(path, error)) {
        Err(StoreError::Damaged { source, .. }) => Ok(vec![source.to_string()]),
        found => found,
    }
}

async fn faults(pool: &SqlitePool) -> sqlx::Result<Vec<String>> {
    let mut faults = Vec::new();
    let check = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(pool);
    let lines: Vec<String> = check.await?;
    faults.extend(lines.into_iter().filter(|line| line != "ok"));
    let check = sqlx::query_as("PRAGMA foreign_key_check").fetch_all(pool);
    let orphans: Vec<(String, Option<i64>, String, i64)> = check.await?;
    faults.extend(orphans.into_iter().map(|(table, row, parent, _)| {
        let row = row.map_or_else(String::new, |row| format!(" {row}"));
        format!("row{row} of {table} refers to a row of {parent} that is not there")
    }));
    Ok(faults)
}
