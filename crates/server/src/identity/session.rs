//! Sessions of browsers: a random secret in a cookie, its digest in the store.

use axum::http::HeaderValue;
use shipway_store::{SessionRow, UserId};

use super::token;
use crate::app::App;
use crate::clock::{SECOND, now};
use crate::error::ApiError;

/// The cookie.
pub(super) const COOKIE_NAME: &str = "_shipway_session";

/// A session that nobody uses ends after a week, as GitLab's.
const LIFE: i64 = 7 * 24 * 3600 * SECOND;

/// Begins a session; its cookie, which never goes over plain HTTP where it came by `https`.
pub(super) async fn begin_session(
    app: &App,
    user: UserId,
    https: bool,
) -> Result<HeaderValue, ApiError> {
    let secret = token::new("");
    let now = now();
    let row = SessionRow {
        digest: token::digest(&secret),
        user_id: user,
        csrf: token::new(""),
        created_at: now,
        expires_at: now + LIFE,
    };
    let mut transaction = app.store().begin().await?;
    transaction.delete_expired_sessions(now).await?;
    transaction.insert_session(&row).await?;
    transaction.commit().await?;
    Ok(cookie(app, &secret, LIFE / SECOND, https))
}

/// The session of a cookie's secret while it lasts. Used in its second half, it gets its whole
/// life anew.
pub(super) async fn session(app: &App, secret: &str) -> Result<Option<SessionRow>, ApiError> {
    let digest = token::digest(secret);
    let Some(row) = app.store().session(&digest).await? else {
        return Ok(None);
    };
    let now = now();
    if row.expires_at <= now {
        return Ok(None);
    }
    if row.expires_at - now < LIFE / 2 {
        let mut transaction = app.store().begin().await?;
        transaction.extend_session(&digest, now + LIFE).await?;
        transaction.commit().await?;
    }
    Ok(Some(row))
}

/// Ends the session of an identity, if it has one.
pub(crate) async fn end_session(app: &App, identity: &super::Identity) -> Result<(), ApiError> {
    if let super::Proof::Session(row) = &identity.proof {
        let mut transaction = app.store().begin().await?;
        transaction.delete_session(&row.digest).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The cookie that takes the session's cookie away.
pub(crate) fn ended_cookie(app: &App) -> HeaderValue {
    cookie(app, "", 0, false)
}

/// Not sent along by other sites' forms (`Lax`), not read by scripts.
fn cookie(app: &App, secret: &str, seconds: i64, https: bool) -> HeaderValue {
    let url = &app.settings().external_url;
    let secure = match https || url.is_https() {
        true => "; Secure",
        false => "",
    };
    let path = match url.path() {
        "" => "/",
        path => path,
    };
    let text = format!(
        "{COOKIE_NAME}={secret}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
