//! What a push by one user to one project may do, and what follows from it.

use shipway_git::hosting::{Change, Push, PushRules, RefUpdate};
use shipway_store::{ProjectRow, ProtectedRefRow, UserRow};

use super::protection::{self, ADMIN};
use super::pushed::pushed;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::Identity;

/// The rules of one push, loaded before it begins.
#[derive(Debug)]
pub(super) struct Rules {
    app: App,
    project: ProjectRow,
    user: UserRow,
    level: i64,
    protected: Vec<ProtectedRefRow>,
}

impl Rules {
    pub(super) async fn load(
        app: &App,
        identity: &Identity,
        project: ProjectRow,
    ) -> Result<Self, ApiError> {
        let user = identity.signed_in()?.clone();
        let level = match user.admin {
            true => ADMIN,
            false => {
                let level = app.store().access_level(user.id, project.id).await?;
                level.unwrap_or_default()
            }
        };
        Ok(Self {
            protected: app.store().protected_refs(project.id).await?,
            app: app.clone(),
            project,
            user,
            level,
        })
    }
}

impl PushRules for Rules {
    fn pre_receive(&self, update: &RefUpdate, change: Change) -> Result<(), String> {
        protection::judge(&self.protected, self.level, update, change)
    }

    async fn post_receive(&self, push: Push) -> Vec<String> {
        pushed(&self.app, &self.project, &self.user, &push).await
    }
}
