//! Environments of a project: what is deployed where.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_pipeline::Status;
use shipway_store::{DeploymentStatus, EnvironmentId, EnvironmentState, Page};

use super::html::Html;
use super::shell::{Place, Shell};
use super::visit::ProjectVisit;
use super::{events, page, status, when};
use crate::error::ApiError;
use crate::permission::Action;

/// Environments on the page.
const LISTED: i64 = 100;

/// Deployments of each.
const LATEST: i64 = 5;

#[derive(Debug, Template)]
#[template(path = "environments.html")]
struct EnvironmentsPage {
    shell: Shell,
    base: String,
    stopped: bool,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    tier: String,
    state: &'static str,
    state_class: &'static str,
    external: Option<String>,
    /// When it is stopped by itself.
    stops: Option<Html>,
    /// Where it is stopped, by whom it may be.
    stop_url: Option<String>,
    deployments: Vec<Deployment>,
}

#[derive(Debug)]
struct Deployment {
    iid: i64,
    job: i64,
    job_url: String,
    status: Html,
    ref_name: String,
    sha: String,
    created: Html,
    current: bool,
}

/// `GET /-/environments`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadEnvironments)?;
    let store = visit.app.store();
    let stopped = visit.query("state") == "stopped";
    let project = visit.project.id;
    let mut rows = Vec::new();
    for row in store.environments(project, Page::first(LISTED)).await?.rows {
        if (row.state == EnvironmentState::Stopped) != stopped {
            continue;
        }
        let latest = store
            .deployments(project, Some(row.id), Page::first(LATEST))
            .await?;
        let current = store
            .last_successful_deployment(row.id)
            .await?
            .map(|row| row.id);
        let deployment = |row: shipway_store::DeploymentRow| Deployment {
            iid: row.iid,
            job: row.job_id.0,
            job_url: format!("{}/-/jobs/{}", visit.url, row.job_id),
            status: status::badge(as_status(row.status), false),
            ref_name: row.ref_name,
            sha: row.sha.chars().take(8).collect(),
            created: when::time(row.created_at, visit.now),
            current: Some(row.id) == current,
        };
        rows.push(Row {
            name: row.name,
            tier: row.tier,
            state: row.state.as_str(),
            state_class: if stopped { "off" } else { "on" },
            // A job chose the address: only what a browser opens without running anything.
            external: row.external_url.filter(|url| is_web_address(url)),
            stops: row.auto_stop_at.map(|at| when::time(at, visit.now)),
            stop_url: (visit.allows(Action::RunPipelines)
                && row.state == EnvironmentState::Available)
                .then(|| format!("{}/-/environments/{}/stop", visit.url, row.id)),
            deployments: latest.rows.into_iter().map(deployment).collect(),
        });
    }
    let mut shell = visit.shell(Place::Environments, "Environments");
    events::follow(&mut shell, &visit.url, false);
    page(&EnvironmentsPage {
        shell,
        base: format!("{}/-/environments", visit.url),
        stopped,
        rows,
    })
}

/// `POST /-/environments/{id}/stop`.
pub(super) async fn stop(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let row = visit.app.store().environment(EnvironmentId(id)).await?;
    let row = row.filter(|row| row.project_id == visit.project.id);
    let row = row.ok_or_else(|| ApiError::not_found("Environment"))?;
    (visit.app.coordinator())
        .stop_environment(row.id, visit.user_id(), false)
        .await?;
    Ok(visit.to("/-/environments", "stopping"))
}

fn is_web_address(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

/// The status of the job that a deployment's status comes from.
fn as_status(status: DeploymentStatus) -> Status {
    match status {
        DeploymentStatus::Created => Status::Created,
        DeploymentStatus::Running => Status::Running,
        DeploymentStatus::Success => Status::Success,
        DeploymentStatus::Failed => Status::Failed,
        DeploymentStatus::Canceled => Status::Canceled,
        DeploymentStatus::Skipped => Status::Skipped,
        DeploymentStatus::Blocked => Status::Manual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_links() {
        for (url, fits) in [
            ("https://x.example", true),
            ("HTTP://x.example", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("//x.example", false),
        ] {
            assert_eq!(is_web_address(url), fits, "{url}");
        }
    }
}
