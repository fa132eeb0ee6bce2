//! The rows of pipelines, stages, jobs and artifacts, as plain data.

use shipway_pipeline::{JobId, PipelineId, Status};
use sqlx::Type;

use crate::ids::{ProjectId, RunnerId, UserId};
use crate::names::Accessibility;
use crate::queue::Claim;
use crate::sql::decoded_from_text;

/// A number that identifies a row.
#[derive(Type)]
#[sqlx(transparent)]
pub(crate) struct Key(i64);

impl From<Key> for PipelineId {
    fn from(key: Key) -> Self {
        Self(key.0)
    }
}

impl From<Key> for JobId {
    fn from(key: Key) -> Self {
        Self(key.0)
    }
}

/// A status as the column holds it, by GitLab's name.
pub(crate) struct StatusText(Status);

impl std::str::FromStr for StatusText {
    type Err = <Status as std::str::FromStr>::Err;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse().map(Self)
    }
}

decoded_from_text!(StatusText);

impl From<StatusText> for Status {
    fn from(text: StatusText) -> Self {
        text.0
    }
}

/// A status that may be missing.
#[derive(Type)]
#[sqlx(transparent)]
pub(crate) struct OptionalStatus(Option<String>);

impl TryFrom<OptionalStatus> for Option<Status> {
    type Error = <Status as std::str::FromStr>::Err;

    fn try_from(text: OptionalStatus) -> Result<Self, Self::Error> {
        text.0.as_deref().map(str::parse).transpose()
    }
}

/// A pipeline to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPipeline {
    /// The project's path, `group/name`; pipelines are numbered per project.
    pub project: String,
    /// The branch's or tag's name.
    pub ref_name: String,
    /// What kind of ref it is.
    pub ref_kind: String,
    /// The commit; none before the first one.
    pub sha: Option<String>,
    /// What set the pipeline off: `push`, `web`, `schedule`, …
    pub source: String,
    /// Its status at birth.
    pub status: Status,
    /// `workflow:name`.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// Why the configuration gave no jobs.
    pub yaml_errors: Option<String>,
    /// JSON: whatever the coordinator wants to keep that is no secret.
    pub context: String,
    /// JSON of the coordinator: the pipeline's own variables, which are sealed; empty for none.
    pub variables: Vec<u8>,
    /// The project; none for a local run.
    pub project_id: Option<ProjectId>,
    /// Who set it off; none for a local run.
    pub user_id: Option<UserId>,
    /// Its ref is protected.
    pub protected: bool,
}

/// A stored pipeline.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct PipelineRow {
    /// Unique in the store, never used again.
    #[sqlx(try_from = "Key")]
    pub id: PipelineId,
    /// Counts the project's pipelines from 1, without reuse.
    pub iid: i64,
    /// The project's path, `group/name`.
    pub project: String,
    /// The branch's or tag's name.
    pub ref_name: String,
    /// What kind of ref it is.
    pub ref_kind: String,
    /// The commit; none before the first one.
    pub sha: Option<String>,
    /// What set the pipeline off.
    pub source: String,
    /// Where it stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
    /// `workflow:name`.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When its first job started.
    pub started_at: Option<i64>,
    /// When its last job ended.
    pub finished_at: Option<i64>,
    /// Why the configuration gave no jobs.
    pub yaml_errors: Option<String>,
    /// JSON of the coordinator.
    pub context: String,
    /// Per cent.
    pub coverage: Option<f64>,
    /// The project; none for a local run.
    pub project_id: Option<ProjectId>,
    /// Who set it off; none for a local run, and when the user is deleted.
    pub user_id: Option<UserId>,
    /// Its ref is protected.
    pub protected: bool,
    /// Counts its steps; see [`Transaction::next_version`](crate::Transaction::next_version).
    pub version: i64,
}

/// What changes of a pipeline along with its status; `None` leaves a column as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineUpdate {
    /// When its first job started.
    pub started_at: Option<i64>,
    /// When its last job ended.
    pub finished_at: Option<i64>,
    /// Per cent.
    pub coverage: Option<f64>,
}

/// A stage to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage {
    /// Its place in the pipeline, from 0.
    pub position: i64,
    /// Its name.
    pub name: String,
    /// Its status at birth.
    pub status: Status,
}

/// A stored stage.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StageRow {
    /// Whose stage it is.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// Its place in the pipeline, from 0.
    pub position: i64,
    /// Its name.
    pub name: String,
    /// Where it stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
}

