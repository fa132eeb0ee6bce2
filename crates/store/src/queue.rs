//! The queue: jobs that wait for a runner, and jobs that runners work on.
//!
//! Jobs of local runs, which have no project, are never in it.

use shipway_pipeline::{JobId, PipelineId, Status};

use crate::error::StoreError;
use crate::ids::{ProjectId, RunnerId};
use crate::page::{Beyond, Page, Paged};
use crate::rows::{JobRow, Key};
use crate::sql::{Query, query};
use crate::store::Store;
use crate::transaction::Transaction;

/// What is needed of a pending job to decide who takes it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct QueuedJob {
    /// The job.
    #[sqlx(try_from = "Key")]
    pub id: JobId,
    /// Its pipeline.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// JSON: the tags that a runner must have.
    pub tags: String,
    /// It is of a protected ref.
    pub protected: bool,
    /// Since when it waits.
    pub queued_at: Option<i64>,
}

/// Who takes a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The runner.
    pub runner: RunnerId,
    /// Which of its machines.
    pub system_id: Option<String>,
    /// The runner's name for people, kept when the runner is forgotten.
    pub description: String,
    /// SHA-256 of the job's token, made by the caller.
    pub token_digest: Vec<u8>,
    /// When.
    pub at: i64,
    /// The runner need not say first that it begins.
    pub acknowledged: bool,
}

/// Which jobs of a runner are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerJobs {
    /// The runner.
    pub runner: RunnerId,
    /// In this status.
    pub status: Option<Status>,
    /// Of this machine.
    pub system_id: Option<String>,
}

/// How many of a project's jobs are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct BusyProject {
    /// The project.
    pub project_id: ProjectId,
    /// Its running jobs.
    pub jobs: i64,
}

const PENDING: &str = "SELECT id, pipeline_id, project_id, name, tags, protected, queued_at \
    FROM jobs WHERE status = 'pending' AND project_id IS NOT NULL \
    AND NOT EXISTS (SELECT 1 FROM bridges WHERE bridges.job_id = jobs.id) ORDER BY queued_at, id LIMIT $1";

macro_rules! claim {
    ($which:literal) => {
        concat!(
            "UPDATE jobs SET status = 'running', runner_id = $2, system_id = $3, runner = $4, \
            token_digest = $5, started_at = $6, contacted_at = $6, acknowledged_at = $7 \
            WHERE id = ",
            $which,
            " RETURNING *"
        )
    };
}

const PENDING_OF: &str = "SELECT id, pipeline_id, project_id, name, tags, protected, queued_at \
    FROM jobs WHERE status = 'pending' AND project_id IS NOT NULL \
    AND NOT EXISTS (SELECT 1 FROM bridges WHERE bridges.job_id = jobs.id) AND id IN";

/// Jobs of one SELECT.
const IDS_PER_SELECT: usize = 1000;

const CLAIM: &str = claim!("$1 AND status = 'pending'");

/// Whoever finds that another is about to take the job does not wait for the other's end.
const CLAIM_UNLOCKED: &str = claim!(
    "(SELECT id FROM jobs WHERE id = $1 AND status = 'pending' FOR NO KEY UPDATE SKIP LOCKED)"
);

const UNCLAIM: &str = "UPDATE jobs SET status = 'pending', runner_id = NULL, system_id = NULL, \
    runner = NULL, token_digest = NULL, started_at = NULL, contacted_at = NULL \
    WHERE id = $1 AND status = 'running' AND acknowledged_at IS NULL RETURNING *";

const CONTACT: &str = "UPDATE jobs SET contacted_at = $2, \
    acknowledged_at = COALESCE(acknowledged_at, $2) \
    WHERE id = $1 AND status IN ('running', 'canceling')";

const DEBUG: &str = "UPDATE jobs SET debug_trace = TRUE WHERE id = $1";

const BY_TOKEN: &str = "SELECT * FROM jobs WHERE token_digest = $1";

const UNACKNOWLEDGED: &str = "SELECT * FROM jobs WHERE status = 'running' \
    AND project_id IS NOT NULL AND acknowledged_at IS NULL AND contacted_at < $1 ORDER BY id";

const SILENT: &str = "SELECT * FROM jobs WHERE status IN ('running', 'canceling') \
    AND project_id IS NOT NULL AND contacted_at < $1 ORDER BY id";

const OF_RUNNER: &str = "SELECT * FROM jobs WHERE runner_id = $1 ORDER BY id DESC LIMIT $2";

/// The jobs of a runner that are asked for.
macro_rules! of_runner {
    ($what:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM jobs WHERE runner_id = $1 AND ($2 IS NULL OR status = $2) \
            AND ($3 IS NULL OR system_id = $3) ",
            $end
        )
    };
}

const COUNT_OF_RUNNER: &str = of_runner!("count(*)", "");

