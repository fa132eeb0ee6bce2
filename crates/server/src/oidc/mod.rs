//! OpenID Connect for jobs: what whoever is shown an ID token asks this server, to see that the
//! token is good. There is no signing in with it.

mod key;

use axum::Router;
use axum::extract::State;
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::ApiError;
pub(crate) use key::IdTokenKey;
pub use key::{KeyError, KeyInfo};

/// The keys that ID tokens are or were signed with and that are published: first the one that
/// signs.
///
/// # Errors
/// [`KeyError`].
pub async fn signing_keys(app: &App) -> Result<Vec<KeyInfo>, KeyError> {
    app.id_tokens().list().await
}

/// Lets a new key sign ID tokens from now on, in all servers of the database. The one before
/// is published until what it signed has run out.
///
/// # Errors
/// [`KeyError`].
pub async fn rotate_signing_key(app: &App) -> Result<(), KeyError> {
    app.id_tokens().rotate().await
}

/// Where the public keys are, below the server's address.
const KEYS: &str = "/oauth/discovery/keys";

/// What tokens say, as far as every token says it.
const CLAIMS: [&str; 29] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "namespace_id",
    "namespace_path",
    "project_id",
    "project_path",
    "project_visibility",
    "job_namespace_id",
    "job_namespace_path",
    "job_project_id",
    "job_project_path",
    "user_id",
    "user_login",
    "user_email",
    "pipeline_id",
    "pipeline_source",
    "job_id",
    "ref",
    "ref_type",
    "ref_path",
    "ref_protected",
    "runner_id",
    "runner_environment",
    "sha",
];

/// The documents at GitLab's addresses; the keys are at two of them there too.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/openid-configuration", get(configuration))
        .route(KEYS, get(keys))
        .route("/-/jwks", get(keys))
}

/// Who issues tokens, and where its keys are.
async fn configuration(State(app): State<App>) -> Response {
    let issuer = app.settings().external_url.address().url();
    public(&json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{KEYS}"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "claims_supported": CLAIMS,
    }))
}

async fn keys(State(app): State<App>) -> Result<Response, ApiError> {
    let keys = app.id_tokens().public_keys().await;
    Ok(public(&keys.map_err(|error| ApiError::internal(&error))?))
}

/// For everybody, pages of other sites included.
fn public(body: &Value) -> Response {
    let headers = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, axum::Json(body)).into_response()
}