/// A job to be stored: a first attempt or a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Position of its stage.
    pub stage: i64,
    /// Its name, unique among the newest attempts of its pipeline.
    pub name: String,
    /// Its status at birth.
    pub status: Status,
    /// `when`.
    pub when: String,
    /// Its failure does not fail the pipeline.
    pub allow_failure: bool,
    /// What orders it: `stage` or `dag`.
    pub scheduling: String,
    /// JSON: the jobs that it needs.
    pub needs: String,
    /// JSON: its typed configuration.
    pub spec: String,
    /// JSON: the tags that a runner must have.
    pub tags: String,
    /// Counts from 1.
    pub attempt: i64,
    /// A manual or delayed job that is already set off.
    pub triggered: bool,
    /// JSON: its environment, if it has one.
    pub environment: Option<String>,
    /// Why it is in the pipeline.
    pub reason: String,
}

/// A stored attempt of a job.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct JobRow {
    /// Unique in the store, never used again.
    #[sqlx(try_from = "Key")]
    pub id: JobId,
    /// Whose job it is.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// Position of its stage.
    pub stage: i64,
    /// Its name, unique among the newest attempts of its pipeline.
    pub name: String,
    /// Where it stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
    /// `when`.
    #[sqlx(rename = "run_when")]
    pub when: String,
    /// Its failure does not fail the pipeline.
    pub allow_failure: bool,
    /// What orders it: `stage` or `dag`.
    pub scheduling: String,
    /// JSON: the jobs that it needs.
    pub needs: String,
    /// JSON: its typed configuration.
    pub spec: String,
    /// JSON: the tags that a runner must have.
    pub tags: String,
    /// A newer attempt took its place.
    pub retried: bool,
    /// Counts from 1.
    pub attempt: i64,
    /// A manual or delayed job that is set off.
    pub triggered: bool,
    /// GitLab's name of the failure's reason.
    pub failure_reason: Option<String>,
    /// The script's exit code.
    pub exit_code: Option<i64>,
    /// When it became pending.
    pub queued_at: Option<i64>,
    /// When a runner took it.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When its delay is over.
    pub scheduled_at: Option<i64>,
    /// Per cent.
    pub coverage: Option<f64>,
    /// JSON: totals of its test reports.
    pub tests: Option<String>,
    /// Who runs or ran it.
    pub runner: Option<String>,
    /// Length of its log.
    pub trace_bytes: i64,
    /// JSON: its environment, if it has one.
    pub environment: Option<String>,
    /// Why it is in the pipeline.
    pub reason: String,
    /// The pipeline's project; none for a local run.
    pub project_id: Option<ProjectId>,
    /// The pipeline's ref is protected.
    pub protected: bool,
    /// SHA-256 of the job's token, since it was handed out.
    pub token_digest: Option<Vec<u8>>,
    /// The runner that has it; none before, and when the runner is deleted.
    pub runner_id: Option<RunnerId>,
    /// Which of the runner's machines has it.
    pub system_id: Option<String>,
    /// When the runner first said that it works on it.
    pub acknowledged_at: Option<i64>,
    /// When the runner last said so.
    pub contacted_at: Option<i64>,
    /// Its log may show secrets.
    pub debug_trace: bool,
    /// When somebody deleted its log and artifacts.
    pub erased_at: Option<i64>,
}

impl NewJob {
    /// The row that [`Transaction::insert_jobs`](crate::Transaction::insert_jobs) makes of it in
    /// this pipeline.
    pub fn stored(self, id: JobId, pipeline: &PipelineRow) -> JobRow {
        JobRow {
            id,
            pipeline_id: pipeline.id,
            stage: self.stage,
            name: self.name,
            status: self.status,
            when: self.when,
            allow_failure: self.allow_failure,
            scheduling: self.scheduling,
            needs: self.needs,
            spec: self.spec,
            tags: self.tags,
            retried: false,
            attempt: self.attempt,
            triggered: self.triggered,
            failure_reason: None,
            exit_code: None,
            queued_at: (self.status == Status::Pending).then_some(pipeline.created_at),
            started_at: None,
            finished_at: None,
            scheduled_at: None,
            coverage: None,
            tests: None,
            runner: None,
            trace_bytes: 0,
            environment: self.environment,
            reason: self.reason,
            project_id: pipeline.project_id,
            protected: pipeline.protected,
            token_digest: None,
            runner_id: None,
            system_id: None,
            acknowledged_at: None,
            contacted_at: None,
            debug_trace: false,
            erased_at: None,
        }
    }
}

