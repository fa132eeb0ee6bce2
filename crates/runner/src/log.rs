//! What the runner itself says in a job's log: lines, headings, sections.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::mask::Masker;
use crate::stamps::Stream;
use crate::trace::Trace;

/// The runner's own stream of a job's log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    trace: Trace,
    masker: Masker,
    sections: bool,
}

impl Log {
    /// Writes to `trace` what `masker` lets through; section markers only where wanted.
    pub(crate) fn new(trace: Trace, masker: Masker, sections: bool) -> Self {
        Self {
            trace,
            masker,
            sections,
        }
    }

    /// Lets only through from here on what this masker does.
    pub(crate) fn mask_with(&mut self, masker: Masker) {
        self.masker = masker;
    }

    /// The stream for what the job's processes print.
    pub(crate) fn output(&self) -> Output {
        Output {
            trace: self.trace.clone(),
            masker: self.masker.clone(),
            buffer: Vec::new(),
            line_is_open: false,
        }
    }

    async fn write(&mut self, text: &str) {
        let mut bytes = Vec::with_capacity(text.len());
        self.masker.push(text.as_bytes(), &mut bytes);
        self.masker.finish(&mut bytes);
        self.trace.write(Stream::Runner, &bytes).await;
    }

    /// An ordinary line.
    pub(crate) async fn line(&mut self, text: &str) {
        self.write(&format!("\x1b[0K{text}\x1b[0;m\n")).await;
    }

    /// A green line.
    pub(crate) async fn info(&mut self, text: &str) {
        self.write(&format!("\x1b[32;1m{text}\x1b[0;m\n")).await;
    }

    /// A yellow line that starts with `WARNING: `.
    pub(crate) async fn warning(&mut self, text: &str) {
        self.write(&format!("\x1b[0;33mWARNING: {text}\x1b[0;m\n"))
            .await;
    }

    /// A red line that starts with `ERROR: `.
    pub(crate) async fn error(&mut self, text: &str) {
        self.write(&format!("\x1b[31;1mERROR: {text}\x1b[0;m\n"))
            .await;
    }

    /// Opens a section and prints its heading.
    pub(crate) async fn open_section(&mut self, name: &str, heading: &str) {
        if self.sections {
            self.write(&format!("section_start:{}:{name}\r\x1b[0K", unix_now()))
                .await;
        }
        self.write(&format!("\x1b[0K\x1b[36;1m{heading}\x1b[0;m\x1b[0;m\n"))
            .await;
    }

    /// Closes a section.
    pub(crate) async fn close_section(&mut self, name: &str) {
        if self.sections {
            self.write(&format!("section_end:{}:{name}\r\x1b[0K", unix_now()))
                .await;
        }
    }
}

/// The stream of what the processes of one stage print.
#[derive(Debug)]
pub(crate) struct Output {
    trace: Trace,
    masker: Masker,
    buffer: Vec<u8>,
    /// The last byte was no line feed.
    line_is_open: bool,
}

impl Output {
    /// Takes the next bytes; waits when the log is slower than the processes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.masker.push(bytes, &mut self.buffer);
        self.flush().await;
    }

    /// Writes what was held back, and ends the last line, so that what the runner says next
    /// stands on a line of its own. The stage has ended.
    pub(crate) async fn finish(&mut self) {
        self.masker.finish(&mut self.buffer);
        self.flush().await;
        if self.line_is_open {
            self.buffer.push(b'\n');
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        if let Some(last) = self.buffer.last() {
            self.line_is_open = *last != b'\n';
        }
        self.trace.write(Stream::Job, &self.buffer).await;
        self.buffer.clear();
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
