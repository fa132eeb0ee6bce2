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
#[path = "../../../store/tests/support/postgres.rs"]
mod postgres;
#[path = "../http/sessions.rs"]
mod sessions;
#[path = "../http/site.rs"]
mod site;

use std::io::Write;

/// Notes that the test of this thread ran over SQLite.
fn skipped(_: &str, reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("main");
    let line = format!("http_postgres::{name}: {reason}\n");
    let Some(list) = std::env::var_os("SHIPWAY_TEST_SKIPS") else {
        #[expect(clippy::print_stderr, reason = "where tests say what they skip")]
        {
            eprint!("skipped: {line}");
        }
        return;
    };
    let list = std::fs::File::options()
        .append(true)
        .create(true)
        .open(list);
    let written = list.and_then(|mut list| list.write_all(line.as_bytes()));
    written.expect("the list of skipped tests");
}

/// The URL of a new, empty database.
async fn database() -> Option<String> {
    postgres::database().await
}
