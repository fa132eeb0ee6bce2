//! Pipelines as plain data: how one is created from a configuration, and what happens next.
//!
//! Nothing here knows storage, HTTP or the time; both halves are functions that tables test.

mod composite;
mod create;
mod id;
mod matching;
mod process;
mod retry;
mod status;

pub use composite::StatusSet;
pub use create::{
    Context, Excluded, Plan, PlanError, PlannedJob, Reason, RefKind, SelectError, Selection,
    SkippedJob, Source, UnknownSource, Unsupported, create,
};
pub use id::{JobId, PipelineId};
pub use matching::{Candidate, Obstacle, Reach, Wanted, why_stuck};
pub use process::{Change, Event, IllegalTransition, JobIndex, JobState, StageState, State};
pub use retry::retries_again;
pub use status::{Status, UnknownStatus};
