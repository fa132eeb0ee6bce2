//! New runners.

use serde_json::json;
use shipway_store::{NamespaceId, NamespaceKind, NewRunner, ProjectId, RunnerKind};

use super::settings::apply;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Scope, token};
use crate::permission::{Action, Role};
use crate::rest::call::{Answer, Call, created};
use crate::rest::groups;
use crate::rest::routes::{Routes, Who};

/// What runners' tokens begin with that are made here, as GitLab's do.
const TOKEN: &str = "glrt-";

/// Characters of a token that are kept for people.
const SHOWN: usize = 8;

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
    let secret = token::new(TOKEN);
    let mut new = NewRunner {
        token_digest: token::digest(&secret),
        token_prefix: secret.chars().take(TOKEN.len() + SHOWN).collect(),
        token_expires_at: None,
        kind,
        owner_id,
        description: String::new(),
        maintenance_note: None,
        tags: "[]".to_owned(),
        run_untagged: true,
        locked: false,
        protected_only: false,
        paused: false,
        maximum_timeout: None,
        version: None,
        revision: None,
        platform: None,
        architecture: None,
        executor: None,
        ip: None,
        contacted_at: None,
        created_at: now(),
    };
    apply(params, &mut new)?;
    let mut transaction = call.store().begin().await?;
    let row = transaction.insert_runner(&new).await?;
    if let (RunnerKind::Project, Some(project)) = (kind, owner_id) {
        transaction
            .assign_runner(row.id, ProjectId(project))
            .await?;
    }
    transaction.commit().await?;
    created(json!({ "id": row.id.0, "token": secret, "token_expires_at": null }))
}
