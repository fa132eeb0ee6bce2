//! Running `git` on a hosted repository, without blocking and without the machine's own
//! configuration.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::queries::QueryError;
use crate::command::{Asked, Git, GitError};

/// What git gets of our environment: where programs and temporary files are. Everything else
/// (`GIT_DIR`, `HOME`, `GIT_TRACE`, …) could lead it elsewhere.
const KEPT_VARIABLES: &[&str] = &["PATH", "LD_LIBRARY_PATH", "TMPDIR", "GIT_EXEC_PATH"];

/// Settings of every call.
const SETTINGS: &[&str] = &[
    // The data folder may belong to another user than the one who runs the server; the hooks
    // and configuration in it are ours.
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    // A push that was acknowledged is on disk, its refs too.
    "core.fsync=committed,reference",
    // Housekeeping has its own time (`BareRepository::housekeeping`), not a request's.
    "gc.auto=0",
    "maintenance.auto=false",
    // As GitLab sets it: a clone must not take all memory.
    "pack.windowMemory=100m",
];

/// Git's own words are kept up to this many bytes.
const LONGEST_COMPLAINT: u64 = 64 * 1024;

/// One call of git, being put together.
pub(super) struct Call {
    git: Git,
    input: bool,
}

impl Call {
    /// A call that runs in a bare repository, or in the directory of all repositories.
    pub(super) fn new(directory: &Path) -> Self {
        let mut command = std::process::Command::new("git");
        command
            .env_clear()
            .envs(
                KEPT_VARIABLES
                    .iter()
                    .filter_map(|name| Some((*name, std::env::var_os(name)?))),
            )
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        Self {
            git: Git::with(command, directory, SETTINGS),
            input: false,
        }
    }

    /// A setting for this call, `name=value`. Settings come before arguments.
    pub(super) fn setting(mut self, setting: &str) -> Self {
        self.git = self.git.setting(setting);
        self
    }

    /// Adds arguments.
    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.git = self.git.args(args);
        self
    }

    /// Sets a variable of git's environment.
    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.git = self.git.env(name, value);
        self
    }

    /// Starts the process with a pipe as its input.
    pub(super) fn spawn_with_input(mut self) -> Result<Process, GitError> {
        self.input = true;
        self.spawn()
    }

    /// Starts the process.
    pub(super) fn spawn(self) -> Result<Process, GitError> {
        let (command, asked) = self.git.into_parts();
        let mut command = Command::from(command);
        command.process_group(0).kill_on_drop(true);
        if self.input {
            command.stdin(Stdio::piped());
        }
        match command.spawn() {
            Ok(child) => Ok(Process { child, asked }),
            Err(error) => Err(asked.not_started(error)),
        }
    }

    /// Runs to the end and returns standard output.
    pub(super) async fn output(self) -> Result<Vec<u8>, GitError> {
        self.spawn()?.output(b"").await
    }

    /// Runs to the end with `input` as standard input.
    pub(super) async fn output_with_input(self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        self.spawn_with_input()?.output(input).await
    }

    /// Standard output up to `limit` bytes, and whether that is all; git is stopped when there
    /// are more, and when it takes longer than `time`.
    pub(super) async fn output_within(
        self,
        limit: u64,
        time: Duration,
    ) -> Result<(Vec<u8>, bool), QueryError> {
        let mut process = self.spawn()?;
        let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
        let read = async {
            let mut output = Vec::new();
            if let Some(stdout) = stdout {
                let mut limited = stdout.take(limit.saturating_add(1));
                let read = limited.read_to_end(&mut output).await;
                read.map_err(|source| process.run_error(source))?;
            }
            if output.len() as u64 > limit {
                output.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                return Ok((output, false));
            }
            let complaint = complaint(stderr).await;
            process.end(complaint).await?;
            Ok((output, true))
        };
        match tokio::time::timeout(time, read).await {
            Ok(read) => read,
            // Dropping the process kills it.
            Err(_) => Err(QueryError::TooSlow {
                seconds: time.as_secs(),
            }),
        }
    }

    /// As [`Call::output`], with `None` where git ran and refused.
    pub(super) async fn answer(self) -> Result<Option<Vec<u8>>, GitError> {
        match self.output().await {
            Ok(output) => Ok(Some(output)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A started git. Dropped before its end it is killed with everything it started.
pub(super) struct Process {
    pub(super) child: Child,
    asked: Asked,
}

impl Process {
    async fn output(mut self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let (stdin, stdout) = (self.child.stdin.take(), self.child.stdout.take());
        let stderr = self.child.stderr.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // A broken pipe means that git ended early; its own message says why.
                stdin.write_all(input).await.ok();
            }
        };
        let read = async {
            let mut output = Vec::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_end(&mut output).await?;
            }
            Ok::<_, std::io::Error>(output)
        };
        let ((), output, complaint) = tokio::join!(write, read, complaint(stderr));
        let output = output.map_err(|source| self.run_error(source))?;
        self.end(complaint).await?;
        Ok(output)
    }

    /// Waits for the end and judges it.
    pub(super) async fn end(&mut self, complaint: String) -> Result<(), GitError> {
        let status = self.child.wait().await;
        let status = status.map_err(|source| self.run_error(source))?;
        self.asked.judge(status, || complaint)
    }

    pub(super) fn run_error(&self, source: std::io::Error) -> GitError {
        self.asked.broken(source)
    }

    /// Ends git and everything it started at once.
    pub(super) fn kill(&self) {
        if let Some(group) = self.group() {
            group.signal(Signal::SIGKILL);
        }
    }

    /// The group to signal, as long as git has not been waited for: after that its number may
    /// belong to somebody else.
    pub(super) fn group(&self) -> Option<Group> {
        let id = i32::try_from(self.child.id()?).ok()?;
        Some(Group(Pid::from_raw(id)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process group of a started git.
#[derive(Clone, Copy)]
pub(super) struct Group(Pid);

impl Group {
    /// Signals git and everything it started; that they are gone already is no fault.
    pub(super) fn signal(self, signal: Signal) {
        killpg(self.0, signal).ok();
    }
}

/// Reads what git complains about, to its end, and keeps the beginning.
pub(super) async fn complaint(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut stderr) = stderr {
        let mut limited = (&mut stderr).take(LONGEST_COMPLAINT);
        limited.read_to_end(&mut kept).await.ok();
        tokio::io::copy(&mut stderr, &mut tokio::io::sink())
            .await
            .ok();
    }
    String::from_utf8_lossy(&kept).into_owned()
}
