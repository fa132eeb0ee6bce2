//! Merge requests of a project: a list, and one with its pipelines.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_coordinator::{MergeOutcome, MergeWish, ProjectSettings};
use shipway_store::{MergeRequestFilter, MergeRequestRow, MergeRequestState, Page};

use super::fields::Fields;
use super::html::Html;
use super::pipelines::{PipelineItem, items};
use super::shell::{Link, Place, Shell};
use super::test_changes::{self, TestChanges};
use super::visit::{ProjectVisit, crumb};
use super::{exposed_artifacts, page, refs, refused, status, when};
use crate::clock;
use crate::error::ApiError;
use crate::permission::Action;
use crate::rest::merge_requests::{NotOpened, change_state, may_merge, open};

/// Merge requests on the page.
const LISTED: i64 = 100;

/// Pipelines of one.
const PIPELINES: i64 = 20;

#[derive(Debug, Template)]
#[template(path = "merge_requests.html")]
struct ListPage {
    shell: Shell,
    base: String,
    state: &'static str,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    may_open: bool,
    branches: Vec<String>,
    form: Form,
}

/// A state to choose.
#[derive(Debug)]
struct Tab {
    name: &'static str,
    current: bool,
}

#[derive(Debug)]
struct Row {
    iid: i64,
    title: String,
    url: String,
    source: String,
    target: String,
    created: Html,
}

/// What the form shows.
#[derive(Debug, Default)]
struct Form {
    title: String,
    source: String,
    target: String,
    description: String,
}

#[derive(Debug, Template)]
#[template(path = "merge_request.html")]
struct OnePage {
    shell: Shell,
    own: String,
    row: Row,
    state: &'static str,
    state_class: &'static str,
    author: Option<String>,
    sha: String,
    description: String,
    exposed: Vec<Link>,
    coverage: Option<String>,
    tests: Option<TestChanges>,
    pipelines: Vec<PipelineItem>,
    may_merge: bool,
    /// A choice, and what is chosen at first.
    squash: Option<bool>,
    may_change: bool,
    may_run: bool,
}

fn row(visit: &ProjectVisit, row: &MergeRequestRow) -> Row {
    Row {
        iid: row.iid,
        title: row.title.clone(),
        url: format!("{}/-/merge_requests/{}", visit.url, row.iid),
        source: row.source_branch.clone(),
        target: row.target_branch.clone(),
        created: when::time(row.created_at, visit.now),
    }
}

/// `GET /-/merge_requests`; `?state=` chooses.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadCode)?;
    let form = Form {
        target: visit.project.default_branch.clone().unwrap_or_default(),
        ..Form::default()
    };
    page(&list_page(&visit, form, None).await?)
}

async fn list_page(
    visit: &ProjectVisit,
    form: Form,
    fault: Option<String>,
) -> Result<ListPage, ApiError> {
    let state = visit.query("state").parse();
    let state = state.unwrap_or(MergeRequestState::Opened);
    let filter = MergeRequestFilter {
        state: Some(state),
        ..MergeRequestFilter::default()
    };
    let store = visit.app.store();
    let found = store.merge_requests(visit.project.id, &filter, Page::first(LISTED));
    let rows = found.await?.rows;
    let mut shell = visit.shell(Place::MergeRequests, "Merge requests");
    shell.fault = fault;
    let may_open = visit.allows(Action::Push);
    Ok(ListPage {
        shell,
        base: format!("{}/-/merge_requests", visit.url),
        state: state.as_str(),
        tabs: (MergeRequestState::ALL.iter())
            .map(|one| Tab {
                name: one.as_str(),
                current: *one == state,
            })
            .collect(),
        rows: rows.iter().map(|one| row(visit, one)).collect(),
        may_open,
        branches: match may_open {
            true => refs::names(visit).await?,
            false => Vec::new(),
        },
        form,
    })
}

/// `POST /-/merge_requests`.
pub(super) async fn create(visit: ProjectVisit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::Push)?;
    let form = Form {
        title: fields.trimmed("title").to_owned(),
        source: fields.trimmed("source_branch").to_owned(),
        target: fields.trimmed("target_branch").to_owned(),
        description: fields.trimmed("description").to_owned(),
    };
    let fault = if form.title.is_empty() {
        "A merge request needs a title.".to_owned()
    } else {
        let text = (form.title.clone(), form.description.clone());
        let user = visit.identity.user();
        let branches = (form.source.as_str(), form.target.as_str());
        match open(&visit.app, &visit.project, user, branches, text).await? {
            Ok(made) => {
                let target = format!("{}/-/merge_requests/{}", visit.url, made.iid);
                return Ok(Redirect::to(&target).into_response());
            }
            Err(NotOpened::Field("base", _)) => "Choose two different branches.".to_owned(),
            Err(NotOpened::Field(field, _)) => {
                let name = field.trim_end_matches("_branch");
                format!("There is no such {name} branch. Push it first.")
            }
            Err(NotOpened::Exists(iid)) => {
                format!("There is an open merge request of these branches already: !{iid}.")
            }
        }
    };
    refused(&list_page(&visit, form, Some(fault)).await?)
}

