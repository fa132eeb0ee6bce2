//! `POST /jobs/:id/artifacts`: a runner sends a file, which goes to the disk as it comes.

use std::path::PathBuf;

use axum::Json;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use shipway_config::duration;
use shipway_coordinator::{Accepted, Error};
use shipway_protocol::ArtifactSpec;
use shipway_store::{Accessibility, Incoming};
use tokio::io::AsyncWriteExt;

use super::artifact_kind::{format_named, format_of};
use super::{auth, not_at_work, with_job_status};
use crate::app::App;
use crate::error::ApiError;

/// Bytes of a field that is not the file.
const TEXT_LIMIT: usize = 4096;

/// Bytes of a file's name; file systems take 255, and ours gets some more in front.
const NAME_LIMIT: usize = 200;

/// Bytes that are still read, and forgotten, of a file that is too large: a client that is cut
/// off while it sends often does not see the answer.
const DRAINED: u64 = 64 * 1024 * 1024;

/// What a runner says of the file: in the query, or in fields before the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    token: String,
    artifact_type: String,
    artifact_format: String,
    expire_in: String,
    accessibility: String,
    filesize: Option<u64>,
}

impl Parameters {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "artifact_type" => self.artifact_type = value,
            "artifact_format" => self.artifact_format = value,
            "expire_in" => self.expire_in = value,
            "accessibility" => self.accessibility = value,
            _ => {}
        }
    }

    fn checked(&self) -> Result<ArtifactSpec, ApiError> {
        let kind = match self.artifact_type.as_str() {
            "" => "archive",
            kind => kind,
        };
        let known = format_of(kind)
            .ok_or_else(|| ApiError::parameter("artifact_type does not have a valid value"))?;
        let format = format_named(&self.artifact_format)
            .ok_or_else(|| ApiError::parameter("artifact_format does not have a valid value"))?;
        // Without a format it is the type's own.
        if format != known && !self.artifact_format.is_empty() {
            let fault = ApiError::invalid("file_format", "is not the one of this file type");
            return Err(fault);
        }
        let expires = self.expire_in.trim();
        if !expires.is_empty() && expires != "never" && duration::parse_seconds(expires).is_none() {
            return Err(ApiError::parameter("expire_in is no duration"));
        }
        let access: Result<Accessibility, _> = self.accessibility.parse();
        if !self.accessibility.is_empty() && access.is_err() {
            return Err(ApiError::parameter(
                "accessibility does not have a valid value",
            ));
        }
        Ok(ArtifactSpec {
            expire_in: (!expires.is_empty()).then(|| expires.to_owned()),
            artifact_type: kind.to_owned(),
            artifact_format: known,
            ..ArtifactSpec::default()
        })
    }
}

/// `POST /jobs/:id/artifacts/authorize`: whether a file of this size would be taken.
pub(super) async fn authorize(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = match auth::job_at_work(&app, &id, &parameters.token, &headers).await {
        Ok(job) => job,
        Err(refusal) => return Ok(refusal),
    };
    let spec = parameters.checked()?;
    let (limit, name) = app.settings().limits.artifact(&spec.artifact_type);
    if parameters.filesize.is_some_and(|size| size > limit) {
        return Err(ApiError::larger_than(&name, limit));
    }
    let answer = Json(json!({ "MaximumSize": limit }));
    Ok(with_job_status(job.status, answer))
}

pub(super) async fn upload(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(mut parameters): Query<Parameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let job = match auth::job_at_work(&app, &id, &parameters.token, &headers).await {
        Ok(job) => job,
        Err(refusal) => return Ok(refusal),
    };
    parameters.checked()?;
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|refusal| ApiError::bad_request(refusal.body_text()))?;
    let received = loop {
        let field = form.next_field().await;
        let field = field.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let Some(field) = field else {
            return Err(ApiError::bad_request("Missing artifacts file!"));
        };
        match field.name() {
            Some("file") => break receive(&app, &parameters, field).await?,
            name => {
                let name = name.unwrap_or_default().to_owned();
                let value = text(field).await?;
                parameters.set(&name, value);
            }
        }
    };
    let spec = parameters.checked()?;
    let Received { file, digest, name } = received;
    let access = parameters.accessibility.parse().ok();
    let coordinator = app.coordinator();
    let accepted = coordinator.accept_artifact(&job, &spec, &name, file.path(), &digest, access);
    match accepted.await {
        Ok(Accepted::Stored | Accepted::Same) => {
            let answer = (
                StatusCode::CREATED,
                Json(json!({ "message": "201 Created" })),
            );
            Ok(with_job_status(job.status, answer))
        }
        Ok(Accepted::Other) => Err(ApiError::message(
            StatusCode::BAD_REQUEST,
            "another artifact of the same type already exists",
        )),
        Err(Error::Artifact { source, .. }) => Err(ApiError::bad_request(source)),
        Err(Error::NotAtWork { status, .. }) => Ok(not_at_work(status)),
        Err(error) => Err(error.into()),
    }
}

