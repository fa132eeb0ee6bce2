//! `GET /jobs/:id/artifacts` with a job token: a job gets the archive of an earlier one.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shipway_pipeline::JobId;
use shipway_store::BlobError;
use tokio_util::io::ReaderStream;

use super::auth;
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;

/// `direct_download` is not among them: the bytes always come from here.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    token: String,
}

pub(super) async fn download(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = auth::job_token(&parameters.token, &headers);
    if token.is_empty() {
        return Err(ApiError::unauthorized());
    }
    let asking = app.coordinator().job_at_work_by_token(token).await?;
    let asking = asking.ok_or_else(ApiError::forbidden)?;
    let wanted = match id.parse() {
        Ok(id) => app.store().job(JobId(id)).await?,
        Err(_) => None,
    };
    // Other jobs are none of its business, not even whether they exist.
    let wanted = wanted.ok_or_else(ApiError::forbidden)?;
    if !app.coordinator().may_fetch(&asking, &wanted).await? {
        return Err(ApiError::forbidden());
    }
    let files = app.store().artifacts_of(wanted.id).await?;
    let now = now();
    let archive = files
        .into_iter()
        .filter(|file| file.expires_at.is_none_or(|at| at > now))
        .find(|file| file.file_type == "archive")
        .ok_or_else(|| ApiError::not_found("Artifacts"))?;
    let reader = match app.store().blobs().get(&archive.path, ..).await {
        Ok(reader) => reader,
        Err(BlobError::Missing { .. }) => return Err(ApiError::not_found("Artifacts")),
        Err(error) => return Err(ApiError::internal(&error)),
    };
    let size = reader.size;
    let mut answer = Body::from_stream(ReaderStream::new(reader)).into_response();
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(CONTENT_DISPOSITION, disposition(&archive.file_name));
    Ok(answer)
}

/// The name as a client saves the file, in the form for any character.
fn disposition(name: &str) -> HeaderValue {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let text = format!("attachment; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}
