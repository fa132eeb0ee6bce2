//! GitLab's REST API, version 4.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::ApiError;
use crate::identity::Identity;

/// The GitLab whose API this is, with our own version behind it.
const VERSION: &str = concat!("18.5.0-shipway.", env!("CARGO_PKG_VERSION"));

/// The routes of programs.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/api/v4/version", get(version))
}

async fn version(identity: Identity) -> Result<Json<Value>, ApiError> {
    identity.signed_in()?;
    Ok(Json(json!({ "version": VERSION, "revision": "unknown" })))
}
