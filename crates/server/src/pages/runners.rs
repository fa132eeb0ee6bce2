//! Runners of the instance, a group or a project: which there are, how to add one, what they
//! take.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_config::duration;
use shipway_coordinator::is_online;
use shipway_pipeline::Status;
use shipway_store::{
    Level, NewRunner, Page, RegistrationTokenRow, RunnerId, RunnerKind, RunnerRow, UserRow,
};

use super::candidates::{parse_tags, tags};
use super::fields::Fields;
use super::html::Html;
use super::shell::{Place, Shell, project_url};
use super::visit::{Subject, Visit, crumb};
use super::{page, refused, render, status, when};
use crate::error::ApiError;
use crate::identity::token;
use crate::permission::Action;

/// What the token of a runner begins with that was made on a page, as GitLab's do.
const RUNNER_TOKEN: &str = "glrt-";

/// What a registration token begins with, as GitLab's do.
const REGISTRATION_TOKEN: &str = "GR1348941";

/// Characters of a token that are shown, its prefix aside.
const SHOWN: usize = 8;

/// Runners on a page.
const LISTED: i64 = 500;

/// Jobs on the page of a runner.
const JOBS: i64 = 20;

/// The least that a runner's longest job may be, in seconds: GitLab's.
const LEAST_TIMEOUT: i64 = 600;

#[derive(Debug, Template)]
#[template(path = "runners.html")]
struct RunnersPage {
    shell: Shell,
    about: &'static str,
    made: Option<String>,
    groups: Vec<RunnerGroup>,
    may_register: bool,
    create_url: String,
    reset_url: String,
    command: Option<String>,
}

/// Runners of one kind.
#[derive(Debug)]
struct RunnerGroup {
    title: &'static str,
    empty: &'static str,
    hint: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: i64,
    description: String,
    token: String,
    program: String,
    tags: Vec<String>,
    takes: String,
    state: &'static str,
    state_class: &'static str,
    seen: Html,
    paused: bool,
    /// Where it is changed, for those who may.
    url: Option<String>,
    pause_url: String,
    resume_url: String,
}

/// `GET /-/runners`, `/admin/runners`.
pub(super) async fn list(visit: Visit) -> Result<Response, ApiError> {
    visit.require(Action::ManageRunners)?;
    page(&runners_page(&visit, None).await?)
}

async fn runners_page(visit: &Visit, made: Option<String>) -> Result<RunnersPage, ApiError> {
    let base = visit.section("runners");
    let (level, id) = visit.level();
    Ok(RunnersPage {
        shell: visit.shell(Place::Runners, "Runners"),
        about: match visit.subject {
            Subject::Instance => "Machines that take the jobs of all projects.",
            Subject::Group(_) => "Machines that take the jobs of all projects of this group.",
            Subject::Project(_) => "Machines that take the jobs of this project.",
        },
        made,
        groups: groups(visit, &base).await?,
        may_register: true,
        create_url: base.clone(),
        reset_url: format!("{base}/reset_registration_token"),
        command: registration_token(visit, level, id)
            .await?
            .map(|token| command(visit, "--registration-token", &token)),
    })
}

/// The command of a machine that shall work here.
fn command(visit: &Visit, option: &str, token: &str) -> String {
    let url = visit.app.settings().external_url.as_str();
    format!(
        "shipway runner register --non-interactive --url {url} {option} {token} --executor docker --docker-image alpine\nshipway runner run"
    )
}

async fn groups(visit: &Visit, base: &str) -> Result<Vec<RunnerGroup>, ApiError> {
    let store = visit.app.store();
    let rows = |rows: Vec<RunnerRow>, own: bool| -> Vec<Row> {
        let row = |runner: RunnerRow| row(&runner, visit.now, base, own);
        rows.into_iter().map(row).collect()
    };
    let own = |title, rows| RunnerGroup {
        title,
        empty: "There is none yet.",
        hint: "Add one below: a machine with Docker, or any machine with a shell.",
        rows,
    };
    Ok(match &visit.subject {
        Subject::Instance => {
            let found = store.runners(None, None, Page::first(LISTED)).await?;
            vec![own("All runners", rows(found.rows, true))]
        }
        Subject::Group(group) => {
            let kind = Some(RunnerKind::Group);
            let found = store.runners(kind, Some(group.id.0), Page::first(LISTED));
            vec![own("Of this group", rows(found.await?.rows, true))]
        }
        Subject::Project(project) => {
            let found = store.runners_for_project(project.id).await?;
            let (assigned, shared): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|runner| runner.kind == RunnerKind::Project);
            vec![
                own("Of this project", rows(assigned, true)),
                RunnerGroup {
                    title: "Shared with others",
                    empty: "There is none.",
                    hint: "An administrator adds runners for all projects, an owner of the group those of the group.",
                    rows: rows(shared, false),
                },
            ]
        }
    })
}

fn row(runner: &RunnerRow, now: i64, base: &str, own: bool) -> Row {
    let (state, state_class) = state(runner);
    let url = format!("{base}/{}", runner.id);
    let program = [
        &runner.version,
        &runner.platform,
        &runner.architecture,
        &runner.executor,
    ];
    let program: Vec<&str> = program.into_iter().flatten().map(String::as_str).collect();
    Row {
        id: runner.id.0,
        description: named(runner),
        token: format!("{}…", runner.token_prefix),
        program: program.join(" "),
        tags: tags(&runner.tags),
        takes: takes(runner),
        state,
        state_class,
        seen: seen(runner.contacted_at, now),
        paused: runner.paused,
        pause_url: format!("{url}/pause"),
        resume_url: format!("{url}/resume"),
        url: own.then_some(url),
    }
}

