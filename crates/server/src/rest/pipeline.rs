//! Pipelines as GitLab's API shows them.

use serde::Serialize;
use shipway_pipeline::Status;
use shipway_store::{PipelineRow, ProjectRow};

use super::time::{iso, seconds};
use super::user::{UserBasic, Users};
use crate::app::App;
use crate::error::ApiError;

/// GitLab's `PipelineBasic`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PipelineBasic {
    id: i64,
    iid: i64,
    project_id: i64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    status: &'static str,
    source: String,
    created_at: String,
    updated_at: String,
    web_url: String,
}

/// With its name, as lists show it.
#[derive(Debug, Serialize)]
pub(super) struct PipelineListed {
    #[serde(flatten)]
    basic: PipelineBasic,
    name: Option<String>,
}

/// The whole pipeline.
#[derive(Debug, Serialize)]
pub(super) struct Pipeline {
    #[serde(flatten)]
    basic: PipelineBasic,
    name: Option<String>,
    before_sha: String,
    tag: bool,
    yaml_errors: Option<String>,
    user: UserBasic,
    started_at: Option<String>,
    finished_at: Option<String>,
    committed_at: Option<String>,
    /// Whole seconds: some clients refuse `34.0`.
    duration: Option<u64>,
    queued_duration: Option<u64>,
    /// A text, where a job's is a number.
    coverage: Option<String>,
    detailed_status: DetailedStatus,
    archived: bool,
}

/// A status with what pages show of it.
#[derive(Debug, Serialize)]
struct DetailedStatus {
    icon: String,
    text: &'static str,
    label: String,
    group: &'static str,
    tooltip: String,
    has_details: bool,
    details_path: String,
    illustration: Option<String>,
    favicon: String,
}

/// When the row last changed, as far as it tells.
pub(super) fn updated_at(row: &PipelineRow) -> i64 {
    row.finished_at.or(row.started_at).unwrap_or(row.created_at)
}

impl PipelineBasic {
    pub(super) fn new(app: &App, project: &ProjectRow, row: &PipelineRow) -> Self {
        let base = &app.settings().external_url;
        Self {
            id: row.id.0,
            iid: row.iid,
            project_id: project.id.0,
            sha: row.sha.clone().unwrap_or_default(),
            ref_name: row.ref_name.clone(),
            status: row.status.as_str(),
            source: row.source.clone(),
            created_at: iso(row.created_at),
            updated_at: iso(updated_at(row)),
            web_url: format!("{base}/{}/-/pipelines/{}", project.full_path, row.id),
        }
    }
}

impl PipelineListed {
    pub(super) fn new(app: &App, project: &ProjectRow, row: &PipelineRow) -> Self {
        Self {
            basic: PipelineBasic::new(app, project, row),
            name: row.name.clone(),
        }
    }
}

impl Pipeline {
    pub(super) async fn read(
        app: &App,
        project: &ProjectRow,
        row: &PipelineRow,
    ) -> Result<Self, ApiError> {
        let view = app.coordinator().view(row.id).await?;
        let before = (app
            .coordinator()
            .predefined_variable(row, "CI_COMMIT_BEFORE_SHA"))
        .unwrap_or_else(|| "0".repeat(40));
        let warnings = view
            .jobs
            .iter()
            .any(|job| job.allow_failure && job.status == Status::Failed);
        let queued = |started: i64| whole(seconds(row.created_at, started));
        let ran = row.started_at.map(|_| view.duration.as_secs());
        Ok(Self {
            basic: PipelineBasic::new(app, project, row),
            name: row.name.clone(),
            before_sha: before,
            tag: row.ref_kind == "tag",
            yaml_errors: row.yaml_errors.clone(),
            user: Users::default().get(app, row.user_id).await?,
            started_at: row.started_at.map(iso),
            finished_at: row.finished_at.map(iso),
            committed_at: None,
            duration: ran.filter(|_| row.finished_at.is_some()),
            queued_duration: row.started_at.map(queued),
            coverage: (view.coverage).map(|percent| format!("{percent:.2}")),
            detailed_status: DetailedStatus::new(app, project, row, warnings),
            archived: false,
        })
    }
}

/// Seconds without their fraction.
fn whole(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and the fraction is not wanted"
    )]
    let whole = seconds as u64;
    whole
}

impl DetailedStatus {
    fn new(app: &App, project: &ProjectRow, row: &PipelineRow, warnings: bool) -> Self {
        let with_warnings = row.status == Status::Success && warnings;
        let (text, group) = match row.status {
            Status::Success if with_warnings => ("Warning", "success-with-warnings"),
            Status::Success => ("Passed", "success"),
            Status::Failed => ("Failed", "failed"),
            Status::Canceled => ("Canceled", "canceled"),
            Status::Canceling => ("Canceling", "canceling"),
            Status::Running => ("Running", "running"),
            Status::Pending => ("Pending", "pending"),
            Status::WaitingForResource => ("Waiting", "waiting-for-resource"),
            Status::Preparing => ("Preparing", "preparing"),
            Status::Skipped => ("Skipped", "skipped"),
            Status::Manual => ("Manual", "manual"),
            Status::Scheduled => ("Scheduled", "scheduled"),
            _ => ("Created", "created"),
        };
        let label = match row.status {
            Status::Success if with_warnings => "passed with warnings".to_owned(),
            Status::Manual => "waiting for manual action".to_owned(),
            Status::Scheduled => "waiting for delayed job".to_owned(),
            _ => text.to_lowercase(),
        };
        let name = row.status.as_str();
        let icon = if with_warnings { "warning" } else { name };
        let prefix = app.settings().external_url.path();
        Self {
            icon: format!("status_{icon}"),
            text,
            tooltip: label.clone(),
            label,
            group,
            has_details: true,
            details_path: format!("{prefix}/{}/-/pipelines/{}", project.full_path, row.id),
            illustration: None,
            favicon: format!("{prefix}/assets/favicon-{name}.svg"),
        }
    }
}
