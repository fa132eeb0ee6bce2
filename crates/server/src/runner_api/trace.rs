//! `PATCH /jobs/:id/trace`: the next piece of a job's log (runner protocol, C.2).

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shipway_coordinator::Appended;
use shipway_pipeline::Status;
use shipway_protocol::{TRACE_UPDATE_INTERVAL, stored_range};

use super::{auth, bare, header, not_at_work, with_job_status};
use crate::app::App;
use crate::error::ApiError;

/// Bytes of one piece; runners send 1 MiB at most.
pub(super) const PATCH_LIMIT: usize = 16 * 1024 * 1024;

/// Bytes of a whole log; GitLab's default.
pub(super) const LOG_LIMIT: u64 = 100 * 1024 * 1024;

/// Seconds until the next piece, while somebody watches the log, and else.
const WATCHED: &str = "3";
const UNWATCHED: &str = "60";

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    token: String,
    #[serde(default)]
    debug_trace: String,
}

pub(super) async fn append(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let job = match auth::job_at_work(&app, &id, &parameters.token, &headers).await {
        Ok(job) => job,
        Err(refusal) => return Ok(refusal),
    };
    let refused = |text: &str| {
        let refusal = ApiError::message(StatusCode::BAD_REQUEST, text);
        with_job_status(job.status, refusal)
    };
    let Some(range) = header(&headers, CONTENT_RANGE.as_str()) else {
        return Ok(refused("400 Missing header Content-Range"));
    };
    let Some(start) = start(range) else {
        return Ok(refused("400 Bad request - Content-Range is not FIRST-LAST"));
    };
    let coordinator = app.coordinator();
    coordinator.job_heartbeat(&job).await?;
    if start == 0 && parameters.debug_trace == "true" && !job.debug_trace {
        coordinator.mark_debug_trace(&job).await?;
    }
    let token = auth::job_token(&parameters.token, &headers);
    let bytes = without_token(body, token);
    let appended = coordinator.append_trace_at_end(&job, start, bytes, LOG_LIMIT);
    match appended.await? {
        Appended::Stored(stored) => {
            let answer = with_job_status(job.status, bare(StatusCode::ACCEPTED));
            let mut answer = with_range(stored, answer);
            let interval = match app.dispatch().is_watched(job.id) {
                true => WATCHED,
                false => UNWATCHED,
            };
            let interval = HeaderValue::from_static(interval);
            answer.headers_mut().insert(TRACE_UPDATE_INTERVAL, interval);
            Ok(answer)
        }
        Appended::Refused(stored) => {
            let text = "416 Range Not Satisfiable";
            let refusal = ApiError::message(StatusCode::RANGE_NOT_SATISFIABLE, text);
            Ok(with_range(stored, with_job_status(job.status, refusal)))
        }
        Appended::TooLong => Ok(not_at_work(Status::Failed)),
    }
}

fn with_range(stored: u64, mut answer: Response) -> Response {
    if let Ok(range) = HeaderValue::from_str(&stored_range(stored)) {
        answer.headers_mut().insert(RANGE, range);
    }
    answer.into_response()
}

/// The first number; which one the second is does not matter.
fn start(range: &str) -> Option<u64> {
    let (first, last) = range.split_once('-').unwrap_or((range, ""));
    let is_number = last.trim().bytes().all(|byte| byte.is_ascii_digit());
    first.trim().parse().ok().filter(|_| is_number)
}

/// Where the job wrote its own token, something of the same length: a log is not a place for
/// it, and runners cannot mask what they do not know.
fn without_token(bytes: Bytes, token: &str) -> Bytes {
    let token = token.as_bytes();
    let Some(&first) = token.first() else {
        return bytes;
    };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        from += at;
        if bytes[from..].starts_with(token) {
            found.push(from);
            from += token.len();
        } else {
            from += 1;
        }
    }
    if found.is_empty() {
        return bytes;
    }
    let mask = b"[MASKED]".iter().copied().chain(std::iter::repeat(b'x'));
    let mask: Vec<u8> = mask.take(token.len()).collect();
    let mut masked = bytes.to_vec();
    for at in found {
        masked[at..at + token.len()].copy_from_slice(&mask);
    }
    masked.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_number_counts() {
        for (range, expected) in [
            ("0-99", Some(0)),
            ("5-", Some(5)),
            ("7", Some(7)),
            ("-5", None),
            ("bytes 0-9", None),
            ("", None),
            ("99999999999999999999-1", None),
        ] {
            assert_eq!(start(range), expected, "{range:?}");
        }
    }

    #[test]
    fn a_job_does_not_tell_its_token() {
        let token = "glcbt-64_abcdef";
        for (text, expected) in [
            ("plain gl", "plain gl"),
            ("a glcbt-64_abcdef b", "a [MASKED]xxxxxxx b"),
            (
                "gglcbt-64_abcdefglcbt-64_abcdef",
                "g[MASKED]xxxxxxx[MASKED]xxxxxxx",
            ),
            ("glcbt-64_abcde", "glcbt-64_abcde"),
        ] {
            let masked = without_token(Bytes::from_static(text.as_bytes()), token);
            assert_eq!(masked, expected.as_bytes());
        }
        assert_eq!(without_token(Bytes::from_static(b"x"), ""), "x");
    }
}
