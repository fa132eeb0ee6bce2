//! Artifacts up and down, streamed: the memory they take does not grow with their size.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{Body, Method, Response, StatusCode, Url};
use shipway_protocol::{ArtifactFormat, ArtifactSpec, Dependency, JOB_TOKEN};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http::{ClientError, Http, header};
use crate::source::SourceError;

const READ_BYTES: usize = 64 * 1024;
/// Tries of an upload, and where the coordinator is overloaded.
const UPLOADS: u32 = 3;
const OVERLOADED_UPLOADS: u32 = 6;
/// Tries of a download.
const DOWNLOADS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const REDIRECTS: u32 = 5;
/// An archive above this is not taken.
const LARGEST_DOWNLOAD: u64 = 100 * 1024 * 1024 * 1024;

/// Why a transfer came to nothing.
#[derive(Debug, thiserror::Error)]
enum TransferError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot use {path}")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the coordinator's redirect leads nowhere: {reason}")]
    Redirect { reason: &'static str },
    #[error("the archive is larger than {LARGEST_DOWNLOAD} bytes")]
    TooLarge,
}

/// Uploads a file as an artifact of the job; `POST jobs/:id/artifacts`.
pub(super) async fn upload(
    http: &Http,
    job: i64,
    token: &str,
    spec: &ArtifactSpec,
    file_name: &str,
    path: &Path,
) -> Result<(), SourceError> {
    let mut attempt = 1;
    loop {
        let error = match upload_once(http, job, token, spec, file_name, path).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let status = status_of(&error);
        let words = match status {
            Some(StatusCode::FORBIDDEN) => Some("permission denied"),
            Some(StatusCode::PAYLOAD_TOO_LARGE) => Some("too large"),
            _ => None,
        };
        let tries = match status {
            Some(StatusCode::SERVICE_UNAVAILABLE) => OVERLOADED_UPLOADS,
            _ => UPLOADS,
        };
        if words.is_some() || attempt >= tries {
            return Err(final_error(format!("upload of {file_name}"), words, error));
        }
        tracing::warn!(job, attempt, %error, "artifact.upload_repeated");
        tokio::time::sleep((PAUSE * attempt).min(LONGEST_PAUSE)).await;
        attempt += 1;
    }
}

async fn upload_once(
    http: &Http,
    job: i64,
    token: &str,
    spec: &ArtifactSpec,
    file_name: &str,
    path: &Path,
) -> Result<(), TransferError> {
    let what = "uploading an artifact";
    let mut url = http.url(&format!("jobs/{job}/artifacts"));
    let expire_in = spec.expire_in.as_deref().unwrap_or_default();
    for (name, value) in [
        ("artifact_format", format_name(spec.artifact_format)),
        ("artifact_type", spec.artifact_type.as_str()),
        ("expire_in", expire_in),
    ] {
        if !value.is_empty() {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let file = File::open(path)
        .await
        .map_err(|source| file_error(path, source))?;
    let boundary = boundary();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        quoted(file_name)
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let part = |text: String| stream::once(async { Ok(Bytes::from(text)) });
    let body = part(head).chain(chunks(file)).chain(part(tail));
    let request = http
        .request(Method::POST, url)
        .header(JOB_TOKEN, token)
        .header(
            "Content-Type",
            format!("multipart/form-data; boundary={boundary}"),
        )
        .body(Body::wrap_stream(body));
    let response = http.send_once(what, request).await?;
    match response.status() {
        StatusCode::CREATED => Ok(()),
        _ => Err(http.refused(what, response).await.into()),
    }
}

/// The file's bytes, read as they are wanted.
fn chunks(file: File) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let mut buffer = vec![0; READ_BYTES];
        let read = file.read(&mut buffer).await?;
        buffer.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(buffer), file)))
    })
}

/// Text no archive holds by accident.
fn boundary() -> String {
    use ring::rand::SecureRandom;
    let mut bytes = [0_u8; 16];
    // Without random numbers the boundary is the same each time, and as long.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("shipway-{hex}")
}

