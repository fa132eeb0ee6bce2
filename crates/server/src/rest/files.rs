//! `/projects/:id/repository/files`.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use shipway_git::hosting::{EntryKind, History, QueryError};

use super::call::{Answer, ProjectCall};
use super::commits::resolve;
use super::routes::{Job, Routes};
use super::serve_file::set_attachment;
use crate::error::ApiError;
use crate::permission::Action;

/// The largest file that is read, in bytes; it is held in memory.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Git's mode of a file that can be run.
const EXECUTABLE: &str = "100755";

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadCode;
    routes
        .get("/projects/{id}/repository/files/{path}", read, show)
        .get("/projects/{id}/repository/files/{path}/raw", Job(read), raw)
}

/// GitLab's `File`, without its content.
#[derive(Debug, Serialize)]
struct File {
    file_name: String,
    file_path: String,
    size: usize,
    encoding: &'static str,
    content_sha256: String,
    #[serde(rename = "ref")]
    ref_name: String,
    blob_id: String,
    commit_id: String,
    last_commit_id: String,
    execute_filemode: bool,
}

/// The file with its content, which goes last: it may be long.
#[derive(Debug, Serialize)]
struct WithContent {
    #[serde(flatten)]
    file: File,
    content: String,
}

impl File {
    /// The same facts as headers.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-gitlab-file-name", self.file_name.as_str()),
            ("x-gitlab-file-path", &self.file_path),
            ("x-gitlab-size", &self.size.to_string()),
            ("x-gitlab-encoding", self.encoding),
            ("x-gitlab-content-sha256", &self.content_sha256),
            ("x-gitlab-ref", &self.ref_name),
            ("x-gitlab-blob-id", &self.blob_id),
            ("x-gitlab-commit-id", &self.commit_id),
            ("x-gitlab-last-commit-id", &self.last_commit_id),
            (
                "x-gitlab-execute-filemode",
                if self.execute_filemode {
                    "true"
                } else {
                    "false"
                },
            ),
        ] {
            // A header takes no line break; such a name is left out.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

/// The file in the address, at the ref `given` or at the default branch.
async fn find(call: &ProjectCall, given: Option<String>) -> Result<(File, Vec<u8>), ApiError> {
    let path = call.path.text("path");
    let name = given.or_else(|| call.project.default_branch.clone());
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = match &name {
        Some(name) => resolve(call, &repository, name).await?,
        None => None,
    };
    let (Some(ref_name), Some(sha)) = (name, sha) else {
        return Err(ApiError::not_found("Commit"));
    };
    let missing = || ApiError::not_found("File");
    let entry = repository.tree_entry(&sha, path).await?;
    let entry = entry.filter(|entry| entry.kind == EntryKind::Blob);
    let entry = entry.ok_or_else(missing)?;
    let content = match repository.read_file(&sha, path, LARGEST).await {
        Err(QueryError::TooLarge { .. }) => return Err(ApiError::too_large()),
        content => content?.ok_or_else(missing)?,
    };
    let newest = History {
        path: Some(path.to_owned()),
        limit: 1,
        ..History::default()
    };
    let last = repository.history(&sha, &newest).await?;
    let last = last.into_iter().next().map(|commit| commit.id);
    let digest = Sha256::digest(&content);
    let file = File {
        file_name: path.rsplit('/').next().unwrap_or(path).to_owned(),
        file_path: path.to_owned(),
        size: content.len(),
        encoding: "base64",
        content_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        ref_name,
        blob_id: entry.id,
        last_commit_id: last.unwrap_or_else(|| sha.clone()),
        commit_id: sha,
        execute_filemode: entry.mode == EXECUTABLE,
    };
    Ok((file, content))
}

async fn show(call: ProjectCall) -> Answer {
    let given = call.params.required_short("ref")?;
    let (file, content) = find(&call, Some(given)).await?;
    let headers = file.headers();
    let entity = WithContent {
        file,
        content: STANDARD.encode(content),
    };
    Ok((headers, Json(entity)).into_response())
}

async fn raw(call: ProjectCall) -> Answer {
    let given = call.params.text("ref")?;
    let (file, content) = find(&call, given).await?;
    let mut headers = file.headers();
    let kind = match std::str::from_utf8(&content) {
        Ok(_) => "text/plain",
        Err(_) => "application/octet-stream",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    set_attachment(&mut headers, &file.file_name);
    Ok((headers, content).into_response())
}
