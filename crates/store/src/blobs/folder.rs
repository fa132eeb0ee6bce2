//! Files of artifacts in a folder.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};

use super::intake::{Intake, Measure};
use super::{Blob, BlobError, BlobReader, ListedBlob, PARTIAL_PREFIX, clipped};
use crate::disk::{make_directory, sync};
use crate::store::Durability;

/// Distinguishes files that one process puts at the same time.
static PARTIAL: AtomicU64 = AtomicU64::new(0);

/// Bytes written at a time, each on a thread for blocking work.
const PART_BYTES: usize = 1024 * 1024;

/// The folder `artifacts`, or another.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    directory: PathBuf,
    durability: Durability,
}

impl Folder {
    pub(super) fn new(directory: PathBuf, durability: Durability) -> Self {
        Self {
            directory,
            durability,
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn location(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// On a thread for blocking work, with a folder of its own.
    async fn run<T, F>(&self, work: F) -> Result<T, BlobError>
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Result<T, BlobError> + Send + 'static,
    {
        let folder = self.clone();
        let done = tokio::task::spawn_blocking(move || work(folder)).await;
        // It fails only when the program ends.
        done.unwrap_or_else(|error| {
            let error = std::io::Error::other(error);
            Err(BlobError::new(&self.directory, error))
        })
    }

    pub(super) async fn put<R: AsyncRead + Unpin + Send>(
        &self,
        path: String,
        mut intake: Intake<R>,
    ) -> Result<Blob, BlobError> {
        let target = self.location(&path);
        let to = target.clone();
        let mut partial = self.run(move |folder| folder.partial(&to)).await?;
        loop {
            let part = intake.next(PART_BYTES).await?;
            let is_last = part.len() < PART_BYTES;
            partial = self.run(move |_| partial.written(&part)).await?;
            if is_last {
                break;
            }
        }
        self.run(move |folder| folder.name(partial, &target))
            .await?;
        Ok(intake.blob(path))
    }

    pub(super) async fn put_file(
        &self,
        path: String,
        name: &str,
        source: &Path,
        limit: u64,
    ) -> Result<Blob, BlobError> {
        let (name, source) = (name.to_owned(), source.to_owned());
        self.run(move |folder| folder.take(path, &name, &source, limit))
            .await
    }

    fn take(&self, path: String, name: &str, source: &Path, limit: u64) -> Result<Blob, BlobError> {
        let target = self.location(&path);
        let measure = measured(source, name, limit)?;
        self.make_parent(&target)?;
        sync(source, self.durability).map_err(|error| BlobError::new(source, error))?;
        match std::fs::rename(source, &target) {
            Ok(()) => self.sync_parent(&target)?,
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                let partial = self.partial(&target)?;
                std::fs::copy(source, &partial.path)
                    .map_err(|error| BlobError::new(&target, error))?;
                self.name(partial, &target)?;
                // A source that cannot be removed is the business of whoever made it.
                std::fs::remove_file(source).ok();
            }
            Err(error) => return Err(BlobError::new(&target, error)),
        }
        Ok(measure.blob(path))
    }

    /// A new file beside `target`, which becomes it when it is complete.
    fn partial(&self, target: &Path) -> Result<Partial, BlobError> {
        self.make_parent(target)?;
        let process = std::process::id();
        loop {
            let number = PARTIAL.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PARTIAL_PREFIX}{process}-{number}");
            let path = target.with_file_name(name);
            match File::create_new(&path) {
                Ok(file) => {
                    return Ok(Partial {
                        file,
                        path,
                        named: false,
                    });
                }
                // Of a process that died, or lives in another container with the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(BlobError::new(&path, error)),
            }
        }
    }

    fn name(&self, mut partial: Partial, target: &Path) -> Result<(), BlobError> {
        sync(&partial.path, self.durability)
            .and_then(|()| std::fs::rename(&partial.path, target))
            .map_err(|error| BlobError::new(target, error))?;
        partial.named = true;
        self.sync_parent(target)
    }

    fn make_parent(&self, target: &Path) -> Result<(), BlobError> {
        let Some(parent) = target.parent() else {
            return Ok(());
        };
        make_directory(parent, self.durability).map_err(|error| BlobError::new(parent, error))
    }

    fn sync_parent(&self, target: &Path) -> Result<(), BlobError> {
        let Some(parent) = target.parent() else {
            return Ok(());
        };
        sync(parent, self.durability).map_err(|error| BlobError::new(parent, error))
    }

    pub(super) async fn get(&self, path: &str, range: Range<u64>) -> Result<BlobReader, BlobError> {
        let path = self.location(path);
        let open = async {
            let mut file = tokio::fs::File::open(&path).await?;
            let size = file.metadata().await?.len();
            let range = clipped(range, size);
            if range.start > 0 {
                file.seek(std::io::SeekFrom::Start(range.start)).await?;
            }
            Ok(BlobReader {
                size,
                content: Box::pin(file.take(range.end - range.start)),
                range,
            })
        };
        open.await.map_err(|error| BlobError::new(&path, error))
    }

    pub(super) async fn size(&self, path: &str) -> Result<u64, BlobError> {
        let path = self.location(path);
        let metadata = tokio::fs::metadata(&path).await;
        metadata
            .map(|metadata| metadata.len())
            .map_err(|error| BlobError::new(&path, error))
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), BlobError> {
        let path = self.location(path);
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(BlobError::new(&path, error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ListedBlob>, BlobError> {
        let prefix = prefix.to_owned();
        self.run(move |folder| folder.below(&folder.location(&prefix)))
            .await
    }

    fn below(&self, directory: &Path) -> Result<Vec<ListedBlob>, BlobError> {
        let mut found = Vec::new();
        let mut pending = vec![directory.to_owned()];
        while let Some(directory) = pending.pop() {
            for path in entries(&directory)? {
                match std::fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => pending.push(path),
                    Ok(metadata) => {
                        // A name that is not UTF-8 is none of ours; no path of a row equals it.
                        let relative = path.strip_prefix(&self.directory).unwrap_or(&path);
                        found.push(ListedBlob {
                            path: relative.to_string_lossy().into_owned(),
                            size: metadata.len(),
                        });
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(BlobError::new(&path, error)),
                }
            }
        }
        Ok(found)
    }

    pub(super) async fn directories(&self) -> Result<Vec<String>, BlobError> {
        let paths = self.run(|folder| entries(&folder.directory)).await?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    pub(super) async fn delete_directory(&self, prefix: &str) -> Result<u64, BlobError> {
        let path = self.location(prefix);
        self.run(move |folder| {
            let freed = folder.below(&path)?.iter().map(|file| file.size).sum();
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(BlobError::new(&path, error))
                }
                _ => Ok(freed),
            }
        })
        .await
    }
}

/// A file that is being put; removed unless it gets its name.
struct Partial {
    file: File,
    path: PathBuf,
    named: bool,
}

impl Partial {
    fn written(mut self, part: &[u8]) -> Result<Self, BlobError> {
        match self.file.write_all(part) {
            Ok(()) => Ok(self),
            Err(error) => Err(BlobError::new(&self.path, error)),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.named {
            // What cannot be removed now is swept later.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn measured(source: &Path, name: &str, limit: u64) -> Result<Measure, BlobError> {
    let fault = |error| BlobError::new(source, error);
    let mut file = File::open(source).map_err(fault)?;
    let mut measure = Measure::default();
    let mut part = vec![0; PART_BYTES];
    loop {
        match file.read(&mut part).map_err(fault)? {
            0 => return Ok(measure),
            length => measure.add(&part[..length]),
        }
        measure.check(name, limit)?;
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let fault = |error| BlobError::new(directory, error);
    let listing = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(fault)?,
    };
    listing
        .map(|entry| Ok(entry.map_err(fault)?.path()))
        .collect()
}
