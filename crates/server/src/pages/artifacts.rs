//! A job's artifacts: the folders of its archive, one file of it, all of it.
//!
//! What is in an archive is hostile. A file is shown in place (so that the links of an HTML
//! report work), but under a policy by which nothing in it runs, no form is sent and nothing
//! comes from elsewhere; or it is handed out as a download.

use std::io::Read;

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use shipway_store::{ArtifactRow, BlobError, JobRow};
use tokio::sync::mpsc;
use zip::ZipArchive;

use super::html::path as encode;
use super::job::job_of;
use super::shell::{Link, Place, Shell};
use super::visit::{ProjectVisit, crumb};
use super::{page, when};
use crate::archive::Archive;
use crate::error::ApiError;
use crate::permission::Action;

/// Entries of an archive that a page is made of; a zip's own limit is higher.
const ENTRIES: usize = 100_000;

/// Entries of a folder that are listed.
const LISTED: usize = 2_000;

/// Bytes that one file of an archive unpacks to at most.
const FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// Nothing runs, no form is sent, nothing comes from other hosts. `allow-same-origin` lets the
/// session's cookie go along with style sheets and pictures of private projects; without
/// `allow-scripts` nobody can make use of the origin.
const SANDBOX: &str = "sandbox allow-same-origin; default-src 'none'; style-src 'self' \
    'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; media-src 'self'; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Debug, Template)]
#[template(path = "artifacts.html")]
struct ArtifactsPage {
    shell: Shell,
    job: String,
    job_url: String,
    browse: String,
    download: String,
    size: String,
    note: Option<String>,
    folders: Vec<Link>,
    entries: Vec<Entry>,
    more: Option<String>,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    icon: &'static str,
    url: String,
    raw: Option<String>,
    size: String,
}

/// `GET /-/jobs/{id}/artifacts/browse`.
pub(super) async fn browse_top(
    visit: ProjectVisit,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    show(visit, id, "").await
}

/// `GET /-/jobs/{id}/artifacts/browse/{path}`.
pub(super) async fn browse(
    visit: ProjectVisit,
    Path((id, folder)): Path<(i64, String)>,
) -> Result<Response, ApiError> {
    show(visit, id, folder.trim_matches('/')).await
}

async fn show(visit: ProjectVisit, id: i64, folder: &str) -> Result<Response, ApiError> {
    let (job, archive) = archive_of(&visit, id).await?;
    let own = format!("{}/-/jobs/{id}", visit.url);
    let file = open(&visit, &archive).await?;
    let (wanted, base) = (folder.to_owned(), own.clone());
    let listed = tokio::task::spawn_blocking(move || {
        let names = names(file)?;
        Ok::<_, ApiError>(list(&names, &wanted, &base))
    });
    let listed = listed.await.map_err(|error| ApiError::internal(&error))??;
    if listed.is_empty() && !folder.is_empty() {
        return Err(ApiError::not_found("Folder"));
    }
    let mut shell = visit.shell(Place::Jobs, &format!("Artifacts of {}", job.name));
    shell.crumbs.push(crumb(format!("Job #{id}"), own.clone()));
    let browse = format!("{own}/artifacts/browse");
    let more = (listed.len() > LISTED).then(|| {
        format!(
            "{} more are not listed: download all.",
            listed.len() - LISTED
        )
    });
    page(&ArtifactsPage {
        shell,
        job: job.name,
        folders: folders(&browse, &archive.file_name, folder),
        download: format!("{own}/artifacts/download"),
        job_url: own,
        browse,
        size: when::size(u64::try_from(archive.size).unwrap_or_default()),
        note: (archive.expires_at).map(|at| {
            format!(
                "Kept until {} ({}).",
                when::exact(at),
                when::relative(at, visit.now)
            )
        }),
        entries: listed.into_iter().take(LISTED).collect(),
        more,
    })
}

/// The archive's name and the folders down to the one that is shown, each a link.
fn folders(browse: &str, name: &str, folder: &str) -> Vec<Link> {
    let mut found = vec![crumb(name, browse)];
    let mut at = 0;
    for name in folder.split('/').filter(|name| !name.is_empty()) {
        at += name.len();
        found.push(crumb(name, format!("{browse}/{}", encode(&folder[..at]))));
        at += 1;
    }
    found
}

/// Names and sizes of the files in an archive.
fn names(file: Archive) -> Result<Vec<(String, u64)>, ApiError> {
    let mut archive = read(file)?;
    if archive.len() > ENTRIES {
        return Err(ApiError::bad_request(format!(
            "the archive has {} files, and this page lists {ENTRIES} at most: download it",
            archive.len()
        )));
    }
    let mut found = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        // The raw entry: nothing is unpacked for a list.
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?;
        found.push((name.into_owned(), entry.size()));
    }
    Ok(found)
}

fn read(file: Archive) -> Result<ZipArchive<Archive>, ApiError> {
    ZipArchive::new(file).map_err(damaged)
}

