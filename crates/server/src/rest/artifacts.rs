//! Artifacts: whole archives, single files of them, keeping and deleting.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use shipway_pipeline::Status;
use shipway_store::{ArtifactRow, JobRow, PipelineFilter};
use tokio::sync::mpsc;

use super::call::{Answer, ProjectCall, accepted, no_content, ok};
use super::jobs;
use super::routes::{Job, Routes};
use super::serve_file::{serve_artifact, set_attachment};
use crate::archive::Archive;
use crate::clock::now;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadJobs);
    let run = Action::RunPipelines;
    let remove = Action::ManageSettings;
    routes
        .get("/projects/{id}/jobs/artifacts/{*rest}", read, by_ref)
        .get("/projects/{id}/jobs/{job_id}/artifacts", read, download)
        .get("/projects/{id}/jobs/{job_id}/artifacts/{*path}", read, file)
        .post("/projects/{id}/jobs/{job_id}/artifacts/keep", run, keep)
        .delete("/projects/{id}/jobs/{job_id}/artifacts", remove, delete)
        .delete("/projects/{id}/artifacts", remove, delete_all)
}

fn missing() -> ApiError {
    ApiError::message(StatusCode::NOT_FOUND, "404 Not Found")
}

/// The job's archive, unless it is expired.
async fn archive(call: &ProjectCall, job: &JobRow) -> Result<ArtifactRow, ApiError> {
    jobs::require_log(call, job).await?;
    let files = call.store().artifacts_of(job.id).await?;
    let found = files.into_iter().find(|file| file.file_type == "archive");
    let now = now();
    let found = found.filter(|file| file.expires_at.is_none_or(|end| end > now));
    let found = found.ok_or_else(missing)?;
    let (identity, project) = (&call.identity, &call.project);
    call.app.require_artifact(identity, project, &found).await?;
    Ok(found)
}

async fn download(call: ProjectCall) -> Answer {
    let job = jobs::find(&call).await?;
    serve_artifact(&call, &archive(&call, &job).await?).await
}

async fn file(call: ProjectCall) -> Answer {
    let job = jobs::find(&call).await?;
    let archive = archive(&call, &job).await?;
    serve_entry(&call, &archive, call.path.text("path")).await
}

/// `<ref>/download` and `<ref>/raw/<path>`, where the ref may have slashes.
async fn by_ref(call: ProjectCall) -> Answer {
    let rest = call.path.text("rest").to_owned();
    let name = call.params.required("job")?;
    if let Some(reference) = rest.strip_suffix("/download") {
        let job = latest(&call, reference, &name).await?;
        return serve_artifact(&call, &archive(&call, &job).await?).await;
    }
    // The first `/raw/` behind which a ref is known ends it.
    for (at, _) in rest.match_indices("/raw/") {
        let (reference, path) = (&rest[..at], &rest[at + "/raw/".len()..]);
        let known = call
            .app
            .coordinator()
            .find_ref(&call.project, reference)
            .await?;
        if known.is_some() {
            let job = latest(&call, reference, &name).await?;
            let archive = archive(&call, &job).await?;
            return serve_entry(&call, &archive, path).await;
        }
    }
    Err(missing())
}

async fn latest(call: &ProjectCall, reference: &str, name: &str) -> Result<JobRow, ApiError> {
    let found = call.app.latest_job(&call.project, reference, name).await?;
    found.ok_or_else(missing)
}

/// Why a path cannot be in an archive.
fn checked_path(path: &str) -> Result<&str, ApiError> {
    let sound = !path.is_empty()
        && !path.ends_with('/')
        && path.split('/').all(|name| !matches!(name, "" | "." | ".."));
    match sound {
        true => Ok(path),
        false => Err(ApiError::bad_request("Invalid path")),
    }
}

/// Bytes that are read of a file at a time.
const PIECE: usize = 64 * 1024;

/// One file of an archive, as it comes out of it.
async fn serve_entry(call: &ProjectCall, row: &ArtifactRow, path: &str) -> Answer {
    let path = checked_path(path)?.to_owned();
    let archive = Archive::open(call.store(), &row.path).await;
    let archive = archive.map_err(|_| missing())?;
    let (found, is_found) = tokio::sync::oneshot::channel();
    let (pieces, mut incoming) = mpsc::channel::<std::io::Result<Bytes>>(2);
    let name = path.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let Ok(mut zip) = zip::ZipArchive::new(std::io::BufReader::new(archive)) else {
            return;
        };
        let Ok(mut entry) = zip.by_name(&name) else {
            return;
        };
        if !entry.is_file() || found.send(entry.size()).is_err() {
            return;
        }
        loop {
            let mut piece = vec![0; PIECE];
            let read = entry.read(&mut piece);
            let ended = !matches!(read, Ok(1..));
            let sent = match read {
                Ok(0) => break,
                Ok(count) => {
                    piece.truncate(count);
                    pieces.blocking_send(Ok(piece.into()))
                }
                Err(error) => pieces.blocking_send(Err(error)),
            };
            if ended || sent.is_err() {
                break;
            }
        }
    });
    // It ends by itself when nobody reads any more.
    drop(reading);
    let size = is_found.await.map_err(|_| missing())?;
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    set_attachment(&mut headers, path.rsplit('/').next().unwrap_or(&path));
    let body = futures_util::stream::poll_fn(move |context| incoming.poll_recv(context));
    Ok((headers, Body::from_stream(body)).into_response())
}

/// They do not expire any more.
async fn keep(call: ProjectCall) -> Answer {
    let job = jobs::find(&call).await?;
    let mut transaction = call.store().begin().await?;
    let count = transaction.set_artifact_expiry(job.id, None).await?;
    transaction.commit().await?;
    match count {
        0 => Err(missing()),
        _ => ok(jobs::fresh(&call, job.id).await?),
    }
}

async fn delete(call: ProjectCall) -> Answer {
    let job = jobs::find(&call).await?;
    let files = call.store().artifacts_of(job.id).await?;
    call.app.remove_artifacts(&files).await?;
    no_content()
}

/// All of the project's but those of the newest successful pipeline of each ref.
async fn delete_all(call: ProjectCall) -> Answer {
    let project = call.project.id;
    let successful = PipelineFilter {
        status: Some(Status::Success),
        ..PipelineFilter::default()
    };
    let mut kept = std::collections::HashMap::new();
    let page = super::paging::WHOLE;
    let found = call
        .store()
        .pipelines_of_project(project, &successful, page);
    for row in found.await?.rows {
        // Newest first: what is there stays.
        kept.entry(row.ref_name.clone()).or_insert(row.id);
    }
    let all = PipelineFilter::default();
    let found = call.store().pipelines_of_project(project, &all, page);
    for row in found.await?.rows {
        if kept.get(&row.ref_name) == Some(&row.id) || !row.status.is_completed() {
            continue;
        }
        let files = call.store().artifacts_of_pipeline(row.id).await?;
        call.app.remove_artifacts(&files).await?;
    }
    accepted()
}

#[cfg(test)]
mod tests {
    use super::checked_path;

    #[test]
    fn paths() {
        for path in ["a", "a/b.txt", "a b/…"] {
            assert!(checked_path(path).is_ok(), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "."] {
            assert!(checked_path(path).is_err(), "{path}");
        }
    }
}
