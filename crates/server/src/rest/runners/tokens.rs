//! New tokens for runners, and for who registers them.

use serde_json::json;
use shipway_store::{Level, RegistrationTokenRow};

use super::MANAGE;
use super::access::find_managed;
use crate::clock::now;
use crate::identity::token;
use crate::permission::{Action, Role};
use crate::rest::call::{Answer, Call, GroupCall, ProjectCall, created};
use crate::rest::routes::{InGroup, Routes, Who};

/// What registration tokens begin with, as GitLab's do.
const REGISTRATION_TOKEN: &str = "GR1348941";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .post(
            "/runners/{runner_id}/reset_authentication_token",
            MANAGE,
            reset_token,
        )
        .post(
            "/runners/reset_registration_token",
            Who::Administrator,
            |call| reset_registration_token(call, Level::Instance, 0),
        )
        .post(
            "/projects/{id}/runners/reset_registration_token",
            Action::ManageRunners,
            |call: ProjectCall| {
                let id = call.project.id.0;
                reset_registration_token(call.call, Level::Project, id)
            },
        )
        .post(
            "/groups/{id}/runners/reset_registration_token",
            InGroup::As(Role::Owner),
            |call: GroupCall| {
                let id = call.group.id.0;
                reset_registration_token(call.call, Level::Group, id)
            },
        )
}

async fn reset_token(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let secret = call.app.coordinator().reset_runner_token(&row).await?;
    created(json!({ "token": secret, "token_expires_at": null }))
}

async fn reset_registration_token(call: Call, level: Level, level_id: i64) -> Answer {
    let secret = token::new(REGISTRATION_TOKEN);
    let row = RegistrationTokenRow {
        level,
        level_id,
        digest: token::digest(&secret),
        token: secret.clone().into_bytes(),
        created_at: now(),
    };
    let mut transaction = call.store().begin().await?;
    transaction.set_registration_token(&row).await?;
    transaction.commit().await?;
    created(json!({ "token": secret, "token_expires_at": null }))
}
