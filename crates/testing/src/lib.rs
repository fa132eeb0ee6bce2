//! What the tests and benchmarks of several crates share. No program is built with it.
//!
//! [`rows`] makes the rows that a store begins with, [`repository`] commits with the real git,
//! [`state`] shows whether anything has changed, [`postgres`] is a database server of the
//! process, and [`skips`] says what could not be tested.
//!
//! Whatever fails in here fails the test that called it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that fails fails the test"
)]

pub mod postgres;
pub mod repository;
pub mod rows;
pub mod skips;
pub mod state;
