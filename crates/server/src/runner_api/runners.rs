//! Calls of a runner about itself: registration, verification, its token, its end.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;
use shipway_coordinator::{RegistrationError, RunnerCall};
use shipway_protocol::{RegisterRequest, RunnerCredentials, UnregisterRequest, VerifyRequest};
use shipway_store::RunnerRow;

use super::{auth, body};
use crate::app::App;
use crate::error::ApiError;

/// Where a call comes from; unknown where there is no connection, in tests.
pub(super) type Caller = Option<Extension<ConnectInfo<SocketAddr>>>;

pub(super) fn ip(caller: &Caller) -> Option<String> {
    let Extension(ConnectInfo(address)) = caller.as_ref()?;
    Some(address.ip().to_string())
}

fn credentials(runner: &RunnerRow, token: &str) -> RunnerCredentials {
    RunnerCredentials {
        id: runner.id.0,
        token: token.to_owned(),
        token_expires_at: expiry(runner),
    }
}

/// When the token ends, in RFC 3339.
fn expiry(runner: &RunnerRow) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(runner.token_expires_at?).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// `POST /runners`.
pub(super) async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    if let Some(Extension(ConnectInfo(address))) = &caller {
        app.limiter().registration(address.ip())?;
    }
    let mut request: RegisterRequest = body::read(&headers, &body)?;
    request.token = auth::runner_token(&request.token, &headers)?.to_owned();
    let ip = ip(&caller);
    let registered = app.coordinator().register_runner(&request, ip.as_deref());
    let (runner, token) = registered.await.map_err(|error| match error {
        RegistrationError::Token => ApiError::forbidden_because("invalid token supplied"),
        RegistrationError::Invalid { field, reason } => ApiError::invalid(field, reason),
        RegistrationError::Failed(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(credentials(&runner, &token))).into_response())
}

/// `POST /runners/verify`.
pub(super) async fn verify(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RunnerCredentials>, ApiError> {
    let request: VerifyRequest = body::read(&headers, &body)?;
    let token = auth::runner_token(&request.token, &headers)?;
    let runner = auth::runner(&app, token, &headers).await?;
    let ip = ip(&caller);
    let call = RunnerCall {
        system_id: &request.system_id,
        info: &request.info,
        ip: ip.as_deref(),
    };
    app.coordinator().runner_called(&runner, &call).await?;
    Ok(Json(credentials(&runner, token)))
}

/// `DELETE /runners`.
pub(super) async fn unregister(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let request: UnregisterRequest = body::read(&headers, &body)?;
    let runner = auth::runner(&app, &request.token, &headers).await?;
    app.coordinator().delete_runner(runner.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /runners/managers`.
pub(super) async fn delete_manager(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let request: UnregisterRequest = body::read(&headers, &body)?;
    let system = request
        .system_id
        .as_deref()
        .filter(|system| !system.is_empty());
    let system = system.ok_or_else(|| ApiError::parameter("system_id is missing"))?;
    let runner = auth::runner(&app, &request.token, &headers).await?;
    let deleted = app.coordinator().delete_runner_manager(runner.id, system);
    match deleted.await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::message(
            StatusCode::NOT_FOUND,
            "404 Runner manager not found",
        )),
    }
}

/// `POST /runners/reset_authentication_token`.
pub(super) async fn reset_token(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let request: UnregisterRequest = body::read(&headers, &body)?;
    let runner = auth::runner(&app, &request.token, &headers).await?;
    let token = app.coordinator().reset_runner_token(&runner).await?;
    let answer = json!({ "token": token, "token_expires_at": expiry(&runner) });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /runners/router/discovery`: there is no router, so runners poll.
pub(super) async fn discovery() -> ApiError {
    ApiError::message(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented")
}
