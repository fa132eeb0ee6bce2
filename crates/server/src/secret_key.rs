//! The server's own secret: what is encrypted at rest is encrypted with it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Its file in the data directory.
const FILE: &str = "secret.key";

const KEY_BYTES: usize = 32;

const NONCE_BYTES: usize = 24;

/// What a sealed text begins with; another format gets another number.
const FORMAT: u8 = 1;

/// The secret of one server, kept in the data directory. Whoever backs up the data backs it up
/// too: without it the encrypted values are lost.
#[derive(Clone)]
pub struct SecretKey(XChaCha20Poly1305);

/// Why the secret cannot be had or does not fit.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file cannot be read or made.
    #[error("cannot use the server's secret key `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{}` is not a secret key of {KEY_BYTES} bytes; restore it from a backup of the data directory", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A value was encrypted by another key, for another place, or was changed.
    #[error(
        "an encrypted value cannot be read; was the server's `{FILE}` replaced? Restore it from a backup of the data directory"
    )]
    Foreign,
}

impl SecretKey {
    /// Reads the secret in the data directory; makes one where there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, made, or is something else.
    pub fn open(data: &Path) -> Result<Self, SecretKeyError> {
        let path = data.join(FILE);
        let fault = |source| SecretKeyError::Io {
            path: path.clone(),
            source,
        };
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(data, &path).map_err(fault)?;
            }
            _ => {}
        }
        let bytes = read(&path).map_err(fault)?;
        let key: [u8; KEY_BYTES] = bytes
            .try_into()
            .map_err(|_| SecretKeyError::Malformed { path: path.clone() })?;
        Ok(Self::from_bytes(key))
    }

    fn from_bytes(key: [u8; KEY_BYTES]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Encrypts a value for one place, `variable of project 7` for instance: read from
    /// another place it is foreign.
    pub fn seal(&self, place: &str, value: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = crate::identity::token::random_bytes();
        let payload = Payload {
            msg: value,
            aad: place.as_bytes(),
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        // It fails only for a value longer than 256 GiB.
        let sealed = sealed.unwrap_or_default();
        [&[FORMAT], &nonce[..], &sealed].concat()
    }

    /// Reads what [`SecretKey::seal`] encrypted for this place.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Foreign`].
    pub fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretKeyError> {
        let Some((&FORMAT, rest)) = sealed.split_first() else {
            return Err(SecretKeyError::Foreign);
        };
        let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(SecretKeyError::Foreign);
        };
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        let opened = self.0.decrypt(&XNonce::from(*nonce), payload);
        opened.map_err(|_| SecretKeyError::Foreign)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretKey(…)")
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than a key has tells what is too long.
    let file = File::open(path)?.take(KEY_BYTES as u64 + 1);
    { file }.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Complete or not there, also when two processes do it at once.
fn make(data: &Path, path: &Path) -> io::Result<()> {
    let bytes: [u8; KEY_BYTES] = crate::identity::token::random_bytes();
    let new = data.join(format!("{FILE}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = (options.write(true).create(true).truncate(true))
        .mode(0o600)
        .open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let linked = match std::fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    std::fs::remove_file(&new)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_at_its_place_only() {
        let key = SecretKey::from_bytes([1; KEY_BYTES]);
        let sealed = key.seal("a", b"value");
        assert_eq!(key.open_sealed("a", &sealed).unwrap(), b"value");
        assert_ne!(key.seal("a", b"value"), sealed, "never the same twice");
        assert!(key.open_sealed("b", &sealed).is_err());
        let other = SecretKey::from_bytes([2; KEY_BYTES]);
        assert!(other.open_sealed("a", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open_sealed("a", &changed).is_err(), "byte {index}");
            assert!(key.open_sealed("a", &sealed[..index]).is_err());
        }
    }

    #[test]
    fn the_key_stays_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let sealed = SecretKey::open(directory.path()).unwrap().seal("a", b"v");
        let again = SecretKey::open(directory.path()).unwrap();
        assert_eq!(again.open_sealed("a", &sealed).unwrap(), b"v");
        let path = directory.path().join(FILE);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        for wrong in [&b"short"[..], &[0; KEY_BYTES + 1]] {
            std::fs::write(&path, wrong).unwrap();
            let refused = SecretKey::open(directory.path());
            assert!(matches!(refused, Err(SecretKeyError::Malformed { .. })));
        }
    }
}
