//! The key that ID tokens are signed with: made when it is first asked for, the same for all
//! servers of one database, and encrypted in it like every secret.

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
use tokio::sync::OnceCell;

use crate::clock::now;

/// Its name among the keys of the database.
const NAME: &str = "id_tokens";
/// Bits; GitLab's, and the least that services accept.
const BITS: usize = 2048;

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
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

/// The key, read when it is first needed.
#[derive(Debug)]
pub(crate) struct IdTokenKey {
    store: Store,
    loaded: OnceCell<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    pair: KeyPair,
    /// The public half as a JSON Web Key.
    public: Value,
    /// How tokens name it.
    id: String,
}

impl IdTokenKey {
    /// The key in this store.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            loaded: OnceCell::new(),
        }
    }

    /// What tokens are checked with, as a set of JSON Web Keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn public_keys(&self) -> Result<Value, KeyError> {
        Ok(json!({ "keys": [self.loaded().await?.public] }))
    }

    async fn loaded(&self) -> Result<&Loaded, KeyError> {
        let load = || async { Loaded::read(&self.stored().await?.private_key) };
        self.loaded.get_or_try_init(load).await
    }

    async fn stored(&self) -> Result<SigningKeyRow, KeyError> {
        if let Some(row) = self.store.signing_key(NAME).await? {
            return Ok(row);
        }
        let made = tokio::task::spawn_blocking(new_key).await;
        let private_key = made.map_err(|error| KeyError::New(error.to_string()))??;
        let row = SigningKeyRow {
            name: NAME.to_owned(),
            private_key,
            created_at: now(),
        };
        let mut transaction = self.store.begin().await?;
        transaction.insert_signing_key(&row).await?;
        transaction.commit().await?;
        // Another server's, where that was quicker.
        Ok(self.store.signing_key(NAME).await?.unwrap_or(row))
    }

    async fn signed(&self, claims: &Value) -> Result<String, KeyError> {
        let key = self.loaded().await?;
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

/// A new private key as PKCS #8; takes a good part of a second.
fn new_key() -> Result<Vec<u8>, KeyError> {
    let fault = |error: &dyn std::fmt::Display| KeyError::New(error.to_string());
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS);
    let key = key.map_err(|error| fault(&error))?;
    let encoded = key.to_pkcs8_der().map_err(|error| fault(&error))?;
    Ok(encoded.as_bytes().to_vec())
}

impl Loaded {
    fn read(private_key: &[u8]) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(private_key);
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
        Ok(Self { pair, public, id })
    }
}
