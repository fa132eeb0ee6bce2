//! The smaller commands, one file each.

#[cfg(feature = "server")]
mod admin;
mod clean;
mod completion;
mod history;
mod lint;
mod list;
mod log;
#[cfg(feature = "remote")]
mod runner;
#[cfg(feature = "server")]
mod serve;

#[cfg(feature = "server")]
pub(crate) use admin::admin;
pub(crate) use clean::clean;
pub(crate) use completion::{completion, man};
pub(crate) use history::history;
pub(crate) use lint::lint;
pub(crate) use list::list;
pub(crate) use log::log;
#[cfg(feature = "remote")]
pub(crate) use runner::runner;
#[cfg(feature = "server")]
pub(crate) use serve::serve;

use std::future::Future;

use crate::error::Fault;

/// Runs the asynchronous part of a command.
fn block_on<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::other)?;
    runtime.block_on(work)
}
