//! Passwords: argon2id, slow on purpose, and so bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use super::token;
use crate::error::ApiError;

/// Characters of a password at least, as in GitLab.
pub(crate) const SHORTEST: usize = 8;

/// And at most, as in GitLab.
pub(crate) const LONGEST: usize = 128;

/// Hashes computed at once; each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;

/// Git sends a password with every request. One that was right is not hashed again for so long.
const REMEMBERED: Duration = Duration::from_secs(300);

/// So many right passwords are remembered.
const MOST_REMEMBERED: usize = 1000;

/// Hashes and compares passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// Digests of what was right lately, with a salt of this process.
    right: Mutex<HashMap<Vec<u8>, Instant>>,
    salt: String,
}

/// A password cannot be hashed: the system has no memory or no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("a password cannot be hashed: {0}")]
pub(crate) struct HashError(String);

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            right: Mutex::default(),
            salt: token::new(""),
        }
    }
}

impl Passwords {
    /// The hash to store, a PHC string.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        let hashed = self.blocking(move || {
            let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes())?;
            Ok::<_, argon2::password_hash::Error>(hash.to_string())
        });
        let hashed = hashed.await.map_err(|error| HashError(error.to_string()))?;
        hashed.map_err(|error| HashError(error.to_string()))
    }

    /// Whether this was found right lately.
    pub(crate) fn remembers(&self, password: &str, hash: Option<&str>) -> bool {
        let Some(hash) = hash else { return false };
        let key = self.key(password, hash);
        let right = self.right.lock();
        let right = right.unwrap_or_else(std::sync::PoisonError::into_inner);
        right
            .get(&key)
            .is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    /// Whether it is the password of the hash. Without a hash it takes as long, and is not.
    pub(crate) async fn verify(
        &self,
        password: &str,
        hash: Option<&str>,
    ) -> Result<bool, ApiError> {
        let key = hash.map(|hash| self.key(password, hash));
        // What is too long for a password costs nothing.
        let password: String = password.chars().take(LONGEST + 1).collect();
        let hash = hash.map(str::to_owned);
        let verified = self.blocking(move || {
            let argon2 = Argon2::default();
            match hash.as_deref().map(PasswordHash::new) {
                Some(Ok(hash)) => argon2.verify_password(password.as_bytes(), &hash).is_ok(),
                _ => {
                    let _: Result<PasswordHash, _> = argon2.hash_password(password.as_bytes());
                    false
                }
            }
        });
        let right = verified.await.map_err(|error| ApiError::internal(&error))?;
        if let Some(key) = key.filter(|_| right) {
            self.remember(key);
        }
        Ok(right)
    }

    fn key(&self, password: &str, hash: &str) -> Vec<u8> {
        token::digest(&format!("{}\0{hash}\0{password}", self.salt))
    }

    fn remember(&self, key: Vec<u8>) {
        let right = self.right.lock();
        let mut right = right.unwrap_or_else(std::sync::PoisonError::into_inner);
        if right.len() >= MOST_REMEMBERED {
            right.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if right.len() < MOST_REMEMBERED {
            right.insert(key, Instant::now());
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        // It is never closed.
        let permit = self.permits.clone().acquire_owned().await.ok();
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_one_is_right() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_ne!(passwords.hash("correct horse").await.unwrap(), hash);
        for (word, against, right) in [
            ("correct horse", Some(hash.as_str()), true),
            ("Correct horse", Some(hash.as_str()), false),
            ("", Some(hash.as_str()), false),
            ("correct horse", None, false),
            ("correct horse", Some("no hash"), false),
        ] {
            let found = passwords.verify(word, against).await.unwrap();
            assert_eq!(found, right, "{word:?}");
            assert_eq!(passwords.remembers(word, against), right, "{word:?}");
        }
        let other = passwords.hash("another").await.unwrap();
        assert!(!passwords.remembers("correct horse", Some(&other)));
    }
}
