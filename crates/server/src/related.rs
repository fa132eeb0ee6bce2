//! The pipelines that a pipeline comes of, and those that its jobs started.

use shipway_pipeline::{JobId, PipelineId};
use shipway_store::{PipelineRow, ProjectRow};

use crate::app::App;
use crate::error::ApiError;
use crate::identity::Identity;
use crate::permission::Action;

/// A pipeline next to another.
#[derive(Debug)]
pub(crate) struct Related {
    /// The trigger job between the two.
    pub(crate) job: JobId,
    /// The pipeline.
    pub(crate) pipeline: PipelineRow,
    /// Its project.
    pub(crate) project: ProjectRow,
}

impl App {
    /// The pipelines that jobs of this one started, as far as the identity may see them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn downstream(
        &self,
        identity: &Identity,
        pipeline: PipelineId,
    ) -> Result<Vec<Related>, ApiError> {
        let mut found = Vec::new();
        for row in self.store().downstream_of(pipeline).await? {
            let related = self.related(identity, row.job_id, row.pipeline_id);
            found.extend(related.await?);
        }
        Ok(found)
    }

    /// The pipeline whose job started this one, if the identity may see it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn upstream(
        &self,
        identity: &Identity,
        pipeline: PipelineId,
    ) -> Result<Option<Related>, ApiError> {
        match self.store().upstream(pipeline).await? {
            Some(row) => self.related(identity, row.job_id, row.upstream_id).await,
            None => Ok(None),
        }
    }

    async fn related(
        &self,
        identity: &Identity,
        job: JobId,
        pipeline: PipelineId,
    ) -> Result<Option<Related>, ApiError> {
        let Some(pipeline) = self.store().pipeline(pipeline).await? else {
            return Ok(None);
        };
        let project = match pipeline.project_id {
            Some(id) => self.store().project(id).await?,
            None => None,
        };
        let Some(project) = project else {
            return Ok(None);
        };
        let seen = self.allows(identity, &project, Action::ReadPipelines);
        Ok(seen.await?.then_some(Related {
            job,
            pipeline,
            project,
        }))
    }
}
