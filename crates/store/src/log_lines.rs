//! Reading a log by its lines, through an index that grows with it.
//!
//! The index is a file beside the log, `<job>.lines`: marks, each the number of a line and the
//! byte at which it begins, at least [`SPACING`] bytes apart. It says nothing that the log does
//! not say: readers extend it, and a reader that finds it missing, cut anywhere by a kill, or
//! ahead of a log that lost its end, mends it. Writers of logs do not know of it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use shipway_pipeline::{JobId, PipelineId};

use crate::logs::{LogError, Logs};

/// A search reads so many bytes besides the lines that are wanted; the index has a mark of 16
/// bytes for as many of the log.
const SPACING: u64 = 64 * 1024;

/// Bytes that one call gives at most.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// Bytes read at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of a mark: two numbers, the least significant byte first.
const MARK_BYTES: usize = 16;

/// Some lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLines {
    /// The number of the first of `lines`; counts from 0.
    pub from: u64,
    /// The lines as they are, each with its newline; only the log's last may lack it. At most
    /// 4 MiB together: there may be fewer than were asked for, and a single longer line is cut.
    pub lines: Vec<Vec<u8>>,
    /// The byte of the log at which the first of `lines` begins.
    pub start: u64,
    /// The byte of the log after the last of `lines`.
    pub end: u64,
    /// How many lines the log has, an unfinished last one included.
    pub total: u64,
    /// How many bytes the log has.
    pub bytes: u64,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    offset: u64,
    line: u64,
}

const START: Mark = Mark { offset: 0, line: 0 };

impl Logs {
    /// At most `count` lines of the job's log, the first having the number `from`, which counts
    /// from 0; none after the end, and none of a log that was never written. The call blocks;
    /// the first of a long log reads all of it, later ones what was added.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn lines(
        &self,
        pipeline: PipelineId,
        job: JobId,
        from: u64,
        count: usize,
    ) -> Result<LogLines, LogError> {
        let path = self.path(pipeline, job);
        let fault = |source| LogError::new(&path, source);
        let log = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(nothing(from, 0, 0)),
            log => log.map_err(fault)?,
        };
        let index = path.with_extension("lines");
        let Indexed {
            marks,
            total,
            bytes,
        } = indexed(&log, &index).map_err(fault)?;
        if from >= total || count == 0 {
            return Ok(nothing(from, total, bytes));
        }
        let before = marks.partition_point(|mark| mark.line <= from);
        let mark = before.checked_sub(1).map_or(START, |place| marks[place]);
        window(&log, bytes, mark, from, count)
            .map(|(start, lines)| LogLines {
                from,
                start,
                end: start + lines.iter().map(|line| line.len() as u64).sum::<u64>(),
                lines,
                total,
                bytes,
            })
            .map_err(fault)
    }
}

fn nothing(from: u64, total: u64, bytes: u64) -> LogLines {
    LogLines {
        from,
        lines: Vec::new(),
        start: bytes,
        end: bytes,
        total,
        bytes,
    }
}

/// What is known of a log.
struct Indexed {
    marks: Vec<Mark>,
    total: u64,
    bytes: u64,
}

/// Brings the index up to the log's end.
fn indexed(log: &File, path: &Path) -> std::io::Result<Indexed> {
    // A log can be read where nothing can be written: then the index is not kept.
    let index = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .and_then(|file| file.lock().map(|()| file))
        .ok();
    // Looked at while the index is locked: a mark beyond the end is of a log that lost it in a
    // power cut, and not of another reader.
    let bytes = log.metadata()?.len();
    let mut stored = Vec::new();
    if let Some(mut index) = index.as_ref() {
        index.read_to_end(&mut stored)?;
    }
    let mut marks = parsed(&stored);
    marks.truncate(marks.partition_point(|mark| mark.offset <= bytes));
    if marks.last().is_some_and(|mark| !begins_line(log, *mark)) {
        marks.clear();
    }
    let (fresh, total) = scanned(log, marks.last().copied().unwrap_or(START), bytes)?;
    let kept = marks.len() * MARK_BYTES;
    if let Some(index) = index
        && (!fresh.is_empty() || stored.len() != kept)
    {
        let written: Vec<u8> = fresh.iter().flat_map(|mark| mark.bytes()).collect();
        // A part of it does no harm, so a full disk is none of a reader's business.
        index
            .set_len(kept as u64)
            .and_then(|()| index.write_all_at(&written, kept as u64))
            .ok();
    }
    marks.extend(&fresh);
    Ok(Indexed {
        marks,
        total,
        bytes,
    })
}

