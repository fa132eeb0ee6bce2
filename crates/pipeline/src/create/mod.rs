//! A pipeline's birth: configuration and context make a plan, in which every job has a
//! reason to be there or not.

mod conditions;
mod context;
mod plan;
mod reason;
mod scope;
mod select;
mod trace;
mod unsupported;
mod variables;
mod workflow;

pub use context::{Context, RefKind, Source, UnknownSource};
pub use plan::{Plan, PlanError, PlannedJob, SkippedJob, create};
pub use reason::{Excluded, Reason};
pub use select::{SelectError, Selection};
pub use unsupported::{Host, Unsupported};

pub use scope::Level;
pub use trace::{PartTrace, RuleTrace, Tried, ValueTrace, VariableUse};
pub(crate) use trace::{Verdict, trace, verdict};
pub use variables::{VariableValue, variables_of};
