//! Addresses without a number, which stay the same while the project goes on: files of a ref
//! and its newest pipeline.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shipway_git::hosting::{QueryError, Refs};
use shipway_store::{Page, PipelineFilter};

use super::refs::repository;
use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// The largest file that is shown, in bytes; it is held in memory.
const LARGEST: u64 = 32 * 1024 * 1024;

/// 302: it is elsewhere for now.
pub(super) fn moved(to: &str) -> Result<Response, ApiError> {
    let to = HeaderValue::try_from(to).map_err(|_| ApiError::no_route())?;
    Ok((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
}

/// The commit and the path of `REF/PATH`, where both may have slashes: the longest branch or
/// tag counts, and else the beginning is a commit's id.
fn split<'a>(refs: &Refs, rest: &'a str) -> Option<(String, &'a str)> {
    let behind = |name: &str| rest.strip_prefix(name)?.strip_prefix('/');
    let branches = refs.branches.iter().map(|one| (&one.name, &one.commit));
    let tags = refs.tags.iter().map(|one| (&one.name, &one.commit));
    let found = branches
        .chain(tags)
        .filter_map(|(name, commit)| Some((name.len(), commit, behind(name)?)))
        .max_by_key(|(length, _, _)| *length);
    if let Some((_, commit, path)) = found {
        return Some((commit.clone(), path));
    }
    let (name, path) = rest.split_once('/')?;
    match name {
        "HEAD" => {
            let mut branches = refs.branches.iter();
            let default = branches.find(|one| one.name == refs.default_branch)?;
            Some((default.commit.clone(), path))
        }
        id => Some((id.to_owned(), path)),
    }
}

/// `GET /-/raw/{ref}/{path}`: a file as it is.
pub(super) async fn raw(
    visit: ProjectVisit,
    Path(rest): Path<String>,
) -> Result<Response, ApiError> {
    visit.require(Action::ReadCode)?;
    let missing = || ApiError::not_found("File");
    let repository = repository(&visit).await?.ok_or_else(missing)?;
    let refs = repository.refs().await?;
    let (commit, file) = split(&refs, &rest).ok_or_else(missing)?;
    let is_id = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sha = match is_id {
        true => repository.resolve(&commit).await?,
        false => None,
    };
    let sha = sha.ok_or_else(missing)?;
    let content = match repository.read_file(&sha, file, LARGEST).await {
        Err(QueryError::TooLarge { .. }) => return Err(ApiError::too_large()),
        content => content?.ok_or_else(missing)?,
    };
    // Whatever it is, a browser runs nothing of it.
    let kind = match std::str::from_utf8(&content) {
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "private, no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        ),
    ];
    Ok((headers, content).into_response())
}

async fn newest(visit: &ProjectVisit, ref_name: String) -> Result<Response, ApiError> {
    visit.require(Action::ReadPipelines)?;
    let filter = PipelineFilter {
        ref_name: Some(ref_name),
        ..PipelineFilter::default()
    };
    let (store, project) = (visit.app.store(), visit.project.id);
    let found = store.pipelines_of_project(project, &filter, Page::first(1));
    let row = found.await?.rows.into_iter().next();
    let row = row.ok_or_else(|| ApiError::not_found("Pipeline"))?;
    moved(&format!("{}/-/pipelines/{}", visit.url, row.id))
}

/// `GET /-/pipelines/latest`, of the default branch or of `?ref=`.
pub(super) async fn latest(visit: ProjectVisit) -> Result<Response, ApiError> {
    let ref_name = match visit.query("ref") {
        "" => visit.project.default_branch.clone().unwrap_or_default(),
        name => name.to_owned(),
    };
    newest(&visit, ref_name).await
}

/// `GET /-/pipelines/{ref}/latest`.
pub(super) async fn latest_of(
    visit: ProjectVisit,
    Path(ref_name): Path<String>,
) -> Result<Response, ApiError> {
    newest(&visit, ref_name).await
}

#[cfg(test)]
mod tests {
    use shipway_git::hosting::Branch;

    use super::*;

    #[test]
    fn the_longest_ref_counts() {
        let branch = |name: &str, commit: &str| Branch {
            name: name.to_owned(),
            commit: commit.to_owned(),
            date: String::new(),
            title: String::new(),
        };
        let refs = Refs {
            default_branch: "main".to_owned(),
            branches: vec![
                branch("feat", "1"),
                branch("feat/x", "2"),
                branch("main", "3"),
            ],
            tags: Vec::new(),
        };
        for (rest, expected) in [
            ("main/a/b", Some(("3", "a/b"))),
            ("feat/x/a", Some(("2", "a"))),
            ("feat/y/a", Some(("1", "y/a"))),
            ("HEAD/a", Some(("3", "a"))),
            ("0123456/a", Some(("0123456", "a"))),
            ("main", None),
        ] {
            let found = split(&refs, rest);
            let found = found
                .as_ref()
                .map(|(commit, path)| (commit.as_str(), *path));
            assert_eq!(found, expected, "{rest}");
        }
    }
}
