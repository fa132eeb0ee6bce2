//! What `shipway serve` joins to the server: the runner inside of it, and the examples.

mod demo;
mod embedded;

pub(crate) use demo::{TAGS as DEMO_TAGS, push_examples};
pub(crate) use embedded::{Embedded, choose_executor};
