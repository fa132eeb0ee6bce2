//! `/projects/:id/packages/generic/…`: files in and out, as they come.

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::json;
use shipway_store::{Blob, BlobError, NewPackage, NewPackageFile, PackageFileRow, StoreError};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::call::{Answer, ProjectCall, created};
use super::package_files::hex;
use super::packages::STATUSES;
use super::routes::{Download, Routes, Upload, UploadCall};
use super::serve_file::serve_blob;
use super::time::iso;
use crate::clock::{SECOND, now};
use crate::error::{ApiError, chain};
use crate::identity::Who;
use crate::limits;
use crate::permission::Action;

/// The name may have directories.
const ADDRESS: &str = "/projects/{id}/packages/generic/{name}/{version}/{*file}";

/// A fetch is noted this often.
const FETCH_NOTED: i64 = 600 * SECOND;

const CHECKSUM: HeaderName = HeaderName::from_static("x-checksum-sha256");

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(ADDRESS, Download(Action::ReadPackages), download)
        .put(ADDRESS, Upload(Action::PublishPackages), upload)
}

/// GitLab's answer to who asks for the file that it made.
#[derive(Debug, Serialize)]
struct Published {
    id: i64,
    package_id: i64,
    created_at: String,
    updated_at: String,
    size: i64,
    file_store: i64,
    file_md5: Option<String>,
    file_sha1: Option<String>,
    file_sha256: String,
    file_name: String,
    file: Address,
}

#[derive(Debug, Serialize)]
struct Address {
    url: String,
}

/// Where a file is, as its address says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: String,
    version: String,
    file: String,
}

impl Place {
    fn of(call: &ProjectCall) -> Result<Self, ApiError> {
        let text = |name: &str| call.path.text(name).to_owned();
        let place = Self {
            name: text("name"),
            version: text("version"),
            file: text("file"),
        };
        match place.fault() {
            Some(name) => Err(ApiError::parameter(format!("{name} is invalid"))),
            None => Ok(place),
        }
    }

    /// Which part is not as GitLab wants it.
    fn fault(&self) -> Option<&'static str> {
        let made_of = |text: &str, others: &str| {
            !text.is_empty()
                && text.len() <= limits::SHORT
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let part = |part: &str| made_of(part, "._-+~@=") && !matches!(part, "." | "..");
        if !made_of(&self.name, "._-") {
            Some("package_name")
        } else if !made_of(&self.version, "._-+~:/") || self.version.contains("..") {
            Some("package_version")
        } else if self.file.len() > limits::SHORT || !self.file.split('/').all(part) {
            Some("file_name")
        } else {
            None
        }
    }
}

async fn download(call: ProjectCall) -> Answer {
    let place = Place::of(&call)?;
    let missing = || ApiError::not_found("Package");
    let package = call
        .store()
        .package_named(call.project.id, &place.name, &place.version);
    let package = package.await?.ok_or_else(missing)?;
    let file = call.store().package_file(package.id, &place.file).await?;
    let file = file.ok_or_else(|| ApiError::not_found("Package File"))?;
    let name = place.file.rsplit('/').next().unwrap_or(&place.file);
    let mut answer = serve_blob(&call, &file.path, "application/octet-stream", name).await?;
    if let Ok(digest) = HeaderValue::try_from(hex(&file.digest)) {
        answer.headers_mut().insert(CHECKSUM, digest);
    }
    let (now, last) = (now(), package.last_downloaded_at);
    if last.is_none_or(|last| now - last >= FETCH_NOTED) {
        let noted = async {
            let mut transaction = call.store().begin().await?;
            transaction.note_package_fetched(package.id, now).await?;
            transaction.commit().await
        };
        // For people who look at packages; not worth a refusal.
        if let Err(error) = noted.await {
            tracing::debug!(error = %chain(&error), "package.fetch.not.noted");
        }
    }
    Ok(answer)
}

async fn upload(call: UploadCall) -> Answer {
    let UploadCall {
        call,
        headers,
        body,
    } = call;
    let place = Place::of(&call)?;
    let status = call.params.one_of("status", &STATUSES)?;
    let wants_file = call.params.one_of("select", &["package_file"])?.is_some();
    let multipart = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let row = match multipart {
        true => {
            let mut request = Request::new(body);
            *request.headers_mut() = headers;
            let refused = |_| ApiError::parameter("the body is not valid multipart/form-data");
            let form = Multipart::from_request(request, &()).await;
            let mut form = form.map_err(|_| ApiError::parameter("the body has no boundary"))?;
            let field = loop {
                let field = form.next_field().await.map_err(refused)?;
                let field = field.ok_or_else(|| ApiError::parameter("file is missing"))?;
                if field.name() == Some("file") {
                    break field;
                }
            };
            let content = StreamReader::new(field.map_err(std::io::Error::other));
            publish(&call, &place, status, content).await?
        }
        false => {
            let content = body.into_data_stream().map_err(std::io::Error::other);
            publish(&call, &place, status, StreamReader::new(content)).await?
        }
    };
    if !wants_file {
        return created(json!({ "message": "201 Created" }));
    }
    let base = format!("api/v4/projects/{}/packages/generic", call.project.id);
    let parts = format!("{}/{}/{}", place.name, place.version, place.file);
    created(Published {
        id: row.id.0,
        package_id: row.package_id.0,
        created_at: iso(row.created_at),
        updated_at: iso(row.created_at),
        size: row.size,
        file_store: 1,
        file_md5: None,
        file_sha1: None,
        file_sha256: hex(&row.digest),
        file_name: row.file_name,
        file: Address {
            url: call.url(&format!("{base}/{parts}")),
        },
    })
}

