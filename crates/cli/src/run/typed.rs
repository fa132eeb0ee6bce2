//! What a person types into the shell of a job that failed.

use std::io::BufRead;

use shipway_runner::FailureShell;
use tokio::sync::mpsc;

use crate::error::Fault;

/// A shell where this job fails, typed into on standard input.
pub(super) fn failure_shell(job: String) -> Result<FailureShell, Fault> {
    let (sender, lines) = mpsc::unbounded_channel();
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    // Nothing waits for its end: reading can only be broken off with the process.
    std::thread::Builder::new()
        .name("typed lines".to_owned())
        .spawn(read)
        .map_err(Fault::other)?;
    Ok(FailureShell::new(job, lines))
}
