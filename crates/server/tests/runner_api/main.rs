//! The runner protocol as a runner sees it: over HTTP, against a whole server. The numbers in
//! names of tests and in comments are the rows of the protocol's conformance list.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod any_order;
mod artifacts;
mod bad_input;
mod job_requests;
mod load;
mod own_runner;
mod registration;
mod support;
mod traces;
mod updates;
