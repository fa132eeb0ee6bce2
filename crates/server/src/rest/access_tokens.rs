//! `/personal_access_tokens`.

use serde::Serialize;
use shipway_store::{AccessTokenId, AccessTokenRow, UserId};

use super::call::{Answer, Call, created, no_content, ok};
use super::paging::{Paging, WHOLE};
use super::routes::{Routes, Who};
use super::time::iso;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Scope, Scopes};
use crate::users::{NewToken, create_token};

/// The token that is shown, in place of an id.
const ITSELF: &str = "self";

pub(super) fn routes(routes: Routes) -> Routes {
    // Whatever a token is for, it may be asked about itself.
    let any = Who::Scoped(&Scope::ALL);
    routes
        .get("/personal_access_tokens", Who::SignedIn, list)
        .get("/personal_access_tokens/{token_id}", any, show)
        .delete("/personal_access_tokens/{token_id}", Who::SignedIn, revoke)
        .post(
            "/users/{user_id}/personal_access_tokens",
            Who::Administrator,
            create,
        )
}

/// GitLab's `PersonalAccessToken`.
#[derive(Debug, Serialize)]
struct AccessToken {
    id: i64,
    name: String,
    revoked: bool,
    created_at: String,
    description: Option<String>,
    scopes: Vec<&'static str>,
    user_id: i64,
    last_used_at: Option<String>,
    active: bool,
    /// A day.
    expires_at: Option<String>,
    /// When it is made only.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn is_active(row: &AccessTokenRow) -> bool {
    !row.revoked && row.expires_at.is_none_or(|at| at > now())
}

impl AccessToken {
    fn new(row: &AccessTokenRow) -> Self {
        let day = |at| iso(at).chars().take_while(|c| *c != 'T').collect();
        Self {
            id: row.id.0,
            name: row.name.clone(),
            revoked: row.revoked,
            created_at: iso(row.created_at),
            description: None,
            scopes: Scopes::from_column(&row.scopes).names(),
            user_id: row.user_id.0,
            last_used_at: row.last_used_at.map(iso),
            active: is_active(row),
            expires_at: row.expires_at.map(day),
            token: None,
        }
    }
}

/// One's own; an administrator's list has everybody's.
async fn list(call: Call) -> Answer {
    let paging = Paging::of(&call)?;
    let asker = call.identity.signed_in()?;
    let state = call.params.one_of("state", &["active", "inactive"])?;
    let revoked = call.params.boolean("revoked")?;
    let search = call.params.text("search")?.map(|text| text.to_lowercase());
    let users = match call.params.number("user_id")?.map(UserId) {
        Some(user) if user == asker.id || asker.admin => vec![user],
        // GitLab's answer.
        Some(_) => return Err(ApiError::unauthorized()),
        None if asker.admin => {
            let users = call.store().users(WHOLE).await?.rows;
            users.iter().map(|user| user.id).collect()
        }
        None => vec![asker.id],
    };
    let mut rows = Vec::new();
    for user in users {
        rows.extend(call.store().access_tokens(user).await?);
    }
    rows.retain(|row| {
        state.is_none_or(|state| (state == "active") == is_active(row))
            && revoked.is_none_or(|revoked| row.revoked == revoked)
            && (search.as_ref()).is_none_or(|text| row.name.to_lowercase().contains(text))
    });
    rows.sort_by_key(|row| row.id);
    let (rows, total) = paging.cut(rows);
    paging.answer(
        &call,
        rows.iter().map(AccessToken::new).collect(),
        Some(total),
    )
}

/// The token in the address; others' tokens exist for administrators only.
async fn find(call: &Call) -> Result<AccessTokenRow, ApiError> {
    let asker = call.identity.signed_in()?;
    if call.path.text("token_id") == ITSELF {
        let itself = call.identity.access_token().cloned();
        return itself.ok_or_else(|| ApiError::not_found("Personal Access Token"));
    }
    let id = AccessTokenId(call.path.number("token_id")?);
    call.identity.require_scope(&[Scope::Api, Scope::ReadApi])?;
    let row = call.store().access_token(id).await?;
    row.filter(|row| asker.admin || row.user_id == asker.id)
        .ok_or_else(|| ApiError::not_found("Personal Access Token"))
}

async fn show(call: Call) -> Answer {
    ok(AccessToken::new(&find(&call).await?))
}

async fn revoke(call: Call) -> Answer {
    let row = find(&call).await?;
    let mut transaction = call.store().begin().await?;
    transaction.revoke_access_token(row.id).await?;
    transaction.commit().await?;
    no_content()
}

async fn create(call: Call) -> Answer {
    let id = UserId(call.path.number("user_id")?);
    let user = call.store().user(id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("User"))?;
    let name = call.params.required_short("name")?;
    let names = call.params.comma_list("scopes")?.unwrap_or_default();
    if names.is_empty() {
        return Err(ApiError::parameter("scopes is missing"));
    }
    let scopes: Option<Vec<Scope>> = names.iter().map(|name| Scope::parse(name)).collect();
    let invalid = || ApiError::parameter("scopes does not have a valid value");
    let expires_at = call.params.time("expires_at")?;
    if expires_at.is_some_and(|at| at <= now()) {
        return Err(ApiError::invalid("expires_at", "must be a day to come"));
    }
    let new = NewToken {
        name,
        scopes: Scopes::of(scopes.ok_or_else(invalid)?),
        expires_at,
        secret: None,
    };
    let (row, secret) = create_token(&call.app, user.id, &new).await?;
    created(AccessToken {
        token: Some(secret),
        ..AccessToken::new(&row)
    })
}
