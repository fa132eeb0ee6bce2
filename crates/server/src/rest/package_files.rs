//! `/projects/:id/packages/:package_id/package_files`.

use serde::Serialize;
use shipway_store::{PackageFileRow, PackageId};

use super::call::{Answer, ProjectCall, no_content};
use super::packages::find;
use super::paging::Paging;
use super::routes::{Job, Routes};
use super::time::iso;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/projects/{id}/packages/{package_id}/package_files",
            Job(Action::ReadPackages),
            list,
        )
        .delete(
            "/projects/{id}/packages/{package_id}/package_files/{file_id}",
            Job(Action::DeletePackages),
            delete,
        )
}

/// GitLab's `PackageFile`.
#[derive(Debug, Serialize)]
pub(super) struct PackageFile {
    id: i64,
    package_id: i64,
    created_at: String,
    file_name: String,
    size: i64,
    /// Only SHA-256 is counted.
    file_md5: Option<String>,
    file_sha1: Option<String>,
    file_sha256: String,
    pipelines: [(); 0],
}

impl PackageFile {
    fn new(package: PackageId, row: &PackageFileRow) -> Self {
        Self {
            id: row.id.0,
            package_id: package.0,
            created_at: iso(row.created_at),
            file_name: row.file_name.clone(),
            size: row.size,
            file_md5: None,
            file_sha1: None,
            file_sha256: hex(&row.digest),
            pipelines: [],
        }
    }
}

/// A digest as people compare it.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let package = find(&call).await?;
    let (rows, total) = paging.cut(call.store().package_files(package.id).await?);
    let entities = rows.iter().map(|row| PackageFile::new(package.id, row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn delete(call: ProjectCall) -> Answer {
    let id = call.path.number("file_id")?;
    let package = find(&call).await?;
    let rows = call.store().package_files(package.id).await?;
    let row = rows.into_iter().find(|row| row.id.0 == id);
    let row = row.ok_or_else(|| ApiError::not_found("PackageFile"))?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_package_file(row.id).await?;
    transaction.commit().await?;
    remove_content(&call, &row).await;
    no_content()
}

/// Removes what has no row any more; the sweep does where this cannot.
pub(super) async fn remove_content(call: &ProjectCall, row: &PackageFileRow) {
    if let Err(error) = call.store().blobs().delete(&row.path).await {
        tracing::warn!(path = row.path, %error, "package.content.left");
    }
}
