//! Which projects a runner serves.

use shipway_store::{RunnerId, RunnerKind};

use super::access::{find, may_manage};
use crate::error::ApiError;
use crate::permission::Action;
use crate::rest::call::{Answer, ProjectCall, created, no_content};
use crate::rest::routes::Routes;
use crate::rest::runner::Runner;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .post("/projects/{id}/runners", Action::ManageRunners, assign)
        .delete(
            "/projects/{id}/runners/{runner_id}",
            Action::ManageRunners,
            unassign,
        )
}

/// Lets a runner of another project take this one's jobs too.
async fn assign(call: ProjectCall) -> Answer {
    let id = call.params.number("runner_id")?;
    let id = id.ok_or_else(|| ApiError::parameter("runner_id is missing"))?;
    let row = call.store().runner(RunnerId(id)).await?;
    let row = row.ok_or_else(|| ApiError::not_found("Runner"))?;
    let forbidden = |reason: &str| Err(ApiError::forbidden_because(reason));
    if row.locked {
        return forbidden("Runner is locked");
    }
    match row.kind {
        RunnerKind::Instance => return forbidden("Runner is an instance runner"),
        RunnerKind::Group => return forbidden("Runner is a group runner"),
        RunnerKind::Project => {}
    }
    if !may_manage(&call, &row).await? {
        return forbidden("No access granted");
    }
    if call
        .store()
        .runner_projects(row.id)
        .await?
        .contains(&call.project.id)
    {
        return Err(ApiError::invalid("runner_id", "has already been taken"));
    }
    let mut transaction = call.store().begin().await?;
    transaction.assign_runner(row.id, call.project.id).await?;
    transaction.commit().await?;
    created(Runner::new(&row))
}

async fn unassign(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let projects = call.store().runner_projects(row.id).await?;
    if !projects.contains(&call.project.id) {
        return Err(ApiError::not_found("Runner"));
    }
    if row.owner_id == Some(call.project.id.0) || projects.len() == 1 {
        return Err(ApiError::forbidden_because(
            "Only one project associated with the runner. Please remove the runner instead",
        ));
    }
    let mut transaction = call.store().begin().await?;
    transaction.unassign_runner(row.id, call.project.id).await?;
    transaction.commit().await?;
    no_content()
}
