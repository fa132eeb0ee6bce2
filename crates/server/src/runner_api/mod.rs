//! The runner protocol: what runners ask at `/api/v4/runners` and `/api/v4/jobs`.

use axum::Router;

use crate::app::App;

/// The routes of runners.
pub(crate) fn routes() -> Router<App> {
    Router::new()
}
