//! Registration tokens: the older way to make a runner, one token for each level.

use crate::error::StoreError;
use crate::names::Level;
use crate::sealed_rows::Secret;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// The registration token of the instance, a group or a project.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RegistrationTokenRow {
    /// Of what kind of thing.
    pub level: Level,
    /// Of which one; 0 for the instance.
    pub level_id: i64,
    /// SHA-256 of the token, made by the caller.
    pub digest: Vec<u8>,
    /// The token, which is shown to people again. In the database encrypted, where
    /// [`Options::keys`](crate::Options) are given.
    pub token: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
}

const SET: &str = "INSERT INTO registration_tokens (level, level_id, digest, token, created_at) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (level, level_id) DO UPDATE SET \
    digest = excluded.digest, token = excluded.token, created_at = excluded.created_at";

const FIND: &str = "SELECT * FROM registration_tokens WHERE level = $1 AND level_id = $2";

const BY_DIGEST: &str = "SELECT * FROM registration_tokens WHERE digest = $1";

impl Store {
    /// The level's token, if one was made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn registration_token(
        &self,
        level: Level,
        id: i64,
    ) -> Result<Option<RegistrationTokenRow>, StoreError> {
        let row = query(FIND).bind(level).bind(id);
        let row: Option<RegistrationTokenRow> = self.optional(row).await?;
        row.map(|row| row.opened(self.keys())).transpose()
    }

    /// The token of this digest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn registration_token_by_digest(
        &self,
        digest: &[u8],
    ) -> Result<Option<RegistrationTokenRow>, StoreError> {
        let row = query(BY_DIGEST).bind(digest);
        let row: Option<RegistrationTokenRow> = self.optional(row).await?;
        row.map(|row| row.opened(self.keys())).transpose()
    }
}

impl Transaction {
    /// Gives a level its token, in place of the one before.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_registration_token(
        &mut self,
        row: &RegistrationTokenRow,
    ) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let set = query(SET)
            .bind(row.level)
            .bind(row.level_id)
            .bind(&row.digest)
            .bind(&sealed)
            .bind(row.created_at);
        self.execute(set).await.map(drop)
    }
}
