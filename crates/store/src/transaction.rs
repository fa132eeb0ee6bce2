//! Writing: everything of one step of a pipeline, or nothing of it.

use std::path::PathBuf;

use shipway_pipeline::{JobId, PipelineId, Status};
use sqlx::{Sqlite, SqliteConnection};

use crate::error::StoreError;
use crate::rows::{
    ArtifactRow, JobRow, JobUpdate, NewArtifact, NewJob, NewPipeline, NewStage, PipelineRow,
    PipelineUpdate, StageRow,
};
use crate::{artifacts, jobs, pipelines};

/// A write that no other process or task interleaves with, from the first statement on: what
/// it loads cannot change before it commits. Dropped without [`Transaction::commit`] it leaves
/// nothing.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Sqlite>,
    path: PathBuf,
}

impl Transaction {
    pub(crate) fn new(inner: sqlx::Transaction<'static, Sqlite>, path: PathBuf) -> Self {
        Self { inner, path }
    }

    fn fault(&self, error: sqlx::Error) -> StoreError {
        StoreError::classify(&self.path, error)
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// Turns "no such row" into an error.
    fn existing(
        &self,
        found: sqlx::Result<bool>,
        what: &'static str,
        id: i64,
    ) -> Result<(), StoreError> {
        match found {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.not_found(what, id)),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn not_found(&self, what: &'static str, id: i64) -> StoreError {
        StoreError::NotFound {
            what,
            id,
            path: self.path.clone(),
        }
    }

    /// Stores a pipeline under the next number of its project.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_pipeline(&mut self, new: &NewPipeline) -> Result<PipelineRow, StoreError> {
        let row = pipelines::insert(self.connection(), new).await;
        row.map_err(|error| self.fault(error))
    }

    /// Stores a pipeline's stages.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_stages(
        &mut self,
        pipeline: PipelineId,
        stages: &[NewStage],
    ) -> Result<(), StoreError> {
        let done = pipelines::insert_stages(self.connection(), pipeline, stages).await;
        done.map_err(|error| self.fault(error))
    }

    /// Stores jobs, thousands at once; the ids come in the order of `new`.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_jobs(
        &mut self,
        pipeline: PipelineId,
        new: &[NewJob],
    ) -> Result<Vec<JobId>, StoreError> {
        let ids = jobs::insert(self.connection(), pipeline, new).await;
        ids.map_err(|error| self.fault(error))
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

    /// Stores an artifact whose file is in place.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_artifact(&mut self, new: &NewArtifact) -> Result<ArtifactRow, StoreError> {
        let row = artifacts::insert(self.connection(), new).await;
        row.map_err(|error| self.fault(error))
    }

    /// The pipeline as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn pipeline(&mut self, id: PipelineId) -> Result<PipelineRow, StoreError> {
        let row = pipelines::find(self.connection(), id).await;
        row.map_err(|error| self.fault(error))?
            .ok_or_else(|| self.not_found("pipeline", id.0))
    }

    /// The pipeline's stages in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stages(&mut self, pipeline: PipelineId) -> Result<Vec<StageRow>, StoreError> {
        let rows = pipelines::stages(self.connection(), pipeline).await;
        rows.map_err(|error| self.fault(error))
    }

    /// The pipeline's jobs, all attempts, in the order in which they were stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&mut self, pipeline: PipelineId) -> Result<Vec<JobRow>, StoreError> {
        let rows = jobs::of_pipeline(self.connection(), pipeline).await;
        rows.map_err(|error| self.fault(error))
    }

    /// The job as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn job(&mut self, id: JobId) -> Result<JobRow, StoreError> {
        let row = jobs::find(self.connection(), id).await;
        row.map_err(|error| self.fault(error))?
            .ok_or_else(|| self.not_found("job", id.0))
    }

    /// Gives the pipeline a status, and what else of `update` is set.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn set_pipeline_status(
        &mut self,
        id: PipelineId,
        status: Status,
        update: &PipelineUpdate,
    ) -> Result<(), StoreError> {
        let found = pipelines::update(self.connection(), id, status, update).await;
        self.existing(found, "pipeline", id.0)
    }

    /// Gives a stage a status.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn set_stage_status(
        &mut self,
        pipeline: PipelineId,
        position: i64,
        status: Status,
    ) -> Result<(), StoreError> {
        let found = pipelines::update_stage(self.connection(), pipeline, position, status).await;
        self.existing(found, "stage", position)
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
        let found = jobs::update(self.connection(), id, update).await;
        self.existing(found, "job", id.0)
    }

    /// Gives many jobs one status, and returns how many there were.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_job_statuses(
        &mut self,
        ids: &[JobId],
        status: Status,
    ) -> Result<u64, StoreError> {
        let changed = jobs::set_statuses(self.connection(), ids, status).await;
        changed.map_err(|error| self.fault(error))
    }

    /// Notes that a newer attempt takes the job's place.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not take it.
    pub async fn mark_retried(&mut self, id: JobId) -> Result<(), StoreError> {
        let found = jobs::mark_retried(self.connection(), id).await;
        self.existing(found, "job", id.0)
    }

    /// Forgets a pipeline with its stages, jobs and artifacts; their files stay.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_pipeline(&mut self, id: PipelineId) -> Result<(), StoreError> {
        let done = pipelines::delete(self.connection(), id).await;
        done.map_err(|error| self.fault(error))
    }

    /// Forgets an artifact; its file stays.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_artifact(&mut self, id: i64) -> Result<(), StoreError> {
        let done = artifacts::delete(self.connection(), id).await;
        done.map_err(|error| self.fault(error))
    }

    /// Makes everything durable and visible.
    ///
    /// # Errors
    /// When the database cannot write it; nothing is stored then.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { inner, path } = self;
        inner
            .commit()
            .await
            .map_err(|error| StoreError::classify(&path, error))
    }
}
