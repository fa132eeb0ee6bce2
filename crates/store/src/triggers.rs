//! Trigger tokens, which set pipelines off over HTTP.

use crate::error::StoreError;
use crate::ids::{ProjectId, TriggerId, UserId};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A trigger token.
    NewTrigger => TriggerRow {
        id: TriggerId,
        /// Whose pipelines it sets off.
        project_id: ProjectId,
        /// What it is for.
        description: String,
        /// SHA-256 of the token, made by the caller.
        token_digest: Vec<u8>,
        /// The beginning of the token, for people.
        token_prefix: String,
        /// In whose name the pipelines run.
        owner_id: UserId,
        /// When it was made.
        created_at: i64,
        /// When it was last used.
        last_used_at: Option<i64>,
    }
}

const INSERT: &str = "INSERT INTO triggers (project_id, description, token_digest, token_prefix, \
    owner_id, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *";

const FIND: &str = "SELECT * FROM triggers WHERE id = $1";

const BY_DIGEST: &str = "SELECT * FROM triggers WHERE token_digest = $1";

const OF: &str = "SELECT * FROM triggers WHERE project_id = $1 ORDER BY id";

const UPDATE: &str = "UPDATE triggers SET description = $2, owner_id = $3, last_used_at = $4 \
    WHERE id = $1";

const DELETE: &str = "DELETE FROM triggers WHERE id = $1";

impl Store {
    /// The trigger, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trigger(&self, id: TriggerId) -> Result<Option<TriggerRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The trigger whose token has this digest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trigger_by_digest(&self, digest: &[u8]) -> Result<Option<TriggerRow>, StoreError> {
        self.optional(query(BY_DIGEST).bind(digest)).await
    }

    /// The project's triggers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn triggers(&self, project: ProjectId) -> Result<Vec<TriggerRow>, StoreError> {
        self.all(query(OF).bind(project)).await
    }
}

impl Transaction {
    /// Stores a trigger.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_trigger(&mut self, new: &NewTrigger) -> Result<TriggerRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.project_id)
            .bind(&new.description)
            .bind(&new.token_digest)
            .bind(&new.token_prefix)
            .bind(new.owner_id)
            .bind(new.created_at)
            .bind(new.last_used_at);
        self.one(insert).await
    }

    /// Writes a trigger's description, owner and last use.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_trigger(&mut self, row: &TriggerRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.description)
            .bind(row.owner_id)
            .bind(row.last_used_at);
        self.change(update, "trigger", row.id.0).await
    }

    /// Forgets a trigger.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_trigger(&mut self, id: TriggerId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "trigger", id.0).await
    }
}
