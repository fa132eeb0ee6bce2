//! Generic packages: files that are kept under a name and a version.
//!
//! A file comes in three steps: its upload is noted, its bytes are put, and then its row takes
//! the note's place. Whatever is on the disk and in neither table was left by a process that
//! died, and [`Store::sweep_packages`] removes it.

use std::collections::BTreeSet;

use shipway_pipeline::PipelineId;

use crate::error::StoreError;
use crate::ids::{PackageFileId, PackageId, PackageUploadId, ProjectId, UserId};
use crate::page::{Page, Paged};
use crate::prune::PruneError;
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

/// The name right below all blobs, which is that of no pipeline.
pub(crate) const DIRECTORY: &str = "packages";

/// So long an upload may take, in microseconds: a day.
const LONGEST_UPLOAD: i64 = 86_400_000_000;

/// A package to be made, unless there is one of its name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// Whose it is.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// Unique with the name in its project.
    pub version: String,
    /// `default`, or `hidden` from lists.
    pub status: String,
    /// Who published its first file.
    pub creator_id: Option<UserId>,
    /// The pipeline that did.
    pub pipeline_id: Option<PipelineId>,
    /// When.
    pub created_at: i64,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PackageRow {
    /// Unique in the store, never used again.
    pub id: PackageId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// Unique with the name in its project.
    pub version: String,
    /// `default`, or `hidden` from lists.
    pub status: String,
    /// Who published its first file.
    pub creator_id: Option<UserId>,
    /// The number of the pipeline that did, while that is there.
    pub pipeline_id: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When a file of it was last fetched.
    pub last_downloaded_at: Option<i64>,
}

row! {
    /// A file of a package.
    NewPackageFile => PackageFileRow {
        id: PackageFileId,
        /// Whose it is.
        package_id: PackageId,
        /// With directories, if it has any; of several of one name the newest counts.
        file_name: String,
        /// Bytes.
        size: i64,
        /// SHA-256 of the content.
        digest: Vec<u8>,
        /// Where the content is, for [`crate::Blobs`].
        path: String,
        /// When it was published.
        created_at: i64,
    }
}

/// Which packages are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackageFilter<'a> {
    /// Those whose name has this in it.
    pub name: Option<&'a str>,
    /// Of this version.
    pub version: Option<&'a str>,
    /// Of this status.
    pub status: Option<&'a str>,
    /// In which order.
    pub order: PackageOrder,
    /// Whether the order is turned round.
    pub descending: bool,
}

/// What packages are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PackageOrder {
    /// [`PackageRow::created_at`].
    #[default]
    Created,
    /// [`PackageRow::name`].
    Name,
    /// [`PackageRow::version`].
    Version,
}

const BEGIN: &str = "INSERT INTO package_uploads (project_id, begun_at) VALUES ($1, $2) \
    RETURNING id";

const END: &str = "DELETE FROM package_uploads WHERE id = $1";

const END_OLD: &str = "DELETE FROM package_uploads WHERE begun_at < $1";

const UPLOADS: &str = "SELECT project_id, id FROM package_uploads";

const PATHS: &str = "SELECT path FROM package_files";

const ENSURE: &str = "INSERT INTO packages (project_id, name, version, status, creator_id, \
    pipeline_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (project_id, name, version) DO UPDATE SET status = excluded.status RETURNING *";

const INSERT_FILE: &str = "INSERT INTO package_files \
    (package_id, file_name, size, digest, path, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING *";

const FIND: &str = "SELECT * FROM packages WHERE project_id = $1 AND id = $2";

const BY_NAME: &str = "SELECT * FROM packages WHERE project_id = $1 AND name = $2 \
    AND version = $3";

/// What a list and its length have in common.
macro_rules! listed {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " FROM packages WHERE project_id = $1 AND ($2 IS NULL OR name LIKE $2 ESCAPE '!') \
            AND ($3 IS NULL OR version = $3) AND ($4 IS NULL OR status = $4)",
            $tail
        )
    };
}

const COUNT: &str = listed!("SELECT count(*)", "");

const FILES: &str = "SELECT * FROM package_files WHERE package_id = $1 ORDER BY id";

const NEWEST: &str = "SELECT * FROM package_files WHERE package_id = $1 AND file_name = $2 \
    ORDER BY id DESC LIMIT 1";

const FETCHED: &str = "UPDATE packages SET last_downloaded_at = $2 WHERE id = $1";

const DELETE: &str = "DELETE FROM packages WHERE id = $1";

const DELETE_FILE: &str = "DELETE FROM package_files WHERE id = $1";

#[derive(sqlx::FromRow)]
struct UploadRow {
    project_id: ProjectId,
    id: PackageUploadId,
}

#[derive(sqlx::FromRow)]
struct PathRow {
    path: String,
}

#[derive(sqlx::FromRow)]
struct IdRow {
    id: PackageUploadId,
}

