//! `/projects/:id/merge_requests`.

use axum::http::StatusCode;
use serde::Serialize;
use shipway_coordinator::{MergeOutcome, MergeWish, ProjectSettings, Started, protections};
use shipway_git::hosting::RepositoriesError;
use shipway_store::{
    MergeRequestFilter, MergeRequestRow, MergeRequestState, NewMergeRequest, Page, ProjectRow,
    RefKind, UserRow,
};

use super::call::{Answer, ProjectCall, created, ok};
use super::commits;
use super::paging::Paging;
use super::pipeline::PipelineBasic;
use super::pipelines;
use super::routes::{Job, Routes};
use super::time::iso;
use super::user::{UserBasic, Users};
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::limits;
use crate::permission::Action;

/// Pipelines of a merge request that are listed.
const PIPELINES: i64 = 100;

/// An administrator's level, above every role.
const ADMIN: i64 = 60;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadCode);
    let one = "/projects/{id}/merge_requests/{merge_request_iid}";
    let pipelines = "/projects/{id}/merge_requests/{merge_request_iid}/pipelines";
    routes
        .get("/projects/{id}/merge_requests", read, list)
        .post("/projects/{id}/merge_requests", Action::Push, create)
        .get(
            "/projects/{id}/repository/commits/{sha}/merge_requests",
            read,
            list_of_commit,
        )
        .get(one, read, show)
        .put(one, Action::Push, update)
        .put(
            "/projects/{id}/merge_requests/{merge_request_iid}/merge",
            Action::Push,
            merge,
        )
        .get(pipelines, Action::ReadPipelines, list_pipelines)
        .post(pipelines, Action::RunPipelines, create_pipeline)
}

/// GitLab's `MergeRequestBasic`, as far as there is something to tell.
#[derive(Debug, Serialize)]
struct MergeRequest {
    id: i64,
    iid: i64,
    project_id: i64,
    title: String,
    description: String,
    state: &'static str,
    created_at: String,
    updated_at: String,
    merged_at: Option<String>,
    closed_at: Option<String>,
    source_branch: String,
    target_branch: String,
    source_project_id: i64,
    target_project_id: i64,
    author: UserBasic,
    assignees: [(); 0],
    reviewers: [(); 0],
    labels: [(); 0],
    draft: bool,
    /// Nobody looks before it is merged.
    merge_status: &'static str,
    sha: String,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    /// What happens where nobody wishes otherwise.
    squash_on_merge: bool,
    web_url: String,
    references: References,
    /// Of a single merge request only.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_pipeline: Option<Option<PipelineBasic>>,
}

#[derive(Debug, Serialize)]
struct References {
    short: String,
    full: String,
}

async fn entity(
    call: &ProjectCall,
    users: &mut Users,
    row: &MergeRequestRow,
) -> Result<MergeRequest, ApiError> {
    let iid = row.iid;
    Ok(MergeRequest {
        id: row.id.0,
        iid,
        project_id: row.project_id.0,
        title: row.title.clone(),
        description: row.description.clone(),
        state: row.state.as_str(),
        created_at: iso(row.created_at),
        updated_at: iso(row.updated_at),
        merged_at: row.merged_at.map(iso),
        closed_at: row.closed_at.map(iso),
        source_branch: row.source_branch.clone(),
        target_branch: row.target_branch.clone(),
        source_project_id: row.project_id.0,
        target_project_id: row.project_id.0,
        author: users.get(&call.app, row.author_id).await?,
        assignees: [],
        reviewers: [],
        labels: [],
        draft: row.title.starts_with("Draft:"),
        merge_status: "unchecked",
        sha: row.sha.clone(),
        merge_commit_sha: row.merge_commit_sha.clone(),
        squash_commit_sha: row.squash_commit_sha.clone(),
        squash_on_merge: (ProjectSettings::of(&call.project).squash_option).decides(None),
        web_url: call.project_url(&format!("-/merge_requests/{iid}")),
        references: References {
            short: format!("!{iid}"),
            full: format!("{}!{iid}", call.project.full_path),
        },
        head_pipeline: None,
    })
}

async fn whole(call: &ProjectCall, row: &MergeRequestRow) -> Result<MergeRequest, ApiError> {
    let newest = call.app.coordinator().head_pipeline(row).await?;
    let pipeline = newest.map(|one| PipelineBasic::new(&call.app, &call.project, &one));
    Ok(MergeRequest {
        head_pipeline: Some(pipeline),
        ..entity(call, &mut Users::default(), row).await?
    })
}

