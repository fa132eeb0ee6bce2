//! The runner protocol as a runner sees it: over HTTP, against a whole server.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod job_requests;
mod support;
