//! Releases of a project: notes, links, and the files of their tags.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_store::{Page, ReleaseOrder, ReleaseRow};

use super::html::{Html, path, segment};
use super::paging::{self, Paging};
use super::permalinks::moved;
use super::shell::{Place, Shell};
use super::visit::{ProjectVisit, crumb};
use super::{page, when};
use crate::error::ApiError;
use crate::permission::Action;

/// Where the page is, below the project.
const BASE: &str = "/-/releases";

/// What the files of a tag can be had as.
const FORMATS: [&str; 4] = ["zip", "tar.gz", "tar.bz2", "tar"];

#[derive(Debug, Template)]
#[template(path = "releases.html")]
struct ReleasesPage {
    shell: Shell,
    single: bool,
    rows: Vec<Release>,
    paging: Paging,
}

#[derive(Debug)]
struct Release {
    name: String,
    tag: String,
    url: String,
    sha: String,
    released: Html,
    upcoming: bool,
    author: String,
    notes: String,
    /// Names and addresses.
    links: Vec<(String, String)>,
    sources: Vec<(&'static str, String)>,
}

async fn release(visit: &ProjectVisit, row: ReleaseRow) -> Result<Release, ApiError> {
    let store = visit.app.store();
    let links = store.release_links(row.id).await?;
    let author = match row.author_id {
        Some(id) => store.user(id).await?.map(|user| user.username),
        None => None,
    };
    let tag = segment(&row.tag);
    let url = format!("{}{BASE}/{tag}", visit.url);
    let links = links.into_iter().map(|link| {
        let address = match link.file_path {
            Some(file) => format!("{url}/downloads{}", path(&file)),
            None => link.url,
        };
        (link.name, address)
    });
    let project = visit.project.full_path.as_str();
    let name = project.rsplit('/').next().unwrap_or(project);
    let file = segment(&format!("{name}-{}", row.tag.replace('/', "-")));
    let formats = match visit.allows(Action::ReadCode) {
        true => &FORMATS[..],
        false => &[],
    };
    let sources = formats.iter().map(|format| {
        let address = format!("{}/-/archive/{tag}/{file}.{format}", visit.url);
        (*format, address)
    });
    Ok(Release {
        links: links.collect(),
        sources: sources.collect(),
        url,
        sha: row.sha.chars().take(8).collect(),
        released: when::time(row.released_at, visit.now),
        upcoming: row.released_at > visit.now,
        author: author.unwrap_or_default(),
        name: row.name,
        tag: row.tag,
        notes: row.description,
    })
}

/// `GET /-/releases`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadProject)?;
    let number = paging::number(visit.query("page"));
    let order = ReleaseOrder::NewestReleased;
    let store = visit.app.store();
    let found = store.releases(visit.project.id, order, paging::rows(number));
    let found = found.await?;
    let mut rows = Vec::new();
    for row in found.rows {
        rows.push(release(&visit, row).await?);
    }
    page(&ReleasesPage {
        shell: visit.shell(Place::Releases, "Releases"),
        single: false,
        rows,
        paging: Paging::new(number, found.total, &[]),
    })
}

async fn find(visit: &ProjectVisit, tag: &str) -> Result<ReleaseRow, ApiError> {
    visit.require(Action::ReadProject)?;
    let row = visit.app.store().release(visit.project.id, tag).await?;
    row.ok_or_else(|| ApiError::not_found("Release"))
}

/// `GET /-/releases/{tag}`.
pub(super) async fn show(
    visit: ProjectVisit,
    Path(tag): Path<String>,
) -> Result<Response, ApiError> {
    let row = find(&visit, &tag).await?;
    let mut shell = visit.shell(Place::Releases, &row.name);
    let list = format!("{}{BASE}", visit.url);
    shell.crumbs.push(crumb("Releases", list));
    page(&ReleasesPage {
        shell,
        single: true,
        rows: vec![release(&visit, row).await?],
        paging: Paging::new(1, 1, &[]),
    })
}

/// `GET /-/releases/permalink/latest`.
pub(super) async fn latest(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadProject)?;
    let (project, order) = (visit.project.id, ReleaseOrder::NewestReleased);
    let found = visit.app.store().releases(project, order, Page::first(1));
    let row = found.await?.rows.pop();
    let row = row.ok_or_else(|| ApiError::not_found("Release"))?;
    let tag = segment(&row.tag);
    moved(&format!("{}{BASE}/{tag}", visit.url))
}

/// `GET /-/releases/{tag}/downloads/{path}`: where a link of the release leads.
pub(super) async fn download(
    visit: ProjectVisit,
    Path((tag, file)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let row = find(&visit, &tag).await?;
    let file = format!("/{file}");
    let links = visit.app.store().release_links(row.id).await?;
    let mut links = links.into_iter();
    let found = links.find(|link| link.file_path.as_ref() == Some(&file));
    moved(&found.ok_or_else(|| ApiError::not_found("File"))?.url)
}
