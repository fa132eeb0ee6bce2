//! The list of projects, and that of a group.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use shipway_store::{Paged, ProjectFilter, ProjectRow, Viewer};

use super::html::Html;
use super::paging::{self, Paging};
use super::shell::{Place, Shell, project_url};
use super::visit::{Subject, Visit, done, frame};
use super::{page, status, when};
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Identity, pairs};
use crate::permission::Action;

/// The list.
#[derive(Debug, Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    shell: Shell,
    heading: String,
    group: Option<String>,
    may_create: bool,
    searchable: bool,
    search: String,
    rows: Vec<Row>,
    paging: Paging,
}

#[derive(Debug)]
struct Row {
    url: String,
    full_path: String,
    visibility: &'static str,
    description: String,
    last: Option<Last>,
}

/// The newest pipeline of the default branch.
#[derive(Debug)]
struct Last {
    url: String,
    status: Html,
    when: Html,
    coverage: Option<String>,
}

/// `GET /`.
pub(super) async fn index(
    State(app): State<App>,
    identity: Identity,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let value = |name: &str| {
        let found = pairs(&query).find(|(known, _)| known == name);
        found.map_or_else(String::new, |(_, value)| value)
    };
    let (search, number) = (value("search"), paging::number(&value("page")));
    let filter = ProjectFilter {
        seen_by: eyes(&identity),
        search: Some(search.clone()).filter(|search| !search.is_empty()),
        ..ProjectFilter::default()
    };
    let found = app.store().projects(&filter, paging::rows(number)).await?;
    let mut shell = frame(&app, &identity, "Projects");
    shell.done = done(&value("done"));
    page(&ProjectsPage {
        heading: "Projects".to_owned(),
        group: None,
        may_create: identity.user().is_some(),
        searchable: !search.is_empty() || found.total > 0,
        paging: Paging::new(number, found.total, &[("search", &search)]),
        rows: rows(&app, &shell.root, found).await?,
        search,
        shell,
    })
}

/// The page of a group.
pub(super) async fn group(visit: &Visit) -> Result<Response, ApiError> {
    let Subject::Group(group) = &visit.subject else {
        return Err(ApiError::no_route());
    };
    let (search, number) = (visit.query("search"), paging::number(visit.query("page")));
    let filter = ProjectFilter {
        seen_by: eyes(&visit.identity),
        namespace: Some(group.id),
        search: Some(search.to_owned()).filter(|search| !search.is_empty()),
        ..ProjectFilter::default()
    };
    let found = visit
        .app
        .store()
        .projects(&filter, paging::rows(number))
        .await?;
    // A group without anything to see in it is not seen either.
    if found.total == 0 && search.is_empty() {
        visit.require(Action::ReadProject)?;
    }
    page(&ProjectsPage {
        heading: group.full_path.clone(),
        group: Some(group.full_path.clone()),
        may_create: visit.allows(Action::ManageSettings),
        searchable: !search.is_empty() || found.total > 0,
        search: search.to_owned(),
        paging: Paging::new(number, found.total, &[("search", search)]),
        rows: rows(&visit.app, &visit.root, found).await?,
        shell: visit.shell(Place::Overview, "Projects"),
    })
}

/// `GET /{path}`: a project or a group.
pub(super) async fn overview(visit: Visit) -> Result<Response, ApiError> {
    match &visit.subject {
        Subject::Project(project) => Ok(super::project::overview(&visit, project)
            .await?
            .into_response()),
        Subject::Instance | Subject::Group(_) => group(&visit).await,
    }
}

/// Whose eyes look at a list of projects.
fn eyes(identity: &Identity) -> Viewer {
    match identity.user() {
        Some(user) if user.admin => Viewer::Admin,
        Some(user) => Viewer::User(user.id),
        None => Viewer::Anonymous,
    }
}

async fn rows(app: &App, root: &str, found: Paged<ProjectRow>) -> Result<Vec<Row>, ApiError> {
    let mut rows = Vec::with_capacity(found.rows.len());
    for project in found.rows {
        let url = project_url(root, &project.full_path);
        let last = match &project.default_branch {
            Some(branch) => app.store().newest_pipeline(project.id, branch).await?,
            None => None,
        };
        rows.push(Row {
            last: last.map(|pipeline| Last {
                url: format!("{url}/-/pipelines/{}", pipeline.id),
                status: status::badge(pipeline.status, false),
                when: when::time(pipeline.created_at, now()),
                coverage: pipeline.coverage.map(status::percent),
            }),
            url,
            full_path: project.full_path,
            visibility: project.visibility.as_str(),
            description: project.description,
        });
    }
    Ok(rows)
}
