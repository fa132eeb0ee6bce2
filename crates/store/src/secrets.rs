//! Values that nobody may read who has only the database: XChaCha20-Poly1305 under a key that is
//! kept elsewhere.
//!
//! A sealed value is the format's number, the key's id, a random nonce and the ciphertext; it can
//! be opened only for the record that it was sealed for. Without a key values are kept as they
//! are, behind a number of their own, and are sealed when a key is given later.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use crate::disk;
use crate::store::Durability;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a key's id: the beginning of its SHA-256.
const ID_BYTES: usize = 4;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// What a value begins with that is kept as it is.
pub(crate) const PLAIN: u8 = 0;
/// What a sealed value begins with.
pub(crate) const SEALED: u8 = 1;
/// Bytes before the nonce of a sealed value: the format's number and the key's id.
pub(crate) const HEAD_BYTES: usize = 1 + ID_BYTES;

/// Why a secret cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It was sealed with a key that is not given.
    #[error(
        "it is encrypted with the key {id:08x}, which is not given; start with the file of keys that this database was used with"
    )]
    NoKey {
        /// The key's id.
        id: u32,
    },
    /// It was changed, or sealed for another record.
    #[error("it is damaged or of another record; enter it again")]
    Foreign,
}

/// The file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("cannot use the file of keys `{}`; check its owner and mode", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("`{}` is no file of keys, each of {KEY_BYTES} bytes; restore it from a backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The keys that secrets in the database are encrypted with: all can be read with, the newest
/// writes. The default is none, and then secrets are kept as they are.
#[derive(Clone, Default)]
pub struct SecretKeys(Arc<Vec<SecretKey>>);

struct SecretKey {
    id: [u8; ID_BYTES],
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for SecretKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.0.iter().map(|key| u32::from_be_bytes(key.id));
        formatter.debug_list().entries(ids).finish()
    }
}

impl SecretKeys {
    /// The keys of a file, which is made with a first one, for its owner only, where there is
    /// none. Each is 32 bytes; the newest is the last. Whoever loses it loses the secrets, so it
    /// belongs into a backup, but not beside that of the database.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        let fault = |source| KeyFileError::File {
            path: path.to_owned(),
            source,
        };
        match File::open(path) {
            Ok(file) => Self::read(file, path),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                write_keys(path, &Key::generate(), Existing::Kept).map_err(fault)?;
                Self::read(File::open(path).map_err(fault)?, path)
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Adds a new key to the file of keys, which writes from now on in whoever loads it;
    /// [`Store::reseal`](crate::Store::reseal) then makes the older ones superfluous.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file is as it was then.
    pub fn rotate(path: &Path) -> Result<Self, KeyFileError> {
        let fault = |source| KeyFileError::File {
            path: path.to_owned(),
            source,
        };
        // Nothing is added to what is no file of keys.
        Self::load_or_create(path)?;
        let mut keys = std::fs::read(path).map_err(fault)?;
        keys.extend_from_slice(&Key::generate());
        write_keys(path, &keys, Existing::Replaced).map_err(fault)?;
        Self::load_or_create(path)
    }

    fn read(file: File, path: &Path) -> Result<Self, KeyFileError> {
        /// Far more keys than anybody has.
        const LIMIT: u64 = 1024 * KEY_BYTES as u64;
        let mut bytes = Vec::new();
        let read = file.take(LIMIT + 1).read_to_end(&mut bytes);
        read.map_err(|source| KeyFileError::File {
            path: path.to_owned(),
            source,
        })?;
        let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
        if keys.is_empty() || !rest.is_empty() {
            return Err(KeyFileError::Malformed {
                path: path.to_owned(),
            });
        }
        Ok(Self::new(keys.iter().copied()))
    }

    /// These keys, the newest last.
    pub fn new(keys: impl IntoIterator<Item = [u8; KEY_BYTES]>) -> Self {
        let keys = keys.into_iter().map(|key| {
            let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(key).into();
            SecretKey {
                id: [a, b, c, d],
                cipher: XChaCha20Poly1305::new(&key.into()),
            }
        });
        Self(Arc::new(keys.collect()))
    }

    /// What values begin with that are sealed with the newest key.
    pub(crate) fn head(&self) -> Option<[u8; HEAD_BYTES]> {
        let [a, b, c, d] = self.0.last()?.id;
        Some([SEALED, a, b, c, d])
    }

    /// Whether what begins so can be opened.
    pub(crate) fn knows(&self, head: &[u8]) -> Result<(), SecretError> {
        match head {
            [SEALED, a, b, c, d, ..] => self.key([*a, *b, *c, *d]).map(drop),
            [PLAIN, ..] => Ok(()),
            _ => Err(SecretError::Foreign),
        }
    }

    fn key(&self, id: [u8; ID_BYTES]) -> Result<&SecretKey, SecretError> {
        let found = self.0.iter().find(|key| key.id == id);
        found.ok_or(SecretError::NoKey {
            id: u32::from_be_bytes(id),
        })
    }

    /// What is stored of a value.
    pub(crate) fn seal(&self, record: &Record<'_>, value: &[u8]) -> Vec<u8> {
        let Some(key) = self.0.last() else {
            return [&[PLAIN], value].concat();
        };
        let nonce = XNonce::generate();
        let payload = Payload {
            msg: value,
            aad: &record.bytes(),
        };
        #[expect(clippy::expect_used, reason = "there is nothing safe to go on with")]
        let sealed = (key.cipher.encrypt(&nonce, payload)).expect("a value of more than 256 GiB");
        [&[SEALED], &key.id[..], &nonce, &sealed].concat()
    }

    /// The value of what is stored.
    pub(crate) fn open(&self, record: &Record<'_>, stored: &[u8]) -> Result<Vec<u8>, SecretError> {
        self.knows(stored)?;
        if let [PLAIN, value @ ..] = stored {
            return Ok(value.to_vec());
        }
        let (head, rest) = stored
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or(SecretError::Foreign)?;
        let [_, id @ ..] = *head;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SecretError::Foreign)?;
        let payload = Payload {
            msg: sealed,
            aad: &record.bytes(),
        };
        let opened = self.key(id)?.cipher.decrypt(&XNonce::from(*nonce), payload);
        opened.map_err(|_| SecretError::Foreign)
    }
}

