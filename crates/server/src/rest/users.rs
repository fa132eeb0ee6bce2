//! `/user` and `/users`.

use serde::Serialize;
use shipway_store::{UserId, UserRow, UserState};

use super::call::{Answer, Call, created, no_content, ok};
use super::paging::{Paging, WHOLE};
use super::routes::{Routes, Who};
use super::time::iso;
use super::user::UserBasic;
use crate::error::ApiError;
use crate::identity::Scope;
use crate::users::{NewAccount, create_user, set_password};

/// Who may read the user's own data.
const OWN: Who = Who::Scoped(&[Scope::ReadUser, Scope::ReadApi]);

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/user", OWN, own)
        .get("/users", Who::SignedIn, list)
        .post("/users", Who::Administrator, create)
        .get("/users/{user_id}", Who::SignedIn, show)
        .put("/users/{user_id}", Who::Administrator, update)
        .delete("/users/{user_id}", Who::Administrator, delete)
        .post("/users/{user_id}/block", Who::Administrator, |call| {
            set_state(call, UserState::Blocked)
        })
        .post("/users/{user_id}/unblock", Who::Administrator, |call| {
            set_state(call, UserState::Active)
        })
}

/// A user as the user and administrators see it.
#[derive(Debug, Serialize)]
struct UserDetails {
    #[serde(flatten)]
    basic: UserBasic,
    created_at: String,
    bio: &'static str,
    location: &'static str,
    bot: bool,
    email: String,
    commit_email: String,
    confirmed_at: String,
    last_activity_on: Option<String>,
    namespace_id: Option<i64>,
    is_admin: bool,
    can_create_group: bool,
    can_create_project: bool,
    external: bool,
    two_factor_enabled: bool,
    projects_limit: i64,
    identities: [(); 0],
}

async fn details(call: &Call, row: &UserRow) -> Result<UserDetails, ApiError> {
    let namespace = call.store().namespace_of_user(row.id).await?;
    Ok(UserDetails {
        basic: UserBasic::new(&call.app, row),
        created_at: iso(row.created_at),
        bio: "",
        location: "",
        bot: false,
        email: row.email.clone(),
        commit_email: row.email.clone(),
        confirmed_at: iso(row.created_at),
        last_activity_on: None,
        namespace_id: namespace.map(|namespace| namespace.id.0),
        is_admin: row.admin,
        can_create_group: true,
        can_create_project: true,
        external: false,
        two_factor_enabled: false,
        projects_limit: 100_000,
        identities: [],
    })
}

async fn own(call: Call) -> Answer {
    let user = call.identity.signed_in()?;
    ok(details(&call, user).await?)
}

async fn list(call: Call) -> Answer {
    let paging = Paging::of(&call)?;
    let username = call.params.text("username")?;
    let search = call.params.text("search")?.map(|text| text.to_lowercase());
    let active = call.params.boolean("active")?.unwrap_or(false);
    let blocked = call.params.boolean("blocked")?.unwrap_or(false);
    let rows = match &username {
        Some(name) => Vec::from_iter(call.store().user_by_username(name).await?),
        None => call.store().users(WHOLE).await?.rows,
    };
    let wanted = |row: &UserRow| {
        let found = search.as_ref().is_none_or(|text| {
            row.username.to_lowercase().contains(text) || row.name.to_lowercase().contains(text)
        });
        found
            && (!active || row.state == UserState::Active)
            && (!blocked || row.state == UserState::Blocked)
    };
    let (rows, total) = paging.cut(rows.into_iter().filter(wanted).rev().collect());
    let users = rows.iter().map(|row| UserBasic::new(&call.app, row));
    paging.answer(&call, users.collect(), Some(total))
}

async fn find(call: &Call) -> Result<UserRow, ApiError> {
    let id = UserId(call.path.number("user_id")?);
    let row = call.store().user(id).await?;
    row.ok_or_else(|| ApiError::not_found("User"))
}

async fn show(call: Call) -> Answer {
    let row = find(&call).await?;
    let asker = call.identity.signed_in()?;
    match asker.admin || asker.id == row.id {
        true => ok(details(&call, &row).await?),
        false => ok(UserBasic::new(&call.app, &row)),
    }
}

async fn create(call: Call) -> Answer {
    let params = &call.params;
    let password = params.text("password")?;
    let other_way = params.boolean("reset_password")?.unwrap_or(false)
        || params.boolean("force_random_password")?.unwrap_or(false);
    if password.is_none() && !other_way {
        let fault = "password, reset_password, force_random_password are missing, \
            at least one parameter must be provided";
        return Err(ApiError::parameter(fault));
    }
    let account = NewAccount {
        username: params.required_short("username")?,
        name: params.required_short("name")?,
        email: params.required_short("email")?,
        // Nobody mails a random password: who has none signs in by tokens.
        password,
        admin: params.boolean("admin")?.unwrap_or(false),
    };
    let row = create_user(&call.app, &account).await?;
    created(details(&call, &row).await?)
}

async fn update(call: Call) -> Answer {
    let mut row = find(&call).await?;
    if let Some(name) = call
        .params
        .short("name")?
        .filter(|name| !name.trim().is_empty())
    {
        row.name = name;
    }
    if let Some(admin) = call.params.boolean("admin")? {
        refuse_oneself(&call, &row)?;
        row.admin = admin;
    }
    // It may be refused, and then nothing else is changed.
    if let Some(password) = call.params.text("password")? {
        set_password(&call.app, row.id, &password).await?;
    }
    let mut transaction = call.store().begin().await?;
    let stored = transaction.user(row.id).await?;
    row.password_hash = stored.password_hash;
    transaction.update_user(&row).await?;
    transaction.commit().await?;
    ok(details(&call, &row).await?)
}

/// An administrator does not lock everybody out by mistake.
fn refuse_oneself(call: &Call, row: &UserRow) -> Result<(), ApiError> {
    match call.identity.signed_in()?.id == row.id {
        true => Err(ApiError::forbidden_because(
            "You cannot do this to yourself",
        )),
        false => Ok(()),
    }
}

async fn delete(call: Call) -> Answer {
    let row = find(&call).await?;
    refuse_oneself(&call, &row)?;
    // Projects in the user's namespace would go along unseen.
    let namespace = call.store().namespace_of_user(row.id).await?;
    if let Some(namespace) = &namespace {
        let filter = shipway_store::ProjectFilter {
            namespace: Some(namespace.id),
            ..Default::default()
        };
        let projects = call
            .store()
            .projects(&filter, shipway_store::Page::first(1));
        if projects.await?.total > 0 {
            let fault = "User has projects of their own; delete or move them first";
            return Err(ApiError::conflict(fault));
        }
    }
    let mut transaction = call.store().begin().await?;
    if let Some(namespace) = namespace {
        transaction.delete_namespace(namespace.id).await?;
    }
    transaction.delete_user(row.id).await?;
    transaction.commit().await?;
    no_content()
}

async fn set_state(call: Call, state: UserState) -> Answer {
    let mut row = find(&call).await?;
    refuse_oneself(&call, &row)?;
    row.state = state;
    let mut transaction = call.store().begin().await?;
    transaction.update_user(&row).await?;
    if state == UserState::Blocked {
        transaction.delete_sessions(row.id).await?;
    }
    transaction.commit().await?;
    created(true)
}
