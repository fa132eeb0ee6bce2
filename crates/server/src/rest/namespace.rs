//! Namespaces as projects show theirs.

use serde::Serialize;
use shipway_store::{NamespaceKind, NamespaceRow};

use crate::app::App;

/// GitLab's `NamespaceBasic`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Namespace {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) kind: &'static str,
    pub(super) full_path: String,
    pub(super) parent_id: Option<i64>,
    pub(super) avatar_url: Option<String>,
    pub(super) web_url: String,
}

impl Namespace {
    pub(super) fn new(app: &App, row: &NamespaceRow) -> Self {
        let base = &app.settings().external_url;
        let full_path = &row.full_path;
        Self {
            id: row.id.0,
            name: row.name.clone(),
            path: last_name(full_path).to_owned(),
            kind: row.kind.as_str(),
            full_path: full_path.clone(),
            parent_id: row.parent_id.map(|parent| parent.0),
            avatar_url: None,
            web_url: match row.kind {
                NamespaceKind::Group => format!("{base}/groups/{full_path}"),
                NamespaceKind::User => format!("{base}/{full_path}"),
            },
        }
    }
}

/// The last name of a path.
pub(super) fn last_name(full_path: &str) -> &str {
    full_path.rsplit('/').next().unwrap_or(full_path)
}
