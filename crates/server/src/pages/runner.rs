//! One runner: its machines and jobs, and what may be changed about it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_config::duration;
use shipway_pipeline::Status;
use shipway_store::{RunnerId, RunnerKind, RunnerRow};

use super::fields::Fields;
use super::html::Html;
use super::runner_new::fault;
use super::runners::{below, named, state};
use super::shell::{Place, Shell, project_url};
use super::tags::{parse_tags, tags};
use super::visit::{Subject, Visit, crumb};
use super::{page, refused, status, when};
use crate::error::ApiError;
use crate::permission::Action;

/// Jobs on the page of a runner.
const JOBS: i64 = 20;

/// The least that a runner's longest job may be, in seconds: GitLab's.
const LEAST_TIMEOUT: i64 = 600;

/// The runner, where it is one of this page's own: shared ones are changed elsewhere.
async fn own(visit: &Visit, id: i64) -> Result<RunnerRow, ApiError> {
    visit.require(Action::ManageRunners)?;
    let store = visit.app.store();
    let row = store.runner(RunnerId(id)).await?;
    let row = row.ok_or_else(|| ApiError::not_found("Runner"))?;
    let is_own = match &visit.subject {
        Subject::Instance => true,
        Subject::Group(group) => row.kind == RunnerKind::Group && row.owner_id == Some(group.id.0),
        Subject::Project(project) => {
            row.kind == RunnerKind::Project
                && store.runner_projects(row.id).await?.contains(&project.id)
        }
    };
    is_own
        .then_some(row)
        .ok_or_else(|| ApiError::not_found("Runner"))
}

#[derive(Debug, Template)]
#[template(path = "runner_edit.html")]
struct EditPage {
    shell: Shell,
    url: String,
    back: String,
    description: String,
    state: &'static str,
    state_class: &'static str,
    tags: String,
    run_untagged: bool,
    protected: bool,
    paused: bool,
    is_project: bool,
    locked: bool,
    maximum_timeout: String,
    machines: Vec<Machine>,
    jobs: Vec<RanJob>,
}

#[derive(Debug)]
struct Machine {
    system: String,
    program: String,
    ip: String,
    seen: Html,
}

#[derive(Debug)]
struct RanJob {
    id: i64,
    name: String,
    url: String,
    status: Html,
}

/// `GET /-/runners/{id}/edit`.
pub(super) async fn edit(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    page(&edit_page(&visit, &row).await?)
}

async fn edit_page(visit: &Visit, row: &RunnerRow) -> Result<EditPage, ApiError> {
    let back = visit.section("runners");
    let mut shell = visit.shell(Place::Runners, &named(row));
    shell.crumbs.push(crumb("Runners", back.clone()));
    let managers = visit.app.store().runner_managers(row.id).await?;
    let (state, state_class) = state(row);
    let machine = |manager: shipway_store::RunnerManagerRow| {
        let program = [
            manager.version,
            manager.platform,
            manager.architecture,
            manager.executor,
        ];
        Machine {
            program: program.into_iter().flatten().collect::<Vec<_>>().join(" "),
            ip: manager.ip.unwrap_or_default(),
            seen: when::time(manager.contacted_at, visit.now),
            system: manager.system_id,
        }
    };
    Ok(EditPage {
        shell,
        url: format!("{back}/{}", row.id),
        back,
        description: row.description.clone(),
        state,
        state_class,
        tags: tags(&row.tags).join(", "),
        run_untagged: row.run_untagged,
        protected: row.protected_only,
        paused: row.paused,
        is_project: row.kind == RunnerKind::Project,
        locked: row.locked,
        maximum_timeout: (row.maximum_timeout)
            .map_or_else(String::new, |seconds| when::duration(seconds * 1_000_000)),
        machines: managers.into_iter().map(machine).collect(),
        jobs: ran(visit, row).await?,
    })
}

