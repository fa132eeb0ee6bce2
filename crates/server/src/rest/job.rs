//! Jobs as GitLab's API shows them.

use std::collections::HashMap;

use serde::Serialize;
use shipway_pipeline::{PipelineId, Status};
use shipway_store::{ArtifactRow, JobRow, PipelineRow, ProjectRow, RunnerId, RunnerManagerRow};

use super::call::ProjectCall;
use super::commit::{Commit, commits};
use super::pipeline::PipelineBasic;
use super::runner::{Runner, RunnerManager};
use super::time::{iso, seconds};
use super::user::{UserBasic, Users};
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;

/// GitLab's `Job`.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    pub(super) id: i64,
    status: &'static str,
    stage: String,
    name: String,
    #[serde(rename = "ref")]
    ref_name: String,
    tag: bool,
    coverage: Option<f64>,
    allow_failure: bool,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    erased_at: Option<String>,
    duration: Option<f64>,
    queued_duration: Option<f64>,
    pub(super) user: UserBasic,
    commit: Option<Commit>,
    pipeline: PipelineBasic,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    web_url: String,
    project: JobTokenScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts_file: Option<ArtifactsFile>,
    artifacts: Vec<Artifact>,
    runner: Option<Runner>,
    runner_manager: Option<RunnerManager>,
    artifacts_expire_at: Option<String>,
    archived: bool,
    tag_list: Vec<String>,
}

#[derive(Debug, Serialize)]
struct JobTokenScope {
    ci_job_token_scope_enabled: bool,
}

#[derive(Debug, Serialize)]
struct ArtifactsFile {
    filename: String,
    size: i64,
}

/// One file of a job, its log among them.
#[derive(Debug, Serialize)]
struct Artifact {
    file_type: String,
    size: i64,
    filename: String,
    file_format: Option<String>,
}

/// Makes the jobs of one answer; what several need is read once.
pub(super) struct Jobs<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    pipelines: HashMap<PipelineId, PipelineRow>,
    stages: HashMap<PipelineId, Vec<String>>,
    commits: HashMap<String, Commit>,
    users: Users,
    runners: HashMap<RunnerId, Option<Runner>>,
}

impl<'a> Jobs<'a> {
    pub(super) fn of(call: &'a ProjectCall) -> Self {
        Self::new(&call.app, &call.project)
    }

    pub(super) fn new(app: &'a App, project: &'a ProjectRow) -> Self {
        Self {
            app,
            project,
            pipelines: HashMap::new(),
            stages: HashMap::new(),
            commits: HashMap::new(),
            users: Users::default(),
            runners: HashMap::new(),
        }
    }

    pub(super) async fn entities(&mut self, rows: &[JobRow]) -> Result<Vec<Job>, ApiError> {
        for row in rows {
            self.know_pipeline(row.pipeline_id).await?;
        }
        let shas = self.pipelines.values().filter_map(|row| row.sha.as_deref());
        self.commits = commits(self.app, self.project, shas).await?;
        let mut entities = Vec::new();
        for row in rows {
            // A pipeline that is deleted meanwhile takes its jobs along.
            if self.pipelines.contains_key(&row.pipeline_id) {
                entities.push(self.entity_of(row).await?);
            }
        }
        Ok(entities)
    }

    pub(super) async fn entity(&mut self, row: &JobRow) -> Result<Job, ApiError> {
        let entities = self.entities(std::slice::from_ref(row)).await?;
        (entities.into_iter().next()).ok_or_else(|| ApiError::not_found("Job"))
    }

    async fn know_pipeline(&mut self, id: PipelineId) -> Result<(), ApiError> {
        if self.pipelines.contains_key(&id) {
            return Ok(());
        }
        let store = self.app.store();
        if let Some(row) = store.pipeline(id).await? {
            let stages = store.stages(id).await?;
            let names = stages.into_iter().map(|stage| stage.name).collect();
            self.stages.insert(id, names);
            self.pipelines.insert(id, row);
        }
        Ok(())
    }