impl Store {
    /// The project's package, if it has one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package(
        &self,
        project: ProjectId,
        id: PackageId,
    ) -> Result<Option<PackageRow>, StoreError> {
        self.optional(query(FIND).bind(project).bind(id)).await
    }

    /// The project's package of this name and version.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package_named(
        &self,
        project: ProjectId,
        name: &str,
        version: &str,
    ) -> Result<Option<PackageRow>, StoreError> {
        let found = query(BY_NAME).bind(project).bind(name).bind(version);
        self.optional(found).await
    }

    /// A page of the project's packages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn packages(
        &self,
        project: ProjectId,
        filter: PackageFilter<'_>,
        page: Page,
    ) -> Result<Paged<PackageRow>, StoreError> {
        use PackageOrder::{Created, Name, Version};
        let text = match (filter.order, filter.descending) {
            (Created, false) => listed!("SELECT *", " ORDER BY created_at, id LIMIT $5 OFFSET $6"),
            (Created, true) => listed!(
                "SELECT *",
                " ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"
            ),
            (Name, false) => listed!("SELECT *", " ORDER BY name, id LIMIT $5 OFFSET $6"),
            (Name, true) => {
                listed!(
                    "SELECT *",
                    " ORDER BY name DESC, id DESC LIMIT $5 OFFSET $6"
                )
            }
            (Version, false) => listed!("SELECT *", " ORDER BY version, id LIMIT $5 OFFSET $6"),
            (Version, true) => {
                listed!(
                    "SELECT *",
                    " ORDER BY version DESC, id DESC LIMIT $5 OFFSET $6"
                )
            }
        };
        let pattern = filter.name.map(crate::projects::contains);
        let bound = |text: &'static str| {
            query(text)
                .bind(project)
                .bind(pattern.as_deref())
                .bind(filter.version)
                .bind(filter.status)
        };
        Ok(Paged {
            rows: self
                .all(bound(text).bind(page.limit).bind(page.offset))
                .await?,
            total: self.number(bound(COUNT)).await?,
        })
    }

    /// The files of a package, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package_files(&self, id: PackageId) -> Result<Vec<PackageFileRow>, StoreError> {
        self.all(query(FILES).bind(id)).await
    }

    /// The newest file of this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package_file(
        &self,
        id: PackageId,
        name: &str,
    ) -> Result<Option<PackageFileRow>, StoreError> {
        self.optional(query(NEWEST).bind(id).bind(name)).await
    }

    /// Removes files of packages that no row names, and forgets uploads of more than a day
    /// before `now`. Returns how many files.
    ///
    /// # Errors
    /// When rows cannot be read or files not be removed.
    pub async fn sweep_packages(&self, now: i64) -> Result<usize, PruneError> {
        let mut transaction = self.begin().await?;
        let old = query(END_OLD).bind(now - LONGEST_UPLOAD);
        transaction.execute(old).await?;
        transaction.commit().await?;
        // In this order nobody's file is taken for left over: first what is there, then what
        // comes, then what has come.
        let found = self.blobs().everything(DIRECTORY).await?;
        let uploads: Vec<UploadRow> = self.all(query(UPLOADS)).await?;
        let coming: Vec<String> = (uploads.iter())
            .map(|row| format!("{DIRECTORY}/{}/{}/", row.project_id, row.id))
            .collect();
        let rows: Vec<PathRow> = self.all(query(PATHS)).await?;
        let known: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        let mut removed = 0;
        for file in found {
            let comes = coming.iter().any(|upload| file.path.starts_with(upload));
            if !comes && !known.contains(file.path.as_str()) {
                self.blobs().delete(&file.path).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl Transaction {
    /// Notes that a file is about to come.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn begin_package_upload(
        &mut self,
        project: ProjectId,
        now: i64,
    ) -> Result<PackageUploadId, StoreError> {
        let row: IdRow = self.one(query(BEGIN).bind(project).bind(now)).await?;
        Ok(row.id)
    }

    /// Forgets an upload: its file has a row, or never came.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it took more than a day; its file may be gone.
    pub async fn end_package_upload(&mut self, id: PackageUploadId) -> Result<(), StoreError> {
        self.change(query(END).bind(id), "upload", id.0).await
    }

    /// The package of this name and version, made where there is none.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn ensure_package(&mut self, new: &NewPackage) -> Result<PackageRow, StoreError> {
        let ensure = query(ENSURE)
            .bind(new.project_id)
            .bind(&new.name)
            .bind(&new.version)
            .bind(&new.status)
            .bind(new.creator_id)
            .bind(new.pipeline_id.map(|id| id.0))
            .bind(new.created_at);
        self.one(ensure).await
    }

    /// Stores a file of a package.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_package_file(
        &mut self,
        new: &NewPackageFile,
    ) -> Result<PackageFileRow, StoreError> {
        let insert = query(INSERT_FILE)
            .bind(new.package_id)
            .bind(&new.file_name)
            .bind(new.size)
            .bind(&new.digest)
            .bind(&new.path)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Notes that a file of the package was fetched.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn note_package_fetched(&mut self, id: PackageId, at: i64) -> Result<(), StoreError> {
        let fetched = query(FETCHED).bind(id).bind(at);
        self.execute(fetched).await.map(drop)
    }

    /// Forgets a package with its files, whose contents the next sweep removes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_package(&mut self, id: PackageId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "package", id.0).await
    }

    /// Forgets a file of a package, whose content the next sweep removes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_package_file(&mut self, id: PackageFileId) -> Result<(), StoreError> {
        self.change(query(DELETE_FILE).bind(id), "package file", id.0)
            .await
    }
}
