//! Refusals and faults, in the forms that clients of GitLab's API read.
//!
//! Every face answers with an [`ApiError`]; it is JSON by itself. The response keeps it, so
//! that pages and git can turn it into their own form afterwards.

use axum::Json;
use axum::body::to_bytes;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use shipway_store::StoreError;

/// A request that is not done.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    /// For people, in a sentence or two.
    text: String,
    body: Value,
    /// Whole seconds: some clients crash on a date.
    retry_after: Option<u64>,
    /// Nobody is signed in, and somebody might be allowed to.
    sign_in: bool,
}

impl ApiError {
    fn new(status: StatusCode, text: impl Into<String>, body: Value) -> Self {
        Self {
            status,
            text: text.into(),
            body,
            retry_after: None,
            sign_in: false,
        }
    }

    /// `{"message": text}`.
    pub fn message(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        let body = json!({ "message": text });
        Self::new(status, text, body)
    }

    /// `{"error": text}`: about parameters and routes.
    pub fn error(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        let body = json!({ "error": text });
        Self::new(status, text, body)
    }

    /// There is no such thing, or it may not be seen: `Project`, `Job`.
    pub fn not_found(what: &str) -> Self {
        Self::message(StatusCode::NOT_FOUND, format!("404 {what} Not Found"))
    }

    /// There is nothing at this address.
    pub fn no_route() -> Self {
        Self::error(StatusCode::NOT_FOUND, "404 Not Found")
    }

    /// Nobody is signed in, or by something that is not valid.
    pub fn unauthorized() -> Self {
        Self {
            sign_in: true,
            ..Self::message(StatusCode::UNAUTHORIZED, "401 Unauthorized")
        }
    }

    /// Not allowed.
    pub fn forbidden() -> Self {
        Self::message(StatusCode::FORBIDDEN, "403 Forbidden")
    }

    /// Not allowed, and why.
    pub fn forbidden_because(reason: impl std::fmt::Display) -> Self {
        Self::message(StatusCode::FORBIDDEN, format!("403 Forbidden - {reason}"))
    }

    /// The token is valid, but not for this.
    pub fn insufficient_scope(needed: &str) -> Self {
        let text = "The request requires higher privileges than provided by the access token.";
        let body = json!({
            "error": "insufficient_scope",
            "error_description": text,
            "scope": needed,
        });
        Self::new(StatusCode::FORBIDDEN, text, body)
    }

    /// A rule refuses it.
    pub fn bad_request(reason: impl std::fmt::Display) -> Self {
        Self::message(
            StatusCode::BAD_REQUEST,
            format!("400 Bad request - {reason}"),
        )
    }

    /// A parameter is missing or malformed: `ref is missing`.
    pub fn parameter(fault: impl Into<String>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, fault)
    }

    /// A field of a record is not valid: `{"message": {"name": ["has already been taken"]}}`.
    pub fn invalid(field: &str, fault: impl Into<String>) -> Self {
        let fault = fault.into();
        let text = format!("{field} {fault}");
        let body = json!({ "message": { field: [fault] } });
        Self::new(StatusCode::BAD_REQUEST, text, body)
    }

    /// There is such a thing already.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::message(StatusCode::CONFLICT, text)
    }

    /// Too often; again after so many seconds.
    pub fn too_many_requests(seconds: u64) -> Self {
        let text = "This endpoint has been requested too many times. Try again later.";
        let body = json!({ "message": { "error": text } });
        Self {
            retry_after: Some(seconds.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, text, body)
        }
    }

    /// Larger than allowed.
    pub fn too_large() -> Self {
        Self::message(
            StatusCode::PAYLOAD_TOO_LARGE,
            "413 Request Entity Too Large",
        )
    }

    /// Larger than this limit of the server, in bytes, allows.
    pub(crate) fn larger_than(limit: &str, bytes: u64) -> Self {
        Self::message(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("413 Request Entity Too Large - the limit {limit} is {bytes} bytes"),
        )
    }

    /// Our fault. The client learns nothing of it, the log everything.
    pub fn internal(fault: &dyn std::error::Error) -> Self {
        tracing::error!(fault = chain(fault), "a request failed");
        Self::internal_silent()
    }

    /// The same where the fault is in the log already.
    pub(crate) fn internal_silent() -> Self {
        Self::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "500 Internal Server Error",
        )
    }

    /// Something that the server needs does not answer now.
    fn unavailable(fault: &dyn std::error::Error) -> Self {
        tracing::error!(fault = chain(fault), "a request could not be answered now");
        Self {
            retry_after: Some(5),
            ..Self::message(StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable")
        }
    }

    /// It may be there for somebody who signs in.
    pub(crate) fn or_sign_in(mut self) -> Self {
        self.sign_in = true;
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Seconds until it is worth trying again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// Whether nobody is signed in and that may be all that is wrong.
    pub(crate) fn asks_to_sign_in(&self) -> bool {
        self.sign_in
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::Busy { .. } | StoreError::Unreachable { .. } => Self::unavailable(&fault),
            fault => Self::internal(&fault),
        }
    }
}

