//! `PUT /jobs/:id`: a runner says how its job stands.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use shipway_coordinator::Error;
use shipway_protocol::{FailureReason, JobState, JobUpdate, JobUpdateRequest};

use super::trace::LOG_LIMIT;
use super::{auth, bare, body, not_at_work, with_job_status};
use crate::app::App;
use crate::error::ApiError;

pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let request: JobUpdateRequest = body::read(&headers, &body)?;
    let job = match auth::job_at_work(&app, &id, &request.token, &headers).await {
        Ok(job) => job,
        Err(refusal) => return Ok(refusal),
    };
    let refused = |reason: &str| with_job_status(job.status, ApiError::bad_request(reason));
    let state = match request.state.as_str() {
        "running" => JobState::Running,
        "pending" => JobState::Pending,
        "success" => JobState::Success,
        "failed" => JobState::Failed,
        // As on GitLab, where only the token is required.
        "" => JobState::Running,
        _ => {
            return Ok(refused(
                "state is not one of pending, running, success, failed",
            ));
        }
    };
    if let Some(trace) = request.trace {
        let coordinator = app.coordinator();
        coordinator
            .extend_trace(&job, trace.into(), LOG_LIMIT)
            .await?;
    }
    match state {
        JobState::Pending if job.acknowledged_at.is_some() => {
            Ok(refused("the job is running already"))
        }
        JobState::Pending | JobState::Running => {
            app.coordinator().job_heartbeat(&job).await?;
            Ok(with_job_status(job.status, bare(StatusCode::OK)))
        }
        JobState::Success | JobState::Failed => {
            let reason = request.failure_reason.as_deref().unwrap_or_default();
            let update = JobUpdate {
                state,
                failure_reason: Some(FailureReason::named(reason)),
                exit_code: request.exit_code,
            };
            match app.coordinator().finish_job(&job, &update).await {
                Ok(status) => Ok(with_job_status(status, bare(StatusCode::OK))),
                Err(Error::NotAtWork { status, .. }) => Ok(not_at_work(status)),
                Err(Error::NoJob(_)) => Ok(ApiError::forbidden().into_response()),
                Err(error) => Err(error.into()),
            }
        }
    }
}
