//! A user's own access tokens.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shipway_store::{AccessTokenId, AccessTokenRow};

use super::fields::Fields;
use super::html::Html;
use super::shell::Shell;
use super::visit::{done, frame};
use super::{page, refused, render, when};
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Identity, Scope, Scopes, pairs};
use crate::users::{NewToken, create_token};

/// The page, at GitLab's address.
pub(super) const PATH: &str = "/-/user_settings/personal_access_tokens";

/// What a token may be used for here, with words for it.
const SCOPES: [(&str, &str); 7] = [
    ("api", "Everything that you may, in the API and with git."),
    ("read_api", "Read everything that you may read, in the API."),
    ("read_user", "Read your own name and address."),
    ("read_repository", "Clone and fetch."),
    ("write_repository", "Clone, fetch and push."),
    ("create_runner", "Make runners."),
    ("manage_runner", "Change runners."),
];

#[derive(Debug, Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    shell: Shell,
    base: String,
    made: Option<String>,
    rows: Vec<Row>,
    scopes: [(&'static str, &'static str); 7],
    name: String,
    expires: String,
}

#[derive(Debug)]
struct Row {
    name: String,
    scopes: Vec<&'static str>,
    made: Html,
    used: Html,
    expires: Html,
    revoke_url: String,
}

/// `GET /-/user_settings/personal_access_tokens`.
pub(super) async fn list(
    State(app): State<App>,
    identity: Identity,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut body = tokens_page(&app, &identity, None).await?;
    let query = query.unwrap_or_default();
    let word = pairs(&query).find(|(name, _)| name == "done");
    body.shell.done = word.and_then(|(_, word)| done(&word));
    page(&body)
}

async fn tokens_page(
    app: &App,
    identity: &Identity,
    made: Option<String>,
) -> Result<TokensPage, ApiError> {
    let user = identity.signed_in()?;
    let shell = frame(app, identity, "Access tokens");
    let base = format!("{}{PATH}", shell.root);
    let now = now();
    let text = |text: &str| Html::trusted(text.to_owned());
    let row = |row: AccessTokenRow| Row {
        scopes: Scopes::from_column(&row.scopes).names(),
        made: when::time(row.created_at, now),
        used: row
            .last_used_at
            .map_or_else(|| text("never"), |at| when::time(at, now)),
        expires: match row.expires_at {
            Some(at) if at <= now => text("expired"),
            Some(at) => when::time(at, now),
            None => text("never"),
        },
        revoke_url: format!("{base}/{}/revoke", row.id),
        name: row.name,
    };
    let rows = app.store().access_tokens(user.id).await?;
    Ok(TokensPage {
        shell,
        made,
        rows: (rows.into_iter())
            .filter(|row| !row.revoked)
            .map(row)
            .collect(),
        base,
        scopes: SCOPES,
        name: String::new(),
        expires: String::new(),
    })
}

/// `POST /-/user_settings/personal_access_tokens`: a token, which is shown once.
pub(super) async fn create(
    State(app): State<App>,
    identity: Identity,
    fields: Fields,
) -> Result<Response, ApiError> {
    let user = identity.signed_in()?;
    let name = fields.trimmed("name").to_owned();
    let scopes: Vec<Scope> = fields.all("scopes").filter_map(Scope::parse).collect();
    let given = fields.trimmed("expires_at").to_owned();
    let expires_at = expiry(&given, now());
    let fault = match &expires_at {
        _ if name.is_empty() => "A token needs a name.",
        _ if scopes.is_empty() => "Choose what the token may be used for.",
        Err(fault) => fault,
        Ok(_) => "",
    };
    if !fault.is_empty() {
        let mut body = tokens_page(&app, &identity, None).await?;
        body.shell.fault = Some(fault.to_owned());
        (body.name, body.expires) = (name, given);
        return refused(&body);
    }
    let new = NewToken {
        name,
        scopes: Scopes::of(scopes),
        expires_at: expires_at.unwrap_or_default(),
        secret: None,
    };
    let (_, secret) = create_token(&app, user.id, &new).await?;
    render(
        StatusCode::CREATED,
        &tokens_page(&app, &identity, Some(secret)).await?,
    )
}

/// The beginning of a day, in microseconds since 1970; none for never.
fn expiry(text: &str, now: i64) -> Result<Option<i64>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = "The expiry is a day to come, such as 2030-12-31, or empty.";
    let day: Date = text.parse().map_err(|_| wrong)?;
    let begin = day.to_zoned(TimeZone::UTC).map_err(|_| wrong)?;
    let at = begin.timestamp().as_microsecond();
    match at > now {
        true => Ok(Some(at)),
        false => Err(wrong),
    }
}

/// `POST /-/user_settings/personal_access_tokens/{id}/revoke`.
pub(super) async fn revoke(
    State(app): State<App>,
    identity: Identity,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    let user = identity.signed_in()?;
    let row = app.store().access_token(AccessTokenId(id)).await?;
    let row = row.filter(|row| row.user_id == user.id);
    let row = row.ok_or_else(|| ApiError::not_found("Token"))?;
    let mut transaction = app.store().begin().await?;
    transaction.revoke_access_token(row.id).await?;
    transaction.commit().await?;
    let root = app.settings().external_url.path();
    Ok(Redirect::to(&format!("{root}{PATH}?done=token-revoked")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_day_to_come() {
        assert_eq!(expiry("", 5), Ok(None));
        assert_eq!(expiry("1970-01-02", 5), Ok(Some(86_400_000_000)));
        assert!(expiry("1970-01-01", 5).is_err());
        assert!(expiry("tomorrow", 5).is_err());
    }

    #[test]
    fn offered_scopes_exist() {
        assert!(SCOPES.iter().all(|(name, _)| Scope::parse(name).is_some()));
    }
}
