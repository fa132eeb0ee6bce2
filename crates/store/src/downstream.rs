//! Jobs that start other pipelines, and which pipeline came of which job.

use shipway_pipeline::{JobId, PipelineId, Status};

use crate::error::StoreError;
use crate::rows::{Key, OptionalStatus, StatusText};
use crate::sql::{Query, query};
use crate::store::Store;
use crate::transaction::Transaction;

/// A job that starts or mirrors another pipeline, with what came of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BridgeRow {
    /// The job.
    #[sqlx(try_from = "Key")]
    pub job_id: JobId,
    /// Its pipeline.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// Where the job stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
    /// The pipeline it started, if it did.
    pub downstream_id: Option<i64>,
    /// Where that stands.
    #[sqlx(try_from = "OptionalStatus")]
    pub downstream_status: Option<Status>,
}

/// A pipeline that a job started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct DownstreamRow {
    /// The pipeline.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// The job that started it.
    #[sqlx(try_from = "Key")]
    pub job_id: JobId,
    /// That job's pipeline.
    #[sqlx(try_from = "Key")]
    pub upstream_id: PipelineId,
    /// The pipeline at the top, which nothing started.
    #[sqlx(try_from = "Key")]
    pub root_id: PipelineId,
}

macro_rules! bridges {
    ($condition:literal) => {
        concat!(
            "SELECT bridges.job_id, bridges.pipeline_id, jobs.status, \
            downstream.pipeline_id AS downstream_id, pipelines.status AS downstream_status \
            FROM bridges JOIN jobs ON jobs.id = bridges.job_id \
            LEFT JOIN downstream ON downstream.job_id = bridges.job_id \
            LEFT JOIN pipelines ON pipelines.id = downstream.pipeline_id \
            WHERE NOT jobs.retried AND ",
            $condition,
            " ORDER BY bridges.job_id"
        )
    };
}

const OF_PIPELINE: &str = bridges!("bridges.pipeline_id = $1");

const UNSETTLED: &str = bridges!(
    "jobs.status NOT IN ('created', 'skipped') \
    AND (jobs.status NOT IN ('success', 'failed', 'canceled') \
    OR pipelines.status NOT IN ('success', 'failed', 'canceled', 'skipped'))"
);

const JOBS: &str = "SELECT job_id FROM bridges WHERE pipeline_id = $1";

const UPSTREAM: &str = "SELECT * FROM downstream WHERE pipeline_id = $1";

const OF_UPSTREAM: &str = "SELECT * FROM downstream WHERE upstream_id = $1 ORDER BY pipeline_id";

const OF_JOB: &str = "SELECT * FROM downstream WHERE job_id = $1";

const HIERARCHY: &str = "SELECT count(*) + 1 FROM downstream WHERE root_id = $1";

const INSERT: &str = "INSERT INTO downstream (pipeline_id, job_id, upstream_id, root_id) \
    VALUES ($1, $2, $3, $4)";

/// Rows of one INSERT.
const ROWS_PER_INSERT: usize = 1000;

impl Store {
    /// The newest attempts of a pipeline's trigger jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bridges_of(&self, pipeline: PipelineId) -> Result<Vec<BridgeRow>, StoreError> {
        self.all(query(OF_PIPELINE).bind(pipeline.0)).await
    }

    /// The trigger jobs of all pipelines whose turn it is, or whose pipeline is not over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unsettled_bridges(&self) -> Result<Vec<BridgeRow>, StoreError> {
        self.all(query(UNSETTLED)).await
    }

    /// All attempts of a pipeline's trigger jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bridge_jobs(&self, pipeline: PipelineId) -> Result<Vec<JobId>, StoreError> {
        let rows: Vec<(i64,)> = self.all(query(JOBS).bind(pipeline.0)).await?;
        Ok(rows.into_iter().map(|(id,)| JobId(id)).collect())
    }

    /// What started a pipeline, if a job did.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn upstream(
        &self,
        pipeline: PipelineId,
    ) -> Result<Option<DownstreamRow>, StoreError> {
        self.optional(query(UPSTREAM).bind(pipeline.0)).await
    }

    /// The pipeline that a job started.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn downstream_of_job(&self, job: JobId) -> Result<Option<DownstreamRow>, StoreError> {
        self.optional(query(OF_JOB).bind(job.0)).await
    }

    /// The pipelines that jobs of a pipeline started, older attempts among them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn downstream_of(
        &self,
        pipeline: PipelineId,
    ) -> Result<Vec<DownstreamRow>, StoreError> {
        self.all(query(OF_UPSTREAM).bind(pipeline.0)).await
    }

    /// How many pipelines have come of one, itself among them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hierarchy_size(&self, root: PipelineId) -> Result<i64, StoreError> {
        self.number(query(HIERARCHY).bind(root.0)).await
    }
}

impl Transaction {
    /// Notes that jobs start other pipelines, so that no runner gets them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_bridges(
        &mut self,
        pipeline: PipelineId,
        jobs: &[JobId],
    ) -> Result<(), StoreError> {
        for chunk in jobs.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(|job| [job.0.into(), pipeline.0.into()]);
            let head = "INSERT INTO bridges (job_id, pipeline_id) VALUES";
            self.execute(Query::rows(head, rows, "")).await?;
        }
        Ok(())
    }

    /// Notes that a job started a pipeline.
    ///
    /// # Errors
    /// When the database does not take it; also when the job started one already.
    pub async fn insert_downstream(&mut self, row: &DownstreamRow) -> Result<(), StoreError> {
        let insert = query(INSERT)
            .bind(row.pipeline_id.0)
            .bind(row.job_id.0)
            .bind(row.upstream_id.0)
            .bind(row.root_id.0);
        self.execute(insert).await.map(drop)
    }
}
