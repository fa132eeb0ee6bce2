//! The key that ID tokens are signed with: made when it is first asked for, the same for all
//! servers of one database, and encrypted in it like every secret. Another may take its place;
//! then it is published until the tokens that it signed have run out.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use rsa::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shipway_coordinator::Signer;
use shipway_store::{SigningKeyRow, Store, StoreError};

use crate::clock::now;

/// Its name among the keys of the database.
const NAME: &str = "id_tokens";
/// Bits; GitLab's, and the least that services accept.
const BITS: usize = 2048;

/// Microseconds that a retired key is published. A token holds as long as its job may run, which
/// is a month at most.
const PUBLISHED: i64 = 32 * 24 * 3600 * 1_000_000;

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no new one.
    #[error("a key for ID tokens cannot be made: {0}")]
    New(String),
    /// What is stored is no RSA key.
    #[error(
        "the stored key of ID tokens is damaged ({0}); delete the row `{NAME}` of the table `signing_keys` for a new one"
    )]
    Stored(String),
    /// The system gives no random numbers.
    #[error("an ID token cannot be signed")]
    Sign,
}

/// A key as it stands in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// How tokens name it, their `kid`.
    pub id: String,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// Until when it is published; none for the one that signs.
    pub published_until: Option<i64>,
}

/// The keys. They are looked up each time, since another process may put a new one in place;
/// what was read of them is kept.
#[derive(Debug)]
pub(crate) struct IdTokenKey {
    store: Store,
    read: Mutex<Vec<Arc<Loaded>>>,
}

#[derive(Debug)]
struct Loaded {
    row: SigningKeyRow,
    pair: KeyPair,
    /// The public half as a JSON Web Key.
    public: Value,
    /// How tokens name it.
    id: String,
}

impl IdTokenKey {
    /// The keys in this store.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            read: Mutex::default(),
        }
    }

    /// What tokens are checked with, as a set of JSON Web Keys: the newest first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn public_keys(&self) -> Result<Value, KeyError> {
        let keys = self.published().await?;
        let public: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
        Ok(json!({ "keys": public }))
    }

    /// The keys that are published: first the one that signs.
    pub(crate) async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let info = |key: &Arc<Loaded>| KeyInfo {
            id: key.id.clone(),
            created_at: key.row.created_at,
            published_until: key.row.retired_at.map(|at| at + PUBLISHED),
        };
        Ok(self.published().await?.iter().map(info).collect())
    }

    /// Puts a new key in place.
    pub(crate) async fn rotate(&self) -> Result<(), KeyError> {
        let row = made().await?;
        let mut transaction = self.store.begin().await?;
        let before = row.created_at - PUBLISHED;
        transaction.replace_signing_key(&row, before).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// At least one.
    async fn published(&self) -> Result<Vec<Arc<Loaded>>, KeyError> {
        let now = now();
        let mut rows = self.store.signing_keys(NAME).await?;
        if rows.first().is_none_or(|row| row.retired_at.is_some()) {
            rows.insert(0, self.first().await?);
        }
        rows.retain(|row| row.retired_at.is_none_or(|at| at + PUBLISHED > now));
        let known = {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.clone()
        };
        let loaded = rows.into_iter().map(|row| {
            let known = known.iter().find(|key| key.row == row).cloned();
            known.map_or_else(|| Loaded::read(row).map(Arc::new), Ok)
        });
        let loaded = loaded.collect::<Result<Vec<_>, _>>()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.clone_from(&loaded);
        Ok(loaded)
    }

    /// Makes the first key.
    async fn first(&self) -> Result<SigningKeyRow, KeyError> {
        let row = made().await?;
        let mut transaction = self.store.begin().await?;
        transaction.insert_signing_key(&row).await?;
        transaction.commit().await?;
        // Another server's, where that was quicker.
        Ok(self.store.signing_key(NAME).await?.unwrap_or(row))
    }

    async fn signed(&self, claims: &Value) -> Result<String, KeyError> {
        let keys = self.published().await?;
        let key = keys.first().ok_or(KeyError::Sign)?;
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": key.id });
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut token = format!("{}.{}", encoded(&header), encoded(claims));
        let mut signature = vec![0; key.pair.public().modulus_len()];
        let random = SystemRandom::new();
        (key.pair
            .sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature))
        .map_err(|_| KeyError::Sign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl Signer for IdTokenKey {
    fn sign<'a>(&'a self, claims: &'a Value) -> shipway_coordinator::Signing<'a> {
        Box::pin(async move { Ok(self.signed(claims).await?) })
    }
}

/// A new key, which is not stored.
async fn made() -> Result<SigningKeyRow, KeyError> {
    let made = tokio::task::spawn_blocking(new_key).await;
    let private_key = made.map_err(|error| KeyError::New(error.to_string()))??;
    Ok(SigningKeyRow {
        name: NAME.to_owned(),
        private_key,
        created_at: now(),
        retired_at: None,
    })
}

/// A new private key as PKCS #8; takes a good part of a second.
fn new_key() -> Result<Vec<u8>, KeyError> {
    let fault = |error: &dyn std::fmt::Display| KeyError::New(error.to_string());
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS);
    let key = key.map_err(|error| fault(&error))?;
    let encoded = key.to_pkcs8_der().map_err(|error| fault(&error))?;
    Ok(encoded.as_bytes().to_vec())
}

impl Loaded {
    fn read(row: SigningKeyRow) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(&row.private_key);
        let pair = pair.map_err(|error| KeyError::Stored(error.to_string()))?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
        let (n, e) = (
            URL_SAFE_NO_PAD.encode(public.n),
            URL_SAFE_NO_PAD.encode(public.e),
        );
        // RFC 7638: the digest of the necessary members, in this order.
        let necessary = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(necessary));
        let public = json!({
            "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": n, "e": e,
        });
        Ok(Self {
            row,
            pair,
            public,
            id,
        })
    }
}
