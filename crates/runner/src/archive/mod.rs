//! Archives of artifacts and caches, written and unpacked as a stream.

mod extract;
mod gzip;
mod zip;

pub use self::extract::ExtractError;
pub(crate) use self::extract::extract;
pub(crate) use self::gzip::{copy_single, write_gzip};
pub(crate) use self::zip::{read_comment, write_zip};

use std::path::{Path, PathBuf};

use crate::config::ExtractLimits;
use crate::files::Stop;

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// A file of the job's cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write the archive: {source}; is the disk full?")]
    Write { source: std::io::Error },
    /// Several files for a format that takes one.
    #[error("only one file can be sent as raw, the paths match {count}")]
    NotSingle { count: usize },
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

impl WriteError {
    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    fn write(source: impl Into<std::io::Error>) -> Self {
        Self::Write {
            source: source.into(),
        }
    }
}

/// Pieces in which files are copied; between two of them a request to stop is noticed.
const COPY_BYTES: usize = 128 * 1024;

/// Unpacks an artifact archive into a directory, for a person who wants to see it. As safe
/// against hostile archives as the unpacking before a job.
///
/// # Errors
/// When the archive is damaged, leaves the directory or exceeds a limit, or the disk fails.
pub fn unpack(archive: &Path, directory: &Path, limits: ExtractLimits) -> Result<(), ExtractError> {
    extract(archive, directory, limits, &Stop::default()).map(|_| ())
}