    async fn entity_of(&mut self, row: &JobRow) -> Result<Job, ApiError> {
        let files = self.app.store().artifacts_of(row.id).await?;
        let runner = self.runner(row.runner_id).await?;
        let manager = self.manager(row).await?;
        let Some(pipeline) = self.pipelines.get(&row.pipeline_id) else {
            return Err(ApiError::not_found("Pipeline"));
        };
        let player = match row.triggered || row.attempt > 1 {
            true => self.app.store().job_user(row.id).await?,
            false => None,
        };
        let user = self.users.get(self.app, player.or(pipeline.user_id));
        let user = user.await?;
        let stage = usize::try_from(row.stage).unwrap_or_default();
        let stages = self.stages.get(&row.pipeline_id);
        let commit = pipeline.sha.as_ref().and_then(|sha| self.commits.get(sha));
        let archive = files.iter().find(|file| file.file_type == "archive");
        let base = &self.app.settings().external_url;
        let ended = row.finished_at;
        let queue_end = row.started_at.or((row.status == Status::Pending).then(now));
        Ok(Job {
            id: row.id.0,
            status: row.status.as_str(),
            stage: (stages.and_then(|names| names.get(stage)))
                .cloned()
                .unwrap_or_default(),
            name: row.name.clone(),
            ref_name: pipeline.ref_name.clone(),
            tag: pipeline.ref_kind == "tag",
            coverage: row.coverage,
            allow_failure: row.allow_failure,
            created_at: iso(created_at(row, pipeline)),
            started_at: row.started_at.map(iso),
            finished_at: ended.map(iso),
            erased_at: row.erased_at.map(iso),
            duration: (row.started_at).map(|start| seconds(start, ended.unwrap_or_else(now))),
            queued_duration: row
                .queued_at
                .zip(queue_end)
                .map(|(from, to)| seconds(from, to)),
            user,
            commit: commit.cloned(),
            pipeline: PipelineBasic::new(self.app, self.project, pipeline),
            failure_reason: (row.failure_reason.clone()).filter(|_| row.status == Status::Failed),
            web_url: format!("{base}/{}/-/jobs/{}", self.project.full_path, row.id),
            project: JobTokenScope {
                ci_job_token_scope_enabled: false,
            },
            artifacts_file: archive.map(|file| ArtifactsFile {
                filename: file.file_name.clone(),
                size: file.size,
            }),
            artifacts_expire_at: (files.iter().filter_map(|file| file.expires_at))
                .max()
                .map(iso),
            artifacts: self.artifacts(row, files)?,
            runner,
            runner_manager: manager,
            archived: false,
            tag_list: serde_json::from_str(&row.tags).unwrap_or_default(),
        })
    }

    async fn runner(&mut self, id: Option<RunnerId>) -> Result<Option<Runner>, ApiError> {
        let Some(id) = id else {
            return Ok(None);
        };
        if !self.runners.contains_key(&id) {
            let row = self.app.store().runner(id).await?;
            self.runners.insert(id, row.as_ref().map(Runner::new));
        }
        Ok(self.runners.get(&id).cloned().flatten())
    }

    async fn manager(&self, row: &JobRow) -> Result<Option<RunnerManager>, ApiError> {
        let (Some(runner), Some(system)) = (row.runner_id, &row.system_id) else {
            return Ok(None);
        };
        let found: Option<RunnerManagerRow> =
            self.app.store().runner_manager(runner, system).await?;
        Ok(found.as_ref().map(RunnerManager::new))
    }

    fn artifacts(&self, row: &JobRow, files: Vec<ArtifactRow>) -> Result<Vec<Artifact>, ApiError> {
        let mut artifacts: Vec<Artifact> = (files.into_iter())
            .map(|file| Artifact {
                file_type: file.file_type,
                size: file.size,
                filename: file.file_name,
                file_format: Some(file.format),
            })
            .collect();
        let length = self.app.store().logs().length(row.pipeline_id, row.id);
        let length = length.map_err(|error| ApiError::internal(&error))?;
        if row.status.is_completed() && length > 0 {
            artifacts.push(Artifact {
                file_type: "trace".to_owned(),
                size: i64::try_from(length).unwrap_or(i64::MAX),
                filename: "job.log".to_owned(),
                file_format: None,
            });
        }
        Ok(artifacts)
    }
}

/// The first attempt came with its pipeline, a later one when it was queued.
pub(super) fn created_at(row: &JobRow, pipeline: &PipelineRow) -> i64 {
    match row.attempt {
        1 => pipeline.created_at,
        _ => row.queued_at.unwrap_or(pipeline.created_at),
    }
}
