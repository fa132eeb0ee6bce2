//! The REST API, asked as programs ask it, on a data directory of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod access;
mod answers;
mod fields;
mod hostile;
mod id_tokens;
mod inputs;
mod limits;
mod lint;
mod merge_requests;
mod packages;
mod queries;
mod releases;
mod repository;
mod resources;
mod site;
mod statuses;