async fn find(visit: &ProjectVisit, iid: i64) -> Result<MergeRequestRow, ApiError> {
    let row = visit
        .app
        .store()
        .merge_request(visit.project.id, iid)
        .await?;
    row.ok_or_else(|| ApiError::not_found("Merge request"))
}

/// `GET /-/merge_requests/{iid}`.
pub(super) async fn show(visit: ProjectVisit, Path(iid): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ReadCode)?;
    let found = find(&visit, iid).await?;
    let store = visit.app.store();
    let author = match found.author_id {
        Some(id) => store.user(id).await?.map(|user| user.username),
        None => None,
    };
    let mut pipelines = match visit.allows(Action::ReadPipelines) {
        true => {
            store
                .pipelines_of_merge_request(found.id, PIPELINES)
                .await?
        }
        false => Vec::new(),
    };
    let coordinator = visit.app.coordinator();
    let head = match visit.allows(Action::ReadPipelines) {
        true => coordinator.head_pipeline(&found).await?,
        false => None,
    };
    let mut of_head = Vec::new();
    if let Some(head) = &head {
        of_head.push(head.id);
        let children = coordinator.children(head.id, "").await?;
        of_head.extend(children.iter().map(|child| child.pipeline));
    }
    if pipelines.is_empty() {
        // That of its branch speaks for it.
        pipelines.extend(head.clone());
    }
    let is_open = found.state == MergeRequestState::Opened;
    let may_change = visit.allows(Action::Push);
    let may_merge = match visit.identity.user() {
        Some(user) if is_open && may_change => {
            may_merge(&visit.app, &visit.project, user, &found.target_branch).await?
        }
        _ => false,
    };
    let mut shell = visit.shell(Place::MergeRequests, &found.title);
    let list = format!("{}/-/merge_requests", visit.url);
    shell.crumbs.push(crumb("Merge requests", list));
    page(&OnePage {
        shell,
        own: format!("{}/-/merge_requests/{iid}", visit.url),
        row: row(&visit, &found),
        state: found.state.as_str(),
        state_class: match found.state {
            MergeRequestState::Closed => "off",
            MergeRequestState::Opened | MergeRequestState::Merged => "on",
        },
        author,
        sha: found.sha.chars().take(8).collect(),
        description: found.description.clone(),
        exposed: exposed_artifacts::links(&visit, &of_head).await?,
        coverage: head.and_then(|one| one.coverage).map(status::percent),
        tests: test_changes::of(&visit, &found).await?,
        pipelines: items(&visit, pipelines).await?,
        may_merge,
        squash: {
            let option = ProjectSettings::of(&visit.project).squash_option;
            option.is_free().then(|| option.decides(None))
        },
        may_change: may_change && found.state != MergeRequestState::Merged,
        may_run: is_open && visit.allows(Action::RunPipelines),
    })
}

/// `POST /-/merge_requests/{iid}`; `do` says what.
pub(super) async fn change(
    visit: ProjectVisit,
    Path(iid): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    visit.require(Action::Push)?;
    let found = find(&visit, iid).await?;
    let own = format!("/-/merge_requests/{iid}");
    let word = match fields.get("do") {
        "merge" => {
            let user = visit.identity.signed_in()?;
            if !may_merge(&visit.app, &visit.project, user, &found.target_branch).await? {
                return Err(ApiError::forbidden());
            }
            let wish = MergeWish {
                squash: Some(fields.checked("squash")),
                ..MergeWish::default()
            };
            let merged = (visit.app.coordinator())
                .merge(&visit.project, user, &found, wish)
                .await?;
            match merged {
                MergeOutcome::Merged(_) => "merged",
                MergeOutcome::NotOpen => "nothing",
                MergeOutcome::Conflict => "merge-conflict",
                MergeOutcome::NotLinear => "merge-not-linear",
                MergeOutcome::Moved => "merge-moved",
            }
        }
        "pipeline" => {
            visit.require(Action::RunPipelines)?;
            if found.state != MergeRequestState::Opened {
                return Ok(visit.to(&own, "nothing"));
            }
            let started = (visit.app.coordinator())
                .start_merge_request_pipeline(&visit.project, visit.identity.user(), &found)
                .await?;
            match started {
                shipway_coordinator::Started::Pipeline(made) => {
                    let target = format!("{}/-/pipelines/{}", visit.url, made.id);
                    return Ok(Redirect::to(&target).into_response());
                }
                shipway_coordinator::Started::None(_) => "no-pipeline",
            }
        }
        event @ ("close" | "reopen") => {
            let mut transaction = visit.app.store().begin().await?;
            let mut row = transaction.merge_request(found.id).await?;
            change_state(&mut row, Some(event));
            row.updated_at = clock::now();
            transaction.update_merge_request(&row).await?;
            transaction.commit().await?;
            if row.state == MergeRequestState::Closed {
                (visit.app.coordinator())
                    .merge_request_ended(&visit.project, visit.identity.user(), &row)
                    .await?;
            }
            "merge-request"
        }
        _ => return Err(ApiError::bad_request("do is missing")),
    };
    Ok(visit.to(&own, word))
}