fn damaged(error: zip::result::ZipError) -> ApiError {
    tracing::debug!(%error, "an archive cannot be read");
    ApiError::message(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "422 The archive is damaged: download it, or run the job again",
    )
}

/// The entries right below a folder, folders first.
fn list(files: &[(String, u64)], folder: &str, base: &str) -> Vec<Entry> {
    let prefix = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    let mut folders = std::collections::BTreeSet::new();
    let mut found = std::collections::BTreeMap::new();
    for (name, size) in files {
        let Some(below) = name.strip_prefix(&prefix).filter(|below| !below.is_empty()) else {
            continue;
        };
        match below.split_once('/') {
            Some((folder, _)) => {
                folders.insert(folder);
            }
            None => {
                found.insert(below, *size);
            }
        }
    }
    let folder = |name: &str| Entry {
        name: name.to_owned(),
        icon: "folder",
        url: format!(
            "{base}/artifacts/browse/{}",
            encode(&format!("{prefix}{name}"))
        ),
        raw: None,
        size: String::new(),
    };
    let file = |(name, size): (&str, u64)| {
        let whole = encode(&format!("{prefix}{name}"));
        Entry {
            name: name.to_owned(),
            icon: "file",
            url: format!("{base}/artifacts/file/{whole}"),
            raw: Some(format!("{base}/artifacts/raw/{whole}")),
            size: when::size(size),
        }
    };
    (folders.into_iter().map(folder))
        .chain(found.into_iter().map(file))
        .collect()
}

/// The job and its archive, as long as that is kept.
async fn archive_of(visit: &ProjectVisit, id: i64) -> Result<(JobRow, ArtifactRow), ApiError> {
    visit.require(Action::ReadJobs)?;
    let (job, _) = job_of(visit, id).await?;
    let files = visit.app.store().artifacts_of(job.id).await?;
    let archive = files.into_iter().find(|file| file.file_type == "archive");
    let kept = archive.filter(|file| file.expires_at.is_none_or(|at| at > visit.now));
    let kept = kept.ok_or_else(|| ApiError::not_found("Artifacts"))?;
    if !visit.may_read(&kept) {
        return Err(match visit.identity.is_anonymous() {
            true => ApiError::unauthorized(),
            false => ApiError::forbidden(),
        });
    }
    Ok((job, kept))
}

/// The names of the files in an archive.
pub(super) async fn names_of(
    visit: &ProjectVisit,
    archive: &ArtifactRow,
) -> Result<Vec<String>, ApiError> {
    let file = open(visit, archive).await?;
    let listed = tokio::task::spawn_blocking(move || names(file)).await;
    let listed = listed.map_err(|error| ApiError::internal(&error))??;
    Ok(listed.into_iter().map(|(name, _)| name).collect())
}

async fn open(visit: &ProjectVisit, archive: &ArtifactRow) -> Result<Archive, ApiError> {
    let file = Archive::open(visit.app.store(), &archive.path).await;
    file.map_err(unreadable)
}

fn unreadable(error: BlobError) -> ApiError {
    match error {
        BlobError::Missing { .. } => ApiError::not_found("Artifacts"),
        error => ApiError::internal(&error),
    }
}

/// `GET /-/jobs/{id}/artifacts/download`.
pub(super) async fn download(
    visit: ProjectVisit,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    let (_, archive) = archive_of(&visit, id).await?;
    let file = visit.app.store().blobs().get(&archive.path, ..).await;
    let file = file.map_err(unreadable)?;
    let length = file.size;
    let stream = tokio_util::io::ReaderStream::with_capacity(file, PIECE);
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/zip"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_DISPOSITION, attachment(&archive.file_name));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    Ok(response)
}

/// `GET /-/jobs/{id}/artifacts/file/{path}`: a file in place, under [`SANDBOX`].
pub(super) async fn file(
    visit: ProjectVisit,
    Path((id, name)): Path<(i64, String)>,
) -> Result<Response, ApiError> {
    let kind = content_type(&name);
    let mut response = unpacked(&visit, id, &name).await?;
    let headers = response.headers_mut();
    match kind {
        Some(kind) => headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        None => headers.insert(header::CONTENT_DISPOSITION, attachment(last(&name))),
    };
    Ok(response)
}

/// `GET /-/jobs/{id}/artifacts/raw/{path}`: a file as a download.
pub(super) async fn raw(
    visit: ProjectVisit,
    Path((id, name)): Path<(i64, String)>,
) -> Result<Response, ApiError> {
    let mut response = unpacked(&visit, id, &name).await?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, attachment(last(&name)));
    Ok(response)
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A file of the archive as it is unpacked.
async fn unpacked(visit: &ProjectVisit, id: i64, name: &str) -> Result<Response, ApiError> {
    let (_, archive) = archive_of(visit, id).await?;
    let file = open(visit, &archive).await?;
    let name = name.to_owned();
    let (sender, mut receiver) = mpsc::channel::<std::io::Result<Bytes>>(4);
    // The first word: how long it is, or that it is not there.
    let (begun, begins) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || unpack(file, &name, begun, &sender));
    let size = begins.await.map_err(|error| ApiError::internal(&error))??;
    let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, max-age=300"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(SANDBOX),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Unpacks one file, as far as somebody reads it. It is never longer than it said.