/// Takes the content in and makes its row. What breaks off leaves nothing.
async fn publish(
    call: &ProjectCall,
    place: &Place,
    status: Option<&str>,
    content: impl AsyncRead + Send,
) -> Result<PackageFileRow, ApiError> {
    let (store, project) = (call.store(), call.project.id);
    let mut transaction = store.begin().await?;
    let upload = transaction.begin_package_upload(project, now()).await?;
    transaction.commit().await?;
    let limit = call.app.settings().limits.package_size;
    let content = std::pin::pin!(content);
    let put = store
        .blobs()
        .put_package(project, upload, &place.file, content, limit);
    let made = match put.await {
        Ok(blob) => {
            let row = store_file(call, place, status, upload, &blob).await;
            if row.is_err() {
                // The sweep does where this cannot.
                store.blobs().delete(&blob.path).await.ok();
            }
            row
        }
        Err(error) => Err(refusal(error, limit)),
    };
    if made.is_err() {
        let mut transaction = store.begin().await?;
        match transaction.end_package_upload(upload).await {
            Ok(()) => transaction.commit().await?,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    made
}

async fn store_file(
    call: &ProjectCall,
    place: &Place,
    status: Option<&str>,
    upload: shipway_store::PackageUploadId,
    blob: &Blob,
) -> Result<PackageFileRow, ApiError> {
    let now = now();
    let pipeline = match call.identity.who() {
        Who::Job(job) if job.job.project_id == Some(call.project.id) => Some(job.job.pipeline_id),
        _ => None,
    };
    let mut transaction = call.store().begin().await?;
    transaction.end_package_upload(upload).await?;
    let package = NewPackage {
        project_id: call.project.id,
        name: place.name.clone(),
        version: place.version.clone(),
        status: status.unwrap_or(STATUSES[0]).to_owned(),
        creator_id: call.acting_user().map(|user| user.id),
        pipeline_id: pipeline,
        created_at: now,
    };
    let package = transaction.ensure_package(&package).await?;
    let file = NewPackageFile {
        package_id: package.id,
        file_name: place.file.clone(),
        size: i64::try_from(blob.size).unwrap_or(i64::MAX),
        digest: blob.digest.to_vec(),
        path: blob.path.clone(),
        created_at: now,
    };
    let row = transaction.insert_package_file(&file).await?;
    transaction.commit().await?;
    Ok(row)
}

fn refusal(error: BlobError, limit: u64) -> ApiError {
    match error {
        BlobError::TooLarge { .. } => ApiError::message(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("413 Request Entity Too Large - a file of a package has {limit} bytes at most"),
        ),
        BlobError::Incoming { .. } => ApiError::bad_request("the file ended early; send it again"),
        error => ApiError::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let fault = |name: &str, version: &str, file: &str| {
            let place = Place {
                name: name.to_owned(),
                version: version.to_owned(),
                file: file.to_owned(),
            };
            place.fault()
        };
        for (name, version, file, expected) in [
            ("app", "1.0", "app.zip", None),
            (
                "my.app_x-1",
                "1.0/rc:1+2~3",
                "linux/x86/app=1@2.tar.gz",
                None,
            ),
            ("", "1.0", "a", Some("package_name")),
            ("my app", "1.0", "a", Some("package_name")),
            ("a/b", "1.0", "a", Some("package_name")),
            ("app", "1 0", "a", Some("package_version")),
            ("app", "../1", "a", Some("package_version")),
            ("app", "1", "", Some("file_name")),
            ("app", "1", "a/../b", Some("file_name")),
            ("app", "1", "a//b", Some("file_name")),
            ("app", "1", "a b", Some("file_name")),
        ] {
            assert_eq!(
                fault(name, version, file),
                expected,
                "{name} {version} {file}"
            );
        }
        let long = "x".repeat(limits::SHORT + 1);
        assert_eq!(fault(&long, "1", "a"), Some("package_name"));
        assert_eq!(fault("a", "1", &long), Some("file_name"));
    }
}