async fn find(call: &ProjectCall) -> Result<MergeRequestRow, ApiError> {
    let iid = call.path.number("merge_request_iid")?;
    let row = call.store().merge_request(call.project.id, iid).await?;
    row.ok_or_else(|| ApiError::not_found("Merge request"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let state = call
        .params
        .one_of("state", &["all", "opened", "closed", "merged"])?;
    let filter = MergeRequestFilter {
        state: state.and_then(|state| state.parse().ok()),
        source_branch: call.params.text("source_branch")?,
        target_branch: call.params.text("target_branch")?,
    };
    let iids = call.params.list("iids")?;
    let found = match iids {
        None => {
            let found = (call.store()).merge_requests(call.project.id, &filter, paging.page());
            let found = found.await?;
            (found.rows, found.total)
        }
        Some(iids) => {
            let whole = super::paging::WHOLE;
            let found = (call.store()).merge_requests(call.project.id, &filter, whole);
            let mut rows = found.await?.rows;
            rows.retain(|row| iids.contains(&row.iid.to_string()));
            paging.cut(rows)
        }
    };
    let (rows, total) = found;
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in &rows {
        entities.push(entity(&call, &mut users, row).await?);
    }
    paging.answer(&call, entities, Some(total))
}

/// Those that a commit is the newest of, or that it merged.
async fn list_of_commit(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let info = commits::find(&call).await?;
    let (filter, whole) = (MergeRequestFilter::default(), super::paging::WHOLE);
    let found = (call.store()).merge_requests(call.project.id, &filter, whole);
    let mut rows = found.await?.rows;
    rows.retain(|row| {
        let made = [&row.merge_commit_sha, &row.squash_commit_sha];
        row.sha == info.id || made.contains(&&Some(info.id.clone()))
    });
    let (rows, total) = paging.cut(rows);
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in &rows {
        entities.push(entity(&call, &mut users, row).await?);
    }
    paging.answer(&call, entities, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(whole(&call, &row).await?)
}

/// Why there is no merge request of these branches.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// A field is wrong.
    Field(&'static str, String),
    /// There is one already.
    Exists(i64),
}

/// Opens a merge request, as the API and the page do.
pub(crate) async fn open(
    app: &App,
    project: &ProjectRow,
    user: Option<&UserRow>,
    (source, target): (&str, &str),
    (title, description): (String, String),
) -> Result<Result<MergeRequestRow, NotOpened>, ApiError> {
    let wrong = |field, text: &str| Ok(Err(NotOpened::Field(field, text.to_owned())));
    if source == target {
        return wrong(
            "base",
            "You can't use same project/branch for source and target",
        );
    }
    let number = u64::try_from(project.id.0).unwrap_or_default();
    let branches = match app.repositories().get(number).await {
        Ok(repository) => repository.refs().await?.branches,
        // Nobody has pushed yet.
        Err(RepositoriesError::Missing(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let at = |name: &str| branches.iter().find(|branch| branch.name == name);
    let Some(head) = at(source) else {
        return wrong("source_branch", "does not exist");
    };
    if at(target).is_none() {
        return wrong("target_branch", "does not exist");
    }
    let filter = MergeRequestFilter {
        state: Some(MergeRequestState::Opened),
        source_branch: Some(source.to_owned()),
        target_branch: Some(target.to_owned()),
    };
    let found = app
        .store()
        .merge_requests(project.id, &filter, Page::first(1));
    if let Some(known) = found.await?.rows.first() {
        return Ok(Err(NotOpened::Exists(known.iid)));
    }
    let new = NewMergeRequest {
        project_id: project.id,
        title,
        description,
        source_branch: source.to_owned(),
        target_branch: target.to_owned(),
        sha: head.commit.clone(),
        author_id: user.map(|user| user.id),
        created_at: now(),
    };
    let row = app.coordinator().open_merge_request(project, user, &new);
    Ok(Ok(row.await?))
}

async fn create(call: ProjectCall) -> Answer {
    let (source, target) = (
        call.params.required_short("source_branch")?,
        call.params.required_short("target_branch")?,
    );
    let title = call.params.required_short("title")?;
    let description = call.params.up_to("description", limits::NOTES)?;
    let text = (title, description.unwrap_or_default());
    let user = call.acting_user();
    match open(&call.app, &call.project, user, (&source, &target), text).await? {
        Ok(row) => created(whole(&call, &row).await?),
        Err(NotOpened::Field(field, fault)) => Err(ApiError::invalid(field, fault)),
        Err(NotOpened::Exists(iid)) => Err(ApiError::conflict(format!(
            "Another open merge request already exists for this source branch: !{iid}"
        ))),
    }
}

async fn update(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let title = call
        .params
        .short("title")?
        .filter(|title| !title.is_empty());
    let description = call.params.up_to("description", limits::NOTES)?;
    let event = call.params.one_of("state_event", &["close", "reopen"])?;
    let mut transaction = call.store().begin().await?;
    let mut row = transaction.merge_request(row.id).await?;
    row.title = title.unwrap_or(row.title);
    row.description = description.unwrap_or(row.description);
    change_state(&mut row, event);
    row.updated_at = now();
    transaction.update_merge_request(&row).await?;
    transaction.commit().await?;
    if row.state == MergeRequestState::Closed {
        (call.app.coordinator())
            .merge_request_ended(&call.project, call.acting_user(), &row)
            .await?;
    }
    ok(whole(&call, &row).await?)
}

/// What is merged stays so.
pub(crate) fn change_state(row: &mut MergeRequestRow, event: Option<&str>) {
    match (event, row.state) {
        (Some("close"), MergeRequestState::Opened) => {
            row.state = MergeRequestState::Closed;
            row.closed_at = Some(now());
        }
        (Some("reopen"), MergeRequestState::Closed) => {
            row.state = MergeRequestState::Opened;
            row.closed_at = None;
        }
        _ => {}
    }
}

/// Whether the user, who may push, may merge into this branch.
pub(crate) async fn may_merge(
    app: &App,
    project: &ProjectRow,
    user: &UserRow,
    branch: &str,
) -> Result<bool, ApiError> {
    let rows = app.store().protected_refs(project.id).await?;
    let level = match user.admin {
        true => ADMIN,
        false => (app.store().access_level(user.id, project.id).await?).unwrap_or_default(),
    };
    let mut protections = protections(&rows, RefKind::Branch, branch).peekable();
    let free = protections.peek().is_none();
    let admits = |least: i64| least > 0 && level >= least;
    Ok(free || protections.any(|row| admits(row.merge_level) || admits(row.push_level)))
}

async fn merge(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let message = call.params.up_to("merge_commit_message", limits::TEXT)?;
    let squash_message = call.params.up_to("squash_commit_message", limits::TEXT)?;
    let wish = MergeWish {
        message: message.as_deref(),
        squash: call.params.boolean("squash")?,
        squash_message: squash_message.as_deref(),
    };
    if let Some(sha) = call.params.text("sha")?
        && sha != row.sha
    {
        let fault = "SHA does not match HEAD of source branch";
        return Err(ApiError::conflict(fault));
    }
    let user = call.identity.signed_in()?;
    if !may_merge(&call.app, &call.project, user, &row.target_branch).await? {
        return Err(ApiError::message(
            StatusCode::UNAUTHORIZED,
            "401 Unauthorized",
        ));
    }
    let merged = (call.app.coordinator())
        .merge(&call.project, user, &row, wish)
        .await?;
    let refused = |status, text: &str| Err(ApiError::message(status, text));
    match merged {
        MergeOutcome::Merged(row) => ok(whole(&call, &row).await?),
        MergeOutcome::NotOpen => refused(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed"),
        MergeOutcome::Conflict => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Branch cannot be merged: both branches changed the same lines",
        ),
        MergeOutcome::NotLinear => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Branch cannot be merged: it does not go on from the target branch; rebase it",
        ),
        MergeOutcome::Moved => refused(
            StatusCode::CONFLICT,
            "The target branch moved or is gone; try again",
        ),
    }
}

async fn list_pipelines(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let paging = Paging::of(&call)?;
    let rows = (call.store()).pipelines_of_merge_request(row.id, PIPELINES);
    let (rows, total) = paging.cut(rows.await?);
    let entities = rows
        .iter()
        .map(|one| PipelineBasic::new(&call.app, &call.project, one));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn create_pipeline(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    if row.state != MergeRequestState::Opened {
        return Err(ApiError::invalid("base", "The merge request is not open"));
    }
    let user = call.acting_user();
    let started = (call.app.coordinator())
        .start_merge_request_pipeline(&call.project, user, &row)
        .await?;
    match started {
        Started::Pipeline(made) => created(pipelines::entity(&call, &made).await?),
        Started::None(reason) => Err(ApiError::invalid("base", reason.to_string())),
    }
}
