//! What proves who somebody is: personal access tokens and sessions of a browser.
//!
//! Only digests are kept, SHA-256 of the secret, made by the caller.

use crate::error::StoreError;
use crate::ids::{AccessTokenId, UserId};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A personal access token.
    NewAccessToken => AccessTokenRow {
        id: AccessTokenId,
        /// Whose it is.
        user_id: UserId,
        /// What the user calls it.
        name: String,
        /// Of the token.
        digest: Vec<u8>,
        /// JSON: what it may be used for.
        scopes: String,
        /// From when on it is worthless; none for never.
        expires_at: Option<i64>,
        /// It is worthless.
        revoked: bool,
        /// When it was made.
        created_at: i64,
        /// When it was last used.
        last_used_at: Option<i64>,
    }
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    /// Of the cookie's secret.
    pub digest: Vec<u8>,
    /// Who is signed in.
    pub user_id: UserId,
    /// What forms must send along.
    pub csrf: String,
    /// When it began.
    pub created_at: i64,
    /// From when on it is worthless.
    pub expires_at: i64,
}

const INSERT_TOKEN: &str = "INSERT INTO access_tokens \
    (user_id, name, digest, scopes, expires_at, revoked, created_at, last_used_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *";

const TOKEN: &str = "SELECT * FROM access_tokens WHERE id = $1";

const TOKEN_BY_DIGEST: &str = "SELECT * FROM access_tokens WHERE digest = $1";

const TOKENS_OF: &str = "SELECT * FROM access_tokens WHERE user_id = $1 ORDER BY id";

const REVOKE: &str = "UPDATE access_tokens SET revoked = TRUE WHERE id = $1";

const USED: &str = "UPDATE access_tokens SET last_used_at = $2 WHERE id = $1";

const INSERT_SESSION: &str = "INSERT INTO sessions \
    (digest, user_id, csrf, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";

const SESSION: &str = "SELECT * FROM sessions WHERE digest = $1";

const SESSIONS_OF: &str = "SELECT * FROM sessions WHERE user_id = $1 ORDER BY created_at, digest";

const EXTEND_SESSION: &str = "UPDATE sessions SET expires_at = $2 WHERE digest = $1";

const DELETE_SESSION: &str = "DELETE FROM sessions WHERE digest = $1";

const DELETE_SESSIONS_OF: &str = "DELETE FROM sessions WHERE user_id = $1";

const DELETE_ENDED: &str = "DELETE FROM sessions WHERE expires_at <= $1";

impl Store {
    /// The token, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_token(
        &self,
        id: AccessTokenId,
    ) -> Result<Option<AccessTokenRow>, StoreError> {
        self.optional(query(TOKEN).bind(id)).await
    }

    /// The token of this digest; it may be revoked or expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_token_by_digest(
        &self,
        digest: &[u8],
    ) -> Result<Option<AccessTokenRow>, StoreError> {
        self.optional(query(TOKEN_BY_DIGEST).bind(digest)).await
    }

    /// The user's tokens, the revoked and expired ones too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_tokens(&self, user: UserId) -> Result<Vec<AccessTokenRow>, StoreError> {
        self.all(query(TOKENS_OF).bind(user)).await
    }

    /// The session of this digest; it may be expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session(&self, digest: &[u8]) -> Result<Option<SessionRow>, StoreError> {
        self.optional(query(SESSION).bind(digest)).await
    }

    /// The user's sessions, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<SessionRow>, StoreError> {
        self.all(query(SESSIONS_OF).bind(user)).await
    }
}

impl Transaction {
    /// Stores a token.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_access_token(
        &mut self,
        new: &NewAccessToken,
    ) -> Result<AccessTokenRow, StoreError> {
        let insert = query(INSERT_TOKEN)
            .bind(new.user_id)
            .bind(&new.name)
            .bind(&new.digest)
            .bind(&new.scopes)
            .bind(new.expires_at)
            .bind(new.revoked)
            .bind(new.created_at)
            .bind(new.last_used_at);
        self.one(insert).await
    }

    /// Makes a token worthless.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_access_token(&mut self, id: AccessTokenId) -> Result<(), StoreError> {
        self.change(query(REVOKE).bind(id), "access token", id.0)
            .await
    }

    /// Notes when a token was used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn access_token_used(
        &mut self,
        id: AccessTokenId,
        at: i64,
    ) -> Result<(), StoreError> {
        self.change(query(USED).bind(id).bind(at), "access token", id.0)
            .await
    }

    /// Stores a session.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_session(&mut self, row: &SessionRow) -> Result<(), StoreError> {
        let insert = query(INSERT_SESSION)
            .bind(&row.digest)
            .bind(row.user_id)
            .bind(&row.csrf)
            .bind(row.created_at)
            .bind(row.expires_at);
        self.execute(insert).await.map(drop)
    }

    /// Lets a session last until `expires_at`; returns whether there is such a session.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn extend_session(
        &mut self,
        digest: &[u8],
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let update = query(EXTEND_SESSION).bind(digest).bind(expires_at);
        Ok(self.execute(update).await? > 0)
    }

    /// Ends a session; returns whether there was one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_session(&mut self, digest: &[u8]) -> Result<bool, StoreError> {
        Ok(self.execute(query(DELETE_SESSION).bind(digest)).await? > 0)
    }

    /// Ends all of a user's sessions; returns how many there were.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_sessions(&mut self, user: UserId) -> Result<u64, StoreError> {
        self.execute(query(DELETE_SESSIONS_OF).bind(user)).await
    }

    /// Forgets the sessions that are over at `now`; returns how many there were.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_expired_sessions(&mut self, now: i64) -> Result<u64, StoreError> {
        self.execute(query(DELETE_ENDED).bind(now)).await
    }
}
