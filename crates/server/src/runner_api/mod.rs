//! The runner protocol: what runners ask at `/api/v4/runners` and `/api/v4/jobs`.
//!
//! `body` and `auth` read a call and find out who calls; the other files are the calls. What
//! they mean is decided by the coordinator.

mod artifact_download;
mod artifact_kind;
mod artifact_upload;
mod auth;
mod body;
mod request;
mod runners;
mod trace;
mod update;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use shipway_pipeline::Status;
use shipway_protocol::JOB_STATUS;

use crate::app::App;
use crate::error::ApiError;

/// Bytes of a call that is not a log or an artifact.
const BODY_LIMIT: usize = 1024 * 1024;

/// The routes of runners.
pub(crate) fn routes() -> Router<App> {
    let calls = Router::new()
        .route(
            "/api/v4/runners",
            post(runners::register).delete(runners::unregister),
        )
        // As some clients write it.
        .route("/api/v4/runners/", post(runners::register))
        .route("/api/v4/runners/managers", delete(runners::delete_manager))
        .route("/api/v4/runners/verify", post(runners::verify))
        .route(
            "/api/v4/runners/reset_authentication_token",
            post(runners::reset_token),
        )
        .route("/api/v4/runners/router/discovery", get(runners::discovery))
        .route("/api/v4/jobs/request", post(request::request))
        .route(
            "/api/v4/jobs/{id}/artifacts/authorize",
            post(artifact_upload::authorize),
        )
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    let artifacts = Router::new()
        .route(
            "/api/v4/jobs/{id}/artifacts",
            post(artifact_upload::upload).get(artifact_download::download),
        )
        .layer(map_response(closing_unread))
        .layer(DefaultBodyLimit::disable());
    let trace = Router::new()
        .route("/api/v4/jobs/{id}", put(update::update))
        .route("/api/v4/jobs/{id}/trace", patch(trace::append))
        .layer(DefaultBodyLimit::max(trace::PATCH_LIMIT));
    (calls.merge(trace))
        .layer(map_response(closing_too_large))
        .merge(artifacts)
}

/// A refusal that came before the whole file was read ends the connection; the client is told,
/// or its next call would go where nobody listens.
async fn closing_unread(mut answer: Response) -> Response {
    if answer.status().is_client_error() {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
    }
    answer
}

/// As [`closing_unread`], where everything else is read before it is refused.
async fn closing_too_large(answer: Response) -> Response {
    match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE => closing_unread(answer).await,
        _ => answer,
    }
}

/// An answer with the job's status, which tells the runner to go on, to stop or to end.
fn with_job_status(status: Status, answer: impl IntoResponse) -> Response {
    let mut answer = answer.into_response();
    let value = HeaderValue::from_static(status.as_str());
    answer.headers_mut().insert(JOB_STATUS, value);
    answer
}

/// A refusal because the job is not with the runner any more.
fn not_at_work(status: Status) -> Response {
    let refusal = ApiError::forbidden_because("Job is not processing on runner");
    with_job_status(status, refusal)
}

/// A bare status as text, as GitLab's success answers are.
fn bare(status: StatusCode) -> Response {
    (status, status.as_str().to_owned()).into_response()
}

/// A header as text.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
