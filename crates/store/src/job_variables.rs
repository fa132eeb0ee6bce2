//! Variables that somebody gave to a single job when playing it.

use shipway_pipeline::{JobId, PipelineId};

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

const SET: &str = "INSERT INTO job_variables (job_id, variables) VALUES ($1, $2) \
    ON CONFLICT (job_id) DO UPDATE SET variables = excluded.variables";

/// A later attempt has those of the attempt before it.
const OF: &str = "SELECT variables FROM job_variables \
    JOIN jobs ON jobs.id = job_variables.job_id \
    WHERE jobs.pipeline_id = $1 AND jobs.name = $2 ORDER BY jobs.id DESC LIMIT 1";

impl Store {
    /// The variables of the newest attempt that was given any, as JSON.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_variables(
        &self,
        pipeline: PipelineId,
        job: &str,
    ) -> Result<Option<String>, StoreError> {
        let found: Option<(String,)> = self.optional(query(OF).bind(pipeline.0).bind(job)).await?;
        Ok(found.map(|(variables,)| variables))
    }
}

impl Transaction {
    /// Gives a job variables, as JSON, in place of those that it had.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_job_variables(
        &mut self,
        job: JobId,
        variables: &str,
    ) -> Result<(), StoreError> {
        let set = query(SET).bind(job.0).bind(variables);
        self.execute(set).await.map(drop)
    }
}
