//! Runners of the instance, a group or a project: which there are, and what they take.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_coordinator::is_online;
use shipway_store::{Page, RunnerKind, RunnerRow};

use super::html::Html;
use super::runner_new::{command, registration_token};
use super::shell::{Place, Shell};
use super::tags::tags;
use super::visit::{Subject, Visit};
use super::{page, when};
use crate::error::ApiError;
use crate::permission::Action;

/// Runners on a page.
const LISTED: i64 = 500;

#[derive(Debug, Template)]
#[template(path = "runners.html")]
pub(super) struct RunnersPage {
    pub(super) shell: Shell,
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

pub(super) async fn runners_page(
    visit: &Visit,
    made: Option<String>,
) -> Result<RunnersPage, ApiError> {
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

pub(super) fn named(runner: &RunnerRow) -> String {
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
pub(super) fn state(runner: &RunnerRow) -> (&'static str, &'static str) {
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

/// The path of the list below the subject's address.
pub(super) fn below(visit: &Visit) -> &'static str {
    match visit.subject {
        Subject::Instance => "/runners",
        Subject::Group(_) | Subject::Project(_) => "/-/runners",
    }
}

/// `GET /admin`: to its first page.
pub(super) async fn admin(visit: Visit) -> Response {
    Redirect::to(&visit.section("runners")).into_response()
}
