//! Signing in by a password.

use std::net::IpAddr;

use axum::http::HeaderValue;
use shipway_store::UserRow;

use super::extract::must_be_active;
use super::session::begin_session;
use crate::app::App;
use crate::error::ApiError;

/// Signs somebody in by username or mail address, from an address and maybe over https; the
/// header `Set-Cookie` of the new session.
///
/// # Errors
///
/// 401 when name or password is wrong, 403 for somebody who is blocked, 429 for too many
/// attempts.
pub(crate) async fn sign_in(
    app: &App,
    login: &str,
    password: &str,
    address: IpAddr,
    https: bool,
) -> Result<HeaderValue, ApiError> {
    let user = check_password(app, login, password, address).await?;
    begin_session(app, user.id, https).await
}

/// The user of name and password. It takes as long for a name that nobody has.
pub(super) async fn check_password(
    app: &App,
    login: &str,
    password: &str,
    address: IpAddr,
) -> Result<UserRow, ApiError> {
    let login = login.trim();
    let user = match login.contains('@') {
        true => app.store().user_by_email(login).await?,
        false => app.store().user_by_username(login).await?,
    };
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let right = match app.passwords().remembers(password, hash) {
        true => true,
        false => {
            app.limiter().sign_in(address, login)?;
            app.passwords().verify(password, hash).await?
        }
    };
    let user = user.filter(|_| right).ok_or_else(ApiError::unauthorized)?;
    must_be_active(&user)?;
    Ok(user)
}
