//! Jobs, whoever runs them. Those that wait for runners of a server are in [`crate::queue`].

use shipway_pipeline::{JobId, PipelineId, Status};

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::page::{Page, Paged};
use crate::rows::{JobRow, JobUpdate, NewJob};
use crate::sql::{Query, query};
use crate::store::Store;
use crate::transaction::Transaction;

const INSERT: &str = "INSERT INTO jobs (pipeline_id, project_id, protected, stage, name, status, \
    run_when, allow_failure, scheduling, needs, spec, tags, attempt, triggered, environment, \
    reason, queued_at) VALUES";

/// What jobs take over from their pipeline.
const OF_THE_PIPELINE: &str =
    "SELECT project_id, protected, created_at FROM pipelines WHERE id = $1";

const FIND: &str = "SELECT * FROM jobs WHERE id = $1";

const OF_PIPELINE: &str = "SELECT * FROM jobs WHERE pipeline_id = $1 ORDER BY id";

const NEWEST_SUCCESS: &str = "SELECT jobs.* FROM jobs \
    JOIN pipelines ON pipelines.id = jobs.pipeline_id \
    WHERE pipelines.project_id = $1 AND pipelines.ref_name = $2 AND jobs.name = $3 \
    AND jobs.status = 'success' AND NOT jobs.retried ORDER BY jobs.id DESC LIMIT 1";

const PAGE: &str = "SELECT * FROM jobs WHERE project_id = $1 AND ($2 IS NULL OR status = $2) \
    ORDER BY id DESC LIMIT $3 OFFSET $4";

const COUNT: &str = "SELECT count(*) FROM jobs \
    WHERE project_id = $1 AND ($2 IS NULL OR status = $2)";

const BELOW: &str = "SELECT * FROM jobs WHERE project_id = $1 \
    AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4";

const ABOVE: &str = "SELECT * FROM jobs WHERE project_id = $1 \
    AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4";

const ERASE: &str = "UPDATE jobs SET erased_at = $2 WHERE id = $1";

/// The second half is a claim's. What it sets is empty before it, for a job that goes back into
/// the queue forgets its runner.
const UPDATE: &str = "UPDATE jobs SET status = COALESCE($2, status), \
    failure_reason = COALESCE($3, failure_reason), exit_code = COALESCE($4, exit_code), \
    queued_at = COALESCE($5, queued_at), started_at = COALESCE($6, started_at), \
    finished_at = COALESCE($7, finished_at), scheduled_at = COALESCE($8, scheduled_at), \
    allow_failure = COALESCE($9, allow_failure), triggered = COALESCE($10, triggered), \
    run_when = COALESCE($11, run_when), coverage = COALESCE($12, coverage), \
    tests = COALESCE($13, tests), trace_bytes = COALESCE($14, trace_bytes), \
    environment = COALESCE($15, environment), runner = COALESCE($16, runner), \
    runner_id = COALESCE($17, runner_id), system_id = COALESCE($18, system_id), \
    token_digest = COALESCE($19, token_digest), contacted_at = COALESCE($20, contacted_at), \
    acknowledged_at = COALESCE($21, acknowledged_at) WHERE id = $1";

const UNCLAIM: &str = "UPDATE jobs SET runner_id = NULL, system_id = NULL, runner = NULL, \
    token_digest = NULL, started_at = NULL, contacted_at = NULL, acknowledged_at = NULL \
    WHERE id = $1";

const MARK_RETRIED: &str = "UPDATE jobs SET retried = TRUE WHERE id = $1";

/// Rows of one INSERT, each of 17 values: under SQLite's limit of 32766 values.
const ROWS_PER_INSERT: usize = 1000;

/// Rows of one UPDATE.
const ROWS_PER_UPDATE: usize = 1000;

impl Store {
    /// The job, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job(&self, id: JobId) -> Result<Option<JobRow>, StoreError> {
        self.optional(query(FIND).bind(id.0)).await
    }

    /// The pipeline's jobs, all attempts, in the order in which they were stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&self, pipeline: PipelineId) -> Result<Vec<JobRow>, StoreError> {
        self.all(query(OF_PIPELINE).bind(pipeline.0)).await
    }

    /// The newest job of this name on a project's branch or tag that succeeded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newest_success(
        &self,
        project: ProjectId,
        ref_name: &str,
        name: &str,
    ) -> Result<Option<JobRow>, StoreError> {
        let find = query(NEWEST_SUCCESS).bind(project).bind(ref_name);
        self.optional(find.bind(name)).await
    }

    /// A project's jobs, newest first, in one status where it is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs_of_project(
        &self,
        project: ProjectId,
        status: Option<Status>,
        page: Page,
    ) -> Result<Paged<JobRow>, StoreError> {
        let status = status.map(Status::as_str);
        let rows = query(PAGE).bind(project).bind(status);
        Ok(Paged {
            rows: self.all(rows.bind(page.limit).bind(page.offset)).await?,
            total: self.number(query(COUNT).bind(project).bind(status)).await?,
        })
    }

    /// A project's jobs beyond an id, in the order of their ids; in one status where it is
    /// given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs_beyond(
        &self,
        project: ProjectId,
        status: Option<Status>,
        beyond: Option<i64>,
        ascending: bool,
        limit: i64,
    ) -> Result<Vec<JobRow>, StoreError> {
        let statement = if ascending { ABOVE } else { BELOW };
        let status = status.map(Status::as_str);
        let rows = query(statement).bind(project).bind(status);
        self.all(rows.bind(beyond).bind(limit)).await
    }
}

