//! `/projects/:id/repository/tree`: what is in a directory.

use axum::Json;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Serialize;
use shipway_git::hosting::TreeEntry;

use super::call::{Answer, ProjectCall};
use super::commits::resolve;
use super::paging::{Paging, link, set_link};
use super::routes::Routes;
use crate::error::ApiError;
use crate::permission::Action;

/// Entries of a directory, or of all below it, that are read at most.
const MOST: usize = 100_000;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/projects/{id}/repository/tree", Action::ReadCode, list)
}

/// GitLab's `TreeObject`.
#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    path: String,
    mode: String,
}

impl Entry {
    fn new(entry: TreeEntry) -> Self {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        Self {
            id: entry.id,
            name: name.to_owned(),
            kind: entry.kind.as_str(),
            mode: entry.mode,
            path: entry.path,
        }
    }
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    let by_token =
        params.one_of("pagination", &["keyset", "legacy", "none", "offset"])? == Some("keyset");
    let token = params.text("page_token")?;
    let recursive = params.boolean("recursive")?.unwrap_or(false);
    let path = params.text("path")?.unwrap_or_default();
    let missing = || ApiError::not_found("Tree");
    let name = params.text("ref")?.or(call.project.default_branch.clone());
    let name = name.ok_or_else(missing)?;
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = resolve(&call, &repository, &name).await?;
    let sha = sha.ok_or_else(missing)?;
    let tree = repository.tree(&sha, &path, recursive, MOST).await?;
    let tree = tree.ok_or_else(missing)?;
    if !tree.complete {
        return Err(ApiError::bad_request(format!(
            "there are more than {MOST} files and directories; give the path of one"
        )));
    }
    if !by_token {
        let (entries, total) = paging.cut(tree.entries);
        let entries = entries.into_iter().map(Entry::new).collect();
        return paging.answer(&call, entries, Some(total));
    }
    // The token is the path of the last entry: also after a push it leads somewhere.
    let begin = match &token {
        None => Some(0),
        Some(token) => {
            let last = tree.entries.iter().position(|entry| entry.path == *token);
            last.map(|last| last + 1)
        }
    };
    let begin = begin.ok_or_else(|| ApiError::parameter("page_token is invalid"))?;
    let size = paging.size();
    let more = tree.entries.len() > begin.saturating_add(size);
    let entries = tree.entries.into_iter().skip(begin).take(size);
    let entries: Vec<Entry> = entries.map(Entry::new).collect();
    let mut headers = HeaderMap::new();
    if let Some(last) = entries.last().filter(|_| more) {
        let next = link(&call, &[("page_token", &last.path)], &["page"]);
        set_link(&mut headers, &format!("<{next}>; rel=\"next\""));
    }
    Ok((headers, Json(entries)).into_response())
}
