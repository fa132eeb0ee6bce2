//! Runners as people manage them.
//!
//! `access` says who may; `details` is the entity; the others are the routes.

mod access;
mod create;
mod details;
mod jobs;
mod lists;
mod projects;
mod settings;
mod tokens;

use shipway_store::{RunnerKind, RunnerRow};

use super::call::{Answer, Call, no_content, ok};
use super::paging::Paging;
use super::routes::{Routes, Who};
use super::runner::RunnerManager;
use crate::error::ApiError;
use crate::identity::Scope;
use access::{assigned, find, find_managed, may_manage};
use details::details;
use settings::{apply, editable};

/// Who may look at a runner and change it is decided by the runner.
const MANAGE: Who = Who::Scoped(&[Scope::ManageRunner]);
const READ: Who = Who::Scoped(&[Scope::ManageRunner, Scope::ReadApi]);

pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .get("/runners/{runner_id}", READ, show)
        .put("/runners/{runner_id}", MANAGE, update)
        .delete("/runners/{runner_id}", MANAGE, delete)
        .get("/runners/{runner_id}/managers", READ, managers);
    [
        lists::routes,
        create::routes,
        jobs::routes,
        tokens::routes,
        projects::routes,
    ]
    .into_iter()
    .fold(routes, |routes, part| part(routes))
}

/// Everybody may look at those of the instance.
async fn show(call: Call) -> Answer {
    let row = find(&call).await?;
    if row.kind != RunnerKind::Instance && !may_manage(&call, &row).await? {
        return Err(ApiError::forbidden_because("No access granted"));
    }
    ok(details(&call, &row).await?)
}

async fn update(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let known = [
        "description",
        "active",
        "paused",
        "tag_list",
        "run_untagged",
        "locked",
        "access_level",
        "maximum_timeout",
        "maintenance_note",
    ];
    if !known.iter().any(|name| call.params.has(name)) {
        let names = known.join(", ");
        let fault = format!("{names} are missing, at least one parameter must be provided");
        return Err(ApiError::parameter(fault));
    }
    let mut wanted = editable(&row);
    apply(&call.params, &mut wanted)?;
    let mut transaction = call.store().begin().await?;
    let row = RunnerRow {
        description: wanted.description,
        maintenance_note: wanted.maintenance_note,
        tags: wanted.tags,
        run_untagged: wanted.run_untagged,
        locked: wanted.locked,
        protected_only: wanted.protected_only,
        paused: wanted.paused,
        maximum_timeout: wanted.maximum_timeout,
        ..transaction.runner(row.id).await?
    };
    transaction.update_runner(&row).await?;
    transaction.commit().await?;
    ok(details(&call, &row).await?)
}

async fn delete(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let admin = call.identity.user().is_some_and(|user| user.admin);
    if !admin && assigned(&call, &row).await?.len() > 1 {
        return Err(ApiError::forbidden_because(
            "Runner associated with more than one project",
        ));
    }
    call.app.coordinator().delete_runner(row.id).await?;
    no_content()
}

async fn managers(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let paging = Paging::of(&call)?;
    let (rows, total) = paging.cut(call.store().runner_managers(row.id).await?);
    paging.answer(
        &call,
        rows.iter().map(RunnerManager::new).collect(),
        Some(total),
    )
}
