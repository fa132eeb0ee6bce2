//! Users, for administrators.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_store::{UserId, UserRow, UserState};

use super::fields::Fields;
use super::html::Html;
use super::paging::{self, Paging};
use super::shell::{Place, Shell};
use super::visit::Visit;
use super::{page, refused, when};
use crate::error::ApiError;
use crate::users::{AccountError, NewAccount, create_user, set_password};

#[derive(Debug, Template)]
#[template(path = "users.html")]
struct UsersPage {
    shell: Shell,
    base: String,
    rows: Vec<Row>,
    paging: Paging,
    form: NewAccount,
}

#[derive(Debug)]
struct Row {
    id: i64,
    name: String,
    username: String,
    email: String,
    admin: bool,
    state: &'static str,
    state_class: &'static str,
    since: Html,
    blocked: bool,
    may_change: bool,
}

/// `GET /admin/users`.
pub(super) async fn list(visit: Visit) -> Result<Response, ApiError> {
    page(&users_page(&visit, NewAccount::default(), None).await?)
}

async fn users_page(
    visit: &Visit,
    form: NewAccount,
    fault: Option<String>,
) -> Result<UsersPage, ApiError> {
    let own = visit.identity.administrator()?.id;
    let number = paging::number(visit.query("page"));
    let found = visit.app.store().users(paging::rows(number)).await?;
    let row = |user: UserRow| {
        let blocked = user.state == UserState::Blocked;
        Row {
            id: user.id.0,
            may_change: user.id != own,
            state: user.state.as_str(),
            state_class: if blocked { "off" } else { "on" },
            since: when::time(user.created_at, visit.now),
            blocked,
            admin: user.admin,
            name: user.name,
            username: user.username,
            email: user.email,
        }
    };
    let mut shell = visit.shell(Place::Members, "Users");
    shell.fault = fault;
    Ok(UsersPage {
        shell,
        base: format!("{}/users", visit.url),
        paging: Paging::new(number, found.total, &[]),
        rows: found.rows.into_iter().map(row).collect(),
        form,
    })
}

/// `POST /admin/users`.
pub(super) async fn create(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.identity.administrator()?;
    let new = NewAccount {
        username: fields.trimmed("username").to_owned(),
        name: fields.trimmed("name").to_owned(),
        email: fields.trimmed("email").to_owned(),
        password: Some(fields.get("password").to_owned()),
        admin: fields.checked("admin"),
    };
    match create_user(&visit.app, &new).await {
        Ok(_) => Ok(visit.to("/users", "user")),
        Err(error) => {
            let fault = told(error)?;
            refused(&users_page(&visit, new, Some(fault)).await?)
        }
    }
}

/// What the person who fills in the form did wrong; anything else is an error of ours.
fn told(error: AccountError) -> Result<String, ApiError> {
    match error {
        AccountError::Store(_) | AccountError::Hash(_) => Err(error.into()),
        error => Ok(format!("{error}.")),
    }
}

/// A user whom the administrator may change here: not oneself.
async fn other(visit: &Visit, id: i64) -> Result<UserId, ApiError> {
    let own = visit.identity.administrator()?.id;
    let user = visit.app.store().user(UserId(id)).await?;
    let user = user.ok_or_else(|| ApiError::not_found("User"))?;
    match user.id == own {
        true => Err(ApiError::forbidden_because(
            "You cannot block yourself; let another administrator do it",
        )),
        false => Ok(user.id),
    }
}

/// `POST /admin/users/{id}/block`.
pub(super) async fn block(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    set_state(&visit, id, UserState::Blocked).await?;
    Ok(visit.to("/users", "user-blocked"))
}

/// `POST /admin/users/{id}/unblock`.
pub(super) async fn unblock(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    set_state(&visit, id, UserState::Active).await?;
    Ok(visit.to("/users", "user-unblocked"))
}

async fn set_state(visit: &Visit, id: i64, state: UserState) -> Result<(), ApiError> {
    let id = other(visit, id).await?;
    let mut transaction = visit.app.store().begin().await?;
    let mut row = transaction.user(id).await?;
    row.state = state;
    transaction.update_user(&row).await?;
    if state == UserState::Blocked {
        transaction.delete_sessions(id).await?;
    }
    Ok(transaction.commit().await?)
}

/// `POST /admin/users/{id}/password`.
pub(super) async fn password(
    visit: Visit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let id = other(&visit, id).await?;
    match set_password(&visit.app, id, fields.get("password")).await {
        Ok(()) => Ok(visit.to("/users", "password")),
        Err(error) => {
            let fault = told(error)?;
            refused(&users_page(&visit, NewAccount::default(), Some(fault)).await?)
        }
    }
}

/// The name of a user who may be gone.
pub(super) fn username(user: Option<&UserRow>) -> String {
    user.map_or_else(
        || "nobody any more".to_owned(),
        |user| user.username.clone(),
    )
}
