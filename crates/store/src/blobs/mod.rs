//! The files of artifacts, each put in place whole: in a folder, or in a bucket of S3.
//!
//! Either way a file is `<pipeline>/<job>/<name>`, is read back by range, and is there either
//! completely or not at all.

mod address;
#[cfg(feature = "s3")]
mod bucket;
mod folder;
mod intake;

use std::ops::{Bound, Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use shipway_pipeline::{JobId, PipelineId};
use tokio::io::{AsyncRead, ReadBuf};

pub use address::{Objects, ObjectsError};
use folder::Folder;
use intake::Intake;

use crate::ids::{PackageUploadId, ProjectId};
use crate::store::Durability;

/// Files being put begin with this; one that is left over belongs to a process that died.
pub(crate) const PARTIAL_PREFIX: &str = ".partial-";

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
    /// There is more of it than is allowed.
    #[error(
        "the artifact file `{name}` has more than the {limit} bytes that are allowed; make it smaller or raise the limit"
    )]
    TooLarge {
        /// The name given.
        name: String,
        /// Bytes.
        limit: u64,
    },
    /// The sender broke off.
    #[error("the artifact file `{name}` ended early; send it again")]
    Incoming {
        /// The name given.
        name: String,
        /// What reading it said.
        source: std::io::Error,
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
    /// The server of the bucket does not answer, or refuses.
    #[error("the object store did not serve `{}`; is it running, and do the bucket and `AWS_…` fit?", path.display())]
    Bucket {
        /// Its address, `s3://bucket/…`.
        path: PathBuf,
        /// What the server said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A file in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Relative to all artifacts: what a row keeps.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub digest: [u8; 32],
}

/// A file that is in place, found by [`Blobs::list`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedBlob {
    /// As in [`Blob`].
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// Some or all bytes of a file, to be read.
pub struct BlobReader {
    /// Bytes of the whole file.
    pub size: u64,
    /// The bytes that come; empty where nothing of what was asked is there.
    pub range: Range<u64>,
    content: Pin<Box<dyn AsyncRead + Send>>,
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("BlobReader");
        shown.field("size", &self.size).field("range", &self.range);
        shown.finish_non_exhaustive()
    }
}

impl AsyncRead for BlobReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.content.as_mut().poll_read(context, buffer)
    }
}

/// The files of artifacts, by the path that a row keeps: `<pipeline>/<job>/<file>`.
#[derive(Debug, Clone)]
pub struct Blobs {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(Folder),
    #[cfg(feature = "s3")]
    Bucket(bucket::Bucket),
}

/// Calls a method of whatever holds the files.
macro_rules! at {
    ($blobs:expr, $place:ident => $call:expr) => {
        match &$blobs.place {
            Place::Folder($place) => $call,
            #[cfg(feature = "s3")]
            Place::Bucket($place) => $call,
        }
    };
}

impl Blobs {
    /// In the state directory `state`, unless `objects` says another place.
    pub(crate) fn new(
        objects: &Objects,
        state: &Path,
        durability: Durability,
    ) -> Result<Self, ObjectsError> {
        let place = match objects.place() {
            address::Place::Folder(path) => {
                Place::Folder(Folder::new(state.join(path), durability))
            }
            #[cfg(feature = "s3")]
            address::Place::Bucket(address) => {
                Place::Bucket(bucket::Bucket::new(address, state.join("uploads"))?)
            }
        };
        Ok(Self { place })
    }

