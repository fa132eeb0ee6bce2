//! Which images were pulled for jobs, and when a job last had each.
//!
//! An engine puts no label on what it pulls, so a runner keeps this book itself: a file for
//! each image, named by its id, whose time is that of the last use. An image that was there
//! before the first job asked for it is not in the book: somebody else put it there.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measure;

/// The book of one engine's images.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    directory: PathBuf,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulled {
    /// `sha256:…`
    pub(crate) id: String,
    /// What jobs called it.
    pub(crate) references: Vec<String>,
    /// Seconds since 1970.
    #[serde(skip)]
    pub(crate) last_used: u64,
}

impl Ledger {
    /// The book of the engine at this address, in a directory for all of them.
    pub(crate) fn new(directory: &Path, engine: Option<&str>) -> Self {
        let engine = engine.filter(|engine| !engine.is_empty());
        Self {
            directory: directory.join(file_name(engine.unwrap_or("local"))),
        }
    }

    /// Notes that a job uses an image. `pulled` says that it was not here before; of one that
    /// was, only a use is noted, and only where it is in the book.
    pub(crate) fn note(&self, id: &str, reference: &str, pulled: bool) -> std::io::Result<()> {
        let mut entry = match self.read(id) {
            Some(entry) => entry,
            None if pulled => Pulled {
                id: id.to_owned(),
                references: Vec::new(),
                last_used: 0,
            },
            None => return Ok(()),
        };
        if pulled && !entry.references.iter().any(|known| known == reference) {
            entry.references.push(reference.to_owned());
        }
        std::fs::create_dir_all(&self.directory)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(serde_json::to_string(&entry)?.as_bytes())?;
        file.persist(self.path(id)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Whether this image is in the book.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.path(id).exists()
    }

    /// All images of the book.
    pub(crate) fn images(&self) -> Vec<Pulled> {
        let entries = std::fs::read_dir(&self.directory);
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter_map(|entry| read(&entry.path()))
            .filter(|image| self.path(&image.id).exists())
            .collect()
    }

    /// Takes an image out of the book.
    pub(crate) fn forget(&self, id: &str) -> std::io::Result<()> {
        std::fs::remove_file(self.path(id))
    }

    /// What the book says of an image.
    pub(super) fn read(&self, id: &str) -> Option<Pulled> {
        read(&self.path(id))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(file_name(id))
    }
}

fn read(path: &Path) -> Option<Pulled> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let text = std::fs::read_to_string(path).ok()?;
    let image: Pulled = serde_json::from_str(&text).ok()?;
    Some(Pulled {
        last_used: measure::written(&metadata),
        ..image
    })
}

fn file_name(text: &str) -> String {
    let safe = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => character,
        _ => '_',
    };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_pulled_is_in_the_book() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(directory.path(), Some("unix:///var/run/docker.sock"));
        ledger.note("sha256:1", "mine:1", false).unwrap();
        assert!(ledger.images().is_empty() && !ledger.has("sha256:1"));
        ledger.note("sha256:2", "pulled:1", true).unwrap();
        ledger.note("sha256:2", "pulled:1", true).unwrap();
        ledger.note("sha256:2", "other:1", false).unwrap();
        let images = ledger.images();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].references, ["pulled:1"]);
        assert!(images[0].last_used > 0);
        let other = Ledger::new(directory.path(), None);
        assert!(other.images().is_empty());
        ledger.forget("sha256:2").unwrap();
        assert!(ledger.images().is_empty());
    }
}
