//! The disk budget: what runners made on a machine, and what of it has to go.
//!
//! `plan` decides over plain data. `builds`, `caches` and `engine` say what there is and remove
//! it; `used` is how a build directory tells when a job last had it, `ledger` the same of
//! images. `collect` is a round of all that. It takes no input but the disk: it may be run at
//! any time, by several processes, and what a crash leaves the next round finds.
//!
//! Only what a runner made is looked at: directories that it marked, archives that carry its
//! comment, images that it pulled, what has its label. All else is not even counted.

mod builds;
mod caches;
mod collect;
mod engine;
pub(crate) mod ledger;
mod measure;
mod plan;
mod size;
pub(crate) mod used;

pub(crate) use caches::note_use;
pub use collect::{Collected, Collector, Removal};
pub use plan::{Budget, Item, Kind, Place, Plan, State, choose};
pub use size::parse_bytes;