    /// Whether the files can be reached at all; a folder is made when it is needed.
    pub(crate) async fn probe(&self) -> Result<(), BlobError> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket.probe().await,
        }
    }

    /// The folder, when they are in one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder.directory()),
            #[cfg(feature = "s3")]
            Place::Bucket(_) => None,
        }
    }

    /// Stores what `from` gives under `name`, at most `limit` bytes, and tells how much it was.
    /// A file of the same job and name is replaced. When it returns, the file is there as long
    /// as the store's [`Durability`] says; before that, and when it fails, nothing is under
    /// the name that was not there before.
    ///
    /// # Errors
    /// [`BlobError::Name`] when `name` is no plain file name, [`BlobError::TooLarge`],
    /// [`BlobError::Incoming`] when `from` fails; otherwise when the file cannot be written.
    pub async fn put<R>(
        &self,
        pipeline: PipelineId,
        job: JobId,
        name: &str,
        from: R,
        limit: u64,
    ) -> Result<Blob, BlobError>
    where
        R: AsyncRead + Unpin + Send,
    {
        let path = path_of(pipeline, job, name)?;
        let intake = Intake::new(from, name, limit);
        at!(self, place => place.put(path, intake).await)
    }

    /// As [`Blobs::put`] for the finished file `source`, which is moved where that is possible,
    /// else copied and then removed.
    ///
    /// # Errors
    /// As [`Blobs::put`]; `source` is still there then.
    pub async fn put_file(
        &self,
        pipeline: PipelineId,
        job: JobId,
        name: &str,
        source: &Path,
        limit: u64,
    ) -> Result<Blob, BlobError> {
        let path = path_of(pipeline, job, name)?;
        at!(self, place => place.put_file(path, name, source, limit).await)
    }

    /// As [`Blobs::put`] for a file of a package, which is nowhere yet; `name` is for errors.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    pub async fn put_package<R>(
        &self,
        project: ProjectId,
        upload: PackageUploadId,
        name: &str,
        from: R,
        limit: u64,
    ) -> Result<Blob, BlobError>
    where
        R: AsyncRead + Unpin + Send,
    {
        let path = format!("{}/{project}/{upload}/content", crate::packages::DIRECTORY);
        let intake = Intake::new(from, name, limit);
        at!(self, place => place.put(path, intake).await)
    }

    /// The bytes of `range` of the file of a row's path, as far as there are any.
    ///
    /// # Errors
    /// [`BlobError::Missing`], or when it cannot be read.
    pub async fn get(
        &self,
        path: &str,
        range: impl RangeBounds<u64>,
    ) -> Result<BlobReader, BlobError> {
        check(path)?;
        let range = plain(&range);
        at!(self, place => place.get(path, range).await)
    }

    /// Writes the file of a row's path to the file `into`, which need not exist.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; [`BlobError::File`] with either file otherwise.
    pub async fn fetch(&self, path: &str, into: &Path) -> Result<(), BlobError> {
        let mut reader = self.get(path, ..).await?;
        let copied = async {
            let mut file = tokio::fs::File::create(into).await?;
            tokio::io::copy(&mut reader, &mut file).await?;
            // Written by another thread: only this waits for it.
            tokio::io::AsyncWriteExt::flush(&mut file).await
        };
        copied.await.map_err(|error| BlobError::new(into, error))
    }

    /// The bytes of the file of a row's path.
    ///
    /// # Errors
    /// [`BlobError::Missing`], or when it cannot be looked at.
    pub async fn size(&self, path: &str) -> Result<u64, BlobError> {
        check(path)?;
        at!(self, place => place.size(path).await)
    }

    /// Removes the file of a row's path; one that is gone already is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn delete(&self, path: &str) -> Result<(), BlobError> {
        check(path)?;
        at!(self, place => place.delete(path).await)
    }

    /// The files below `prefix`, which is whole names, `7` or `7/12`, or empty for all; in no
    /// order.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ListedBlob>, BlobError> {
        let mut found = self.everything(prefix).await?;
        found.retain(|file| !is_partial(&file.path));
        Ok(found)
    }

    /// As [`Blobs::list`], with what is being put.
    pub(crate) async fn everything(&self, prefix: &str) -> Result<Vec<ListedBlob>, BlobError> {
        if !prefix.is_empty() {
            check(prefix)?;
        }
        at!(self, place => place.list(prefix).await)
    }

    /// The names right below all artifacts that are those of pipelines.
    pub(crate) async fn pipelines(&self) -> Result<Vec<i64>, BlobError> {
        let names = at!(self, place => place.directories().await)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Removes all files of a pipeline and returns their bytes.
    pub(crate) async fn delete_pipeline(&self, pipeline: PipelineId) -> Result<u64, BlobError> {
        let prefix = pipeline.to_string();
        at!(self, place => place.delete_directory(&prefix).await)
    }

    /// Gives up uploads of processes that died, where that is not done by removing files.
    /// Returns how many.
    pub(crate) async fn abort_leftovers(&self) -> Result<usize, BlobError> {
        match &self.place {
            Place::Folder(_) => Ok(0),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket.abort_leftovers().await,
        }
    }

    /// Where a person finds the file of a row's path: a path, or the address `s3://…`.
    ///
    /// # Errors
    /// When the path leads out of the artifacts, which no row's does.
    pub fn location(&self, path: &str) -> Result<PathBuf, BlobError> {
        check(path)?;
        Ok(at!(self, place => place.location(path)))
    }
}

impl BlobError {
    fn new(path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, source },
            ErrorKind::NotFound => Self::Missing { path },
            _ => Self::File { path, source },
        }
    }
}

/// Where a file of this name belongs.
fn path_of(pipeline: PipelineId, job: JobId, name: &str) -> Result<String, BlobError> {
    let is_plain = !name.is_empty()
        && !name.starts_with(PARTIAL_PREFIX)
        && !name.contains(['/', '\0'])
        && !matches!(name, "." | "..");
    if !is_plain {
        return Err(BlobError::Name {
            name: name.to_owned(),
        });
    }
    Ok(format!("{pipeline}/{job}/{name}"))
}

/// Refuses a path that leads out of the artifacts.
fn check(path: &str) -> Result<(), BlobError> {
    let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
    if path.split('/').all(plain) {
        return Ok(());
    }
    Err(BlobError::Name {
        name: path.to_owned(),
    })
}

fn is_partial(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(PARTIAL_PREFIX)
}

/// From the first byte to the one after the last.
fn plain(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

/// What of `range` a file of `size` bytes has.
fn clipped(range: Range<u64>, size: u64) -> Range<u64> {
    let start = range.start.min(size);
    start..range.end.clamp(start, size)
}
