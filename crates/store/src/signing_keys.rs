//! The private keys that a server signs with.

use crate::error::StoreError;
use crate::sealed_rows::Secret;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A key that all servers of one database share.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SigningKeyRow {
    /// What it signs, such as `id_tokens`; of a retired one with a slash and a number after it.
    pub name: String,
    /// PKCS #8. In the database encrypted, where [`Options::keys`](crate::Options) are given.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
    /// When another took its place.
    pub retired_at: Option<i64>,
}

const FIND: &str = "SELECT * FROM signing_keys WHERE name = $1";

/// The one that signs comes first.
const ALL: &str = "SELECT * FROM signing_keys WHERE name = $1 OR name LIKE $2 \
    ORDER BY (retired_at IS NOT NULL), retired_at DESC";

/// Of several servers that make one at the same time the first wins.
const INSERT: &str = "INSERT INTO signing_keys (name, private_key, created_at) \
    VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";

const RETIRE: &str = "INSERT INTO signing_keys (name, private_key, created_at, retired_at) \
    VALUES ($1, $2, $3, $4)";

const REPLACE: &str = "UPDATE signing_keys SET private_key = $2, created_at = $3 WHERE name = $1";

const DELETE_RETIRED: &str = "DELETE FROM signing_keys WHERE name LIKE $1 AND retired_at <= $2";

const UPDATE: &str = "UPDATE signing_keys SET private_key = $2 WHERE name = $1";

/// What the names of retired keys are like.
fn retired(name: &str) -> String {
    format!("{name}/%")
}

impl Store {
    /// The key of this name, if one was made.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn signing_key(&self, name: &str) -> Result<Option<SigningKeyRow>, StoreError> {
        let row: Option<SigningKeyRow> = self.optional(query(FIND).bind(name)).await?;
        row.map(|row| row.opened(self.keys())).transpose()
    }

    /// The key of this name and those whose place it took: first the one that signs, then the
    /// retired ones, the last to be so first.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn signing_keys(&self, name: &str) -> Result<Vec<SigningKeyRow>, StoreError> {
        let retired = retired(name);
        let rows: Vec<SigningKeyRow> = self.all(query(ALL).bind(name).bind(&retired)).await?;
        let rows = rows.into_iter().map(|row| row.opened(self.keys()));
        rows.collect()
    }
}

impl Transaction {
    /// Keeps a new key, sealed, unless there is one of its name.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_signing_key(&mut self, row: &SigningKeyRow) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let insert = query(INSERT)
            .bind(&row.name)
            .bind(&sealed)
            .bind(row.created_at);
        self.execute(insert).await.map(drop)
    }

    /// Puts a new key in the place of the one of its name, which is kept as retired, and
    /// forgets those that were retired up to `before`.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not take it, for instance because
    /// another server replaces the same key.
    pub async fn replace_signing_key(
        &mut self,
        new: &SigningKeyRow,
        before: i64,
    ) -> Result<(), StoreError> {
        let forgotten = retired(&new.name);
        let forget = query(DELETE_RETIRED).bind(&forgotten).bind(before);
        self.execute(forget).await?;
        let old: Option<SigningKeyRow> = self.optional(query(FIND).bind(&new.name)).await?;
        let Some(old) = old else {
            return self.insert_signing_key(new).await;
        };
        let mut old = old.opened(self.keys())?;
        old.name = format!("{}/{}", old.name, old.created_at);
        let sealed = old.sealed(self.keys());
        let retire = query(RETIRE)
            .bind(&old.name)
            .bind(&sealed)
            .bind(old.created_at)
            .bind(new.created_at);
        self.execute(retire).await?;
        let sealed = new.sealed(self.keys());
        let replace = query(REPLACE)
            .bind(&new.name)
            .bind(&sealed)
            .bind(new.created_at);
        self.execute(replace).await.map(drop)
    }

    pub(crate) async fn update_signing_key(
        &mut self,
        row: &SigningKeyRow,
    ) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let update = query(UPDATE).bind(&row.name).bind(&sealed);
        self.execute(update).await.map(drop)
    }
}
