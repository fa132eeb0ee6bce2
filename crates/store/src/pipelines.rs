//! Pipelines and their stages.

use shipway_pipeline::{PipelineId, Status};

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::page::{Page, Paged};
use crate::pipeline_variables::PipelineVariablesRow;
use crate::projects;
use crate::rows::{NewPipeline, NewStage, PipelineRow, PipelineUpdate, StageRow};
use crate::sql::{Query, query};
use crate::store::Store;
use crate::transaction::Transaction;

/// Which of a project's pipelines are wanted; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineFilter {
    /// Of this branch or tag.
    pub ref_name: Option<String>,
    /// Of this commit.
    pub sha: Option<String>,
    /// In this status.
    pub status: Option<Status>,
    /// Set off by this; when not given, child pipelines are left out, as on GitLab.
    pub source: Option<String>,
}

const NEXT_IID: &str = "INSERT INTO pipeline_numbers (path, last_iid) VALUES ($1, 1) \
    ON CONFLICT (path) DO UPDATE SET last_iid = pipeline_numbers.last_iid + 1 RETURNING last_iid";

const INSERT: &str = "INSERT INTO pipelines \
    (iid, project, ref_name, ref_kind, sha, source, status, name, created_at, yaml_errors, \
    context, project_id, user_id, protected) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING *";

const FIND: &str = "SELECT * FROM pipelines WHERE id = $1";

const BY_IID: &str = "SELECT * FROM pipelines WHERE project_id = $1 AND iid = $2";

const NEWEST: &str = "SELECT * FROM pipelines ORDER BY id DESC LIMIT $1";

const NEWEST_OF_REF: &str = "SELECT * FROM pipelines WHERE project_id = $1 AND ref_name = $2 \
    AND source <> 'parent_pipeline' ORDER BY id DESC LIMIT 1";

const EXTERNAL: &str = "SELECT id FROM pipelines WHERE project_id = $1 AND sha = $2 \
    AND ref_name = $3 AND source = 'external' ORDER BY id DESC LIMIT 1";

macro_rules! of_project {
    ($what:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM pipelines WHERE project_id = $1 AND ($2 IS NULL OR ref_name = $2) \
            AND ($3 IS NULL OR sha = $3) AND ($4 IS NULL OR status = $4) \
            AND (source = $5 OR ($5 IS NULL AND source <> 'parent_pipeline')) ",
            $end
        )
    };
}

const PAGE: &str = of_project!("*", "ORDER BY id DESC LIMIT $6 OFFSET $7");

const COUNT: &str = of_project!("count(*)", "");

const UNFINISHED: &str = "SELECT * FROM pipelines WHERE finished_at IS NULL ORDER BY id";

const UNFINISHED_OF: &str = "SELECT * FROM pipelines WHERE project_id = $1 AND ref_name = $2 \
    AND finished_at IS NULL ORDER BY id";

const WITH_DUE_JOBS: &str = "SELECT DISTINCT pipeline_id FROM jobs WHERE status = 'scheduled' \
    AND project_id IS NOT NULL AND scheduled_at <= $1 ORDER BY pipeline_id";

const ALL_IDS: &str = "SELECT id FROM pipelines ORDER BY id";

const UPDATE: &str = "UPDATE pipelines SET status = $2, \
    started_at = COALESCE($3, started_at), finished_at = COALESCE($4, finished_at), \
    coverage = COALESCE($5, coverage) WHERE id = $1";

const VERSION: &str = "SELECT version FROM pipelines WHERE id = $1";

const NEXT_VERSION: &str =
    "UPDATE pipelines SET version = version + 1 WHERE id = $1 AND version = $2";

const DELETE: &str = "DELETE FROM pipelines WHERE id = $1";

const STAGES: &str = "SELECT * FROM stages WHERE pipeline_id = $1 ORDER BY position";

const UPDATE_STAGE: &str = "UPDATE stages SET status = $3 WHERE pipeline_id = $1 AND position = $2";

/// Rows of one INSERT; engines limit the values of one statement.
const ROWS_PER_INSERT: usize = 1000;

