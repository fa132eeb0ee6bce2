//! The private keys that a server signs with.

use crate::error::StoreError;
use crate::sealed_rows::Secret;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A key that all servers of one database share.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SigningKeyRow {
    /// What it signs, such as `id_tokens`.
    pub name: String,
    /// PKCS #8. In the database encrypted, where [`Options::keys`](crate::Options) are given.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
}

const FIND: &str = "SELECT * FROM signing_keys WHERE name = $1";

/// Of several servers that make one at the same time the first wins.
const INSERT: &str = "INSERT INTO signing_keys (name, private_key, created_at) \
    VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";

const UPDATE: &str = "UPDATE signing_keys SET private_key = $2 WHERE name = $1";

impl Store {
    /// The key of this name, if one was made.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn signing_key(&self, name: &str) -> Result<Option<SigningKeyRow>, StoreError> {
        let row: Option<SigningKeyRow> = self.optional(query(FIND).bind(name)).await?;
        row.map(|row| row.opened(self.keys())).transpose()
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

    pub(crate) async fn update_signing_key(
        &mut self,
        row: &SigningKeyRow,
    ) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let update = query(UPDATE).bind(&row.name).bind(&sealed);
        self.execute(update).await.map(drop)
    }
}
