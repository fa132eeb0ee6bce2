//! The job's log on its way to the coordinator: collected, limited, sent in batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::limit::OutputLimit;
use crate::source::{Source, SourceError};
use crate::stamps::{Stamps, Stream};

/// A batch is sent when it has this many bytes …
const BATCH_BYTES: usize = 64 * 1024;
/// … or when its oldest byte has waited this long.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// Whoever writes waits while this many bytes are not sent yet, so a job that prints faster
/// than the coordinator stores is slowed down instead of filling the memory.
const HIGH_WATER: usize = 1024 * 1024;

/// The log of one job. Clones write to the same log.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to send, or nothing more will come.
    filled: Notify,
    /// There is room again.
    drained: Notify,
}

#[derive(Debug)]
struct State {
    pending: Vec<u8>,
    /// Where each line has its time before it.
    stamps: Option<Stamps>,
    limit: OutputLimit,
    closed: bool,
    /// The coordinator takes no more; everything written is dropped.
    broken: bool,
}

impl Trace {
    /// An empty log that keeps at most so many bytes.
    pub(crate) fn new(output_limit: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    pending: Vec::new(),
                    stamps: None,
                    limit: OutputLimit::new(output_limit),
                    closed: false,
                    broken: false,
                }),
                filled: Notify::new(),
                drained: Notify::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; were it so, the bytes are still good.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the time before each line from now on.
    pub(crate) fn stamp(&self) {
        self.state().stamps = Some(Stamps::default());
    }

    /// Appends masked bytes of a stream; waits while too much is unsent.
    pub(crate) async fn write(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        loop {
            let drained = self.shared.drained.notified();
            {
                let mut state = self.state();
                if state.broken {
                    return;
                }
                if state.pending.len() < HIGH_WATER {
                    let State {
                        pending,
                        stamps,
                        limit,
                        ..
                    } = &mut *state;
                    match stamps {
                        None => limit.apply(bytes, pending),
                        Some(stamps) => {
                            let mut stamped = Vec::with_capacity(bytes.len() * 2);
                            stamps.apply(stream, bytes, SystemTime::now(), &mut stamped);
                            limit.apply(&stamped, pending);
                        }
                    }
                    break;
                }
            }
            drained.await;
        }
        self.shared.filled.notify_one();
    }

    /// Says that nothing more will be written.
    pub(crate) fn close(&self) {
        {
            let mut state = self.state();
            let State {
                pending,
                stamps,
                limit,
                ..
            } = &mut *state;
            if let Some(stamps) = stamps {
                let mut rest = Vec::new();
                stamps.finish(&mut rest);
                limit.apply(&rest, pending);
            }
            state.closed = true;
        }
        self.shared.filled.notify_one();
    }

    /// Sends what is written until the log is closed and all of it is stored.
    pub(crate) async fn forward(&self, job: i64, source: &dyn Source) -> Result<(), SourceError> {
        let sent = self.forward_all(job, source).await;
        if sent.is_err() {
            self.state().broken = true;
            self.shared.drained.notify_waiters();
        }
        sent
    }

    async fn forward_all(&self, job: i64, source: &dyn Source) -> Result<(), SourceError> {
        let mut offset = 0;
        while let Some(batch) = self.next_batch().await {
            let mut unsent = &batch[..];
            while !unsent.is_empty() {
                let stored = source.append_trace(job, offset, unsent).await?.stored;
                let end = offset + unsent.len() as u64;
                if stored <= offset || stored > end {
                    return Err(SourceError::Refused {
                        what: format!("bytes {offset} to {end} of the log"),
                        reason: format!("the coordinator has stored {stored} bytes"),
                    });
                }
                unsent = &unsent[(stored - offset) as usize..];
                offset = stored;
            }
        }
        Ok(())
    }

    /// The next bytes to send; `None` when the log is closed and empty.
    async fn next_batch(&self) -> Option<Vec<u8>> {
        let ready = |state: &State| state.closed || state.pending.len() >= BATCH_BYTES;
        loop {
            let (empty, ready_now) = {
                let state = self.state();
                (state.pending.is_empty(), ready(&state))
            };
            if !empty || ready_now {
                break;
            }
            self.shared.filled.notified().await;
        }
        let full = async {
            while !ready(&self.state()) {
                self.shared.filled.notified().await;
            }
        };
        // Running out of time only means that the batch stays small.
        let _ = tokio::time::timeout(BATCH_DELAY, full).await;
        let batch = std::mem::take(&mut self.state().pending);
        self.shared.drained.notify_waiters();
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::RecordingSource;

    #[tokio::test]
    async fn everything_written_arrives_in_order() {
        let (trace, source) = (Trace::new(u64::MAX), RecordingSource::default());
        let write = async {
            for index in 0..1000 {
                trace
                    .write(Stream::Job, format!("line {index}\n").as_bytes())
                    .await;
            }
            trace.close();
        };
        let (_, sent) = tokio::join!(write, trace.forward(1, &source));
        sent.unwrap();
        let expected: String = (0..1000).map(|index| format!("line {index}\n")).collect();
        assert_eq!(source.log(), expected);
        assert!(source.appends() < 20, "{} appends", source.appends());
    }

    #[tokio::test]
    async fn a_slow_coordinator_slows_the_writer_down() {
        let (trace, source) = (Trace::new(u64::MAX), RecordingSource::default());
        let piece = vec![b'x'; 256 * 1024];
        let write = async {
            for _ in 0..400 {
                trace.write(Stream::Job, &piece).await;
                assert!(trace.state().pending.len() <= HIGH_WATER + piece.len());
            }
            trace.close();
        };
        let (_, sent) = tokio::join!(write, trace.forward(1, &source));
        sent.unwrap();
        assert_eq!(source.log().len(), 400 * piece.len());
    }

    #[tokio::test]
    async fn a_coordinator_that_stores_a_part_gets_the_rest_again() {
        let (trace, source) = (Trace::new(u64::MAX), RecordingSource::storing_at_most(3));
        trace.write(Stream::Job, b"0123456789").await;
        trace.close();
        trace.forward(1, &source).await.unwrap();
        assert_eq!(source.log(), "0123456789");
        assert_eq!(source.appends(), 4);
    }

    #[tokio::test]
    async fn a_broken_coordinator_does_not_block_the_writer() {
        let (trace, source) = (Trace::new(u64::MAX), RecordingSource::refusing_traces());
        let write = async {
            for _ in 0..10 {
                trace.write(Stream::Job, &vec![b'x'; HIGH_WATER]).await;
            }
            trace.close();
        };
        let (_, sent) = tokio::join!(write, trace.forward(1, &source));
        assert!(matches!(sent, Err(SourceError::Failed { .. })));
    }
}
