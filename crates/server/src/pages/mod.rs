//! The pages for people.

mod errors;
mod sign_in;

use axum::Router;

use crate::app::App;

pub(crate) use errors::errors;

/// The pages of the instance: `/users/sign_in`, …
pub(crate) fn routes() -> Router<App> {
    sign_in::routes()
}

/// The pages below the path of a group or project, as addresses inside of it: `/`,
/// `/-/pipelines/{id}`, `/badges/{*rest}`. Handlers take the path as
/// [`crate::project_address::ProjectPath`].
pub(crate) fn project_routes() -> Router<App> {
    Router::new()
}
