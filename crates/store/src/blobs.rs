//! The files of artifacts, each put in place whole.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use shipway_pipeline::{JobId, PipelineId};

use crate::store::Durability;

/// Files being put begin with this; one that is left over belongs to a process that died.
pub(crate) const PARTIAL_PREFIX: &str = ".partial-";

/// Distinguishes files that one process puts at the same time.
static PARTIAL: AtomicU64 = AtomicU64::new(0);

/// An operation on the files of artifacts failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The name is no plain file name.
    #[error(
        "`{name}` cannot be the name of an artifact file; it must be a plain file name without `/`"
    )]
    Name {
        /// The name given.
        name: String,
    },
    /// The disk has no room.
    #[error("the disk of `{}` is full; free some space, `shipway clean` removes old pipelines", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not there.
    #[error("the artifact file `{}` is gone; it may have been removed by `shipway clean`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot use the artifact file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl BlobError {
    fn new(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, source },
            ErrorKind::NotFound => Self::Missing { path },
            _ => Self::File { path, source },
        }
    }
}

/// A file in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Relative to the directory of all artifacts: what a row keeps.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// The files of artifacts, `artifacts/<pipeline>/<job>/<file>`. The calls block.
#[derive(Debug, Clone)]
pub struct Blobs {
    directory: PathBuf,
    durability: Durability,
}

impl Blobs {
    pub(crate) fn new(directory: PathBuf, durability: Durability) -> Self {
        Self {
            directory,
            durability,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes the finished file `source` under `name`: moves it where both are on one file
    /// system, else copies and then removes it. A file of the same job and name is replaced.
    /// At no time is there half a file under the name.
    ///
    /// # Errors
    /// When `name` is no plain file name, or a file cannot be read or written; `source` is
    /// still there then.
    pub fn put(
        &self,
        pipeline: PipelineId,
        job: JobId,
        name: &str,
        source: &Path,
    ) -> Result<Blob, BlobError> {
        let is_plain = !name.is_empty()
            && !name.starts_with(PARTIAL_PREFIX)
            && !name.contains(['/', '\0'])
            && !matches!(name, "." | "..");
        if !is_plain {
            return Err(BlobError::Name {
                name: name.to_owned(),
            });
        }
        let path = format!("{pipeline}/{job}/{name}");
        let target = self.directory.join(&path);
        let directory = self.directory.join(format!("{pipeline}/{job}"));
        std::fs::create_dir_all(&directory).map_err(|error| BlobError::new(&directory, error))?;
        let size = std::fs::metadata(source)
            .map_err(|error| BlobError::new(source, error))?
            .len();
        self.sync(source)
            .map_err(|error| BlobError::new(source, error))?;
        match std::fs::rename(source, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                self.copy(source, &directory, &target)?;
            }
            Err(error) => return Err(BlobError::new(&target, error)),
        }
        self.sync(&directory)
            .map_err(|error| BlobError::new(&directory, error))?;
        Ok(Blob { path, size })
    }

    fn copy(&self, source: &Path, directory: &Path, target: &Path) -> Result<(), BlobError> {
        let number = PARTIAL.fetch_add(1, Ordering::Relaxed);
        let partial = directory.join(format!("{PARTIAL_PREFIX}{}-{number}", std::process::id()));
        let copied = std::fs::copy(source, &partial)
            .and_then(|_| self.sync(&partial))
            .and_then(|()| std::fs::rename(&partial, target));
        if let Err(error) = copied {
            std::fs::remove_file(&partial).ok();
            return Err(BlobError::new(target, error));
        }
        // A source that cannot be removed is the business of whoever made it.
        std::fs::remove_file(source).ok();
        Ok(())
    }

    fn sync(&self, path: &Path) -> std::io::Result<()> {
        match self.durability {
            Durability::Process => Ok(()),
            Durability::Machine => File::open(path)?.sync_all(),
        }
    }

    /// Where the file of a row's path is.
    ///
    /// # Errors
    /// When the path leads out of the directory of artifacts, which no row's does.
    pub fn path(&self, path: &str) -> Result<PathBuf, BlobError> {
        let inside = Path::new(path)
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        if !inside || path.is_empty() {
            return Err(BlobError::Name {
                name: path.to_owned(),
            });
        }
        Ok(self.directory.join(path))
    }

    /// Opens the file of a row's path for reading.
    ///
    /// # Errors
    /// [`BlobError::Missing`], or when it cannot be read.
    pub fn open(&self, path: &str) -> Result<File, BlobError> {
        let path = self.path(path)?;
        File::open(&path).map_err(|error| BlobError::new(&path, error))
    }

    /// Removes the file of a row's path; one that is gone already is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, path: &str) -> Result<(), BlobError> {
        let path = self.path(path)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(BlobError::new(&path, error)),
            _ => Ok(()),
        }
    }
}
