//! Badges: images that a project shows, each with a link.

use crate::error::StoreError;
use crate::ids::{BadgeId, ProjectId};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A badge.
    NewBadge => BadgeRow {
        id: BadgeId,
        /// Whose it is.
        project_id: ProjectId,
        /// What people call it.
        name: Option<String>,
        /// Where it leads, with placeholders.
        link_url: String,
        /// The image, with placeholders.
        image_url: String,
        /// When it was made.
        created_at: i64,
    }
}

const INSERT: &str = "INSERT INTO badges (project_id, name, link_url, image_url, created_at) \
    VALUES ($1, $2, $3, $4, $5) RETURNING *";

const OF: &str = "SELECT * FROM badges WHERE project_id = $1 ORDER BY id";

const UPDATE: &str = "UPDATE badges SET name = $2, link_url = $3, image_url = $4 WHERE id = $1";

const DELETE: &str = "DELETE FROM badges WHERE id = $1";

impl Store {
    /// The project's badges.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn badges(&self, project: ProjectId) -> Result<Vec<BadgeRow>, StoreError> {
        self.all(query(OF).bind(project)).await
    }
}

impl Transaction {
    /// Stores a badge.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_badge(&mut self, new: &NewBadge) -> Result<BadgeRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.project_id)
            .bind(&new.name)
            .bind(&new.link_url)
            .bind(&new.image_url)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Writes a badge's name and addresses.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_badge(&mut self, row: &BadgeRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.link_url)
            .bind(&row.image_url);
        self.change(update, "badge", row.id.0).await
    }

    /// Forgets a badge.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_badge(&mut self, id: BadgeId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "badge", id.0).await
    }
}
