//! `includes.lock`: which content every address had, so that the next run reads the same.
//!
//! The contents are kept beside it, each under its digest.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The form of the file.
const VERSION: u32 = 1;

/// The lock file and the contents of a project.
#[derive(Debug)]
pub(super) struct Lock {
    /// The project's state directory.
    directory: PathBuf,
}

/// What is in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// Digests by address, sorted, so that a change of one is a change of one line.
    remote: BTreeMap<String, String>,
}

/// Why the lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Lock {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            directory: state_dir.to_owned(),
        }
    }

    /// The digest of an address, if it has one.
    pub(super) fn digest(&self, url: &str) -> Result<Option<String>, LockError> {
        Ok(self.read()?.remote.remove(url))
    }

    /// The content that is kept under a digest; one that was changed is as good as none.
    pub(super) fn content(&self, digest: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.content_path(digest)).ok()?;
        (of(&text) == digest).then_some(text)
    }

    /// Keeps a content and notes that the address has it.
    pub(super) fn put(&self, url: &str, text: &str) -> Result<(), LockError> {
        crate::state::prepare(&self.directory).map_err(|source| LockError::Unwritable {
            path: self.directory.clone(),
            source,
        })?;
        let digest = of(text);
        self.write(&self.content_path(&digest), text.as_bytes())?;
        let mut content = self.read()?;
        content.version = VERSION;
        content.remote.insert(url.to_owned(), digest);
        let mut json = serde_json::to_vec_pretty(&content).unwrap_or_default();
        json.push(b'\n');
        self.write(&self.path(), &json)
    }

    fn path(&self) -> PathBuf {
        self.directory.join("includes.lock")
    }

    fn content_path(&self, digest: &str) -> PathBuf {
        let name: String = digest.chars().filter(char::is_ascii_alphanumeric).collect();
        self.directory.join("includes").join(format!("{name}.yml"))
    }

    fn read(&self) -> Result<Content, LockError> {
        let path = self.path();
        let unreadable = |reason: String| LockError::Unreadable {
            path: path.clone(),
            reason,
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Content::default());
            }
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let content: Content =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if content.version != VERSION {
            let version = content.version;
            return Err(unreadable(format!(
                "its form is {version}, this shipway knows {VERSION}"
            )));
        }
        Ok(content)
    }

    /// The file is whole or not there, whenever the process ends.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), LockError> {
        let parent = path.parent().unwrap_or(&self.directory);
        let write = || {
            std::fs::create_dir_all(parent)?;
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(bytes)?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| LockError::Unwritable {
            path: path.to_owned(),
            source,
        })
    }
}

/// `sha256:` and the digest in hexadecimal digits.
pub(super) fn of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_until_it_is_changed() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::new(directory.path());
        let url = "https://host/a.yml";
        assert_eq!(lock.digest(url).unwrap(), None);
        lock.put(url, "a: 1").unwrap();
        lock.put("https://host/b.yml", "b: 1").unwrap();
        let digest = lock.digest(url).unwrap().unwrap();
        assert_eq!(lock.content(&digest).as_deref(), Some("a: 1"));
        std::fs::write(lock.content_path(&digest), "a: 2").unwrap();
        assert_eq!(lock.content(&digest), None);
        lock.put(url, "a: 3").unwrap();
        let digest = lock.digest(url).unwrap().unwrap();
        assert_eq!(lock.content(&digest).as_deref(), Some("a: 3"));
    }

    #[test]
    fn a_lock_of_another_form_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::new(directory.path());
        for text in ["no json", "{\"version\": 2, \"remote\": {}}"] {
            std::fs::write(lock.path(), text).unwrap();
            assert!(lock.digest("https://host/a.yml").is_err());
            assert!(lock.put("https://host/a.yml", "a: 1").is_err());
            assert_eq!(std::fs::read_to_string(lock.path()).unwrap(), text);
        }
    }
}
