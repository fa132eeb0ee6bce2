//! Archives of caches in a bucket.
//!
//! Beside each archive on this machine a file keeps the version (`ETag`) of the object that it
//! is the same as. So an archive that is here already is not fetched again, and one whose
//! content did not change is not sent again.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};

use super::SharedCache;
use crate::cache::{ARCHIVE_MODE, UNFINISHED, VERSION};
use crate::failure::with_causes;

/// Bytes of a part of a large archive, and of memory that an upload takes.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// How long the server may be silent, the time of sending a part included.
const SILENCE: Duration = Duration::from_secs(120);
/// How long the server may take to say what it has, all attempts together. Rebuilding what a
/// cache holds takes longer; waiting much longer than this would not pay.
const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 15 });
/// How long a request is tried again that the server could not serve.
const RETRY: Duration = Duration::from_secs(10);

/// What fetching came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// It is here now.
    New,
    /// It was here.
    UpToDate,
    /// There is none.
    Missing,
}

/// What sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is there now.
    New,
    /// It was there.
    UpToDate,
    /// It is larger than what may be sent.
    TooLarge,
}

/// A bucket with archives.
#[derive(Debug)]
pub(crate) struct CacheBucket {
    store: AmazonS3,
    upload_limit: u64,
}

impl CacheBucket {
    /// The bucket. Asks nothing of it yet.
    ///
    /// # Errors
    /// Settings that contradict themselves.
    pub(crate) fn new(cache: &SharedCache) -> Result<Self, String> {
        // The first in the process counts; all ask for the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = cache.endpoint.as_deref().unwrap_or_default();
        let options = ClientOptions::new()
            .with_allow_http(endpoint.starts_with("http://"))
            .with_timeout_disabled()
            .with_read_timeout(SILENCE);
        let retry = RetryConfig {
            max_retries: 3,
            retry_timeout: RETRY,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_client_options(options)
            .with_retry(retry)
            .with_bucket_name(&cache.bucket)
            .with_region(cache.region.as_deref().unwrap_or("us-east-1"))
            .with_virtual_hosted_style_request(!cache.path_style);
        if let Some(endpoint) = &cache.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((key, secret)) = &cache.credentials {
            builder = builder
                .with_access_key_id(key)
                .with_secret_access_key(secret);
        }
        if let Some(token) = &cache.session_token {
            builder = builder.with_token(token);
        }
        Ok(Self {
            store: builder.build().map_err(|error| with_causes(&error))?,
            upload_limit: cache.upload_limit,
        })
    }

    /// The version of an object, with a bound on the time; `None` where there is no object.
    async fn found(&self, key: &Key) -> Result<Option<Found>, String> {
        match tokio::time::timeout(ANSWER, self.store.head(key)).await {
            Ok(Ok(found)) => Ok(Some(Found { tag: found.e_tag })),
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
            Ok(Err(error)) => Err(with_causes(&error)),
            Err(_) => Err(format!("no answer within {} seconds", ANSWER.as_secs())),
        }
    }

    /// Brings an object to the file `archive`, unless it is there already.
    ///
    /// # Errors
    /// What the server or the disk says; the file is as it was.
    pub(crate) async fn fetch(&self, object: &str, archive: &Path) -> Result<Fetched, String> {
        let key = key(object)?;
        let Some(found) = self.found(&key).await? else {
            return Ok(Fetched::Missing);
        };
        if found.tag.is_some() && found.tag == version(archive) {
            return Ok(Fetched::UpToDate);
        }
        let got = match self.store.get(&key).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(Fetched::Missing),
            Err(error) => return Err(with_causes(&error)),
        };
        let tag = got.meta.e_tag.clone();
        let directory = archive.parent().unwrap_or(Path::new("/"));
        let disk = |error: std::io::Error| format!("{}: {error}", archive.display());
        std::fs::create_dir_all(directory).map_err(disk)?;
        let mut file = tempfile::Builder::new()
            .suffix(UNFINISHED)
            .tempfile_in(directory)
            .map_err(disk)?;
        let mut content = got.into_stream();
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|error| with_causes(&error))?;
            file.write_all(&piece).map_err(disk)?;
        }
        let permissions = std::fs::Permissions::from_mode(ARCHIVE_MODE);
        file.as_file().set_permissions(permissions).map_err(disk)?;
        // The version goes first: a file without its version is only fetched once more.
        let _ = std::fs::remove_file(version_file(archive));
        let persisted = file.persist(archive);
        let file = persisted.map_err(|error| disk(error.error))?;
        note_version(archive, &file, tag.as_deref());
        Ok(Fetched::New)
    }

    /// Makes the object the same as the file `archive`; `is_new` says that the file was
    /// written since it was fetched.
    ///
    /// # Errors
    /// What the server or the disk says; the object is as it was.
    pub(crate) async fn send(
        &self,
        object: &str,
        archive: &Path,
        is_new: bool,
    ) -> Result<Sent, String> {
        let key = key(object)?;
        let disk = |error: std::io::Error| format!("{}: {error}", archive.display());
        let mut file = File::open(archive).map_err(disk)?;
        let size = file.metadata().map_err(disk)?.len();
        if self.upload_limit > 0 && size > self.upload_limit {
            return Ok(Sent::TooLarge);
        }
        let known = version(archive).filter(|_| !is_new);
        // Also asked before a new archive is sent: a bucket that is away is known soon.
        let found = self.found(&key).await?;
        if known.is_some() && found.and_then(|found| found.tag) == known {
            return Ok(Sent::UpToDate);
        }
        let _ = std::fs::remove_file(version_file(archive));
        let first = part(&mut file).map_err(disk)?;
        let put = if first.len() < PART_BYTES {
            self.store.put(&key, first.into()).await
        } else {
            let upload = self.store.put_multipart(&key).await;
            let mut upload = upload.map_err(|error| with_causes(&error))?;
            let mut next = first;
            let parts = async {
                while !next.is_empty() {
                    let bytes = std::mem::take(&mut next);
                    upload
                        .put_part(bytes.into())
                        .await
                        .map_err(|error| with_causes(&error))?;
                    next = part(&mut file).map_err(disk)?;
                }
                Ok::<(), String>(())
            };
            if let Err(reason) = parts.await {
                let _ = upload.abort().await;
                return Err(reason);
            }
            upload.complete().await
        };
        let put = put.map_err(|error| with_causes(&error))?;
        note_version(archive, &file, put.e_tag.as_deref());
        Ok(Sent::New)
    }
}

/// An object that is there.
struct Found {
    tag: Option<String>,
}

fn key(object: &str) -> Result<Key, String> {
    Key::parse(object).map_err(|error| with_causes(&error))
}

/// The next part of a file; shorter than a part only at its end.
fn part(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn version_file(archive: &Path) -> PathBuf {
    archive.with_file_name(VERSION)
}

/// The version that the archive has in the bucket, as far as is known. The file names the
/// archive's inode, so that it does not speak of another one that took its place.
fn version(archive: &Path) -> Option<String> {
    let inode = std::fs::metadata(archive).ok()?.ino();
    let text = std::fs::read_to_string(version_file(archive)).ok()?;
    let (of, tag) = text.split_once(' ')?;
    (of == inode.to_string()).then(|| tag.to_owned())
}

/// Without a version the archive is only sent or fetched once more.
fn note_version(archive: &Path, file: &File, tag: Option<&str>) {
    if let (Some(tag), Ok(metadata)) = (tag, file.metadata()) {
        let text = format!("{} {tag}", metadata.ino());
        let _ = std::fs::write(version_file(archive), text);
    }
}