/// Whose secret it is: the table, and what tells its rows apart.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) table: &'static str,
    pub(crate) identity: &'a [&'a str],
}

impl Record<'_> {
    /// No two records have the same.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in std::iter::once(&self.table).chain(self.identity) {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

impl std::fmt::Display for Record<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.table, self.identity.join(" "))
    }
}

/// What becomes of a file of keys that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Kept,
    Replaced,
}

/// Puts the file in place whole: a process killed meanwhile leaves the old one, or none.
fn write_keys(path: &Path, keys: &[u8], existing: Existing) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let partial = path.with_file_name(name);
    std::fs::remove_file(&partial).ok();
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(keys)?;
        file.sync_all()?;
        match existing {
            Existing::Replaced => std::fs::rename(&partial, path),
            // Of two that make one at the same time the first stays.
            Existing::Kept => match std::fs::hard_link(&partial, path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            },
        }
    };
    let written = write();
    std::fs::remove_file(&partial).ok();
    written?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => disk::sync(parent, Durability::Machine),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record<'_> = Record {
        table: "variables",
        identity: &["project", "1", "KEY", "*"],
    };

    #[test]
    fn what_is_sealed_is_opened_by_any_of_the_keys_for_the_same_record_only() {
        let old = SecretKeys::new([[1; 32]]);
        let both = SecretKeys::new([[1; 32], [2; 32]]);
        for value in [&b""[..], b"geheim", &[0; 1000]] {
            let sealed = old.seal(&RECORD, value);
            assert_eq!(both.open(&RECORD, &sealed).unwrap(), value);
            assert_ne!(sealed, old.seal(&RECORD, value), "the nonce differs");
            assert!(value.is_empty() || !sealed.windows(value.len()).any(|part| part == value));
            let newer = both.seal(&RECORD, value);
            let error = old.open(&RECORD, &newer).unwrap_err();
            assert!(matches!(error, SecretError::NoKey { .. }), "{error:?}");
            for identity in [
                &["project", "2", "KEY", "*"][..],
                &["project", "1", "KEY", "*", ""],
                &["project", "1K", "EY", "*"],
            ] {
                let other = Record { identity, ..RECORD };
                assert_eq!(old.open(&other, &sealed), Err(SecretError::Foreign));
            }
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let keys = SecretKeys::new([[1; 32]]);
        let sealed = keys.seal(&RECORD, b"geheim");
        for place in 0..sealed.len() {
            keys.open(&RECORD, &sealed[..place]).unwrap_err();
            // A flipped lowest bit of the first byte would say that it is plain.
            let mut changed = sealed.clone();
            changed[place] ^= 2;
            keys.open(&RECORD, &changed).unwrap_err();
        }
    }

    #[test]
    fn a_file_of_keys_is_made_once_kept_private_and_rotated() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.key");
        let first = SecretKeys::load_or_create(&path).unwrap();
        let sealed = first.seal(&RECORD, b"geheim");
        let again = SecretKeys::load_or_create(&path).unwrap();
        assert_eq!(again.open(&RECORD, &sealed).unwrap(), b"geheim");
        let rotated = SecretKeys::rotate(&path).unwrap();
        assert_eq!(rotated.open(&RECORD, &sealed).unwrap(), b"geheim");
        assert_ne!(rotated.head(), first.head());
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.len(), metadata.permissions().mode() & 0o777),
            (64, 0o600)
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

        for wrong in [&b""[..], b"short", &[7; 33]] {
            std::fs::write(&path, wrong).unwrap();
            for error in [
                SecretKeys::load_or_create(&path).unwrap_err(),
                SecretKeys::rotate(&path).unwrap_err(),
            ] {
                assert!(matches!(error, KeyFileError::Malformed { .. }), "{error:?}");
            }
            assert_eq!(std::fs::read(&path).unwrap(), wrong);
        }
    }
}