impl Transaction {
    /// Notes that the job's log and artifacts are deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn note_erased(&mut self, id: JobId, at: i64) -> Result<(), StoreError> {
        self.change(query(ERASE).bind(id.0).bind(at), "job", id.0)
            .await
    }

    /// The job as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn job(&mut self, id: JobId) -> Result<JobRow, StoreError> {
        self.existing_row(query(FIND).bind(id.0), "job", id.0).await
    }

    /// The pipeline's jobs, all attempts, in the order in which they were stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&mut self, pipeline: PipelineId) -> Result<Vec<JobRow>, StoreError> {
        self.all(query(OF_PIPELINE).bind(pipeline.0).locking())
            .await
    }

    /// Stores jobs, thousands at once; the ids come in the order of `new`. Project and
    /// protection are the pipeline's; those that are pending wait since it was made.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_jobs(
        &mut self,
        pipeline: PipelineId,
        new: &[NewJob],
    ) -> Result<Vec<JobId>, StoreError> {
        let found: Option<(Option<ProjectId>, bool, i64)> = self
            .optional(query(OF_THE_PIPELINE).bind(pipeline.0))
            .await?;
        // Without a pipeline the database refuses the rows.
        let (project, protected, created_at) = found.unwrap_or_default();
        let mut ids = Vec::with_capacity(new.len());
        for chunk in new.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(|job| {
                [
                    pipeline.0.into(),
                    project.into(),
                    protected.into(),
                    job.stage.into(),
                    (&job.name).into(),
                    job.status.as_str().into(),
                    (&job.when).into(),
                    job.allow_failure.into(),
                    (&job.scheduling).into(),
                    (&job.needs).into(),
                    (&job.spec).into(),
                    (&job.tags).into(),
                    job.attempt.into(),
                    job.triggered.into(),
                    (&job.environment).into(),
                    (&job.reason).into(),
                    (job.status == Status::Pending).then_some(created_at).into(),
                ]
            });
            let insert = Query::rows(INSERT, rows, " RETURNING id");
            let mut chunk_ids: Vec<(i64,)> = self.all(insert).await?;
            // Ids are given in the order of the values, but RETURNING promises none.
            chunk_ids.sort_unstable();
            ids.extend(chunk_ids.into_iter().map(|(id,)| JobId(id)));
        }
        Ok(ids)
    }

    /// Stores one job: a new attempt.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_job(
        &mut self,
        pipeline: PipelineId,
        new: &NewJob,
    ) -> Result<JobId, StoreError> {
        let ids = self
            .insert_jobs(pipeline, std::slice::from_ref(new))
            .await?;
        ids.first().copied().ok_or_else(|| self.not_found("job", 0))
    }

    /// Gives the job a status, and what else of `update` is set.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn set_job_status(
        &mut self,
        id: JobId,
        status: Status,
        update: JobUpdate,
    ) -> Result<(), StoreError> {
        let update = JobUpdate {
            status: Some(status),
            ..update
        };
        self.update_job(id, &update).await
    }

    /// Changes what of `update` is set.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn update_job(&mut self, id: JobId, update: &JobUpdate) -> Result<(), StoreError> {
        let claim = update.claim.as_ref();
        let runner = claim.map(|claim| claim.description.as_str());
        let statement = query(UPDATE)
            .bind(id.0)
            .bind(update.status.map(Status::as_str))
            .bind(&update.failure_reason)
            .bind(update.exit_code)
            .bind(update.queued_at)
            .bind(update.started_at)
            .bind(update.finished_at)
            .bind(update.scheduled_at)
            .bind(update.allow_failure)
            .bind(update.triggered)
            .bind(&update.when)
            .bind(update.coverage)
            .bind(&update.tests)
            .bind(update.trace_bytes)
            .bind(&update.environment)
            .bind(runner.or(update.runner.as_deref()))
            .bind(claim.map(|claim| claim.runner.0))
            .bind(claim.and_then(|claim| claim.system_id.as_deref()))
            .bind(claim.map(|claim| claim.token_digest.as_slice()))
            .bind(claim.map(|claim| claim.at))
            .bind(
                claim
                    .filter(|claim| claim.acknowledged)
                    .map(|claim| claim.at),
            );
        self.change(statement, "job", id.0).await?;
        if update.unclaim {
            self.execute(query(UNCLAIM).bind(id.0)).await?;
        }
        Ok(())
    }

    /// Gives many jobs one status, and returns how many there were; a pipeline of thousands
    /// may be skipped or cancelled at once.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_job_statuses(
        &mut self,
        ids: &[JobId],
        status: Status,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for chunk in ids.chunks(ROWS_PER_UPDATE) {
            let head = "UPDATE jobs SET status = $1 WHERE id IN";
            let list = chunk.iter().map(|id| id.0.into());
            let update = Query::list(head, vec![status.as_str().into()], list);
            changed += self.execute(update).await?;
        }
        Ok(changed)
    }

    /// Notes that a newer attempt takes the job's place.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn mark_retried(&mut self, id: JobId) -> Result<(), StoreError> {
        self.change(query(MARK_RETRIED).bind(id.0), "job", id.0)
            .await
    }
}
