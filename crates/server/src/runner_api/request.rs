//! `POST /jobs/request`: a runner asks for a job.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use shipway_coordinator::{Answer, Asker, RunnerCall};
use shipway_protocol::{JobRequest, LAST_UPDATE};

use super::runners::{Caller, ip};
use super::{auth, body};
use crate::app::App;
use crate::error::ApiError;

/// How long a request is held that knows that there is nothing; GitLab's default, and less
/// than proxies wait.
const HOLD: Duration = Duration::from_secs(50);

/// Tells that requests are held.
const POLLING: HeaderName = HeaderName::from_static("gitlab-ci-builds-polling");

pub(super) async fn request(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let request: JobRequest = body::read(&headers, &body)?;
    let runner = auth::runner(&app, &request.token, &headers).await?;
    let ip = ip(&caller);
    let call = RunnerCall {
        system_id: &request.system_id,
        info: &request.info,
        ip: ip.as_deref(),
    };
    app.coordinator().runner_called(&runner, &call).await?;
    let asker = Asker {
        runner,
        system_id: call.system().to_owned(),
        features: request.info.features,
    };
    let last_update = request.last_update.as_deref();
    let asked = app.dispatch().request_job(asker, last_update, HOLD);
    let answer = tokio::select! {
        answer = asked => answer?,
        // The runner asks the next server.
        () = app.closing().cancelled() => return Ok(StatusCode::NO_CONTENT.into_response()),
    };
    match answer {
        Answer::Job(job) => Ok((StatusCode::CREATED, Json(job)).into_response()),
        Answer::Nothing { last_update } => Ok(nothing(&last_update)),
        Answer::Unknown => Err(ApiError::forbidden()),
    }
}

fn nothing(last_update: &str) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(last_update) {
        headers.insert(LAST_UPDATE, value);
    }
    headers.insert(POLLING, HeaderValue::from_static("yes"));
    answer
}
