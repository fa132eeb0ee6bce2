//! The list of a project's pipelines, and the form that runs one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_config::variables::Variable;
use shipway_coordinator::{PipelineRequest, Started};
use shipway_pipeline::{Source, Status};
use shipway_store::{PipelineFilter, PipelineRow};

use super::fields::{Fields, editor_rows, is_variable_name};
use super::html::{Html, segment};
use super::paging::{self, Paging};
use super::shell::{Place, Shell};
use super::visit::{ProjectVisit, Visit, crumb};
use super::{events, page, refs, refused, status, when};
use crate::app::App;
use crate::error::ApiError;
use crate::permission::Action;

/// What sets pipelines off, by GitLab's names.
const SOURCES: [&str; 9] = [
    "push",
    "web",
    "schedule",
    "trigger",
    "api",
    "pipeline",
    "parent_pipeline",
    "merge_request_event",
    "external",
];

#[derive(Debug, Template)]
#[template(path = "pipelines.html")]
struct PipelinesPage {
    shell: Shell,
    url: String,
    may_run: bool,
    may_clear: bool,
    filter_ref: String,
    filter_status: String,
    filter_source: String,
    filtered: bool,
    statuses: Vec<(&'static str, &'static str)>,
    sources: [&'static str; 9],
    pipelines: Vec<PipelineItem>,
    paging: Paging,
}

/// A row of a list of pipelines.
#[derive(Debug)]
pub(super) struct PipelineItem {
    pub(super) url: String,
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) status: Html,
    pub(super) duration: Option<Html>,
    pub(super) ref_name: String,
    pub(super) ref_icon: &'static str,
    pub(super) ref_url: String,
    pub(super) sha: String,
    pub(super) source: String,
    pub(super) user: Option<String>,
    pub(super) stages: Vec<StageDot>,
    pub(super) coverage: Option<String>,
    pub(super) created: Html,
    pub(super) may_cancel: bool,
    pub(super) may_retry: bool,
}

/// A stage in a row.
#[derive(Debug)]
pub(super) struct StageDot {
    pub(super) name: String,
    pub(super) dot: Html,
}

/// `GET /-/pipelines`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadPipelines)?;
    let given = |name: &str| Some(visit.query(name).to_owned()).filter(|text| !text.is_empty());
    let (ref_name, status, source) = (
        visit.query("ref"),
        visit.query("status"),
        visit.query("source"),
    );
    let filter = PipelineFilter {
        ref_name: given("ref"),
        status: status.parse::<Status>().ok(),
        source: given("source"),
        ..PipelineFilter::default()
    };
    let number = paging::number(visit.query("page"));
    let store = visit.app.store();
    let found = store.pipelines_of_project(visit.project.id, &filter, paging::rows(number));
    let found = found.await?;
    let mut shell = visit.shell(Place::Pipelines, "Pipelines");
    let moves = found.rows.iter().any(|row| !row.status.is_stopped());
    events::follow(&mut shell, &visit.url, moves);
    let query = [("ref", ref_name), ("status", status), ("source", source)];
    page(&PipelinesPage {
        shell,
        url: visit.url.clone(),
        may_run: visit.allows(Action::RunPipelines),
        may_clear: visit.allows(Action::ManageSettings),
        filter_ref: ref_name.to_owned(),
        filter_status: status.to_owned(),
        filter_source: source.to_owned(),
        filtered: query.iter().any(|(_, value)| !value.is_empty()),
        statuses: statuses(),
        sources: SOURCES,
        paging: Paging::new(number, found.total, &query),
        pipelines: items(&visit, found.rows).await?,
    })
}

/// Statuses to choose from, with their words.
pub(super) fn statuses() -> Vec<(&'static str, &'static str)> {
    let word = |status: Status| (status.as_str(), status::look(status, false).word);
    Status::ALL.into_iter().map(word).collect()
}

/// Rows as they are shown.
pub(super) async fn items(
    visit: &Visit,
    rows: Vec<PipelineRow>,
) -> Result<Vec<PipelineItem>, ApiError> {
    let may_run = visit.allows(Action::RunPipelines);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let stages = visit.app.store().stages(row.id).await?;
        let user = match row.user_id {
            Some(id) => visit.app.store().user(id).await?,
            None => None,
        };
        let dot = |stage: shipway_store::StageRow| StageDot {
            dot: status::dot(stage.status, false),
            name: stage.name,
        };
        found.push(PipelineItem {
            url: format!("{}/-/pipelines/{}", visit.url, row.id),
            id: row.id.0,
            title: title(&row),
            status: status::badge(row.status, false),
            duration: duration(&row, visit.now),
            ref_url: ref_url(&visit.url, &row.ref_name),
            ref_icon: ref_icon(&row),
            sha: short_sha(&row),
            source: row.source.clone(),
            user: user.map(|user| user.username),
            stages: stages.into_iter().map(dot).collect(),
            coverage: row.coverage.map(status::percent),
            created: when::time(row.created_at, visit.now),
            may_cancel: may_run && row.status.is_cancelable(),
            may_retry: may_run && matches!(row.status, Status::Failed | Status::Canceled),
            ref_name: row.ref_name,
        });
    }
    Ok(found)
}

