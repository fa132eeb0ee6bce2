//! The server over real sockets, with real git, on a data directory of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod access_tokens;
mod bad_input;
mod git_fetch;
mod git_push;
mod job_tokens;
mod operations;
mod permissions;
mod sessions;
mod site;

/// The rows are in SQLite.
async fn database() -> Option<String> {
    None
}