/// A file name in a header of a part, quoted as browsers do.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn format_name(format: ArtifactFormat) -> &'static str {
    match format {
        ArtifactFormat::Zip => "zip",
        ArtifactFormat::Gzip => "gzip",
        ArtifactFormat::Raw => "raw",
    }
}

/// Downloads the archive of a dependency into a file; `GET jobs/:id/artifacts`.
pub(super) async fn download(
    http: &Http,
    dependency: &Dependency,
    job_token: &str,
    into: &Path,
) -> Result<(), SourceError> {
    // Older coordinators name no token of their own for each dependency.
    let token = match dependency.token.as_str() {
        "" => job_token,
        token => token,
    };
    let mut attempt = 1;
    loop {
        let error = match download_once(http, dependency.id, token, into, attempt == 1).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let words = match status_of(&error) {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Some("permission denied"),
            Some(StatusCode::NOT_FOUND) => Some("404 Not Found"),
            _ => None,
        };
        if words.is_some() || attempt >= DOWNLOADS {
            let what = format!("download of the artifacts of job {}", dependency.id);
            return Err(final_error(what, words, error));
        }
        tracing::warn!(job = dependency.id, attempt, %error, "artifact.download_repeated");
        tokio::time::sleep(PAUSE).await;
        attempt += 1;
    }
}

async fn download_once(
    http: &Http,
    job: i64,
    token: &str,
    into: &Path,
    direct: bool,
) -> Result<(), TransferError> {
    let what = "downloading artifacts";
    let mut url = http.url(&format!("jobs/{job}/artifacts"));
    if direct {
        url.set_query(Some("direct_download=true"));
    }
    for _ in 0..=REDIRECTS {
        let mut request = http.request(Method::GET, url.clone());
        // The token is the coordinator's business; object stores get signed addresses.
        if http.is_ours(&url) {
            request = request.header(JOB_TOKEN, token);
        }
        let response = http.send_once(what, request).await?;
        match response.status() {
            StatusCode::OK => return save(http, what, response, into).await,
            status if status.is_redirection() => url = target(&url, &response)?,
            _ => return Err(http.refused(what, response).await.into()),
        }
    }
    Err(TransferError::Redirect {
        reason: "too many redirects",
    })
}

fn target(from: &Url, response: &Response) -> Result<Url, TransferError> {
    let fault = |reason| TransferError::Redirect { reason };
    let location = header(response, "Location").ok_or(fault("there is no Location"))?;
    let to = from
        .join(location)
        .map_err(|_| fault("its Location is no address"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(to),
        _ => Err(fault("it leaves https")),
    }
}

async fn save(
    http: &Http,
    what: &'static str,
    mut response: Response,
    into: &Path,
) -> Result<(), TransferError> {
    let mut file = File::create(into)
        .await
        .map_err(|source| file_error(into, source))?;
    let mut size = 0;
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|source| http.network(what, source))?
    {
        size += chunk.len() as u64;
        if size > LARGEST_DOWNLOAD {
            return Err(TransferError::TooLarge);
        }
        let written = file.write_all(&chunk).await;
        written.map_err(|source| file_error(into, source))?;
    }
    file.flush()
        .await
        .map_err(|source| file_error(into, source))
}

fn file_error(path: &Path, source: std::io::Error) -> TransferError {
    TransferError::File {
        path: path.display().to_string(),
        source,
    }
}

fn status_of(error: &TransferError) -> Option<StatusCode> {
    match error {
        TransferError::Client(error) => error.status(),
        _ => None,
    }
}

fn final_error(what: String, words: Option<&str>, error: TransferError) -> SourceError {
    match words {
        Some(words) => SourceError::Refused {
            what,
            reason: words.to_owned(),
        },
        None => SourceError::Failed {
            what,
            cause: Box::new(error),
        },
    }
}
