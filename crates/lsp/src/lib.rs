//! The language server for `.gitlab-ci.yml`: what an editor asks while a person types.
//!
//! Two readers share the work. `outline` sees the shape of a text that may be wrong at this
//! very moment, within a millisecond; completion and places come from it. The configuration
//! itself is read by `shipway-config` in a thread of its own (`checks`), always the newest
//! state; faults, the set of included files and merged jobs come from there. `server` is the
//! loop between them and the editor.

mod checks;
mod completion;
mod diagnostics;
mod document;
mod hover;
mod names;
mod navigation;
mod outline;
mod quick_fix;
mod server;
mod symbols;
mod text;
mod uri;
mod workspace;

use shipway_config::Source;
use std::path::Path;
use thiserror::Error;

/// What the server needs from outside.
pub struct Settings {
    /// The path of the configuration from a project's root: `.gitlab-ci.yml`.
    pub file: String,
    /// The files of the project at a root, on the disk. Asked before every check, from one
    /// thread. The text says why there are none.
    pub files: ProjectFiles,
}

/// See [`Settings::files`].
pub type ProjectFiles = Box<dyn Fn(&Path) -> Result<Box<dyn Source>, String> + Send>;

/// Why the conversation with the editor ended badly.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The editor did not keep to the protocol.
    #[error("the editor does not keep to the Language Server Protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// Standard input or output broke.
    #[error("the connection to the editor broke: {0}")]
    Io(#[from] std::io::Error),
    /// The first message of the editor has a form that is not understood.
    #[error("the editor's `initialize` is not understood: {0}")]
    Initialize(#[from] serde_json::Error),
}

/// Serves one editor over standard input and output until it says goodbye. Whether it did so
/// properly is the answer.
///
/// # Errors
/// [`ServeError`]
pub fn serve(settings: Settings) -> Result<bool, ServeError> {
    let (connection, threads) = lsp_server::Connection::stdio();
    let ended = server::run(&connection, settings)?;
    // The threads end when nobody holds the channels.
    drop(connection);
    threads.join()?;
    Ok(ended)
}
