//! The same over PostgreSQL, where it is installed.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../http/access_tokens.rs"]
mod access_tokens;
#[path = "../http/git_fetch.rs"]
mod git_fetch;
#[path = "../http/git_push.rs"]
mod git_push;
#[path = "../http/job_tokens.rs"]
mod job_tokens;
#[path = "../http/operations.rs"]
mod operations;
#[path = "../http/permissions.rs"]
mod permissions;
#[path = "../http/sessions.rs"]
mod sessions;
#[path = "../http/site.rs"]
mod site;

/// The URL of a new, empty database.
async fn database() -> Option<String> {
    shipway_testing::postgres::database().await
}