fn unpack(
    file: Archive,
    name: &str,
    begun: tokio::sync::oneshot::Sender<Result<u64, ApiError>>,
    sender: &mpsc::Sender<std::io::Result<Bytes>>,
) {
    let mut archive = match read(file) {
        Ok(archive) => archive,
        Err(error) => return drop(begun.send(Err(error))),
    };
    let entry = match archive.by_name(name) {
        Ok(entry) if entry.is_file() => entry,
        Ok(_) | Err(_) => return drop(begun.send(Err(ApiError::not_found("File")))),
    };
    let size = entry.size();
    if size > FILE_BYTES {
        let text = format!(
            "the file unpacks to {}, and {} is the most: download the archive",
            when::size(size),
            when::size(FILE_BYTES)
        );
        return drop(begun.send(Err(ApiError::bad_request(text))));
    }
    if begun.send(Ok(size)).is_err() {
        return;
    }
    let mut entry = entry.take(size);
    let mut piece = vec![0; PIECE];
    loop {
        let read = match entry.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => Ok(Bytes::copy_from_slice(&piece[..read])),
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.blocking_send(read).is_err() || failed {
            return;
        }
    }
}

/// What is shown in place, by its ending; everything else is a download.
fn content_type(name: &str) -> Option<&'static str> {
    let ending = last(name).rsplit_once('.').map_or("", |(_, ending)| ending);
    Some(match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "txt" | "log" | "md" | "rst" | "json" | "xml" | "csv" | "tsv" | "yml" | "yaml" | "toml"
        | "ini" | "cfg" | "conf" | "env" | "diff" | "patch" | "lcov" | "info" | "py" | "rs"
        | "sh" | "c" | "h" | "js" | "ts" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// A download of this name, whatever is in it.
fn attachment(name: &str) -> HeaderValue {
    let plain: String = (name.chars())
        .map(|c| match c {
            '"' | '\\' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let encoded = super::html::segment(name);
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// `POST /-/jobs/{id}/artifacts/keep`.
pub(super) async fn keep(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let (job, _) = archive_of(&visit, id).await?;
    let mut transaction = visit.app.store().begin().await?;
    transaction.set_artifact_expiry(job.id, None).await?;
    transaction.commit().await?;
    Ok(visit.to(&format!("/-/jobs/{id}"), "kept"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_of_names() {
        let files: Vec<(String, u64)> = [
            ("htmlcov/index.html", 10),
            ("htmlcov/a b.css", 2048),
            ("htmlcov/sub/x", 1),
            ("htmlcov/", 0),
            ("htmlcov2/y", 1),
            ("top.txt", 5),
        ]
        .map(|(name, size)| (name.to_owned(), size))
        .to_vec();
        let names = |folder: &str| -> Vec<String> {
            let entries = list(&files, folder, "/j");
            entries.into_iter().map(|entry| entry.url).collect()
        };
        assert_eq!(
            names(""),
            [
                "/j/artifacts/browse/htmlcov",
                "/j/artifacts/browse/htmlcov2",
                "/j/artifacts/file/top.txt"
            ]
        );
        assert_eq!(
            names("htmlcov"),
            [
                "/j/artifacts/browse/htmlcov/sub",
                "/j/artifacts/file/htmlcov/a%20b.css",
                "/j/artifacts/file/htmlcov/index.html"
            ]
        );
        assert!(names("missing").is_empty());
    }

    #[test]
    fn paths_are_links() {
        let urls: Vec<String> = folders("/b", "artifacts.zip", "a/b c")
            .into_iter()
            .map(|link| link.url)
            .collect();
        assert_eq!(urls, ["/b", "/b/a", "/b/a/b%20c"]);
    }

    #[test]
    fn what_might_run_is_not_shown_as_such() {
        let table = [
            ("a/index.html", Some("text/html; charset=utf-8")),
            ("a.JS", Some("text/plain; charset=utf-8")),
            ("a.xhtml", None),
            ("a.swf", None),
            ("html", None),
            ("a.html/b", None),
        ];
        for (name, expected) in table {
            assert_eq!(content_type(name), expected, "{name}");
        }
        assert!(SANDBOX.contains("sandbox") && !SANDBOX.contains("allow-scripts"));
    }

    #[test]
    fn names_of_downloads_cannot_break_the_header() {
        let header = attachment("a\"\r\nX: ü.zip");
        assert_eq!(
            header.to_str().unwrap(),
            "attachment; filename=\"a___X: _.zip\"; filename*=UTF-8''a%22%0D%0AX%3A%20%C3%BC.zip"
        );
    }
}
