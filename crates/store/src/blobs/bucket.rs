//! Files of artifacts in a bucket of S3.
//!
//! An object appears whole, when its upload is completed. What a process that died had uploaded
//! of a large one costs room without being seen; so each such upload is noted in a file of the
//! state directory, locked by whoever works on it, and given up by [`Bucket::abort_leftovers`]
//! when nobody does.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig};
use percent_encoding::percent_decode_str;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::address::BucketAddress;
use super::intake::Intake;
use super::{Blob, BlobError, BlobReader, ListedBlob, ObjectsError, clipped};

/// Bytes of a part of a large object, and of memory that an upload takes. S3 allows 10,000
/// parts, 78 GiB of such ones.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// How long the server may be silent, the time of sending a part included.
const SILENCE: Duration = Duration::from_secs(120);

/// How long a request is tried again that the server could not serve.
const RETRY: Duration = Duration::from_secs(20);

/// Distinguishes uploads of one process.
static UPLOAD: AtomicU64 = AtomicU64::new(0);

/// A bucket, or what of it is below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    /// `s3://bucket/prefix`.
    address: String,
    prefix: String,
    /// The notes of uploads that go on.
    uploads: PathBuf,
}

impl Bucket {
    pub(super) fn new(address: &BucketAddress, uploads: PathBuf) -> Result<Self, ObjectsError> {
        // The first in the process counts; all ask for the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = ClientOptions::new()
            .with_allow_http(address.plain_http)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE);
        let retry = RetryConfig {
            max_retries: 5,
            retry_timeout: RETRY,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_retry(retry);
        for (name, value) in &address.settings {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.with_bucket_name(&address.bucket).build();
        let store = store.map_err(|source| ObjectsError::Settings {
            address: address.to_string(),
            source: source.into(),
        })?;
        Ok(Self {
            store: Arc::new(store),
            address: address.to_string(),
            prefix: address.prefix.clone(),
            uploads,
        })
    }

    pub(super) fn location(&self, path: &str) -> PathBuf {
        Path::new(&self.address).join(path)
    }

    fn key(&self, path: &str) -> Key {
        Key::from_iter(self.prefix.split('/').chain(path.split('/')))
    }

    fn fault(&self, path: &str, error: object_store::Error) -> BlobError {
        let path = self.location(path);
        match error {
            object_store::Error::NotFound { .. } => BlobError::Missing { path },
            error => BlobError::Bucket {
                path,
                source: error.into(),
            },
        }
    }

    /// One listing says whether address, bucket and keys fit.
    pub(super) async fn probe(&self) -> Result<(), BlobError> {
        let first = self.store.list(Some(&self.key(""))).next().await;
        match first.transpose() {
            Ok(_) => Ok(()),
            Err(error) => Err(BlobError::Bucket {
                path: self.location(""),
                source: error.into(),
            }),
        }
    }

    pub(super) async fn put<R: AsyncRead + Unpin + Send>(
        &self,
        path: String,
        mut intake: Intake<R>,
    ) -> Result<Blob, BlobError> {
        let key = self.key(&path);
        let first = intake.next(PART_BYTES).await?;
        if first.len() < PART_BYTES {
            let put = self.store.put(&key, first.into()).await;
            put.map_err(|error| self.fault(&path, error))?;
            return Ok(intake.blob(path));
        }
        let id = self.store.create_multipart(&key).await;
        let id = id.map_err(|error| self.fault(&path, error))?;
        let note = match self.note(&path, &id) {
            Ok(note) => note,
            Err(error) => {
                self.store.abort_multipart(&key, &id).await.ok();
                return Err(error);
            }
        };
        let done = self.parts(&path, &id, first, &mut intake).await;
        // What cannot be given up now stays noted.
        if done.is_ok() || self.store.abort_multipart(&key, &id).await.is_ok() {
            note.forget();
        }
        done.map(|()| intake.blob(path))
    }

    async fn parts<R: AsyncRead + Unpin + Send>(
        &self,
        path: &str,
        id: &String,
        first: Vec<u8>,
        intake: &mut Intake<R>,
    ) -> Result<(), BlobError> {
        let key = self.key(path);
        let mut parts = Vec::new();
        let mut part = first;
        while !part.is_empty() {
            let is_last = part.len() < PART_BYTES;
            // The next part is read while this one is sent.
            let send = self.store.put_part(&key, id, parts.len(), part.into());
            let next = async {
                match is_last {
                    true => Ok(Vec::new()),
                    false => intake.next(PART_BYTES).await,
                }
            };
            let (sent, next) = tokio::join!(send, next);
            parts.push(sent.map_err(|error| self.fault(path, error))?);
            part = next?;
        }
        let done = self.store.complete_multipart(&key, id, parts).await;
        done.map(drop).map_err(|error| self.fault(path, error))
    }

    pub(super) async fn put_file(
        &self,
        path: String,
        name: &str,
        source: &Path,
        limit: u64,
    ) -> Result<Blob, BlobError> {
        let file = tokio::fs::File::open(source).await;
        let file = file.map_err(|error| BlobError::new(source, error))?;
        let blob = self.put(path, Intake::new(file, name, limit)).await?;
        // A source that cannot be removed is the business of whoever made it.
        tokio::fs::remove_file(source).await.ok();
        Ok(blob)
    }

    pub(super) async fn get(&self, path: &str, range: Range<u64>) -> Result<BlobReader, BlobError> {
        let mut options = GetOptions::default();
        if range != (0..u64::MAX) {
            // Servers refuse ranges beyond the end.
            let size = self.size(path).await?;
            let range = clipped(range, size);
            if range.is_empty() {
                return Ok(BlobReader {
                    size,
                    range,
                    content: Box::pin(tokio::io::empty()),
                });
            }
            options.range = Some(GetRange::Bounded(range));
        }
        let found = self.store.get_opts(&self.key(path), options).await;
        let found = found.map_err(|error| self.fault(path, error))?;
        Ok(BlobReader {
            size: found.meta.size,
            range: found.range.clone(),
            content: Box::pin(StreamReader::new(
                found.into_stream().map_err(std::io::Error::other),
            )),
        })
    }

    pub(super) async fn size(&self, path: &str) -> Result<u64, BlobError> {
        let found = self.store.head(&self.key(path)).await;
        found
            .map(|found| found.size)
            .map_err(|error| self.fault(path, error))
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), BlobError> {
        match self.store.delete(&self.key(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.fault(path, error)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ListedBlob>, BlobError> {
        let listing = self.store.list(Some(&self.key(prefix)));
        let above = self.key("");
        let found = listing.map_ok(|object| {
            let parts = object.location.prefix_match(&above);
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            ListedBlob {
                // Names with characters that S3 does not like are stored as `%41`.
                path: percent_decode_str(&parts.join("/"))
                    .decode_utf8_lossy()
                    .into_owned(),
                size: object.size,
            }
        });
        found
            .try_collect()
            .await
            .map_err(|error| self.fault(prefix, error))
    }

    pub(super) async fn directories(&self) -> Result<Vec<String>, BlobError> {
        let listing = self.store.list_with_delimiter(Some(&self.key(""))).await;
        let listing = listing.map_err(|error| self.fault("", error))?;
        let names = listing.common_prefixes.iter().filter_map(Key::filename);
        Ok(names.map(str::to_owned).collect())
    }

    pub(super) async fn delete_directory(&self, prefix: &str) -> Result<u64, BlobError> {
        let mut freed = 0;
        for file in self.list(prefix).await? {
            self.delete(&file.path).await?;
            freed += file.size;
        }
        Ok(freed)
    }

    /// Notes an upload for the case that we die. Locked as long as it is held.
    fn note(&self, path: &str, id: &str) -> Result<Note, BlobError> {
        let name = format!(
            "{}-{}",
            std::process::id(),
            UPLOAD.fetch_add(1, Ordering::Relaxed)
        );
        let note = self.uploads.join(name);
        let write = || {
            std::fs::create_dir_all(&self.uploads)?;
            let mut file = File::create(&note)?;
            file.lock()?;
            file.write_all(format!("{path}\n{id}").as_bytes())?;
            Ok(file)
        };
        match write() {
            Ok(file) => Ok(Note {
                _lock: file,
                path: note,
            }),
            Err(error) => Err(BlobError::new(&note, error)),
        }
    }

    /// Gives up the uploads of processes that died; returns how many.
    pub(super) async fn abort_leftovers(&self) -> Result<usize, BlobError> {
        let fault = |error| BlobError::new(&self.uploads, error);
        let listing = match std::fs::read_dir(&self.uploads) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            listing => listing.map_err(fault)?,
        };
        let mut aborted = 0;
        for entry in listing {
            let path = entry.map_err(fault)?.path();
            let Some(note) = Note::abandoned(&path)? else {
                continue;
            };
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|error| BlobError::new(&path, error))?;
            // One without text is being written.
            let Some((object, id)) = text.split_once('\n') else {
                continue;
            };
            let key = self.key(object);
            match self.store.abort_multipart(&key, &id.to_owned()).await {
                // Not found: it was completed, or the server itself gave it up.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => aborted += 1,
                Err(error) => return Err(self.fault(object, error)),
            }
            note.forget();
        }
        Ok(aborted)
    }
}

/// The note of an upload. Its lock is free when it is dropped or the process ends; the file stays
/// until the upload is completed or given up.
struct Note {
    _lock: File,
    path: PathBuf,
}

impl Note {
    /// The note at `path`, unless somebody works on its upload.
    fn abandoned(path: &Path) -> Result<Option<Self>, BlobError> {
        let fault = |error| BlobError::new(path, error);
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(fault)?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self {
                _lock: file,
                path: path.to_owned(),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fault(error)),
        }
    }

    fn forget(self) {
        std::fs::remove_file(&self.path).ok();
    }
}
