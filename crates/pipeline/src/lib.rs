//! Pipelines as plain data: how one is created from a configuration, and what happens next.
//!
//! Nothing here knows storage, HTTP or the time; both halves are functions that tables test.

mod id;
mod status;

pub use id::{JobId, PipelineId};
pub use status::{Status, UnknownStatus};