impl From<shipway_coordinator::Error> for ApiError {
    fn from(fault: shipway_coordinator::Error) -> Self {
        match fault {
            shipway_coordinator::Error::Store(fault) => fault.into(),
            shipway_coordinator::Error::Inputs(fault) => Self::bad_request(fault),
            fault @ shipway_coordinator::Error::Outdated { .. } => Self::bad_request(fault),
            fault => Self::internal(&fault),
        }
    }
}

impl From<shipway_git::hosting::QueryError> for ApiError {
    fn from(fault: shipway_git::hosting::QueryError) -> Self {
        Self::internal(&fault)
    }
}

impl From<shipway_git::hosting::RepositoriesError> for ApiError {
    fn from(fault: shipway_git::hosting::RepositoriesError) -> Self {
        Self::internal(&fault)
    }
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The most that a refusal of the framework says.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// Gives refusals that the framework made (no such route, a malformed path or form) our form.
pub(crate) async fn normalize(response: Response) -> Response {
    let status = response.status();
    let plain = (response.headers().get(CONTENT_TYPE))
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let ours = response.extensions().get::<ApiError>().is_some();
    if ours || !plain || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LONGEST_REFUSAL).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::no_route(),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::error(status, "405 Not Allowed"),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        StatusCode::UNPROCESSABLE_ENTITY => ApiError::parameter(text),
        status if status.is_server_error() => ApiError::message(
            status,
            format!(
                "{} {}",
                status.as_u16(),
                status.canonical_reason().unwrap_or_default()
            ),
        ),
        _ if text.is_empty() => ApiError::error(status, status.to_string()),
        status => ApiError::error(status, text),
    };
    let mut answer = error.into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != axum::http::header::CONTENT_LENGTH {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parts(response: Response) -> (u16, String, String) {
        let status = response.status().as_u16();
        let kind = response.headers()[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn forms() {
        for (error, status, body) in [
            (
                ApiError::not_found("Project"),
                404,
                r#"{"message":"404 Project Not Found"}"#,
            ),
            (ApiError::no_route(), 404, r#"{"error":"404 Not Found"}"#),
            (
                ApiError::unauthorized(),
                401,
                r#"{"message":"401 Unauthorized"}"#,
            ),
            (
                ApiError::forbidden_because("no"),
                403,
                r#"{"message":"403 Forbidden - no"}"#,
            ),
            (
                ApiError::parameter("ref is missing"),
                400,
                r#"{"error":"ref is missing"}"#,
            ),
            (
                ApiError::invalid("name", "is invalid"),
                400,
                r#"{"message":{"name":["is invalid"]}}"#,
            ),
        ] {
            let answer = parts(error.into_response()).await;
            assert_eq!(
                answer,
                (status, "application/json".to_owned(), body.to_owned())
            );
        }
    }

    #[tokio::test]
    async fn a_wait_is_a_number_of_seconds() {
        let response = ApiError::too_many_requests(0).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[tokio::test]
    async fn refusals_of_the_framework_get_our_form() {
        for (response, expected) in [
            (
                StatusCode::NOT_FOUND.into_response(),
                (404, r#"{"error":"404 Not Found"}"#),
            ),
            (
                StatusCode::METHOD_NOT_ALLOWED.into_response(),
                (405, r#"{"error":"405 Not Allowed"}"#),
            ),
            (
                (StatusCode::BAD_REQUEST, "malformed").into_response(),
                (400, r#"{"error":"malformed"}"#),
            ),
            (
                (StatusCode::UNPROCESSABLE_ENTITY, "a is missing").into_response(),
                (400, r#"{"error":"a is missing"}"#),
            ),
        ] {
            let (status, kind, body) = parts(normalize(response).await).await;
            assert_eq!((status, body.as_str()), expected);
            assert_eq!(kind, "application/json");
        }
        let page = axum::response::Html("no").into_response();
        let page = (StatusCode::NOT_FOUND, page).into_response();
        assert!(
            parts(normalize(page).await)
                .await
                .1
                .starts_with("text/html")
        );
    }
}
