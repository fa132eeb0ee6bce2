//! Where text goes: colour is decided once, and a reader that went away is no fault.

use std::io::{self, Write};

use anstream::ColorChoice;

use crate::args::Color;
use crate::error::Fault;

/// Decides about colour for everything that is printed from now on.
pub(crate) fn choose_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
}

/// Prints what the rooms below log: warnings and errors, or what `SHIPWAY_LOG` asks for in
/// the form of `RUST_LOG`. It is about the machine and the program, not about jobs.
pub(crate) fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("SHIPWAY_LOG")
        .with_default_directive(tracing::Level::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(color_on_stderr())
        .with_target(false)
        .without_time()
        .compact()
        .init();
}

/// Whether what goes to standard error may have colour.
pub(crate) fn color_on_stderr() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Prints to standard output through `write`; a closed pipe ends the output quietly.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Fault> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    let done = write(&mut out).and_then(|()| out.flush());
    unless_closed(done)
}

/// A closed pipe is success: the reader has seen what it wanted.
pub(crate) fn unless_closed(done: io::Result<()>) -> Result<(), Fault> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Fault::other(error)),
        Ok(()) => Ok(()),
    }
}

/// A value as JSON on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::other)?;
    print(|out| writeln!(out, "{text}"))
}
