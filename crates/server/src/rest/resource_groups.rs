//! Resource groups, whose jobs take turns.

use serde::Serialize;
use shipway_pipeline::ProcessMode;
use shipway_store::ResourceGroupRow;

use super::call::{Answer, ProjectCall, ok};
use super::job::Jobs;
use super::paging::Paging;
use super::routes::Routes;
use super::time::iso;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadPipelines;
    routes
        .get("/projects/{id}/resource_groups", read, list)
        .get("/projects/{id}/resource_groups/{key}", read, show)
        .put(
            "/projects/{id}/resource_groups/{key}",
            Action::RunPipelines,
            update,
        )
        .get(
            "/projects/{id}/resource_groups/{key}/upcoming_jobs",
            read,
            upcoming_jobs,
        )
}

/// GitLab's `ResourceGroup`.
#[derive(Debug, Serialize)]
struct ResourceGroup {
    id: i64,
    key: String,
    process_mode: String,
    created_at: String,
    updated_at: String,
}

impl From<&ResourceGroupRow> for ResourceGroup {
    fn from(row: &ResourceGroupRow) -> Self {
        Self {
            id: row.id,
            key: row.name.clone(),
            process_mode: row.process_mode.clone(),
            created_at: iso(row.created_at),
            updated_at: iso(row.created_at),
        }
    }
}

async fn find(call: &ProjectCall) -> Result<ResourceGroupRow, ApiError> {
    let key = call.path.text("key");
    let row = call.store().resource_group(call.project.id, key).await?;
    row.ok_or_else(|| ApiError::not_found("Resource Group"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let rows = call.store().resource_groups(call.project.id).await?;
    let (rows, total) = paging.cut(rows);
    let entities: Vec<ResourceGroup> = rows.iter().map(ResourceGroup::from).collect();
    paging.answer(&call, entities, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    ok(ResourceGroup::from(&find(&call).await?))
}

async fn update(call: ProjectCall) -> Answer {
    let mut row = find(&call).await?;
    if let Some(name) = call.params.text("process_mode")? {
        let mode = ProcessMode::from_name(&name)
            .ok_or_else(|| ApiError::parameter("process_mode does not have a valid value"))?;
        let mut transaction = call.store().begin().await?;
        transaction.set_process_mode(row.id, mode.as_str()).await?;
        transaction.commit().await?;
        row.process_mode = mode.as_str().to_owned();
    }
    ok(ResourceGroup::from(&row))
}

/// The jobs that wait for the resource or will, oldest first.
async fn upcoming_jobs(call: ProjectCall) -> Answer {
    use shipway_pipeline::Status::{Created, WaitingForResource};
    let row = find(&call).await?;
    let paging = Paging::of(&call)?;
    let mut jobs = Vec::new();
    for claimant in call.store().claimants(row.id).await? {
        if matches!(claimant.status, Created | WaitingForResource) {
            jobs.extend(call.store().job(claimant.job_id).await?);
        }
    }
    let (jobs, total) = paging.cut(jobs);
    let entities = Jobs::of(&call).entities(&jobs).await?;
    paging.answer(&call, entities, Some(total))
}
