//! The list of a project's jobs.

use askama::Template;
use axum::response::Response;
use shipway_pipeline::Status;

use super::html::Html;
use super::paging::{self, Paging};
use super::pipeline::job_duration;
use super::shell::{Place, Shell};
use super::tags::tags;
use super::visit::ProjectVisit;
use super::{events, page, pipelines, status, when};
use crate::error::ApiError;
use crate::permission::Action;

#[derive(Debug, Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    shell: Shell,
    url: String,
    filter_status: String,
    statuses: Vec<(&'static str, &'static str)>,
    jobs: Vec<Row>,
    paging: Paging,
}

#[derive(Debug)]
struct Row {
    id: i64,
    name: String,
    url: String,
    status: Html,
    duration: Option<Html>,
    tags: Vec<String>,
    pipeline_id: i64,
    pipeline_url: String,
    runner: Option<String>,
    coverage: Option<String>,
    finished: Option<Html>,
}

/// `GET /-/jobs`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let number = paging::number(visit.query("page"));
    let wanted = visit.query("status");
    let store = visit.app.store();
    let status = wanted.parse::<Status>().ok();
    let found = store.jobs_of_project(visit.project.id, status, paging::rows(number));
    let found = found.await?;
    let mut shell = visit.shell(Place::Jobs, "Jobs");
    let moves = found.rows.iter().any(|row| !row.status.is_stopped());
    events::follow(&mut shell, &visit.url, moves);
    let rows = found.rows.into_iter().map(|job| Row {
        id: job.id.0,
        url: format!("{}/-/jobs/{}", visit.url, job.id),
        status: status::badge(
            job.status,
            job.allow_failure && job.status == Status::Failed,
        ),
        duration: job_duration(&job, visit.now),
        tags: tags(&job.tags),
        pipeline_id: job.pipeline_id.0,
        pipeline_url: format!("{}/-/pipelines/{}", visit.url, job.pipeline_id),
        runner: job.runner,
        coverage: job.coverage.map(status::percent),
        finished: job.finished_at.map(|at| when::time(at, visit.now)),
        name: job.name,
    });
    page(&JobsPage {
        shell,
        url: visit.url.clone(),
        filter_status: wanted.to_owned(),
        statuses: pipelines::statuses(),
        paging: Paging::new(number, found.total, &[("status", wanted)]),
        jobs: rows.collect(),
    })
}
