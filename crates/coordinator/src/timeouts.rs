//! Jobs whose runner is lost, whose time is over or that nobody takes: found by looking at the
//! rows, on a timer.

use shipway_pipeline::{JobId, Status};
use shipway_protocol::RunnerFeatures;
use shipway_store::JobRow;

use crate::claim::Claimed;
use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::live;
use crate::queue::Ticket;
use crate::settings::{DEFAULT_TIMEOUT, ProjectSettings};

const SECOND: i64 = 1_000_000;

/// How long a runner may take to say that it begins with a job (runner protocol, B.7).
const ACKNOWLEDGE: i64 = 2 * 60 * SECOND;

/// After so long without a word the runner of a job is lost; GitLab waits as long. Runners say
/// something every minute or two, and a network that is away for a while ends no job.
const LOST: i64 = 60 * 60 * SECOND;

/// After so long without a word nobody waits for the runner of a job that is being cancelled.
const LOST_CANCELING: i64 = 5 * 60 * SECOND;

/// How much longer than its time limit a job may be at work: its runner is to end it, and then
/// uploads what there is.
const OVERTIME: i64 = 15 * 60 * SECOND;

/// How long a job may wait for a runner; as on GitLab.
const PENDING: i64 = 24 * 60 * 60 * SECOND;

/// Old jobs of the queue that are looked at in one go.
const OLD_JOBS: i64 = 1000;

/// GitLab's name of the reason.
const STUCK: &str = "stuck_or_timeout_failure";

/// What is to become of a job at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing.
    Stays,
    /// It waits for another runner.
    Returns,
    /// It has failed.
    Fails,
    /// Its cancellation is over.
    Ends,
}

/// The rule for a job at work with this time limit in seconds.
fn verdict(row: &JobRow, timeout: u64, now: i64) -> Verdict {
    let silent = row
        .contacted_at
        .map_or(i64::MAX, |at| now.saturating_sub(at));
    let limit = i64::try_from(timeout).unwrap_or(i64::MAX);
    let limit = limit.saturating_mul(SECOND).saturating_add(OVERTIME);
    let worked = row.started_at.map_or(0, |at| now.saturating_sub(at));
    match row.status {
        Status::Canceling if silent > LOST_CANCELING => Verdict::Ends,
        Status::Running if row.acknowledged_at.is_none() && silent > ACKNOWLEDGE => {
            Verdict::Returns
        }
        Status::Running if silent > LOST || worked > limit => Verdict::Fails,
        _ => Verdict::Stays,
    }
}

impl Coordinator {
    /// Ends the jobs whose time is over at `now`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_overdue_jobs(&self, now: i64) -> Result<(), Error> {
        for row in self.store.silent_jobs(now.saturating_add(1)).await? {
            let timeout = self.timeout_of(&row).await?;
            match verdict(&row, timeout, now) {
                Verdict::Stays if row.status == Status::Canceling => {
                    self.cancel_at_once(row.id).await?;
                }
                Verdict::Stays => {}
                Verdict::Returns => {
                    tracing::warn!(job = %row.id, "job.unacknowledged");
                    self.unclaim(row.id).await?;
                }
                Verdict::Fails => {
                    tracing::warn!(job = %row.id, "job.lost");
                    self.fail_at_work(&row, STUCK).await?;
                }
                Verdict::Ends => self.end_canceling(&row).await?,
            }
        }
        for job in self.store.queue(OLD_JOBS).await? {
            if job
                .queued_at
                .is_none_or(|at| now.saturating_sub(at) <= PENDING)
            {
                // Those that follow wait for a shorter time.
                break;
            }
            let ticket = Ticket {
                job: job.id,
                pipeline: job.pipeline_id,
                wanted: std::sync::Arc::default(),
            };
            if let Claimed::Failed = self.fail_pending(&ticket, STUCK).await? {
                tracing::warn!(job = %job.id, "job.stuck");
            }
        }
        Ok(())
    }

    /// A job's time limit in seconds.
    async fn timeout_of(&self, row: &JobRow) -> Result<u64, Error> {
        let wanted = match (live::spec(row)?.timeout, row.project_id) {
            (Some(timeout), _) => timeout,
            (None, Some(project)) => {
                let project = self.store.project(project).await?;
                project.map_or(DEFAULT_TIMEOUT, |row| {
                    ProjectSettings::of(&row).build_timeout
                })
            }
            (None, None) => DEFAULT_TIMEOUT,
        };
        Ok(wanted)
    }

    /// Ends a job that is being cancelled where its runner does not know how to be asked.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn cancel_at_once(&self, job: JobId) -> Result<(), Error> {
        let Some(row) = self.store.job(job).await? else {
            return Ok(());
        };
        if row.status != Status::Canceling || row.project_id.is_none() {
            return Ok(());
        }
        let manager = match (row.runner_id, &row.system_id) {
            (Some(runner), Some(system)) => self.store.runner_manager(runner, system).await?,
            _ => None,
        };
        let features: RunnerFeatures = manager
            .and_then(|manager| serde_json::from_str(&manager.features).ok())
            .unwrap_or_default();
        if features.cancel_gracefully {
            return Ok(());
        }
        self.end_canceling(&row).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: Status, started: i64, contacted: i64, acknowledged: bool) -> JobRow {
        JobRow {
            id: JobId(1),
            pipeline_id: shipway_pipeline::PipelineId(1),
            stage: 0,
            name: String::new(),
            status,
            when: String::new(),
            allow_failure: false,
            scheduling: String::new(),
            needs: String::new(),
            spec: String::new(),
            tags: String::new(),
            retried: false,
            attempt: 1,
            triggered: false,
            failure_reason: None,
            exit_code: None,
            queued_at: None,
            started_at: Some(started * SECOND),
            finished_at: None,
            scheduled_at: None,
            coverage: None,
            tests: None,
            runner: None,
            trace_bytes: 0,
            environment: None,
            reason: String::new(),
            project_id: None,
            protected: false,
            token_digest: None,
            runner_id: None,
            system_id: None,
            acknowledged_at: acknowledged.then_some(contacted * SECOND),
            contacted_at: Some(contacted * SECOND),
            debug_trace: false,
            erased_at: None,
        }
    }

    #[test]
    fn what_becomes_of_a_job_whose_runner_is_silent() {
        use Status::{Canceling, Running};
        use Verdict::{Ends, Fails, Returns, Stays};
        // Status, started, last heard of, acknowledged; now is second 100,000.
        let table = [
            (Running, 99_900, 99_900, false, Stays),
            (Running, 99_000, 99_000, false, Returns),
            (Running, 99_000, 99_000, true, Stays),
            (Running, 99_000, 96_000, true, Fails),
            (Running, 95_000, 99_999, true, Fails),
            (Running, 95_600, 99_999, true, Stays),
            (Canceling, 99_000, 99_999, true, Stays),
            (Canceling, 99_000, 99_600, true, Ends),
            (Canceling, 10, 99_999, true, Stays),
        ];
        for (status, started, contacted, acknowledged, expected) in table {
            let row = row(status, started, contacted, acknowledged);
            let found = verdict(&row, 3600, 100_000 * SECOND);
            assert_eq!(
                found, expected,
                "{status} {started} {contacted} {acknowledged}"
            );
        }
    }
}
