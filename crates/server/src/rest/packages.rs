//! `/projects/:id/packages`: what was published under a name and a version.

use serde::Serialize;
use shipway_store::{PackageFilter, PackageId, PackageOrder, PackageRow};

use super::call::{Answer, ProjectCall, no_content, ok};
use super::paging::Paging;
use super::routes::{Job, Routes};
use super::time::iso;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadPackages);
    routes
        .get("/projects/{id}/packages", read, list)
        .get("/projects/{id}/packages/{package_id}", read, show)
        .delete(
            "/projects/{id}/packages/{package_id}",
            Job(Action::DeletePackages),
            delete,
        )
}

/// GitLab's `Package`.
#[derive(Debug, Serialize)]
struct Package {
    id: i64,
    name: String,
    version: String,
    package_type: &'static str,
    status: String,
    #[serde(rename = "_links")]
    links: Links,
    created_at: String,
    last_downloaded_at: Option<String>,
    tags: [(); 0],
    pipelines: [(); 0],
}

#[derive(Debug, Serialize)]
struct Links {
    web_path: String,
    delete_api_path: String,
}

impl Package {
    fn new(call: &ProjectCall, row: PackageRow) -> Self {
        let (project, id) = (&call.project, row.id);
        Self {
            id: id.0,
            name: row.name,
            version: row.version,
            package_type: GENERIC,
            status: row.status,
            links: Links {
                web_path: format!("/{}/-/packages/{id}", project.full_path),
                delete_api_path: call.url(&format!("api/v4/projects/{}/packages/{id}", project.id)),
            },
            created_at: iso(row.created_at),
            last_downloaded_at: row.last_downloaded_at.map(iso),
            tags: [],
            pipelines: [],
        }
    }
}

/// The only type of package there is.
const GENERIC: &str = "generic";

/// What a package may be.
pub(super) const STATUSES: [&str; 2] = ["default", "hidden"];

/// The package in the address.
pub(super) async fn find(call: &ProjectCall) -> Result<PackageRow, ApiError> {
    let id = PackageId(call.path.number("package_id")?);
    let row = call.store().package(call.project.id, id).await?;
    row.ok_or_else(|| ApiError::not_found("Package"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    let orders = ["created_at", "name", "version", "type"];
    let order = match params.one_of("order_by", &orders)? {
        Some("name") => PackageOrder::Name,
        Some("version") => PackageOrder::Version,
        _ => PackageOrder::Created,
    };
    let (name, version) = (
        params.text("package_name")?,
        params.text("package_version")?,
    );
    let status = params.one_of("status", &STATUSES)?;
    let other = params
        .text("package_type")?
        .is_some_and(|kind| kind != GENERIC);
    if other {
        return paging.answer(&call, Vec::<Package>::new(), Some(0));
    }
    let filter = PackageFilter {
        name: name.as_deref(),
        version: version.as_deref(),
        status: Some(status.unwrap_or(STATUSES[0])),
        order,
        descending: params.one_of("sort", &["asc", "desc"])? == Some("desc"),
    };
    let found = call
        .store()
        .packages(call.project.id, filter, paging.page());
    let found = found.await?;
    let entities = found.rows.into_iter().map(|row| Package::new(&call, row));
    paging.answer(&call, entities.collect(), Some(found.total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(Package::new(&call, row))
}

async fn delete(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let files = call.store().package_files(row.id).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_package(row.id).await?;
    transaction.commit().await?;
    for file in files {
        super::package_files::remove_content(&call, &file).await;
    }
    no_content()
}
