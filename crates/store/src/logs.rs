//! The logs of jobs: one file each, written at its end, read by window.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use shipway_pipeline::{JobId, PipelineId};

use crate::disk;
use crate::store::Durability;

/// An operation on a log failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The part sent does not begin where what is stored ends; send from `expected` on.
    #[error(
        "the log of job {job} has {expected} bytes, and the part sent begins at {offset}; send again from byte {expected}"
    )]
    Gap {
        /// Whose log it is.
        job: JobId,
        /// Where the part sent begins.
        offset: u64,
        /// How much is stored.
        expected: u64,
    },
    /// The disk has no room.
    #[error("the disk of the log `{}` is full; free some space, `shipway clean` removes old pipelines", path.display())]
    Full {
        /// The log.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file cannot be read or written.
    #[error("cannot use the log `{}`; is its directory writable?", path.display())]
    File {
        /// The log.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl LogError {
    pub(crate) fn new(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::File { path, source },
        }
    }
}

/// The logs of a store, `logs/<pipeline>/<job>.log`.
///
/// The calls block, for the length of a write into the page cache; with
/// [`Durability::Machine`] for the disk, so call them from a blocking task then.
#[derive(Debug, Clone)]
pub struct Logs {
    directory: PathBuf,
    durability: Durability,
}

impl Logs {
    pub(crate) fn new(directory: PathBuf, durability: Durability) -> Self {
        Self {
            directory,
            durability,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the job's log is, whether or not it exists.
    pub fn path(&self, pipeline: PipelineId, job: JobId) -> PathBuf {
        self.directory
            .join(pipeline.to_string())
            .join(format!("{job}.log"))
    }

    /// Stores `bytes`, which the sender has from `offset` of the log on, and returns the
    /// stored length. What is stored already is skipped, so sending again does no harm.
    /// When it returns, the bytes survive the end of this process.
    ///
    /// # Errors
    /// [`LogError::Gap`] when `offset` is beyond the stored length; otherwise when the file
    /// cannot be written. Part of `bytes` may be stored then: send it again.
    pub fn append(
        &self,
        pipeline: PipelineId,
        job: JobId,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, LogError> {
        let end = End::locked(self.path(pipeline, job), self.durability)?;
        if offset > end.stored {
            return Err(end.gap(job, offset));
        }
        let known = usize::try_from(end.stored - offset).unwrap_or(usize::MAX);
        end.write(bytes.get(known..).unwrap_or_default())
    }

    /// As [`Logs::append`], but only at the very end: of two who send the same part at the same
    /// time one is refused, as GitLab does.
    ///
    /// # Errors
    /// [`LogError::Gap`] when `offset` is not the stored length; otherwise when the file cannot
    /// be written.
    pub fn append_at_end(
        &self,
        pipeline: PipelineId,
        job: JobId,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, LogError> {
        let end = End::locked(self.path(pipeline, job), self.durability)?;
        if offset != end.stored {
            return Err(end.gap(job, offset));
        }
        end.write(bytes)
    }

    /// At most `limit` bytes from `offset` on; none at the end, and none of a log that was
    /// never written.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(
        &self,
        pipeline: PipelineId,
        job: JobId,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, LogError> {
        let path = self.path(pipeline, job);
        let fault = |source| LogError::new(&path, source);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(fault)?,
        };
        let stored = file.metadata().map_err(fault)?.len();
        let length = usize::try_from(stored.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut window = vec![0; length.min(limit)];
        file.read_exact_at(&mut window, offset).map_err(fault)?;
        Ok(window)
    }

    /// Removes the job's log; one that was never written is fine.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self, pipeline: PipelineId, job: JobId) -> Result<(), LogError> {
        let path = self.path(pipeline, job);
        for path in [path.with_extension("lines"), path] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(LogError::new(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The stored length in bytes; 0 for a log that was never written.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn length(&self, pipeline: PipelineId, job: JobId) -> Result<u64, LogError> {
        let path = self.path(pipeline, job);
        match std::fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(LogError::new(&path, error)),
        }
    }
}

/// The end of a log, where nobody else writes: two senders of one job, an old connection and a
/// new one, must not interleave.
struct End {
    path: PathBuf,
    file: File,
    stored: u64,
    durability: Durability,
}

impl End {
    fn locked(path: PathBuf, durability: Durability) -> Result<Self, LogError> {
        let open = || -> std::io::Result<(File, u64)> {
            let file = open_or_create(&path, durability)?;
            file.lock()?;
            let stored = file.metadata()?.len();
            Ok((file, stored))
        };
        match open() {
            Ok((file, stored)) => Ok(Self {
                path,
                file,
                stored,
                durability,
            }),
            Err(source) => Err(LogError::new(&path, source)),
        }
    }

    fn gap(&self, job: JobId, offset: u64) -> LogError {
        LogError::Gap {
            job,
            offset,
            expected: self.stored,
        }
    }

    /// Returns the length after it.
    fn write(&self, bytes: &[u8]) -> Result<u64, LogError> {
        let fault = |source| LogError::new(&self.path, source);
        if bytes.is_empty() {
            return Ok(self.stored);
        }
        self.file.write_all_at(bytes, self.stored).map_err(fault)?;
        if self.durability == Durability::Machine {
            self.file.sync_data().map_err(fault)?;
        }
        // Whoever writes the first byte of a log sees to its name as well.
        if let (0, Some(parent)) = (self.stored, self.path.parent()) {
            disk::sync(parent, self.durability).map_err(fault)?;
        }
        Ok(self.stored + bytes.len() as u64)
    }
}

/// Makes the directory only when it turns out to be missing, which is once in a pipeline.
fn open_or_create(path: &Path, durability: Durability) -> std::io::Result<File> {
    let open = || {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
    };
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                disk::make_directory(parent, durability)?;
            }
            open()
        }
        opened => opened,
    }
}
