//! Logs and files as bodies: whole, or the part that a `Range` header asks for.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use shipway_store::{ArtifactRow, JobRow};
use tokio_util::io::ReaderStream;

use super::call::{Answer, Call};
use crate::error::ApiError;

/// The bytes of a file that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// From this byte up to before that one.
    From(u64, u64),
    /// There are no such bytes.
    None,
}

/// Reads `bytes=N-`, `bytes=N-M` and `bytes=-N`; whatever else is asked gets everything.
fn part(header: Option<&str>, size: u64) -> Part {
    let range = header.and_then(|text| text.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return Part::Whole,
    };
    match from < size {
        true => Part::From(from, to.min(size)),
        false => Part::None,
    }
}

fn asked(headers: &HeaderMap, size: u64) -> Part {
    let header = headers.get(RANGE).and_then(|value| value.to_str().ok());
    part(header, size)
}

fn unsatisfiable(size: u64) -> Response {
    let range = format!("bytes */{size}");
    (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, range)]).into_response()
}

/// Status and headers of a part.
fn head(part: Part, size: u64) -> (StatusCode, HeaderMap, u64, u64) {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, from, to) = match part {
        Part::From(from, to) => {
            let range = format!("bytes {from}-{}/{size}", to.saturating_sub(1));
            if let Ok(range) = HeaderValue::try_from(range) {
                headers.insert(CONTENT_RANGE, range);
            }
            (StatusCode::PARTIAL_CONTENT, from, to)
        }
        Part::Whole | Part::None => (StatusCode::OK, 0, size),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(to - from));
    (status, headers, from, to)
}

/// The job's log as it is stored, up to its present end.
pub(super) async fn serve_log(call: &Call, row: &JobRow) -> Answer {
    let logs = call.store().logs();
    let fault = |error| ApiError::internal(&error);
    let size = logs.length(row.pipeline_id, row.id).map_err(fault)?;
    let part = match asked(&call.headers, size) {
        Part::None => return Ok(unsatisfiable(size)),
        part => part,
    };
    let (status, mut headers, from, to) = head(part, size);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let body = match size {
        0 => Body::empty(),
        _ => {
            use tokio::io::{AsyncReadExt, AsyncSeekExt};
            let path = logs.path(row.pipeline_id, row.id);
            let open = async {
                let mut file = tokio::fs::File::open(path).await?;
                file.seek(std::io::SeekFrom::Start(from)).await?;
                Ok::<_, std::io::Error>(file.take(to - from))
            };
            let file = open.await.map_err(|error| ApiError::internal(&error))?;
            Body::from_stream(ReaderStream::new(file))
        }
    };
    Ok((status, headers, body).into_response())
}

/// A file of a job's artifacts, to be saved.
pub(super) async fn serve_artifact(call: &Call, row: &ArtifactRow) -> Answer {
    let kind = match row.format.as_str() {
        "zip" => "application/zip",
        "gzip" => "application/gzip",
        _ => "application/octet-stream",
    };
    serve_blob(call, &row.path, kind, &row.file_name).await
}

/// A stored file, to be saved under this name.
pub(super) async fn serve_blob(call: &Call, path: &str, kind: &'static str, name: &str) -> Answer {
    let blobs = call.store().blobs();
    let gone = |_| ApiError::message(StatusCode::NOT_FOUND, "404 Not Found");
    let size = blobs.size(path).await.map_err(gone)?;
    let part = match asked(&call.headers, size) {
        Part::None => return Ok(unsatisfiable(size)),
        part => part,
    };
    let (status, mut headers, from, to) = head(part, size);
    let reader = blobs.get(path, from..to).await.map_err(gone)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    set_attachment(&mut headers, name);
    Ok((
        status,
        headers,
        Body::from_stream(ReaderStream::new(reader)),
    )
        .into_response())
}

/// What jobs made is hostile: a browser saves it, and runs nothing of it.
pub(super) fn set_attachment(headers: &mut HeaderMap, name: &str) {
    let plain: String = (name.chars())
        .map(|c| match c.is_ascii_graphic() || c == ' ' {
            true if !"\"\\".contains(c) => c,
            _ => '_',
        })
        .collect();
    let disposition = format!("attachment; filename=\"{plain}\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (header, size, expected) in [
            (None, 10, Part::Whole),
            (Some("bytes=0-"), 10, Part::From(0, 10)),
            (Some("bytes=4-"), 10, Part::From(4, 10)),
            (Some("bytes=4-5"), 10, Part::From(4, 6)),
            (Some("bytes=4-99"), 10, Part::From(4, 10)),
            (Some("bytes=-3"), 10, Part::From(7, 10)),
            (Some("bytes=10-"), 10, Part::None),
            (Some("bytes=0-"), 0, Part::None),
            (Some("bytes=5-4"), 10, Part::Whole),
            (Some("bytes=a-b"), 10, Part::Whole),
            (Some("bytes=1-2,4-5"), 10, Part::Whole),
            (Some("lines=1-2"), 10, Part::Whole),
        ] {
            assert_eq!(part(header, size), expected, "{header:?}");
        }
    }
}
