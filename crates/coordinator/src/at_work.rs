//! What a server's runner says of a job that it has: log, heartbeat, result.

use std::sync::Arc;

use shipway_pipeline::{Event, JobId, Status};
use shipway_protocol::JobUpdate;
use shipway_store::{JobRow, LogError, StoreError};

use crate::claim::reason_only;
use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::job_token;
use crate::live::Live;
use crate::notice::Notice;

/// How often a runner's word about a job is written down. It only has to be often beside the
/// time after which a silent runner counts as lost.
const CONTACT_INTERVAL: i64 = 30 * 1_000_000;

/// What became of a piece of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is stored; the log has so many bytes now.
    Stored(u64),
    /// It does not begin where the log ends, after so many bytes.
    Refused(u64),
    /// The log would be too long; the job has failed.
    TooLong,
}

impl Coordinator {
    /// The job that this token was made for; it may be over. `None` when there is no such
    /// job or the token is not its own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn job_with_token(
        &self,
        job: JobId,
        token: &str,
    ) -> Result<Option<Arc<JobRow>>, Error> {
        let row = match self.kept.at_work.row(job) {
            Some(row) => Some(row),
            None => self.store.job(job).await?.map(Arc::new),
        };
        Ok(row.filter(|row| {
            let stored = row.token_digest.as_deref();
            row.project_id.is_some()
                && stored.is_some_and(|stored| job_token::matches(token, stored))
        }))
    }

    /// The job at work whose token this is; it opens the project's repository and the
    /// artifacts of its pipeline, as long as the job runs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn job_at_work_by_token(&self, token: &str) -> Result<Option<JobRow>, Error> {
        let row = self.store.job_by_token(&job_token::digest(token)).await?;
        Ok(row.filter(|row| row.status.is_executing() && row.project_id.is_some()))
    }

    /// Notes that the runner is heard of, which acknowledges the job.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn job_heartbeat(&self, row: &JobRow) -> Result<(), Error> {
        let now = now();
        let known = row.acknowledged_at.is_some()
            && (row.contacted_at).is_some_and(|at| now - at < CONTACT_INTERVAL);
        if known {
            return Ok(());
        }
        let mut transaction = self.store.begin().await?;
        transaction.job_contact(row.id, now).await?;
        transaction.commit().await?;
        self.kept.at_work.change(row.id, |row| {
            row.contacted_at = Some(now);
            row.acknowledged_at = row.acknowledged_at.or(Some(now));
        });
        Ok(())
    }

    /// Appends to the log of a job, only at its very end and up to `limit` bytes of it.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn append_trace_at_end(
        &self,
        row: &JobRow,
        offset: u64,
        bytes: bytes::Bytes,
        limit: u64,
    ) -> Result<Appended, Error> {
        let (job, pipeline) = (row.id, row.pipeline_id);
        if offset.saturating_add(bytes.len() as u64) > limit {
            let stored = self.store.logs().length(pipeline, job)?;
            if offset != stored {
                return Ok(Appended::Refused(stored));
            }
            self.fail_at_work(row, "trace_size_exceeded").await?;
            return Ok(Appended::TooLong);
        }
        let logs = self.store.logs().clone();
        let append = move || logs.append_at_end(pipeline, job, offset, &bytes);
        let appended = tokio::task::spawn_blocking(append).await;
        match joined(appended, || self.store.logs().path(pipeline, job))? {
            Ok(stored) => {
                self.publish(Notice::Trace { job, stored });
                Ok(Appended::Stored(stored))
            }
            Err(LogError::Gap { expected, .. }) => Ok(Appended::Refused(expected)),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a whole log: what it has beyond the stored length is appended.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn extend_trace(
        &self,
        row: &JobRow,
        whole: bytes::Bytes,
        limit: u64,
    ) -> Result<(), Error> {
        let stored = self.store.logs().length(row.pipeline_id, row.id)?;
        let known = usize::try_from(stored).unwrap_or(usize::MAX);
        if known < whole.len() {
            let rest = whole.slice(known..);
            self.append_trace_at_end(row, stored, rest, limit).await?;
        }
        Ok(())
    }

    /// Notes that the log may show secrets.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mark_debug_trace(&self, row: &JobRow) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        transaction.set_debug_trace(row.id).await?;
        transaction.commit().await?;
        self.kept
            .at_work
            .change(row.id, |row| row.debug_trace = true);
        Ok(())
    }

    /// Takes the result of a job at work, and returns what it is then.
    ///
    /// # Errors
    /// [`Error::NotAtWork`] when it is over; otherwise when the store fails.
    pub async fn finish_job(&self, row: &JobRow, update: &JobUpdate) -> Result<Status, Error> {
        let events = match self.report(row.id, update).await {
            // It was deleted since the row was read.
            Err(Error::Store(StoreError::NotFound { .. })) => return Err(Error::NoJob(row.id)),
            reported => reported?,
        };
        Ok(match events.first() {
            Some(Event::Succeeded(_)) => Status::Success,
            Some(Event::Failed { .. }) => Status::Failed,
            Some(Event::Canceled(_)) => Status::Canceled,
            // It only said that it is at work.
            _ => row.status,
        })
    }

    /// Lets a job at work fail for a reason that the runner did not give.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn fail_at_work(&self, row: &JobRow, reason: &str) -> Result<(), Error> {
        let job = row.id;
        let failed = |live: &Live| {
            let index = at_work(live, job)?;
            Ok(vec![match live.state.jobs[index].status {
                Status::Canceling => Event::Canceled(index),
                _ => Event::Failed {
                    job: index,
                    reason: reason.to_owned(),
                    exit_code: None,
                },
            }])
        };
        let extra = [(job, reason_only(reason))];
        match self.advance(row.pipeline_id, &failed, &extra).await {
            Ok(_) | Err(Error::NotAtWork { .. } | Error::NoJob(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a job whose cancellation was asked for, without waiting for its runner.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn end_canceling(&self, row: &JobRow) -> Result<(), Error> {
        let job = row.id;
        let ended = |live: &Live| {
            let index = at_work(live, job)?;
            match live.state.jobs[index].status {
                Status::Canceling => Ok(vec![Event::Canceled(index)]),
                status => Err(Error::NotAtWork { job, status }),
            }
        };
        match self.advance(row.pipeline_id, &ended, &[]).await {
            Ok(_) | Err(Error::NotAtWork { .. } | Error::NoJob(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The index of a job that a runner has.
pub(crate) fn at_work(live: &Live, job: JobId) -> Result<usize, Error> {
    let index = live.current(job)?;
    match live.state.jobs[index].status {
        status if status.is_executing() => Ok(index),
        status => Err(Error::NotAtWork { job, status }),
    }
}

/// The outcome of a blocking step; one that panicked counts as a fault of its file.
fn joined<T>(
    done: Result<T, tokio::task::JoinError>,
    path: impl FnOnce() -> std::path::PathBuf,
) -> Result<T, Error> {
    done.map_err(|error| Error::file(path())(std::io::Error::other(error)))
}
