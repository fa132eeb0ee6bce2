//! Environments are stopped: by people, when their time is over, and when their branch is gone
//! (language inventory, 11.B).

use shipway_config::Environment;
use shipway_pipeline::JobId;
use shipway_store::{
    EnvironmentId, EnvironmentRow, EnvironmentState, JobRow, Page, ProjectRow, UserId,
};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;

/// Environments that are dealt with in one round.
const ROUND: i64 = 100;

/// All environments of a project, in one page.
const WHOLE: Page = Page {
    limit: i64::MAX,
    offset: 0,
};

impl Coordinator {
    /// Stops an environment: plays the jobs that `on_stop` names, whose success stops it; where
    /// there is none, or with `force`, it is stopped at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stop_environment(
        &self,
        id: EnvironmentId,
        user: Option<UserId>,
        force: bool,
    ) -> Result<(), Error> {
        let Some(row) = self.store.environment(id).await? else {
            return Ok(());
        };
        if row.state == EnvironmentState::Stopped {
            return Ok(());
        }
        let jobs = match force {
            true => Vec::new(),
            false => self.stop_jobs(&row).await?,
        };
        let mut works = false;
        for job in jobs {
            works |= match job.status.is_completed() || waits(&job) {
                true => self.plays(job.id, user).await?,
                // Somebody else played it.
                false => job.triggered,
            };
        }
        let state = match works {
            true => EnvironmentState::Stopping,
            false => EnvironmentState::Stopped,
        };
        let mut transaction = self.store.begin().await?;
        let mut row = transaction.environment(id).await?;
        // A job that was quick has stopped it already.
        if row.state != EnvironmentState::Stopped {
            row.state = state;
            row.auto_stop_at = None;
            transaction.update_environment(&row).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Whether the job could be played.
    async fn plays(&self, job: JobId, user: Option<UserId>) -> Result<bool, Error> {
        match self.play(job, user).await {
            Ok(()) => Ok(true),
            Err(Error::Illegal(_) | Error::NoJob(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The jobs that `on_stop` of what is deployed now names: of all jobs of that pipeline that
    /// deployed to the environment.
    async fn stop_jobs(&self, row: &EnvironmentRow) -> Result<Vec<JobRow>, Error> {
        let Some(last) = self.store.last_successful_deployment(row.id).await? else {
            return Ok(Vec::new());
        };
        let Some(deployed) = self.store.job(last.job_id).await? else {
            return Ok(Vec::new());
        };
        let mut jobs = self.store.jobs(deployed.pipeline_id).await?;
        jobs.retain(|job| !job.retried || job.id == deployed.id);
        let names: Vec<String> = (jobs.iter())
            .filter_map(environment_of)
            .filter(|environment| environment.name == row.name && environment.action == "start")
            .filter_map(|environment| environment.on_stop)
            .collect();
        jobs.retain(|job| !job.retried && names.contains(&job.name));
        Ok(jobs)
    }

    /// Stops the environments whose `auto_stop_in` is over. Each is noted as being stopped
    /// before its jobs run, so that of several servers one does it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stop_due_environments(&self) -> Result<Vec<EnvironmentId>, Error> {
        let mut stopped = Vec::new();
        let now = now();
        for row in self.store.due_environments(now, ROUND).await? {
            let mut transaction = self.store.begin().await?;
            let claimed = transaction.environment(row.id).await;
            let Ok(mut claimed) = claimed else { continue };
            if claimed.auto_stop_at.is_none_or(|at| at > now) {
                continue;
            }
            // A server that dies here tries again in an hour.
            claimed.auto_stop_at = now.checked_add(AGAIN);
            transaction.update_environment(&claimed).await?;
            transaction.commit().await?;
            match self.stop_environment(row.id, None, false).await {
                Ok(()) => stopped.push(row.id),
                // One that fails does not keep the others from being stopped.
                Err(error) => {
                    tracing::warn!(environment = row.id.0, %error, "environment.not.stopped");
                }
            }
        }
        Ok(stopped)
    }

    /// Stops the environments to which a branch was deployed last, for it is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn stop_environments_of(
        &self,
        project: &ProjectRow,
        branch: &str,
        user: Option<UserId>,
    ) -> Result<(), Error> {
        for row in self.store.environments(project.id, WHOLE).await?.rows {
            if row.state != EnvironmentState::Available {
                continue;
            }
            let last = self.store.last_successful_deployment(row.id).await?;
            if last.is_some_and(|last| last.ref_name == branch) {
                self.stop_environment(row.id, user, false).await?;
            }
        }
        Ok(())
    }
}

/// In microseconds.
const AGAIN: i64 = 3_600_000_000;

fn waits(job: &JobRow) -> bool {
    use shipway_pipeline::Status::{Manual, Scheduled};
    matches!(job.status, Manual | Scheduled)
}

/// A job's environment, as it was when the pipeline was made.
pub(crate) fn environment_of(job: &JobRow) -> Option<Environment> {
    serde_json::from_str(job.environment.as_deref()?).ok()
}