fn named(runner: &RunnerRow) -> String {
    match runner.description.trim() {
        "" => format!("Runner {}", runner.id),
        name => name.to_owned(),
    }
}

fn seen(contacted_at: Option<i64>, now: i64) -> Html {
    contacted_at.map_or_else(
        || Html::trusted("never".to_owned()),
        |at| when::time(at, now),
    )
}

/// A word for where a runner stands, and its class.
fn state(runner: &RunnerRow) -> (&'static str, &'static str) {
    match runner.contacted_at {
        _ if runner.paused => ("paused", "off"),
        None => ("never contacted", "off"),
        Some(_) if is_online(runner) => ("online", "on"),
        Some(_) => ("offline", "off"),
    }
}

/// Which jobs a runner takes, tags aside.
fn takes(runner: &RunnerRow) -> String {
    let mut text = match (runner.run_untagged, tags(&runner.tags).is_empty()) {
        (true, true) => "jobs without tags".to_owned(),
        (true, false) => "jobs with its tags and without any".to_owned(),
        (false, true) => "nothing: it has no tags and refuses jobs without".to_owned(),
        (false, false) => "jobs with its tags".to_owned(),
    };
    if runner.protected_only {
        text.push_str(", of protected refs");
    }
    text
}

async fn registration_token(
    visit: &Visit,
    level: Level,
    id: i64,
) -> Result<Option<String>, ApiError> {
    let row = visit.app.store().registration_token(level, id).await?;
    Ok(row.and_then(|row| String::from_utf8(row.token).ok()))
}

/// `POST /-/runners/reset_registration_token`.
pub(super) async fn reset(visit: Visit) -> Result<Response, ApiError> {
    visit.require(Action::ManageRunners)?;
    let (level, id) = visit.level();
    let token = token::new(REGISTRATION_TOKEN);
    let row = RegistrationTokenRow {
        level,
        level_id: id,
        digest: token::digest(&token),
        token: token.into_bytes(),
        created_at: visit.now,
    };
    let mut transaction = visit.app.store().begin().await?;
    transaction.set_registration_token(&row).await?;
    transaction.commit().await?;
    Ok(visit.to(below(&visit), "registration"))
}

/// The path of the list below the subject's address.
fn below(visit: &Visit) -> &'static str {
    match visit.subject {
        Subject::Instance => "/runners",
        Subject::Group(_) | Subject::Project(_) => "/-/runners",
    }
}

/// `POST /-/runners`: a runner with a token of its own, which is shown once.
pub(super) async fn create(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageRunners)?;
    let (tags, untagged) = (
        parse_tags(fields.get("tags")),
        fields.checked("run_untagged"),
    );
    if let Some(fault) = fault(&tags, untagged) {
        let mut body = runners_page(&visit, None).await?;
        body.shell.fault = Some(fault.to_owned());
        return refused(&body);
    }
    let secret = token::new(RUNNER_TOKEN);
    let (kind, owner_id) = match visit.level() {
        (Level::Instance, _) => (RunnerKind::Instance, None),
        (Level::Group, id) => (RunnerKind::Group, Some(id)),
        (Level::Project, id) => (RunnerKind::Project, Some(id)),
    };
    let new = NewRunner {
        token_digest: token::digest(&secret),
        token_prefix: secret.chars().take(RUNNER_TOKEN.len() + SHOWN).collect(),
        token_expires_at: None,
        kind,
        owner_id,
        description: fields.trimmed("description").to_owned(),
        maintenance_note: None,
        tags: serde_json::to_string(&tags).unwrap_or_default(),
        run_untagged: untagged,
        locked: kind == RunnerKind::Project,
        protected_only: fields.checked("protected"),
        paused: false,
        maximum_timeout: None,
        version: None,
        revision: None,
        platform: None,
        architecture: None,
        executor: None,
        ip: None,
        contacted_at: None,
        created_at: visit.now,
    };
    let mut transaction = visit.app.store().begin().await?;
    let row = transaction.insert_runner(&new).await?;
    if let Subject::Project(project) = &visit.subject {
        transaction.assign_runner(row.id, project.id).await?;
    }
    transaction.commit().await?;
    let made = command(&visit, "--token", &secret);
    render(
        StatusCode::CREATED,
        &runners_page(&visit, Some(made)).await?,
    )
}

/// A runner that would take nothing is a mistake.
fn fault(tags: &[String], untagged: bool) -> Option<&'static str> {
    (tags.is_empty() && !untagged).then_some(
        "A runner without tags has to take jobs without tags: give it tags, or check the box.",
    )
}

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

/// `GET /admin`: to its first page.
pub(super) async fn admin(visit: Visit) -> Response {
    Redirect::to(&visit.section("runners")).into_response()
}

/// The name of a user who is gone.
pub(super) fn username(user: Option<&UserRow>) -> String {
    user.map_or_else(
        || "nobody any more".to_owned(),
        |user| user.username.clone(),
    )
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

    #[test]
    fn a_runner_takes_something() {
        assert!(fault(&[], false).is_some());
        assert!(fault(&["a".to_owned()], false).is_none());
        assert!(fault(&[], true).is_none());
    }
}