const NEWEST_OF_RUNNER: &str = of_runner!(
    "*",
    "AND ($4 IS NULL OR id < $4) ORDER BY id DESC LIMIT $5 OFFSET $6"
);

const OLDEST_OF_RUNNER: &str = of_runner!(
    "*",
    "AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5 OFFSET $6"
);

const BUSY: &str = "SELECT jobs.project_id, count(*) AS jobs FROM jobs \
    JOIN runners ON runners.id = jobs.runner_id \
    WHERE jobs.status IN ('running', 'canceling') AND jobs.project_id IS NOT NULL \
    AND runners.kind = 'instance' GROUP BY jobs.project_id";

impl Store {
    /// The pending jobs of all projects, those that wait longest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queue(&self, limit: i64) -> Result<Vec<QueuedJob>, StoreError> {
        self.all(query(PENDING).bind(limit)).await
    }

    /// Those of these jobs that are pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queued(&self, ids: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_PER_SELECT) {
            let list = chunk.iter().map(|id| id.0.into());
            let mut rows = self.all(Query::list(PENDING_OF, Vec::new(), list)).await?;
            found.append(&mut rows);
        }
        Ok(found)
    }

    /// The job whose token has this digest; it may be over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_by_token(&self, digest: &[u8]) -> Result<Option<JobRow>, StoreError> {
        self.optional(query(BY_TOKEN).bind(digest)).await
    }

    /// Jobs that were handed out before `before`, without a word of the runner since.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unacknowledged_jobs(&self, before: i64) -> Result<Vec<JobRow>, StoreError> {
        self.all(query(UNACKNOWLEDGED).bind(before)).await
    }

    /// Jobs at work whose runner was last heard of before `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silent_jobs(&self, before: i64) -> Result<Vec<JobRow>, StoreError> {
        self.all(query(SILENT).bind(before)).await
    }

    /// The newest jobs of a runner.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs_of_runner(
        &self,
        runner: RunnerId,
        limit: i64,
    ) -> Result<Vec<JobRow>, StoreError> {
        self.all(query(OF_RUNNER).bind(runner).bind(limit)).await
    }

    /// Some jobs of a runner, in the order of their ids, and how many there are in all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_jobs_of_runner(
        &self,
        wanted: &RunnerJobs,
        beyond: Beyond,
        page: Page,
    ) -> Result<Paged<JobRow>, StoreError> {
        let bound = |text: &'static str| {
            query(text)
                .bind(wanted.runner)
                .bind(wanted.status.map(Status::as_str))
                .bind(wanted.system_id.as_deref())
        };
        let rows = bound(match beyond.ascending {
            true => OLDEST_OF_RUNNER,
            false => NEWEST_OF_RUNNER,
        });
        let rows = rows.bind(beyond.last).bind(page.limit).bind(page.offset);
        Ok(Paged {
            rows: self.all(rows).await?,
            total: self.number(bound(COUNT_OF_RUNNER)).await?,
        })
    }

    /// How many jobs of each project are at work on runners of the instance, which projects
    /// share; one without such jobs is not listed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn busy_projects(&self) -> Result<Vec<BusyProject>, StoreError> {
        self.all(query(BUSY)).await
    }
}

impl Transaction {
    /// Hands a pending job to a runner. Returns the running job, or `None` when it is not
    /// pending any more: of many who claim one job, one gets it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn claim(&mut self, job: JobId, claim: &Claim) -> Result<Option<JobRow>, StoreError> {
        let update = query(CLAIM)
            .on_postgres(CLAIM_UNLOCKED)
            .bind(job.0)
            .bind(claim.runner)
            .bind(&claim.system_id)
            .bind(&claim.description)
            .bind(&claim.token_digest)
            .bind(claim.at)
            .bind(claim.acknowledged.then_some(claim.at));
        self.optional(update).await
    }

    /// Puts a job that the runner never acknowledged back into the queue, at its old place.
    /// Returns the pending job, or `None` when it is not such a job.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn unclaim(&mut self, job: JobId) -> Result<Option<JobRow>, StoreError> {
        self.optional(query(UNCLAIM).bind(job.0)).await
    }

    /// Notes that the runner is heard of, which acknowledges the job; returns whether the job
    /// is at work.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn job_contact(&mut self, job: JobId, at: i64) -> Result<bool, StoreError> {
        Ok(self.execute(query(CONTACT).bind(job.0).bind(at)).await? > 0)
    }

    /// Notes that the job's log tells more than its secrets' masks hide.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_debug_trace(&mut self, job: JobId) -> Result<(), StoreError> {
        self.change(query(DEBUG).bind(job.0), "job", job.0).await
    }

    /// The job whose token has this digest; it may be over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_by_token(&mut self, digest: &[u8]) -> Result<Option<JobRow>, StoreError> {
        self.optional(query(BY_TOKEN).bind(digest).locking()).await
    }
}
