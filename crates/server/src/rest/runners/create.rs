//! New runners.

use serde_json::json;
use shipway_coordinator::{plain_runner, runner_token};
use shipway_store::{NamespaceId, NamespaceKind, ProjectId, RunnerKind};

use super::settings::apply;
use crate::error::ApiError;
use crate::identity::Scope;
use crate::permission::{Action, Role};
use crate::rest::call::{Answer, Call, created};
use crate::rest::groups;
use crate::rest::routes::{Routes, Who};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.post("/user/runners", Who::Scoped(&[Scope::CreateRunner]), create)
}

async fn create(call: Call) -> Answer {
    let params = &call.params;
    let kind = params.required("runner_type")?;
    let (kind, owner_id) = match kind.as_str() {
        "instance_type" => {
            call.identity.administrator()?;
            (RunnerKind::Instance, None)
        }
        "group_type" => {
            let id = params.number("group_id")?;
            let id = id.ok_or_else(|| ApiError::parameter("group_id is missing"))?;
            let group = call.store().namespace(NamespaceId(id)).await?;
            let group = group.filter(|group| group.kind == NamespaceKind::Group);
            let group = group.ok_or_else(|| ApiError::not_found("Group"))?;
            let role = groups::role(&call.app, &call.identity, group.id).await?;
            if role < Some(Role::Owner) {
                return Err(match role {
                    Some(_) => ApiError::forbidden(),
                    None => ApiError::not_found("Group"),
                });
            }
            (RunnerKind::Group, Some(id))
        }
        "project_type" => {
            let id = params.number("project_id")?;
            let id = id.ok_or_else(|| ApiError::parameter("project_id is missing"))?;
            let project = crate::access::ProjectRef::Id(ProjectId(id));
            call.app
                .project(&call.identity, &project, Action::ManageRunners)
                .await?;
            (RunnerKind::Project, Some(id))
        }
        _ => {
            return Err(ApiError::parameter(
                "runner_type does not have a valid value",
            ));
        }
    };
    let mut new = plain_runner(kind, owner_id);
    apply(params, &mut new)?;
    let secret = runner_token()?;
    let row = call.app.coordinator().make_runner(new, &secret).await?;
    created(json!({ "id": row.id.0, "token": secret, "token_expires_at": null }))
}
