//! Faults that end a command, with their exit codes.

use std::error::Error;
use std::fmt::Write as _;

/// A fault that ends the command.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The exit code: 1 the check failed, 2 usage or configuration.
    pub(crate) code: u8,
    /// What to print; empty when it has been printed already.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Fault {
    /// The caller or the configuration is at fault.
    pub(crate) fn usage(error: impl Error) -> Self {
        Self::usage_text(chain(&error))
    }

    /// The same with a text.
    pub(crate) fn usage_text(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
            hint: None,
        }
    }

    /// Something else went wrong.
    pub(crate) fn other(error: impl Error) -> Self {
        Self {
            code: 1,
            message: chain(&error),
            hint: None,
        }
    }

    /// Faults of the configuration, already printed.
    pub(crate) fn printed() -> Self {
        Self::usage_text("")
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The error with all its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
