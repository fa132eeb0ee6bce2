//! The smaller commands, one file each.

#[cfg(feature = "server")]
mod admin;
mod clean;
mod completion;
mod expand;
mod graph;
mod history;
mod lint;
mod list;
mod log;
#[cfg(feature = "lsp")]
mod lsp;
#[cfg(feature = "remote")]
mod runner;
#[cfg(feature = "server")]
mod serve;
mod simulate;
mod variables;
mod why;

#[cfg(feature = "server")]
pub(crate) use admin::admin;
pub(crate) use clean::clean;
pub(crate) use completion::{completion, man};
pub(crate) use expand::expand;
pub(crate) use graph::graph;
pub(crate) use history::history;
pub(crate) use lint::lint;
pub(crate) use list::list;
pub(crate) use log::log;
#[cfg(feature = "lsp")]
pub(crate) use lsp::lsp;
#[cfg(feature = "remote")]
pub(crate) use runner::runner;
#[cfg(feature = "server")]
pub(crate) use serve::serve;
pub(crate) use simulate::simulate;
pub(crate) use variables::variables;
pub(crate) use why::why;

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