impl Mark {
    fn bytes(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.line.to_le_bytes());
        bytes
    }

    fn new(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        Self {
            offset: number(&bytes[..8]),
            line: number(&bytes[8..]),
        }
    }
}

/// The marks of an index, up to the first that cannot be one.
fn parsed(stored: &[u8]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::with_capacity(stored.len() / MARK_BYTES);
    for bytes in stored.chunks_exact(MARK_BYTES) {
        let mark = Mark::new(bytes);
        let last = marks.last().copied().unwrap_or(START);
        if mark.offset < last.offset.saturating_add(SPACING) || mark.line <= last.line {
            break;
        }
        marks.push(mark);
    }
    marks
}

/// A newline stands before the mark.
fn begins_line(log: &File, mark: Mark) -> bool {
    let mut byte = [0];
    let read = log.read_at(&mut byte, mark.offset - 1);
    read.is_ok_and(|length| length == 1) && byte[0] == b'\n'
}

/// The marks after `mark`, and the number of lines, of the log's first `bytes` bytes.
fn scanned(log: &File, mark: Mark, bytes: u64) -> std::io::Result<(Vec<Mark>, u64)> {
    let mut fresh = Vec::new();
    let mut last = mark;
    // The line at which we are, and where it begins.
    let mut line = mark;
    let mut offset = mark.offset;
    let mut block = vec![0; BLOCK_BYTES];
    while offset < bytes {
        let wanted = block
            .len()
            .min(usize::try_from(bytes - offset).unwrap_or(usize::MAX));
        log.read_exact_at(&mut block[..wanted], offset)?;
        for (place, byte) in (offset..).zip(&block[..wanted]) {
            if *byte != b'\n' {
                continue;
            }
            line = Mark {
                offset: place + 1,
                line: line.line + 1,
            };
            if line.offset - last.offset >= SPACING {
                last = line;
                fresh.push(line);
            }
        }
        offset += wanted as u64;
    }
    let unfinished = u64::from(line.offset < bytes);
    Ok((fresh, line.line + unfinished))
}

/// The lines from the number `from` on, of which `mark` is not after the first, and where they
/// begin.
fn window(
    log: &File,
    bytes: u64,
    mark: Mark,
    from: u64,
    count: usize,
) -> std::io::Result<(u64, Vec<Vec<u8>>)> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut line = mark.line;
    let mut start = mark.offset;
    let mut offset = mark.offset;
    let mut taken = 0;
    let mut current = Vec::new();
    let mut block = vec![0; BLOCK_BYTES];
    'log: while offset < bytes {
        let wanted = block
            .len()
            .min(usize::try_from(bytes - offset).unwrap_or(usize::MAX));
        log.read_exact_at(&mut block[..wanted], offset)?;
        for piece in block[..wanted].split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            offset += piece.len() as u64;
            if line < from {
                line += u64::from(ends);
                start = offset;
                continue;
            }
            current.extend_from_slice(piece);
            taken += piece.len();
            if taken > WINDOW_BYTES {
                if lines.is_empty() {
                    current.truncate(WINDOW_BYTES);
                    lines.push(std::mem::take(&mut current));
                }
                current.clear();
                break 'log;
            }
            if ends {
                lines.push(std::mem::take(&mut current));
                if lines.len() == count {
                    break 'log;
                }
            }
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    Ok((start, lines))
}