/// What a pipeline is called: its own name, else the commit's branch.
pub(super) fn title(row: &PipelineRow) -> String {
    match &row.name {
        Some(name) if !name.trim().is_empty() => name.clone(),
        _ => format!("Pipeline #{}", row.id),
    }
}

/// How long it runs or ran.
pub(super) fn duration(row: &PipelineRow, now: i64) -> Option<Html> {
    let started = row.started_at?;
    match row.finished_at {
        Some(finished) => Some(Html::trusted(when::duration(finished - started))),
        None if row.status.is_stopped() => None,
        None => Some(when::running(started, now)),
    }
}

/// The first characters of the commit.
pub(super) fn short_sha(row: &PipelineRow) -> String {
    row.sha
        .as_deref()
        .unwrap_or_default()
        .chars()
        .take(8)
        .collect()
}

/// The picture of a ref.
pub(super) fn ref_icon(row: &PipelineRow) -> &'static str {
    match row.ref_kind.as_str() {
        "tag" => "tag",
        _ => "branch",
    }
}

/// The pipelines of a ref.
pub(super) fn ref_url(url: &str, ref_name: &str) -> String {
    format!("{url}/-/pipelines?ref={}", segment(ref_name))
}

#[derive(Debug, Template)]
#[template(path = "pipeline_new.html")]
struct NewPage {
    shell: Shell,
    url: String,
    ref_name: String,
    refs: Vec<String>,
    variables: Vec<(usize, String, String)>,
    inputs: Vec<(usize, String, String)>,
}

/// What the form says.
struct Given {
    ref_name: String,
    variables: Vec<(String, String)>,
    inputs: Vec<(String, String)>,
}

/// `GET /-/pipelines/new`; `?ref=`, `?var[KEY]=VALUE` and `?inputs[NAME]=VALUE` fill it in.
pub(super) async fn form(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let ref_name = match visit.query("ref") {
        "" => visit.project.default_branch.clone().unwrap_or_default(),
        given => given.to_owned(),
    };
    let given = Given {
        ref_name,
        variables: visit.queried("var"),
        inputs: visit.queried("inputs"),
    };
    page(&new_page(&visit, &given, None).await?)
}

async fn new_page(
    visit: &ProjectVisit,
    given: &Given,
    fault: Option<String>,
) -> Result<NewPage, ApiError> {
    let mut shell = visit.shell(Place::Pipelines, "Run pipeline");
    let list = format!("{}/-/pipelines", visit.url);
    shell.crumbs.push(crumb("Pipelines", list));
    shell.fault = fault;
    Ok(NewPage {
        shell,
        url: visit.url.clone(),
        ref_name: given.ref_name.clone(),
        refs: refs::names(visit).await?,
        variables: editor_rows(&given.variables),
        inputs: editor_rows(&given.inputs),
    })
}

/// `POST /-/pipelines`.
pub(super) async fn create(
    State(app): State<App>,
    visit: ProjectVisit,
    fields: Fields,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let given = Given {
        ref_name: fields.trimmed("ref").to_owned(),
        variables: fields.variables(),
        inputs: fields.inputs(),
    };
    let Given {
        ref_name,
        variables,
        inputs,
    } = &given;
    let wrong = |fault: String| async {
        let body = new_page(&visit, &given, Some(fault)).await?;
        refused(&body)
    };
    if let Some((name, _)) = variables.iter().find(|(key, _)| !is_variable_name(key)) {
        return wrong(format!(
            "`{name}` cannot be the key of a variable: use letters, digits and `_` only."
        ))
        .await;
    }
    if !variables.is_empty() {
        visit.require(Action::SetPipelineVariables)?;
    }
    let Some((reference, sha)) = refs::resolve(&visit, ref_name).await? else {
        return wrong(format!(
            "There is no branch or tag `{ref_name}`. Choose one of the list, or push it first."
        ))
        .await;
    };
    let request = PipelineRequest {
        project: visit.project.clone(),
        user: visit.identity.user().cloned(),
        reference,
        sha,
        before_sha: None,
        source: Source::Web,
        about: Vec::new(),
        variables: variables
            .iter()
            .map(|(key, value)| Variable::new(key, value))
            .collect(),
        inputs: (inputs.iter())
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect(),
        skip: false,
    };
    match app.coordinator().start_pipeline(&request).await? {
        Started::Pipeline(row) => {
            let target = format!("{}/-/pipelines/{}", visit.url, row.id);
            Ok(Redirect::to(&target).into_response())
        }
        Started::None(reason) => wrong(format!("There is no pipeline: {reason}")).await,
    }
}