impl JobRow {
    /// What [`Transaction::update_job`](crate::Transaction::update_job) does to the stored row.
    pub fn update(&mut self, update: &JobUpdate) {
        fn set<T: Clone>(column: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                column.clone_from(value);
            }
        }
        fn set_some<T: Clone>(column: &mut Option<T>, value: &Option<T>) {
            if value.is_some() {
                column.clone_from(value);
            }
        }
        set(&mut self.status, &update.status);
        set_some(&mut self.failure_reason, &update.failure_reason);
        set_some(&mut self.exit_code, &update.exit_code);
        set_some(&mut self.queued_at, &update.queued_at);
        set_some(&mut self.started_at, &update.started_at);
        set_some(&mut self.finished_at, &update.finished_at);
        set_some(&mut self.scheduled_at, &update.scheduled_at);
        set(&mut self.allow_failure, &update.allow_failure);
        set(&mut self.triggered, &update.triggered);
        set(&mut self.when, &update.when);
        set_some(&mut self.coverage, &update.coverage);
        set_some(&mut self.tests, &update.tests);
        set(&mut self.trace_bytes, &update.trace_bytes);
        set_some(&mut self.environment, &update.environment);
        set_some(&mut self.runner, &update.runner);
        if let Some(claim) = &update.claim {
            self.runner = Some(claim.description.clone());
            self.runner_id = Some(claim.runner);
            set_some(&mut self.system_id, &claim.system_id);
            self.token_digest = Some(claim.token_digest.clone());
            self.contacted_at = Some(claim.at);
            if claim.acknowledged {
                self.acknowledged_at = Some(claim.at);
            }
        }
        if update.unclaim {
            self.runner = None;
            self.runner_id = None;
            self.system_id = None;
            self.token_digest = None;
            self.started_at = None;
            self.contacted_at = None;
            self.acknowledged_at = None;
        }
    }
}

/// What changes of a job; `None` leaves a column as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobUpdate {
    /// Its status.
    pub status: Option<Status>,
    /// GitLab's name of the failure's reason.
    pub failure_reason: Option<String>,
    /// The script's exit code.
    pub exit_code: Option<i64>,
    /// When it became pending.
    pub queued_at: Option<i64>,
    /// When a runner took it.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When its delay is over.
    pub scheduled_at: Option<i64>,
    /// Its failure does not fail the pipeline.
    pub allow_failure: Option<bool>,
    /// A manual or delayed job was set off.
    pub triggered: Option<bool>,
    /// `when`.
    pub when: Option<String>,
    /// Per cent.
    pub coverage: Option<f64>,
    /// JSON: totals of its test reports.
    pub tests: Option<String>,
    /// Who runs it.
    pub runner: Option<String>,
    /// Length of its log.
    pub trace_bytes: Option<i64>,
    /// JSON: its environment.
    pub environment: Option<String>,
    /// The runner that takes it.
    pub claim: Option<Claim>,
    /// Its runner gives it back: nobody has it, and its token is worthless.
    pub unclaim: bool,
}

/// An artifact to be stored; its file is in [`Blobs`](crate::Blobs) already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// Whose artifact it is.
    pub job_id: JobId,
    /// GitLab's file type: `archive`, `junit`, `metadata`, …
    pub file_type: String,
    /// GitLab's file format: `zip`, `gzip`, `raw`.
    pub format: String,
    /// The name a person sees.
    pub file_name: String,
    /// Bytes.
    pub size: i64,
    /// When it may be removed; none for never.
    pub expires_at: Option<i64>,
    /// Where [`Blobs`](crate::Blobs) has it.
    pub path: String,
    /// SHA-256 of the content; none where an older Shipway stored it.
    pub digest: Option<Vec<u8>>,
    /// Who may read it.
    pub accessibility: Accessibility,
}

/// A stored artifact.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ArtifactRow {
    /// Unique in the store.
    pub id: i64,
    /// Whose artifact it is.
    #[sqlx(try_from = "Key")]
    pub job_id: JobId,
    /// GitLab's file type.
    pub file_type: String,
    /// GitLab's file format.
    pub format: String,
    /// The name a person sees.
    pub file_name: String,
    /// Bytes.
    pub size: i64,
    /// When it may be removed; none for never.
    pub expires_at: Option<i64>,
    /// Where [`Blobs`](crate::Blobs) has it.
    pub path: String,
    /// SHA-256 of the content; none where an older Shipway stored it.
    pub digest: Option<Vec<u8>>,
    /// Who may read it.
    pub accessibility: Accessibility,
}
