//! An archive where it is kept, read in pieces: of a large one in a bucket only what is looked
//! at is fetched.

use std::io::{self, Read, Seek, SeekFrom};

use shipway_store::{BlobError, Store};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

/// Bytes that are fetched at a time.
const PIECE: u64 = 256 * 1024;

/// A blob as a file, for a thread that may block.
pub(crate) struct Archive {
    store: Store,
    path: String,
    size: u64,
    at: u64,
    piece: Vec<u8>,
    piece_at: u64,
    runtime: Handle,
}

impl Archive {
    /// The blob of a row's path; to be called in the runtime.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) async fn open(store: &Store, path: &str) -> Result<Self, BlobError> {
        let reader = store.blobs().get(path, ..).await?;
        Ok(Self {
            store: store.clone(),
            path: path.to_owned(),
            size: reader.size,
            at: 0,
            piece: Vec::new(),
            piece_at: 0,
            runtime: Handle::current(),
        })
    }

    fn fetch(&mut self) -> io::Result<()> {
        let range = self.at..(self.at + PIECE).min(self.size);
        let mut piece = Vec::with_capacity(usize::try_from(PIECE).unwrap_or_default());
        let fetched = async {
            let reader = self.store.blobs().get(&self.path, range).await;
            let mut reader = reader.map_err(io::Error::other)?;
            reader.read_to_end(&mut piece).await
        };
        self.runtime.block_on(fetched)?;
        self.piece = piece;
        self.piece_at = self.at;
        Ok(())
    }
}

impl Read for Archive {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || into.is_empty() {
            return Ok(0);
        }
        let end = self.piece_at + self.piece.len() as u64;
        if !(self.piece_at..end).contains(&self.at) {
            self.fetch()?;
        }
        let from = usize::try_from(self.at - self.piece_at).unwrap_or(usize::MAX);
        let there = self.piece.get(from..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Archive {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
