//! `/version` and `/metadata`.

use serde_json::json;

use super::call::{Answer, Call, ok};
use super::routes::{Routes, Who};
use crate::identity::Scope;

/// The GitLab whose API this is, with our own version behind it.
const VERSION: &str = concat!("18.5.0-shipway.", env!("CARGO_PKG_VERSION"));

/// Anything that says who asks.
const ANY: Who = Who::Scoped(&[Scope::ReadUser, Scope::ReadApi]);

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/version", ANY, version)
        .get("/metadata", ANY, metadata)
}

async fn version(_: Call) -> Answer {
    ok(json!({ "version": VERSION, "revision": "unknown" }))
}

async fn metadata(_: Call) -> Answer {
    ok(json!({
        "version": VERSION,
        "revision": "unknown",
        "kas": {
            "enabled": false,
            "externalUrl": null,
            "externalK8sProxyUrl": null,
            "version": null,
        },
        "enterprise": false,
    }))
}
