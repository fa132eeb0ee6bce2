//! The jobs at whose logs somebody looks right now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shipway_pipeline::JobId;
use tokio::time::Instant;

use super::Dispatch;

/// How long [`Dispatch::watch`] holds.
const WATCHED: Duration = Duration::from_secs(10);

/// Since when.
#[derive(Debug, Default)]
pub(super) struct WatchedLogs(Mutex<HashMap<JobId, Instant>>);

impl WatchedLogs {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatch {
    /// Somebody looks at the log of a job right now; to be said again while that is so. Its
    /// runner then sends the log in short intervals.
    pub fn watch(&self, job: JobId) {
        let mut watched = self.watched.lock();
        watched.retain(|_, since| since.elapsed() < WATCHED);
        watched.insert(job, Instant::now());
    }

    /// Whether somebody looks at the log of a job.
    pub fn is_watched(&self, job: JobId) -> bool {
        let watched = self.watched.lock();
        watched
            .get(&job)
            .is_some_and(|since| since.elapsed() < WATCHED)
    }
}
