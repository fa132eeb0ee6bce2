//! Variables that somebody gave to a single job when playing it.

use shipway_pipeline::{JobId, PipelineId};

use crate::error::StoreError;
use crate::rows::Key;
use crate::sealed_rows::Secret;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

const SET: &str = "INSERT INTO job_variables (job_id, variables) VALUES ($1, $2) \
    ON CONFLICT (job_id) DO UPDATE SET variables = excluded.variables";

/// A later attempt has those of the attempt before it.
const OF: &str = "SELECT job_variables.* FROM job_variables \
    JOIN jobs ON jobs.id = job_variables.job_id \
    WHERE jobs.pipeline_id = $1 AND jobs.name = $2 ORDER BY jobs.id DESC LIMIT 1";

/// The variables of one job; most jobs have none, and no row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct JobVariablesRow {
    #[sqlx(try_from = "Key")]
    pub(crate) job_id: JobId,
    /// JSON of the coordinator.
    pub(crate) variables: Vec<u8>,
}

impl Store {
    /// The variables of the newest attempt that was given any, as they were set; empty for none.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn job_variables(
        &self,
        pipeline: PipelineId,
        job: &str,
    ) -> Result<Vec<u8>, StoreError> {
        let find = query(OF).bind(pipeline.0).bind(job);
        let row: Option<JobVariablesRow> = self.optional(find).await?;
        row.map_or(Ok(Vec::new()), |row| Ok(row.opened(self.keys())?.variables))
    }
}

impl Transaction {
    /// Gives a job variables in place of those that it had. They are stored sealed.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_job_variables(
        &mut self,
        job: JobId,
        variables: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.store_job_variables(&JobVariablesRow {
            job_id: job,
            variables,
        })
        .await
    }

    pub(crate) async fn store_job_variables(
        &mut self,
        row: &JobVariablesRow,
    ) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let set = query(SET).bind(row.job_id.0).bind(&sealed);
        self.execute(set).await.map(drop)
    }
}
