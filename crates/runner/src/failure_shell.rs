//! A shell where a job's script failed, for whoever looks for the reason.
//!
//! It is the job's own shell: the trap at its end reads what a person types from the input
//! that the script came on. So directory, variables and functions are as the failed line left
//! them, and it works the same on this machine and in a container.

use std::sync::PoisonError;

use tokio::sync::{Mutex, mpsc, watch};

use crate::script::quote;

/// What a person types, for the job of this name.
#[derive(Debug)]
pub struct FailureShell {
    job: String,
    lines: Mutex<mpsc::UnboundedReceiver<String>>,
    /// The end of what the script printed.
    printed: std::sync::Mutex<Vec<u8>>,
    is_open: watch::Sender<bool>,
}

/// The bytes of output in which the announcement is looked for.
const LOOKED_AT: usize = 256;

impl FailureShell {
    /// Opens a shell where the job of this name fails; `lines` is what is typed there, and its
    /// end ends the shell.
    pub fn new(job: String, lines: mpsc::UnboundedReceiver<String>) -> Self {
        Self {
            job,
            lines: Mutex::new(lines),
            printed: std::sync::Mutex::default(),
            is_open: watch::Sender::new(false),
        }
    }

    /// Whether it is for the job of this name.
    pub(crate) fn is_for(&self, job: &str) -> bool {
        self.job == job
    }

    /// Looks in what the script prints for the announcement.
    pub(crate) fn see(&self, output: &[u8]) {
        if *self.is_open.borrow() {
            return;
        }
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.extend_from_slice(output);
        let announced = OPENED.as_bytes();
        if printed
            .windows(announced.len())
            .any(|part| part == announced)
        {
            self.is_open.send_replace(true);
        }
        let old = printed.len().saturating_sub(LOOKED_AT);
        printed.drain(..old);
    }

    /// The next line that is typed; nothing at the end. Waits until the shell is open: many
    /// shells read ahead, and would swallow with their script what is not part of it.
    pub(crate) async fn line(&self) -> Option<String> {
        let mut opened = self.is_open.subscribe();
        opened.wait_for(|is_open| *is_open).await.ok()?;
        self.lines.lock().await.recv().await
    }
}

/// What is announced when it opens.
const OPENED: &str = "The line above failed. This is a shell where it failed: `again` repeats the line, \
     `next` goes on after it, `exit` ends the job.";

/// What comes before a script: the trap, and the lines that it can repeat. Each line has to be
/// preceded by [`mark`].
pub(crate) fn prelude(commands: &[String]) -> String {
    let mut cases = String::new();
    for (index, command) in commands.iter().enumerate() {
        let command = quote(command.trim());
        cases.push_str(&format!("{index}) shipway_line={command} ;;\n"));
    }
    let announcement = quote(&format!("\x1b[36;1m{OPENED}\x1b[0;m"));
    // `$?` is saved before anything else. Lines run without errexit, which would end the
    // shell; one of several commands is judged by its last.
    format!(
        "exec 9<&0\n\
         shipway_find() {{ case $1 in\n{cases}*) return 1 ;;\nesac; }}\n\
         shipway_do() {{ printf '\\033[32;1m$ %s\\033[0;m\\n' \"$shipway_line\"; eval \"$shipway_line\" </dev/null; }}\n\
         shipway_shell() {{\n\
         shipway_failed=$?; shipway_code=$shipway_failed\n\
         if [ \"$shipway_failed\" = 0 ]; then exit 0; fi\n\
         set +o errexit +o xtrace\n\
         printf '%s\\n' {announcement}\n\
         while printf '[%s] %s\\n' \"$shipway_code\" \"$PWD\"; IFS= read -r shipway_typed <&9; do\n\
         case $shipway_typed in\n\
         again) shipway_find \"$shipway_at\"; shipway_do; shipway_code=$? ;;\n\
         next) while :; do\n\
         shipway_at=$((shipway_at + 1))\n\
         shipway_find \"$shipway_at\" || exit 0\n\
         shipway_do; shipway_code=$?\n\
         if [ \"$shipway_code\" != 0 ]; then shipway_failed=$shipway_code; break; fi\n\
         done ;;\n\
         exit) break ;;\n\
         *) eval \"$shipway_typed\" </dev/null; shipway_code=$? ;;\n\
         esac\n\
         done\n\
         exit \"$shipway_failed\"\n\
         }}\n\
         trap shipway_shell EXIT\n"
    )
}

/// Says which line comes next.
pub(crate) fn mark(index: usize) -> String {
    format!("shipway_at={index}\n")
}
