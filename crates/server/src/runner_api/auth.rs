//! Who calls: a runner by its token, or a job by its own.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use shipway_pipeline::JobId;
use shipway_protocol::{JOB_TOKEN, RUNNER_TOKEN};
use shipway_store::{JobRow, RunnerRow};

use super::{header, not_at_work};
use crate::app::App;
use crate::error::ApiError;

/// The runner of the token in the body, or else in the header.
pub(super) async fn runner(
    app: &App,
    in_body: &str,
    headers: &HeaderMap,
) -> Result<RunnerRow, ApiError> {
    let token = runner_token(in_body, headers)?;
    let found = app.coordinator().runner_with_token(token).await?;
    found.ok_or_else(ApiError::forbidden)
}

/// A runner's or registration token; the body's wins.
pub(super) fn runner_token<'a>(
    in_body: &'a str,
    headers: &'a HeaderMap,
) -> Result<&'a str, ApiError> {
    let token = match in_body {
        "" => header(headers, RUNNER_TOKEN).unwrap_or_default(),
        token => token,
    };
    match token {
        "" => Err(ApiError::parameter("token is missing")),
        token => Ok(token),
    }
}

/// The job with the token in body or query, or else in the header; it may be over. A job that
/// does not exist is refused as one with another token is.
pub(super) async fn job(
    app: &App,
    id: &str,
    given: &str,
    headers: &HeaderMap,
) -> Result<Arc<JobRow>, ApiError> {
    let token = job_token(given, headers);
    let id = id.parse().map(JobId).map_err(|_| ApiError::forbidden())?;
    let found = app.coordinator().job_with_token(id, token).await?;
    found.ok_or_else(ApiError::forbidden)
}

/// As [`job`], where the job must still be with its runner.
pub(super) async fn job_at_work(
    app: &App,
    id: &str,
    given: &str,
    headers: &HeaderMap,
) -> Result<Arc<JobRow>, Response> {
    let job = job(app, id, given, headers).await;
    let job = job.map_err(IntoResponse::into_response)?;
    match job.status {
        status if status.is_executing() => Ok(job),
        status => Err(not_at_work(status)),
    }
}

/// The job token of a call; empty when there is none.
pub(super) fn job_token<'a>(given: &'a str, headers: &'a HeaderMap) -> &'a str {
    match given {
        "" => header(headers, JOB_TOKEN).unwrap_or_default(),
        token => token,
    }
}
