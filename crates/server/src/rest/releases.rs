//! `/projects/:id/releases`: tags with notes and links.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Serialize;
use shipway_store::{NewRelease, Page, ReleaseOrder, ReleaseRow, StoreError};

use super::call::{Answer, ProjectCall, created, ok};
use super::commit::{Commit, commits};
use super::commits::resolve;
use super::paging::Paging;
use super::release_links::{self, LinkFields, ReleaseLink};
use super::routes::{Job, Routes};
use super::time::iso;
use super::user::{UserBasic, Users};
use crate::clock::now;
use crate::error::ApiError;
use crate::git::{NewTag, TagError};
use crate::limits;
use crate::permission::Action;

/// What the files of a tag can be had as.
const SOURCES: [&str; 4] = ["zip", "tar.gz", "tar.bz2", "tar"];

/// Links that one release may be made with.
const MOST_LINKS: usize = 100;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadProject);
    let manage = Job(Action::ManageReleases);
    let latest = "/projects/{id}/releases/permalink/latest";
    routes
        .get("/projects/{id}/releases", read, list)
        .post("/projects/{id}/releases", manage, create)
        .get(latest, read, permalink)
        .get(
            "/projects/{id}/releases/permalink/latest/{*suffix}",
            read,
            permalink,
        )
        .get("/projects/{id}/releases/{tag}", read, show)
        .put("/projects/{id}/releases/{tag}", manage, update)
        .delete("/projects/{id}/releases/{tag}", manage, delete)
        .get(
            "/projects/{id}/releases/{tag}/downloads/{*path}",
            read,
            download,
        )
}

/// GitLab's `Release`.
#[derive(Debug, Serialize)]
struct Release {
    name: String,
    tag_name: String,
    description: String,
    created_at: String,
    released_at: String,
    upcoming_release: bool,
    author: UserBasic,
    /// For those who may read the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    milestones: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_path: Option<String>,
    assets: Assets,
    evidences: [(); 0],
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Debug, Serialize)]
struct Assets {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<Source>>,
    links: Vec<ReleaseLink>,
}

#[derive(Debug, Serialize)]
struct Source {
    format: &'static str,
    url: String,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    itself: String,
    edit_url: String,
}

/// The entities of these rows.
async fn entities(call: &ProjectCall, rows: &[ReleaseRow]) -> Result<Vec<Release>, ApiError> {
    let code = (call.app)
        .allows(&call.identity, &call.project, Action::ReadCode)
        .await?;
    let shas = rows.iter().map(|row| row.sha.as_str());
    let commits = match code {
        true => commits(&call.app, &call.project, shas).await?,
        false => HashMap::new(),
    };
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in rows {
        let author = users.get(&call.app, row.author_id).await?;
        let links = call.store().release_links(row.id).await?;
        let links = links.into_iter();
        let links = links.map(|link| ReleaseLink::new(call, &row.tag, link));
        let commit = commits.get(&row.sha).cloned();
        entities.push(entity(call, row, author, code, (commit, links.collect())));
    }
    Ok(entities)
}

fn entity(
    call: &ProjectCall,
    row: &ReleaseRow,
    author: UserBasic,
    code: bool,
    (commit, links): (Option<Commit>, Vec<ReleaseLink>),
) -> Release {
    let project = call.project.full_path.as_str();
    let tag = release_links::encoded(&row.tag);
    let name = project.rsplit('/').next().unwrap_or(project);
    let file = format!("{name}-{}", row.tag.replace('/', "-"));
    let file = release_links::encoded(&file);
    let sources = SOURCES.map(|format| Source {
        format,
        url: call.project_url(&format!("-/archive/{tag}/{file}.{format}")),
    });
    let sources = code.then(|| sources.into());
    let itself = call.project_url(&format!("-/releases/{tag}"));
    Release {
        name: row.name.clone(),
        tag_name: row.tag.clone(),
        description: row.description.clone(),
        created_at: iso(row.created_at),
        released_at: iso(row.released_at),
        upcoming_release: row.released_at > now(),
        author,
        commit_path: (commit.as_ref()).map(|commit| format!("/{project}/-/commit/{}", commit.id)),
        tag_path: code.then(|| format!("/{project}/-/tags/{tag}")),
        commit,
        milestones: [],
        assets: Assets {
            count: links.len() + sources.as_ref().map_or(0, Vec::len),
            sources,
            links,
        },
        evidences: [],
        links: Links {
            edit_url: format!("{itself}/edit"),
            itself,
        },
    }
}