impl Store {
    /// The pipeline, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipeline(&self, id: PipelineId) -> Result<Option<PipelineRow>, StoreError> {
        self.optional(query(FIND).bind(id.0)).await
    }

    /// The project's pipeline of this number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipeline_by_iid(
        &self,
        project: ProjectId,
        iid: i64,
    ) -> Result<Option<PipelineRow>, StoreError> {
        self.optional(query(BY_IID).bind(project).bind(iid)).await
    }

    /// The newest pipelines of all projects, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipelines(&self, limit: u32) -> Result<Vec<PipelineRow>, StoreError> {
        self.all(query(NEWEST).bind(i64::from(limit))).await
    }

    /// The newest pipeline of a project's branch or tag that is no child of another.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newest_pipeline(
        &self,
        project: ProjectId,
        ref_name: &str,
    ) -> Result<Option<PipelineRow>, StoreError> {
        self.optional(query(NEWEST_OF_REF).bind(project).bind(ref_name))
            .await
    }

    /// A project's pipelines, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipelines_of_project(
        &self,
        project: ProjectId,
        filter: &PipelineFilter,
        page: Page,
    ) -> Result<Paged<PipelineRow>, StoreError> {
        let bound = |text: &'static str| -> Query<'_> {
            query(text)
                .bind(project)
                .bind(&filter.ref_name)
                .bind(&filter.sha)
                .bind(filter.status.map(Status::as_str))
                .bind(&filter.source)
        };
        Ok(Paged {
            rows: self
                .all(bound(PAGE).bind(page.limit).bind(page.offset))
                .await?,
            total: self.number(bound(COUNT)).await?,
        })
    }

    /// How many steps the pipeline has taken: what was loaded in this version is up to date.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipeline_version(&self, id: PipelineId) -> Result<Option<i64>, StoreError> {
        let found: Option<(i64,)> = self.optional(query(VERSION).bind(id.0)).await?;
        Ok(found.map(|(version,)| version))
    }

    /// The pipelines without an end, oldest first: those that run, wait for a person, or were
    /// left by a process that died ([`Store::is_held`] tells).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unfinished_pipelines(&self) -> Result<Vec<PipelineRow>, StoreError> {
        self.all(query(UNFINISHED)).await
    }

    /// The pipelines of a branch or tag without an end, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unfinished_pipelines_of(
        &self,
        project: ProjectId,
        ref_name: &str,
    ) -> Result<Vec<PipelineRow>, StoreError> {
        self.all(query(UNFINISHED_OF).bind(project).bind(ref_name))
            .await
    }

    /// The pipelines of projects with a delayed job whose time had come at `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipelines_with_due_jobs(&self, now: i64) -> Result<Vec<PipelineId>, StoreError> {
        let rows: Vec<(i64,)> = self.all(query(WITH_DUE_JOBS).bind(now)).await?;
        Ok(rows.into_iter().map(|(id,)| PipelineId(id)).collect())
    }

    pub(crate) async fn pipeline_ids(&self) -> Result<Vec<PipelineId>, StoreError> {
        let rows: Vec<(i64,)> = self.all(query(ALL_IDS)).await?;
        Ok(rows.into_iter().map(|(id,)| PipelineId(id)).collect())
    }

    /// The pipeline's stages in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stages(&self, pipeline: PipelineId) -> Result<Vec<StageRow>, StoreError> {
        self.all(query(STAGES).bind(pipeline.0)).await
    }
}

impl Transaction {
    /// The pipeline as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn pipeline(&mut self, id: PipelineId) -> Result<PipelineRow, StoreError> {
        self.existing_row(query(FIND).bind(id.0), "pipeline", id.0)
            .await
    }

    /// The pipeline's stages in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stages(&mut self, pipeline: PipelineId) -> Result<Vec<StageRow>, StoreError> {
        self.all(query(STAGES).bind(pipeline.0).locking()).await
    }

    /// Stores a pipeline under the next number of its project.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_pipeline(&mut self, new: &NewPipeline) -> Result<PipelineRow, StoreError> {
        let (iid,): (i64,) = self.one(query(NEXT_IID).bind(&new.project)).await?;
        let insert = query(INSERT)
            .bind(iid)
            .bind(&new.project)
            .bind(&new.ref_name)
            .bind(&new.ref_kind)
            .bind(&new.sha)
            .bind(&new.source)
            .bind(new.status.as_str())
            .bind(&new.name)
            .bind(new.created_at)
            .bind(&new.yaml_errors)
            .bind(&new.context)
            .bind(new.project_id)
            .bind(new.user_id)
            .bind(new.protected);
        let row: PipelineRow = self.one(insert).await?;
        if !new.variables.is_empty() {
            let own = PipelineVariablesRow {
                pipeline_id: row.id,
                variables: new.variables.clone(),
            };
            self.set_pipeline_variables(&own).await?;
        }
        Ok(row)
    }

    /// The pipeline `external` of this commit and ref, if there is one. Nobody else makes one
    /// until the transaction ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn external_pipeline(
        &mut self,
        new: &NewPipeline,
    ) -> Result<Option<PipelineId>, StoreError> {
        self.execute(query(projects::LOCK).bind(new.project_id))
            .await?;
        let found = query(EXTERNAL)
            .bind(new.project_id)
            .bind(&new.sha)
            .bind(&new.ref_name);
        let found: Option<(i64,)> = self.optional(found).await?;
        Ok(found.map(|(id,)| PipelineId(id)))
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
        for chunk in stages.chunks(ROWS_PER_INSERT) {
            let rows = chunk.iter().map(|stage| {
                [
                    pipeline.0.into(),
                    stage.position.into(),
                    (&stage.name).into(),
                    stage.status.as_str().into(),
                ]
            });
            let head = "INSERT INTO stages (pipeline_id, position, name, status) VALUES";
            self.execute(Query::rows(head, rows, "")).await?;
        }
        Ok(())
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
        let update = query(UPDATE)
            .bind(id.0)
            .bind(status.as_str())
            .bind(update.started_at)
            .bind(update.finished_at)
            .bind(update.coverage);
        self.change(update, "pipeline", id.0).await
    }

    /// Counts one more step of a pipeline that was loaded in this version; `false` when
    /// somebody else has taken a step since, so that what was loaded is out of date. Until
    /// this transaction ends nobody else takes one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn next_version(&mut self, id: PipelineId, version: i64) -> Result<bool, StoreError> {
        let update = query(NEXT_VERSION).bind(id.0).bind(version);
        Ok(self.execute(update).await? > 0)
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
        let update = query(UPDATE_STAGE)
            .bind(pipeline.0)
            .bind(position)
            .bind(status.as_str());
        self.change(update, "stage", position).await
    }

    /// Forgets a pipeline with its stages, jobs and artifacts; their files stay.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_pipeline(&mut self, id: PipelineId) -> Result<(), StoreError> {
        self.notify(format!("pipeline {id}"));
        self.execute(query(DELETE).bind(id.0)).await.map(drop)
    }
}
