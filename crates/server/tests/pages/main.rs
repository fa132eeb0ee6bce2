//! The pages over real sockets: who sees them, what they show, what their forms do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod artifacts;
mod bad_input;
mod browser;
mod forms;
mod hostile;
mod html;
mod live;
mod merge_requests;
mod screenshots;
mod seen;
#[expect(dead_code, reason = "shared with the tests of the other faces")]
#[path = "../http/site.rs"]
mod site;
mod world;

/// The rows are in SQLite.
async fn database() -> Option<String> {
    None
}
