//! Basic authentication, as git does it: a user with a password or a token.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::credential::basic;
use super::extract::{by_job_token, by_token};
use super::sign_in::check_password;
use super::{Identity, Proof, Who};
use crate::app::App;
use crate::error::ApiError;

/// The user under which a job shows its token.
const JOB_USER: &str = "gitlab-ci-token";

/// Who asks by `Authorization: Basic`: any user with a personal access token as password, the
/// user `gitlab-ci-token` with a job's token, or a user with the user's own password. Tokens
/// as the API takes them are not read here.
///
/// # Errors
///
/// 401 for what is not valid, 429 for too many wrong passwords.
pub(crate) async fn basic_identity(
    app: &App,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Identity, ApiError> {
    let Some((name, password)) = basic(headers) else {
        return match headers.contains_key(axum::http::header::AUTHORIZATION) {
            true => Err(ApiError::unauthorized()),
            false => Ok(Identity::anonymous()),
        };
    };
    if name == JOB_USER {
        let identity = by_job_token(app, &password).await?;
        return identity.ok_or_else(ApiError::unauthorized);
    }
    // `https://TOKEN@host` and `https://TOKEN:x-oauth-basic@host` have it as the user.
    let secret = match password.as_str() {
        "" | "x-oauth-basic" => &name,
        password => password,
    };
    if let Some(identity) = by_token(app, secret).await? {
        return Ok(identity);
    }
    let user = check_password(app, &name, &password, address).await?;
    Ok(Identity {
        who: Who::User(user),
        proof: Proof::Password,
    })
}
