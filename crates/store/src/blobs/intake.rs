//! An incoming file: measured, digested and limited while it is read.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Blob, BlobError};

/// What is left of a file that comes in.
pub(super) struct Intake<R> {
    from: R,
    name: String,
    limit: u64,
    measure: Measure,
}

impl<R: AsyncRead + Unpin + Send> Intake<R> {
    pub(super) fn new(from: R, name: &str, limit: u64) -> Self {
        Self {
            from,
            name: name.to_owned(),
            limit,
            measure: Measure::default(),
        }
    }

    /// The next `length` bytes; fewer only at the end.
    pub(super) async fn next(&mut self, length: usize) -> Result<Vec<u8>, BlobError> {
        let mut part = Vec::new();
        let mut rest = (&mut self.from).take(length as u64);
        if let Err(source) = rest.read_to_end(&mut part).await {
            let name = self.name.clone();
            return Err(BlobError::Incoming { name, source });
        }
        self.measure.add(&part);
        self.measure.check(&self.name, self.limit)?;
        Ok(part)
    }

    /// What it was, now that it is at `path`.
    pub(super) fn blob(self, path: String) -> Blob {
        self.measure.blob(path)
    }
}

/// What is known of a content so far.
#[derive(Default)]
pub(super) struct Measure {
    size: u64,
    digest: Sha256,
}

impl Measure {
    pub(super) fn add(&mut self, part: &[u8]) {
        self.size += part.len() as u64;
        self.digest.update(part);
    }

    pub(super) fn check(&self, name: &str, limit: u64) -> Result<(), BlobError> {
        if self.size <= limit {
            return Ok(());
        }
        Err(BlobError::TooLarge {
            name: name.to_owned(),
            limit,
        })
    }

    pub(super) fn blob(self, path: String) -> Blob {
        Blob {
            path,
            size: self.size,
            digest: self.digest.finalize().into(),
        }
    }
}
