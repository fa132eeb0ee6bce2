//! Releases: tags with notes, and links to what was made of them.

use crate::error::StoreError;
use crate::ids::{ProjectId, ReleaseId, ReleaseLinkId, UserId};
use crate::page::{Page, Paged};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A release.
    NewRelease => ReleaseRow {
        id: ReleaseId,
        /// Whose it is.
        project_id: ProjectId,
        /// Unique in its project.
        tag: String,
        /// The tag's commit when it was made.
        sha: String,
        /// What people call it.
        name: String,
        /// Notes, in Markdown.
        description: String,
        /// Who made it.
        author_id: Option<UserId>,
        /// When it was made.
        created_at: i64,
        /// When it is or will be out.
        released_at: i64,
    }
}

row! {
    /// A link of a release.
    NewReleaseLink => ReleaseLinkRow {
        id: ReleaseLinkId,
        /// Whose it is.
        release_id: ReleaseId,
        /// Unique in its release.
        name: String,
        /// Where it leads; unique in its release.
        url: String,
        /// The end of the permanent address, `/bin/app`; unique in its release.
        file_path: Option<String>,
        /// `other`, `runbook`, `image` or `package`.
        link_type: String,
    }
}

/// In which order releases are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseOrder {
    /// The newest [`ReleaseRow::released_at`] first.
    NewestReleased,
    /// The oldest [`ReleaseRow::released_at`] first.
    OldestReleased,
    /// The newest [`ReleaseRow::created_at`] first.
    NewestCreated,
    /// The oldest [`ReleaseRow::created_at`] first.
    OldestCreated,
}

const INSERT: &str = "INSERT INTO releases (project_id, tag, sha, name, description, author_id, \
    created_at, released_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *";

const BY_TAG: &str = "SELECT * FROM releases WHERE project_id = $1 AND tag = $2";

/// A page of a project's releases.
macro_rules! page {
    ($order:literal) => {
        concat!(
            "SELECT * FROM releases WHERE project_id = $1 ORDER BY ",
            $order,
            " LIMIT $2 OFFSET $3"
        )
    };
}

const COUNT: &str = "SELECT count(*) FROM releases WHERE project_id = $1";

const UPDATE: &str = "UPDATE releases SET name = $2, description = $3, released_at = $4 \
    WHERE id = $1";

const DELETE: &str = "DELETE FROM releases WHERE id = $1";

const INSERT_LINK: &str = "INSERT INTO release_links (release_id, name, url, file_path, link_type) \
    VALUES ($1, $2, $3, $4, $5) RETURNING *";

const LINKS: &str = "SELECT * FROM release_links WHERE release_id = $1 ORDER BY id DESC";

const UPDATE_LINK: &str = "UPDATE release_links SET name = $2, url = $3, file_path = $4, \
    link_type = $5 WHERE id = $1";

const DELETE_LINK: &str = "DELETE FROM release_links WHERE id = $1";

impl Store {
    /// The project's release of this tag.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(
        &self,
        project: ProjectId,
        tag: &str,
    ) -> Result<Option<ReleaseRow>, StoreError> {
        self.optional(query(BY_TAG).bind(project).bind(tag)).await
    }

    /// A page of the project's releases.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn releases(
        &self,
        project: ProjectId,
        order: ReleaseOrder,
        page: Page,
    ) -> Result<Paged<ReleaseRow>, StoreError> {
        let text = match order {
            ReleaseOrder::NewestReleased => page!("released_at DESC, id DESC"),
            ReleaseOrder::OldestReleased => page!("released_at, id"),
            ReleaseOrder::NewestCreated => page!("created_at DESC, id DESC"),
            ReleaseOrder::OldestCreated => page!("created_at, id"),
        };
        let rows = query(text).bind(project);
        let rows = rows.bind(page.limit).bind(page.offset);
        Ok(Paged {
            rows: self.all(rows).await?,
            total: self.number(query(COUNT).bind(project)).await?,
        })
    }

    /// The links of a release, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release_links(
        &self,
        release: ReleaseId,
    ) -> Result<Vec<ReleaseLinkRow>, StoreError> {
        self.all(query(LINKS).bind(release)).await
    }
}

impl Transaction {
    /// Stores a release.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the tag has one.
    pub async fn insert_release(&mut self, new: &NewRelease) -> Result<ReleaseRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.project_id)
            .bind(&new.tag)
            .bind(&new.sha)
            .bind(&new.name)
            .bind(&new.description)
            .bind(new.author_id)
            .bind(new.created_at)
            .bind(new.released_at);
        self.one(insert).await
    }

    /// Writes a release's name, notes and time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_release(&mut self, row: &ReleaseRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.description)
            .bind(row.released_at);
        self.change(update, "release", row.id.0).await
    }

    /// Forgets a release with its links; the tag stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_release(&mut self, id: ReleaseId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "release", id.0).await
    }

    /// Stores a link.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the release has one of this name, address or path.
    pub async fn insert_release_link(
        &mut self,
        new: &NewReleaseLink,
    ) -> Result<ReleaseLinkRow, StoreError> {
        let insert = query(INSERT_LINK)
            .bind(new.release_id)
            .bind(&new.name)
            .bind(&new.url)
            .bind(&new.file_path)
            .bind(&new.link_type);
        self.one(insert).await
    }

    /// Writes everything of a link but whose it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Taken`].
    pub async fn update_release_link(&mut self, row: &ReleaseLinkRow) -> Result<(), StoreError> {
        let update = query(UPDATE_LINK)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.url)
            .bind(&row.file_path)
            .bind(&row.link_type);
        self.change(update, "release link", row.id.0).await
    }

    /// Forgets a link.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_release_link(&mut self, id: ReleaseLinkId) -> Result<(), StoreError> {
        self.change(query(DELETE_LINK).bind(id), "release link", id.0)
            .await
    }
}