/// A file that came in whole; removed when this is dropped, unless it was moved.
struct Received {
    file: Incoming,
    digest: Vec<u8>,
    name: String,
}

async fn receive(
    app: &App,
    parameters: &Parameters,
    mut field: Field<'_>,
) -> Result<Received, ApiError> {
    let name = plain_name(field.file_name().unwrap_or_default())?;
    let kind = parameters.checked()?.artifact_type;
    let (limit, limit_name) = app.settings().limits.artifact(&kind);
    let fault = |source| {
        let directory = app.store().directory().to_owned();
        ApiError::internal(&Unwritten(directory, source))
    };
    let store = app.store().clone();
    let created = tokio::task::spawn_blocking(move || {
        let incoming = store.receive()?;
        Ok((incoming.writer()?, incoming))
    });
    let created = created.await.map_err(std::io::Error::other);
    let (writer, incoming) = created.and_then(|created| created).map_err(fault)?;
    let mut file = tokio::fs::File::from_std(writer);
    let (mut size, mut digest) = (0, Sha256::new());
    loop {
        let chunk = field.chunk().await;
        let chunk = chunk.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let Some(chunk) = chunk else { break };
        size += chunk.len() as u64;
        if size > limit {
            drain(field).await;
            return Err(ApiError::larger_than(&limit_name, limit));
        }
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(fault)?;
    }
    file.flush().await.map_err(fault)?;
    Ok(Received {
        file: incoming,
        digest: digest.finalize().to_vec(),
        name,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("an artifact that comes in cannot be written below `{}`", .0.display())]
struct Unwritten(PathBuf, #[source] std::io::Error);

async fn drain(mut field: Field<'_>) {
    let mut size = 0;
    while let Ok(Some(chunk)) = field.chunk().await {
        size += chunk.len() as u64;
        if size > DRAINED {
            return;
        }
    }
}

async fn text(mut field: Field<'_>) -> Result<String, ApiError> {
    let mut text = Vec::new();
    while let Some(chunk) = field
        .chunk()
        .await
        .map_err(|error| ApiError::bad_request(error.body_text()))?
    {
        text.extend_from_slice(&chunk);
        if text.len() > TEXT_LIMIT {
            return Err(ApiError::too_large());
        }
    }
    String::from_utf8(text).map_err(|_| ApiError::bad_request("a field is not UTF-8 text"))
}

/// The last part of a path that a client sent as a name.
fn plain_name(sent: &str) -> Result<String, ApiError> {
    let name = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.len() > NAME_LIMIT || name.contains(char::is_control) {
        return Err(ApiError::bad_request(
            "the file's name is too long or not plain text",
        ));
    }
    Ok(match name {
        "" | "." | ".." => "artifacts".to_owned(),
        name => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (sent, expected) in [
            ("a.zip", Some("a.zip")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\x\\y.zip", Some("y.zip")),
            ("..", Some("artifacts")),
            ("", Some("artifacts")),
            ("x/", Some("artifacts")),
            ("grün.zip", Some("grün.zip")),
            ("a\nb", None),
        ] {
            assert_eq!(plain_name(sent).ok().as_deref(), expected, "{sent:?}");
        }
        assert!(plain_name(&"x".repeat(201)).is_err());
    }

    #[test]
    fn what_is_said_of_a_file() {
        let checked = |kind: &str, format: &str, expire_in: &str| {
            let parameters = Parameters {
                artifact_type: kind.to_owned(),
                artifact_format: format.to_owned(),
                expire_in: expire_in.to_owned(),
                ..Parameters::default()
            };
            parameters.checked().map(|spec| spec.artifact_type)
        };
        for (kind, format, expire_in, good) in [
            ("", "", "", true),
            ("archive", "zip", "7 days", true),
            ("archive", "zip", "never", true),
            ("junit", "gzip", "", true),
            ("junit", "", "", true),
            ("junit", "zip", "", false),
            ("archive", "raw", "", false),
            ("archive", "brotli", "", false),
            ("trace", "raw", "", false),
            ("no such", "zip", "", false),
            ("archive", "zip", "soon", false),
        ] {
            let found = checked(kind, format, expire_in);
            assert_eq!(found.is_ok(), good, "{kind} {format} {expire_in}");
        }
    }
}
