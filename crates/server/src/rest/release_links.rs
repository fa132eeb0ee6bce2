//! `/projects/:id/releases/:tag/assets/links`: what was made of a release, wherever it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use shipway_store::{NewReleaseLink, ReleaseId, ReleaseLinkRow, StoreError};

use super::call::{Answer, ProjectCall, created, ok};
use super::paging::Paging;
use super::params::Params;
use super::releases::{find, find_to_change, missing};
use super::routes::{Job, Routes};
use crate::error::ApiError;
use crate::limits;
use crate::permission::Action;

/// The longest path of a link in characters, GitLab's.
const LONGEST_PATH: usize = 128;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadProject);
    let manage = Job(Action::ManageReleases);
    let all = "/projects/{id}/releases/{tag}/assets/links";
    let one = "/projects/{id}/releases/{tag}/assets/links/{link_id}";
    routes
        .get(all, read, list)
        .post(all, manage, create)
        .get(one, read, show)
        .put(one, manage, update)
        .delete(one, manage, delete)
}

/// GitLab's `Release::Link`.
#[derive(Debug, Serialize)]
pub(super) struct ReleaseLink {
    id: i64,
    name: String,
    url: String,
    direct_asset_url: String,
    link_type: String,
}

/// What stays as it is in one part of an address.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as one part of an address.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// A path as several.
pub(super) fn encoded_path(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(encoded).collect();
    parts.join("/")
}

impl ReleaseLink {
    pub(super) fn new(call: &ProjectCall, tag: &str, row: ReleaseLinkRow) -> Self {
        let direct = row.file_path.as_deref().map(|path| {
            let (tag, path) = (encoded(tag), encoded_path(path));
            call.project_url(&format!("-/releases/{tag}/downloads{path}"))
        });
        Self {
            id: row.id.0,
            name: row.name,
            direct_asset_url: direct.unwrap_or_else(|| row.url.clone()),
            url: row.url,
            link_type: row.link_type,
        }
    }
}

/// What is said of a link; nothing of what is not.
#[derive(Debug, Default)]
pub(super) struct LinkFields {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    kind: Option<&'static str>,
}

impl LinkFields {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let path = params.short("direct_asset_path")?;
        let path = path.or(params.short("filepath")?);
        let fields = Self {
            name: params.short("name")?,
            url: params.up_to("url", limits::URL)?,
            path: path.filter(|path| !path.is_empty()),
            kind: params.one_of("link_type", &["other", "runbook", "image", "package"])?,
        };
        if fields
            .name
            .as_ref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return Err(ApiError::parameter("name is empty"));
        }
        if fields.url.as_ref().is_some_and(|url| !is_link(url)) {
            let fault = "is blocked: Only allowed schemes are http, https, ftp";
            return Err(ApiError::invalid("url", fault));
        }
        if fields.path.as_ref().is_some_and(|path| !is_path(path)) {
            return Err(ApiError::invalid("filepath", "is in an invalid format"));
        }
        Ok(fields)
    }

    /// As it is read where a link is made: name and address are there.
    pub(super) fn of_new(params: &Params) -> Result<Self, ApiError> {
        let fields = Self::read(params)?;
        let missing = |name: &str| ApiError::parameter(format!("{name} is missing"));
        fields.name.as_ref().ok_or_else(|| missing("name"))?;
        fields.url.as_ref().ok_or_else(|| missing("url"))?;
        Ok(fields)
    }

    /// The row of a new link.
    pub(super) fn row(&self, release_id: ReleaseId) -> NewReleaseLink {
        NewReleaseLink {
            release_id,
            name: self.name.clone().unwrap_or_default(),
            url: self.url.clone().unwrap_or_default(),
            file_path: self.path.clone(),
            link_type: self.kind.unwrap_or("other").to_owned(),
        }
    }
}

/// Whether a browser may be led there.
fn is_link(url: &str) -> bool {
    let rest = ["http://", "https://", "ftp://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !url.contains(|c: char| c.is_control())
    })
}

/// Whether it is the path of a file, `/bin/app-1.0`, as GitLab has them.
fn is_path(path: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !matches!(part, "." | "..")
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    path.chars().count() <= LONGEST_PATH
        && path
            .strip_prefix('/')
            .is_some_and(|path| path.split('/').all(part))
        && path.ends_with(|c: char| c.is_ascii_alphanumeric())
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let release = find(&call).await?;
    let rows = call.store().release_links(release.id).await?;
    let (rows, total) = paging.cut(rows);
    let rows = rows.into_iter();
    let entities = rows.map(|row| ReleaseLink::new(&call, &release.tag, row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn of(call: &ProjectCall, release: ReleaseId) -> Result<ReleaseLinkRow, ApiError> {
    let id = call.path.number("link_id")?;
    let rows = call.store().release_links(release).await?;
    let found = rows.into_iter().find(|row| row.id.0 == id);
    found.ok_or_else(missing)
}

async fn show(call: ProjectCall) -> Answer {
    let release = find(&call).await?;
    let row = of(&call, release.id).await?;
    ok(ReleaseLink::new(&call, &release.tag, row))
}

/// A link says again what another says.
pub(super) fn refused(error: StoreError) -> ApiError {
    match error {
        StoreError::Taken { .. } => {
            ApiError::invalid("name", "or url or filepath has already been taken")
        }
        error => error.into(),
    }
}

async fn create(call: ProjectCall) -> Answer {
    let fields = LinkFields::of_new(&call.params)?;
    let release = find_to_change(&call).await?;
    let mut transaction = call.store().begin().await?;
    let row = transaction
        .insert_release_link(&fields.row(release.id))
        .await;
    let row = row.map_err(refused)?;
    transaction.commit().await?;
    created(ReleaseLink::new(&call, &release.tag, row))
}

async fn update(call: ProjectCall) -> Answer {
    let fields = LinkFields::read(&call.params)?;
    let release = find_to_change(&call).await?;
    let before = of(&call, release.id).await?;
    let row = ReleaseLinkRow {
        name: fields.name.unwrap_or(before.name),
        url: fields.url.unwrap_or(before.url),
        file_path: fields.path.or(before.file_path),
        link_type: fields.kind.map_or(before.link_type, str::to_owned),
        ..before
    };
    let mut transaction = call.store().begin().await?;
    transaction
        .update_release_link(&row)
        .await
        .map_err(refused)?;
    transaction.commit().await?;
    ok(ReleaseLink::new(&call, &release.tag, row))
}

async fn delete(call: ProjectCall) -> Answer {
    let release = find_to_change(&call).await?;
    let row = of(&call, release.id).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_release_link(row.id).await?;
    transaction.commit().await?;
    ok(ReleaseLink::new(&call, &release.tag, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_web() {
        for (url, right) in [
            ("https://example.com/a", true),
            ("http://10.0.0.1:8080/a", true),
            ("ftp://example.com", true),
            ("javascript:alert(1)", false),
            ("https://", false),
            ("https:///a", false),
            ("https://a\nb", false),
            ("", false),
        ] {
            assert_eq!(is_link(url), right, "{url}");
        }
    }

    #[test]
    fn paths_are_plain() {
        for (path, right) in [
            ("/app", true),
            ("/bin/app-1.0_x86", true),
            ("app", false),
            ("/", false),
            ("/a//b", false),
            ("/../a", false),
            ("/a b", false),
            ("/a.", false),
        ] {
            assert_eq!(is_path(path), right, "{path}");
        }
        assert!(!is_path(&format!("/{}", "a".repeat(LONGEST_PATH))));
    }
}
