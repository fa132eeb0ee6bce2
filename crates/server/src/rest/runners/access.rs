//! Who may look at a runner and change it: the runner decides, not the address.

use shipway_store::{NamespaceId, ProjectRow, RunnerId, RunnerKind, RunnerRow};

use crate::error::ApiError;
use crate::permission::{Action, Role};
use crate::rest::call::Call;
use crate::rest::groups;

pub(super) async fn assigned(call: &Call, row: &RunnerRow) -> Result<Vec<ProjectRow>, ApiError> {
    let mut projects = Vec::new();
    if row.kind == RunnerKind::Project {
        for id in call.store().runner_projects(row.id).await? {
            projects.extend(call.store().project(id).await?);
        }
    }
    Ok(projects)
}

/// Whether the asker may change the runner.
pub(super) async fn may_manage(call: &Call, row: &RunnerRow) -> Result<bool, ApiError> {
    if call.identity.user().is_some_and(|user| user.admin) {
        return Ok(true);
    }
    match (row.kind, row.owner_id) {
        (RunnerKind::Instance, _) => Ok(false),
        (RunnerKind::Group, Some(group)) => {
            let role = groups::role(&call.app, &call.identity, NamespaceId(group)).await?;
            Ok(role >= Some(Role::Owner))
        }
        (RunnerKind::Group, None) => Ok(false),
        (RunnerKind::Project, _) => {
            for project in assigned(call, row).await? {
                if call
                    .app
                    .allows(&call.identity, &project, Action::ManageRunners)
                    .await?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

pub(super) async fn find(call: &Call) -> Result<RunnerRow, ApiError> {
    let id = RunnerId(call.path.number("runner_id")?);
    let row = call.store().runner(id).await?;
    row.ok_or_else(|| ApiError::not_found("Runner"))
}

pub(super) async fn find_managed(call: &Call) -> Result<RunnerRow, ApiError> {
    let row = find(call).await?;
    match may_manage(call, &row).await? {
        true => Ok(row),
        false => Err(ApiError::forbidden_because("No access granted")),
    }
}
