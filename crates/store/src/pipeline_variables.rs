//! The variables of a pipeline itself, which its push, trigger, schedule or starter gave it.

use shipway_pipeline::PipelineId;

use crate::error::StoreError;
use crate::rows::Key;
use crate::sealed_rows::Secret;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

const FIND: &str = "SELECT * FROM pipeline_variables WHERE pipeline_id = $1";

const SET: &str = "INSERT INTO pipeline_variables (pipeline_id, variables) VALUES ($1, $2) \
    ON CONFLICT (pipeline_id) DO UPDATE SET variables = excluded.variables";

/// The variables of one pipeline; most pipelines have none, and no row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct PipelineVariablesRow {
    #[sqlx(try_from = "Key")]
    pub(crate) pipeline_id: PipelineId,
    /// JSON of the coordinator.
    pub(crate) variables: Vec<u8>,
}

impl Store {
    /// What [`NewPipeline::variables`](crate::NewPipeline::variables) was; empty for none.
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn pipeline_variables(&self, pipeline: PipelineId) -> Result<Vec<u8>, StoreError> {
        let row: Option<PipelineVariablesRow> = self.optional(query(FIND).bind(pipeline.0)).await?;
        row.map_or(Ok(Vec::new()), |row| Ok(row.opened(self.keys())?.variables))
    }
}

impl Transaction {
    /// As [`Store::pipeline_variables`].
    ///
    /// # Errors
    /// [`StoreError::Secret`], or when the database does not answer.
    pub async fn pipeline_variables(
        &mut self,
        pipeline: PipelineId,
    ) -> Result<Vec<u8>, StoreError> {
        let row: Option<PipelineVariablesRow> = self.optional(query(FIND).bind(pipeline.0)).await?;
        row.map_or(Ok(Vec::new()), |row| Ok(row.opened(self.keys())?.variables))
    }

    /// Stores the variables sealed, in place of older ones.
    pub(crate) async fn set_pipeline_variables(
        &mut self,
        row: &PipelineVariablesRow,
    ) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let set = query(SET).bind(row.pipeline_id.0).bind(&sealed);
        self.execute(set).await.map(drop)
    }
}
