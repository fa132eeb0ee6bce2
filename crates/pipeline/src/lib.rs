//! Pipelines as plain data: how one is created from a configuration, and what happens next.
//!
//! Nothing here knows storage, HTTP or the time; both halves are functions that tables test.

mod auto_cancel;
mod bridge;
mod composite;
mod create;
mod id;
mod matching;
mod process;
mod resource_group;
mod retry;
mod status;

pub use auto_cancel::{Interruptible, make_way};
pub use bridge::{Ancestor, Downstream, MAX_CHILD_DEPTH, MAX_HIERARCHY, follow, refuse};
pub use composite::StatusSet;
pub use create::{
    Context, Excluded, Host, Plan, PlanError, PlannedJob, Reason, RefKind, SelectError, Selection,
    SkippedJob, Source, UnknownSource, Unsupported, create,
};
pub use id::{JobId, PipelineId};
pub use matching::{Candidate, Obstacle, Reach, Wanted, why_stuck};
pub use process::{Change, Event, IllegalTransition, JobIndex, JobState, StageState, State};
pub use resource_group::{Claimant, ProcessMode, next_in_group};
pub use retry::retries_again;
pub use status::{Status, UnknownStatus};
