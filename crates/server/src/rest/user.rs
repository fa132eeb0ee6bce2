//! Users as others see them.

use std::collections::HashMap;

use serde::Serialize;
use shipway_store::{UserId, UserRow, UserState};

use crate::app::App;
use crate::error::ApiError;

/// GitLab's `UserBasic`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UserBasic {
    pub(super) id: i64,
    pub(super) username: String,
    pub(super) public_email: Option<String>,
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) locked: bool,
    pub(super) avatar_url: Option<String>,
    pub(super) web_url: String,
}

impl UserBasic {
    pub(super) fn new(app: &App, row: &UserRow) -> Self {
        Self {
            id: row.id.0,
            username: row.username.clone(),
            public_email: None,
            name: row.name.clone(),
            state: match row.state {
                UserState::Active => "active",
                UserState::Blocked => "blocked",
            },
            locked: false,
            avatar_url: None,
            web_url: format!("{}/{}", app.settings().external_url, row.username),
        }
    }

    /// Who stands where a user was deleted or is not known: clients expect one.
    pub(super) fn ghost(app: &App) -> Self {
        Self {
            id: 0,
            username: "ghost".to_owned(),
            public_email: None,
            name: "Ghost User".to_owned(),
            state: "active",
            locked: false,
            avatar_url: None,
            web_url: format!("{}/ghost", app.settings().external_url),
        }
    }
}

/// Users of one answer, each read once.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<UserId, UserBasic>);

impl Users {
    pub(super) async fn get(
        &mut self,
        app: &App,
        id: Option<UserId>,
    ) -> Result<UserBasic, ApiError> {
        let Some(id) = id else {
            return Ok(UserBasic::ghost(app));
        };
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let user = match app.store().user(id).await? {
            Some(row) => UserBasic::new(app, &row),
            None => UserBasic::ghost(app),
        };
        self.0.insert(id, user.clone());
        Ok(user)
    }
}
