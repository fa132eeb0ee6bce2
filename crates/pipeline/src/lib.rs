//! Pipelines as plain data: how one is created from a configuration, and what happens next.
//!
//! Nothing here knows storage, HTTP or the time; both halves are functions that tables test.

mod auto_cancel;
mod bridge;
mod composite;
mod create;
mod explain;
mod flip;
mod graph;
mod id;
mod matching;
mod process;
mod resource_group;
mod retry;
mod simulate;
mod status;
mod waiting;

pub use auto_cancel::{Interruptible, make_way};
pub use bridge::{Ancestor, Downstream, MAX_CHILD_DEPTH, MAX_HIERARCHY, follow, refuse};
pub use composite::StatusSet;
pub use create::variables_of;
pub use create::{
    Context, Excluded, Host, Plan, PlanError, PlannedJob, Reason, RefKind, SelectError, Selection,
    SkippedJob, Source, UnknownSource, Unsupported, create,
};
pub use explain::{
    Explanation, Level, PartTrace, RuleTrace, Tried, ValueTrace, VariableUse, VariableValue,
    explain,
};
pub use flip::{Difference, Flip};
pub use graph::{Edge, EdgeKind, Graph, GraphJob, View};
pub use id::{JobId, PipelineId};
pub use matching::{Candidate, Obstacle, Reach, Wanted, why_stuck};
pub use process::{Change, Event, IllegalTransition, JobIndex, JobState, StageState, State};
pub use resource_group::{Claimant, ProcessMode, next_in_group};
pub use retry::retries_again;
pub use simulate::{
    EVENTS, Outcomes, Picture, SimulateError, Transition, Wave, rehearse, simulate,
};
pub use status::{Status, UnknownStatus};
pub use waiting::{Blocker, Waiting, waiting};
