//! `/projects/:id/deployments`.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;
use shipway_store::{DeploymentId, DeploymentRow, DeploymentStatus};

use super::call::{Answer, ProjectCall, ok};
use super::environments::EnvironmentBasic;
use super::job::Jobs;
use super::paging::{Paging, WHOLE};
use super::routes::{Job, Routes};
use super::time::iso;
use super::user::UserBasic;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadEnvironments;
    routes
        .get("/projects/{id}/deployments", Job(read), list)
        .get("/projects/{id}/deployments/{deployment_id}", read, show)
}

/// GitLab's `Deployment`.
#[derive(Debug, Serialize)]
pub(super) struct Deployment {
    id: i64,
    iid: i64,
    #[serde(rename = "ref")]
    ref_name: String,
    sha: String,
    created_at: String,
    updated_at: String,
    status: &'static str,
    user: UserBasic,
    environment: EnvironmentBasic,
    deployable: Option<super::job::Job>,
}

/// When it last changed.
fn updated_at(row: &DeploymentRow) -> i64 {
    row.finished_at.unwrap_or(row.created_at)
}

pub(super) async fn entities(
    call: &ProjectCall,
    rows: Vec<DeploymentRow>,
) -> Result<Vec<Deployment>, ApiError> {
    let mut jobs = Vec::new();
    for row in &rows {
        jobs.extend(call.store().job(row.job_id).await?);
    }
    let jobs = Jobs::of(call).entities(&jobs).await?;
    let mut jobs: HashMap<i64, super::job::Job> =
        jobs.into_iter().map(|job| (job.id, job)).collect();
    let mut entities = Vec::new();
    for row in rows {
        // An environment that is deleted meanwhile takes its deployments along.
        let Some(environment) = call.store().environment(row.environment_id).await? else {
            continue;
        };
        let deployable = jobs.remove(&row.job_id.0);
        let user = (deployable.as_ref()).map(|job| job.user.clone());
        entities.push(Deployment {
            id: row.id.0,
            iid: row.iid,
            created_at: iso(row.created_at),
            updated_at: iso(updated_at(&row)),
            ref_name: row.ref_name,
            sha: row.sha,
            status: row.status.as_str(),
            user: user.unwrap_or_else(|| UserBasic::ghost(&call.app)),
            environment: EnvironmentBasic::new(&environment),
            deployable,
        });
    }
    Ok(entities)
}

async fn list(call: ProjectCall) -> Answer {
    let params = &call.params;
    let paging = Paging::of(&call)?;
    let status: Option<DeploymentStatus> = params.name("status")?;
    let orders = [
        "id",
        "iid",
        "created_at",
        "updated_at",
        "finished_at",
        "ref",
    ];
    let order = params.one_of("order_by", &orders)?.unwrap_or("id");
    let descending = params.one_of("sort", &["asc", "desc"])? == Some("desc");
    let (after, before) = (
        params.time("updated_after")?,
        params.time("updated_before")?,
    );
    let project = call.project.id;
    let environment = match params.text("environment")? {
        None => None,
        Some(name) => match call.store().environment_by_name(project, &name).await? {
            Some(row) => Some(row.id),
            None => return paging.answer(&call, Vec::<()>::new(), Some(0)),
        },
    };
    let found = call.store().deployments(project, environment, WHOLE);
    let mut rows = found.await?.rows;
    rows.retain(|row| {
        status.is_none_or(|status| row.status == status)
            && after.is_none_or(|after| updated_at(row) > after)
            && before.is_none_or(|before| updated_at(row) < before)
    });
    rows.sort_by_key(|row| row.id);
    match order {
        "updated_at" => rows.sort_by_key(updated_at),
        "finished_at" => rows.sort_by_key(|row| Reverse(row.finished_at.map(Reverse))),
        "ref" => rows.sort_by_key(|row| row.ref_name.clone()),
        _ => {}
    }
    if descending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let entities = entities(&call, rows).await?;
    paging.answer(&call, entities, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let id = DeploymentId(call.path.number("deployment_id")?);
    let row = call.store().deployment(id).await?;
    let row = row.filter(|row| row.project_id == call.project.id);
    let entity = entities(&call, Vec::from_iter(row)).await?.pop();
    ok(entity.ok_or_else(|| ApiError::not_found("Deployment"))?)
}