/// The jobs that it ran and that the reader may see: here those of the project alone.
async fn ran(visit: &Visit, row: &RunnerRow) -> Result<Vec<RanJob>, ApiError> {
    let store = visit.app.store();
    let mut found = Vec::new();
    for job in store.jobs_of_runner(row.id, JOBS).await? {
        let Some(id) = job.project_id else { continue };
        let project = match &visit.subject {
            Subject::Project(project) if project.id == id => Some((**project).clone()),
            Subject::Project(_) => None,
            Subject::Group(_) | Subject::Instance => store.project(id).await?,
        };
        if let Some(project) = project {
            let url = project_url(&visit.root, &project.full_path);
            found.push(RanJob {
                id: job.id.0,
                url: format!("{url}/-/jobs/{}", job.id),
                status: status::badge(
                    job.status,
                    job.allow_failure && job.status == Status::Failed,
                ),
                name: job.name,
            });
        }
    }
    Ok(found)
}

/// `POST /-/runners/{id}`.
pub(super) async fn update(
    visit: Visit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut row = own(&visit, id).await?;
    let tags = parse_tags(fields.get("tags"));
    row.description = fields.trimmed("description").to_owned();
    row.run_untagged = fields.checked("run_untagged");
    row.protected_only = fields.checked("protected");
    row.paused = fields.checked("paused");
    if row.kind == RunnerKind::Project {
        row.locked = fields.checked("locked");
    }
    row.tags = serde_json::to_string(&tags).unwrap_or_default();
    let timeout = timeout(fields.trimmed("maximum_timeout"));
    let fault = match (&timeout, fault(&tags, row.run_untagged)) {
        (Err(fault), _) => Some((*fault).to_owned()),
        (Ok(_), fault) => fault.map(str::to_owned),
    };
    if let Some(fault) = fault {
        let mut body = edit_page(&visit, &row).await?;
        body.shell.fault = Some(fault);
        return refused(&body);
    }
    row.maximum_timeout = timeout.unwrap_or_default();
    save(&visit, &row).await?;
    Ok(visit.to(below(&visit), "runner"))
}

/// The longest job of a runner, in seconds; none for no limit.
fn timeout(text: &str) -> Result<Option<i64>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = "The longest job is a duration of ten minutes at least, such as `1h 30m`.";
    let seconds = duration::parse_seconds(text).ok_or(wrong)?;
    let seconds = i64::try_from(seconds).map_err(|_| wrong)?;
    match seconds >= LEAST_TIMEOUT {
        true => Ok(Some(seconds)),
        false => Err(wrong),
    }
}

async fn save(visit: &Visit, row: &RunnerRow) -> Result<(), ApiError> {
    let mut transaction = visit.app.store().begin().await?;
    transaction.update_runner(row).await?;
    // Jobs that wait may be for it now.
    transaction.notify("queue");
    Ok(transaction.commit().await?)
}

/// `POST /-/runners/{id}/pause`.
pub(super) async fn pause(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    set_paused(visit, id, true).await
}

/// `POST /-/runners/{id}/resume`.
pub(super) async fn resume(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    set_paused(visit, id, false).await
}

async fn set_paused(visit: Visit, id: i64, paused: bool) -> Result<Response, ApiError> {
    let mut row = own(&visit, id).await?;
    row.paused = paused;
    save(&visit, &row).await?;
    let done = if paused {
        "runner-paused"
    } else {
        "runner-resumed"
    };
    Ok(visit.to(below(&visit), done))
}

/// `POST /-/runners/{id}/delete`.
pub(super) async fn delete(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    visit.app.coordinator().delete_runner(row.id).await?;
    Ok(visit.to(below(&visit), "runner-removed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_job_is_a_duration() {
        assert_eq!(timeout(""), Ok(None));
        assert_eq!(timeout("1h 30m"), Ok(Some(5400)));
        assert_eq!(timeout("600"), Ok(Some(600)));
        assert!(timeout("9 minutes").is_err());
        assert!(timeout("-1").is_err());
    }
}
