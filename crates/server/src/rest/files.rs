//! `/projects/:id/repository/files`.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use sha2::{Digest, Sha256};
use shipway_git::hosting::{History, QueryError};

use super::call::{Answer, ProjectCall};
use super::commits::resolve;
use super::routes::{Job, Routes};
use super::serve_file::set_attachment;
use crate::error::ApiError;
use crate::permission::Action;

/// The largest file that is read, in bytes; it is held in memory.
const LARGEST: u64 = 32 * 1024 * 1024;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(
        "/projects/{id}/repository/files/{path}/raw",
        Job(Action::ReadCode),
        raw,
    )
}

async fn raw(call: ProjectCall) -> Answer {
    let path = call.path.text("path");
    let given = call.params.text("ref")?;
    let name = given.or_else(|| call.project.default_branch.clone());
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = match &name {
        Some(name) => resolve(&call, &repository, name).await?,
        None => None,
    };
    let (Some(name), Some(sha)) = (name, sha) else {
        return Err(ApiError::not_found("Commit"));
    };
    let content = match repository.read_file(&sha, path, LARGEST).await {
        Err(QueryError::TooLarge { .. }) => return Err(ApiError::too_large()),
        content => content?.ok_or_else(|| ApiError::not_found("File"))?,
    };
    let newest = History {
        path: Some(path.to_owned()),
        limit: 1,
        ..History::default()
    };
    let last = repository.history(&sha, &newest).await?;
    let last = last.first().map(|commit| commit.id.as_str());
    let file_name = path.rsplit('/').next().unwrap_or(path);
    let mut headers = HeaderMap::new();
    let digest = Sha256::digest(&content);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, value) in [
        ("x-gitlab-file-name", file_name),
        ("x-gitlab-file-path", path),
        ("x-gitlab-size", &content.len().to_string()),
        ("x-gitlab-encoding", "base64"),
        ("x-gitlab-content-sha256", &digest),
        ("x-gitlab-ref", &name),
        ("x-gitlab-commit-id", &sha),
        ("x-gitlab-last-commit-id", last.unwrap_or(&sha)),
    ] {
        // A header takes no line break; such a name is left out.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let kind = match std::str::from_utf8(&content) {
        Ok(_) => "text/plain",
        Err(_) => "application/octet-stream",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    set_attachment(&mut headers, file_name);
    Ok((headers, content).into_response())
}
