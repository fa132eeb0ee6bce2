//! What services print: the end of it in a report, all of it where the job asks for that.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use crate::log::Log;

/// Lines of a service's log in a report.
const LINES: &str = "100";
/// Of each of them, and of what is followed.
const LINE_LIMIT: usize = 8 * 1024;
/// For the end of a log to arrive after its container is gone.
const LAST_READ: Duration = Duration::from_secs(2);

/// The last lines that a service printed.
pub(super) async fn last_lines(engine: &Docker, id: &str) -> Vec<String> {
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .timestamps(true)
        .tail(LINES)
        .build();
    let mut parts = Box::pin(engine.logs(id, Some(options)));
    let mut lines = Lines::default();
    let mut found = Vec::new();
    while let Some(Ok(part)) = parts.next().await {
        found.extend(lines.push(&part.into_bytes()));
    }
    found.extend(lines.rest());
    found
}

/// Copies a service's log into the job's as it grows: `CI_DEBUG_SERVICES`.
pub(super) struct Follower {
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows a container's log; each line says whose it is.
    pub(super) fn new(engine: &Docker, id: &str, names: &[String], log: &Log) -> Self {
        let (engine, id, mut log) = (engine.clone(), id.to_owned(), log.clone());
        let prefix = format!("[service:{}]", names.join("-"));
        let task = tokio::spawn(async move {
            let options = LogsOptionsBuilder::default()
                .follow(true)
                .stdout(true)
                .stderr(true)
                .timestamps(true)
                .build();
            let mut parts = Box::pin(engine.logs(&id, Some(options)));
            let mut lines = Lines::default();
            while let Some(Ok(part)) = parts.next().await {
                for line in lines.push(&part.into_bytes()) {
                    log.line(&format!("{prefix} {line}")).await;
                }
            }
            if let Some(line) = lines.rest() {
                log.line(&format!("{prefix} {line}")).await;
            }
        });
        Self { task }
    }

    /// Waits for the log's end; the container is gone.
    pub(super) async fn finish(mut self) {
        if tokio::time::timeout(LAST_READ, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bytes become lines of at most [`LINE_LIMIT`].
#[derive(Default)]
struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes end.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = part.ends_with(b"\n");
            let room = LINE_LIMIT.saturating_sub(self.open.len());
            self.open.extend_from_slice(&part[..part.len().min(room)]);
            if is_whole {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// The line that is open.
    fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.open);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        (!line.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\r\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\nthree"), ["two", ""]);
        assert_eq!(lines.rest().as_deref(), Some("three"));
        assert_eq!(lines.rest(), None);
        let long = [b'x'; 3 * LINE_LIMIT];
        assert!(lines.push(&long).is_empty());
        assert_eq!(
            lines.push(b"y\nz\n"),
            ["x".repeat(LINE_LIMIT), "z".to_owned()]
        );
    }
}