async fn single(call: &ProjectCall, row: ReleaseRow) -> Result<Release, ApiError> {
    let found = entities(call, &[row]).await?.pop();
    found.ok_or_else(missing)
}

pub(super) fn missing() -> ApiError {
    ApiError::message(StatusCode::NOT_FOUND, "404 Not Found")
}

/// The release whose tag is in the address.
pub(super) async fn find(call: &ProjectCall) -> Result<ReleaseRow, ApiError> {
    let tag = call.path.text("tag");
    let row = call.store().release(call.project.id, tag).await?;
    row.ok_or_else(missing)
}

/// As [`find`], for somebody who may make its tag.
pub(super) async fn find_to_change(call: &ProjectCall) -> Result<ReleaseRow, ApiError> {
    let row = find(call).await?;
    let may = call.app.may_tag(&call.identity, &call.project, &row.tag);
    may.await.map_err(|error| refusal(error, &row.sha))?;
    Ok(row)
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let orders = ["released_at", "created_at"];
    let created = call.params.one_of("order_by", &orders)? == Some("created_at");
    let ascending = call.params.one_of("sort", &["asc", "desc"])? == Some("asc");
    let order = match (created, ascending) {
        (false, false) => ReleaseOrder::NewestReleased,
        (false, true) => ReleaseOrder::OldestReleased,
        (true, false) => ReleaseOrder::NewestCreated,
        (true, true) => ReleaseOrder::OldestCreated,
    };
    let found = call.store().releases(call.project.id, order, paging.page());
    let found = found.await?;
    let entities = entities(&call, &found.rows).await?;
    paging.answer(&call, entities, Some(found.total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(single(&call, row).await?)
}

/// The newest release, at an address that stays.
async fn permalink(call: ProjectCall) -> Answer {
    call.params.one_of("order_by", &["released_at"])?;
    let order = ReleaseOrder::NewestReleased;
    let found = call
        .store()
        .releases(call.project.id, order, Page::first(1));
    let row = found.await?.rows.pop().ok_or_else(missing)?;
    let tag = release_links::encoded(&row.tag);
    let base = format!("api/v4/projects/{}/releases/{tag}", call.project.id);
    let suffix = match call.path.text("suffix") {
        "" => String::new(),
        suffix => format!("/{}", release_links::encoded_path(suffix)),
    };
    Ok(found_at(&call.url(&format!("{base}{suffix}"))).into_response())
}

/// 302, as GitLab answers.
fn found_at(url: &str) -> impl IntoResponse {
    (
        StatusCode::FOUND,
        Redirect::to(url).into_response().headers().clone(),
    )
}

/// Where a link of the release leads, by its path.
async fn download(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let path = format!("/{}", call.path.text("path"));
    let links = call.store().release_links(row.id).await?;
    let found = links
        .into_iter()
        .find(|link| link.file_path.as_deref() == Some(&path));
    Ok(found_at(&found.ok_or_else(missing)?.url).into_response())
}

/// What is said of a release.
struct Fields {
    name: Option<String>,
    description: Option<String>,
    released_at: Option<i64>,
}

impl Fields {
    fn read(call: &ProjectCall) -> Result<Self, ApiError> {
        let params = &call.params;
        let milestones = params.list("milestones")?.unwrap_or_default();
        let milestones: Vec<String> = milestones
            .into_iter()
            .filter(|title| !title.is_empty())
            .collect();
        if !milestones.is_empty() {
            let titles = milestones.join(", ");
            return Err(ApiError::message(
                StatusCode::BAD_REQUEST,
                format!("Milestone(s) not found: {titles}"),
            ));
        }
        Ok(Self {
            name: params.short("name")?,
            description: params.given_up_to("description", limits::NOTES)?,
            released_at: params.time("released_at")?,
        })
    }
}

/// Why there is no tag, as GitLab answers.
fn refusal(error: TagError, target: &str) -> ApiError {
    match error {
        TagError::Refused(reason) => ApiError::forbidden_because(reason),
        TagError::Name => ApiError::message(StatusCode::BAD_REQUEST, "Tag name invalid"),
        TagError::Taken => ApiError::conflict("the tag was made meanwhile; try again"),
        TagError::Target => ApiError::message(
            StatusCode::BAD_REQUEST,
            format!("Target {target} is invalid"),
        ),
        TagError::Other(error) => error,
    }
}

/// Makes a release, and its tag where there is none.
async fn create(call: ProjectCall) -> Answer {
    let params = &call.params;
    let tag = params.required_short("tag_name")?;
    let (target, message) = (params.short("ref")?, params.given("tag_message")?);
    let fields = Fields::read(&call)?;
    let links = params.nested("assets")?.objects("links")?;
    if links.len() > MOST_LINKS {
        let fault = format!("has more than {MOST_LINKS} links");
        return Err(ApiError::invalid("assets", fault));
    }
    let links: Vec<LinkFields> = (links.iter())
        .map(LinkFields::of_new)
        .collect::<Result<_, _>>()?;
    let taken = || ApiError::conflict("Release already exists");
    if call.store().release(call.project.id, &tag).await?.is_some() {
        return Err(taken());
    }
    let repository = call.app.coordinator().repository(&call.project).await?;
    let tags = repository.refs().await?.tags;
    let sha = match tags.into_iter().find(|row| row.name == tag) {
        Some(row) => {
            let may = call.app.may_tag(&call.identity, &call.project, &tag);
            may.await.map_err(|error| refusal(error, &tag))?;
            row.commit
        }
        None => {
            let target = target.filter(|text| !text.is_empty());
            let target = target.ok_or_else(|| {
                ApiError::message(StatusCode::UNPROCESSABLE_ENTITY, "Ref is not specified")
            })?;
            let sha = resolve(&call, &repository, &target).await?;
            let sha = sha.ok_or_else(|| refusal(TagError::Target, &target))?;
            let new = NewTag {
                name: &tag,
                sha: &sha,
                message: message.filter(|text| !text.is_empty()),
                user: call.acting_user(),
            };
            let made = call.app.make_tag(&call.identity, &call.project, new).await;
            made.map_err(|error| refusal(error, &target))?;
            sha
        }
    };
    let now = now();
    let new = NewRelease {
        project_id: call.project.id,
        sha,
        name: (fields.name)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| tag.clone()),
        tag,
        description: fields.description.unwrap_or_default(),
        author_id: call.acting_user().map(|user| user.id),
        created_at: now,
        released_at: fields.released_at.unwrap_or(now),
    };
    let mut transaction = call.store().begin().await?;
    let row = match transaction.insert_release(&new).await {
        Err(StoreError::Taken { .. }) => return Err(taken()),
        row => row?,
    };
    for link in &links {
        let made = transaction.insert_release_link(&link.row(row.id)).await;
        made.map_err(release_links::refused)?;
    }
    transaction.commit().await?;
    created(single(&call, row).await?)
}

async fn update(call: ProjectCall) -> Answer {
    let fields = Fields::read(&call)?;
    let mut row = find_to_change(&call).await?;
    if let Some(name) = fields.name.filter(|name| !name.is_empty()) {
        row.name = name;
    }
    row.description = fields.description.unwrap_or(row.description);
    row.released_at = fields.released_at.unwrap_or(row.released_at);
    let mut transaction = call.store().begin().await?;
    transaction.update_release(&row).await?;
    transaction.commit().await?;
    ok(single(&call, row).await?)
}

/// The tag stays.
async fn delete(call: ProjectCall) -> Answer {
    let row = find_to_change(&call).await?;
    let entity = single(&call, row.clone()).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_release(row.id).await?;
    transaction.commit().await?;
    ok(entity)
}
