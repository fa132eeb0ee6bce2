//! Artifacts whose time is over (language inventory, 1.9).

use std::collections::HashMap;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{ArtifactRow, Page, PipelineFilter, PipelineRow};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::settings::ProjectSettings;

/// Artifacts of one look.
const LOOK: i64 = 500;

impl Coordinator {
    /// Removes the artifacts whose time is over. Those of the newest successful pipeline of a
    /// ref stay where the project keeps its latest artifacts. Returns how many went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn expire_artifacts(&self) -> Result<usize, Error> {
        let (mut after, mut removed) = (0, 0);
        let mut kept: HashMap<PipelineId, bool> = HashMap::new();
        loop {
            let expired = self.store.expired_artifacts(now(), after, LOOK).await?;
            let Some(last) = expired.last() else {
                return Ok(removed);
            };
            after = last.id;
            for artifact in expired {
                let Some(pipeline) = self.pipeline_of_artifact(artifact.job_id).await? else {
                    continue;
                };
                let keeps = match kept.get(&pipeline.id) {
                    Some(keeps) => *keeps,
                    None => self.keeps(&pipeline).await?,
                };
                kept.insert(pipeline.id, keeps);
                if !keeps {
                    self.remove_artifact(&artifact).await?;
                    removed += 1;
                }
            }
        }
    }

    async fn pipeline_of_artifact(&self, job: JobId) -> Result<Option<PipelineRow>, Error> {
        match self.store.job(job).await? {
            Some(job) => Ok(self.store.pipeline(job.pipeline_id).await?),
            None => Ok(None),
        }
    }

    /// Whether the pipeline is the newest successful one of its ref, in a project that keeps
    /// the artifacts of those.
    async fn keeps(&self, pipeline: &PipelineRow) -> Result<bool, Error> {
        let Some(id) = pipeline.project_id else {
            return Ok(false);
        };
        let project = self.store.project(id).await?;
        if !project.is_some_and(|project| ProjectSettings::of(&project).keep_latest_artifact) {
            return Ok(false);
        }
        let newest = PipelineFilter {
            ref_name: Some(pipeline.ref_name.clone()),
            status: Some(Status::Success),
            ..PipelineFilter::default()
        };
        let newest = self.store.pipelines_of_project(id, &newest, Page::first(1));
        Ok((newest.await?.rows.first()).is_some_and(|newest| newest.id == pipeline.id))
    }

    /// Removes an artifact: first the row, so that nobody finds one without its file. A file
    /// that stays behind is found by pruning.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_artifact(&self, artifact: &ArtifactRow) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        transaction.delete_artifact(artifact.id).await?;
        transaction.commit().await?;
        Ok(self.store.blobs().delete(&artifact.path).await?)
    }
}
