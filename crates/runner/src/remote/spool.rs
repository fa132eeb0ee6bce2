//! A job's log on disk, until the coordinator has all of it.
//!
//! The coordinator may be away for a while or ask for bytes it had already confirmed, so
//! nothing is dropped before the job's end.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shipway_protocol::TraceOutput;

/// The log of one job; its file has no name and is gone with the process.
#[derive(Debug)]
pub(super) struct Spool {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    size: u64,
    checksum: crc32fast::Hasher,
}

impl Spool {
    /// An empty log in this directory.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Self {
            state: Mutex::new(State {
                file: tempfile::tempfile_in(directory)?,
                size: 0,
                checksum: crc32fast::Hasher::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends bytes and returns the log's size.
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let mut state = self.state();
        state.file.write_all(bytes)?;
        state.checksum.update(bytes);
        state.size += bytes.len() as u64;
        Ok(state.size)
    }

    /// The log's size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.state().size
    }

    /// At most `limit` bytes from `offset`; empty at the end.
    pub(super) fn read(&self, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        let state = self.state();
        let length = state.size.saturating_sub(offset).min(limit);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        state.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Size and checksum of everything so far.
    pub(super) fn output(&self) -> TraceOutput {
        let state = self.state();
        TraceOutput {
            checksum: Some(format!("crc32:{:08x}", state.checksum.clone().finalize())),
            bytesize: state.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_at_any_offset() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(&directory.path().join("new")).unwrap();
        assert_eq!(spool.output().checksum.as_deref(), Some("crc32:00000000"));
        assert_eq!(spool.append(b"hello\n").unwrap(), 6);
        assert_eq!(spool.append(b"world\n").unwrap(), 12);
        assert_eq!(spool.read(3, 5).unwrap(), b"lo\nwo");
        assert_eq!(spool.read(10, 99).unwrap(), b"d\n");
        assert!(spool.read(12, 9).unwrap().is_empty() && spool.read(99, 9).unwrap().is_empty());
        let output = spool.output();
        assert_eq!(output.checksum.as_deref(), Some("crc32:c4c55dff"));
        assert_eq!(output.bytesize, 12);
    }
}
