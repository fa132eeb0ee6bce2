//! Jobs in a shell on this machine.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::processes::{JobProcesses, MARKER};
use super::start::{Shell, Start};
use super::{Executor, ExecutorError, StageEnd, StageRequest};
use crate::config::RunnerConfig;
use crate::control::{Control, Request};
use crate::failure_shell::FailureShell;
use crate::log::{Log, Output};

/// Reading after everything the job started was killed; the pipe is closed by then.
const LAST_READ: Duration = Duration::from_secs(2);
const READ_BYTES: usize = 64 * 1024;
const SHELLS: [&str; 2] = ["bash", "sh"];

/// Why a shell could not run a stage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShellError {
    /// Neither bash nor sh.
    #[error("there is neither `bash` nor `sh` in PATH ({path}); install one or set PATH")]
    NoShell { path: String },
    /// The shell's input or output could not be made.
    #[error("cannot prepare the shell's {what} in {}: {source}", directory.display())]
    Pipe {
        what: &'static str,
        directory: PathBuf,
        source: std::io::Error,
    },
    /// The shell did not start.
    #[error("cannot start {}: {source}{}", shell.display(), spawn_hint(source))]
    Spawn {
        shell: PathBuf,
        source: std::io::Error,
    },
    /// The shell's end was not reported.
    #[error("cannot wait for {}: {source}", shell.display())]
    Wait {
        shell: PathBuf,
        source: std::io::Error,
    },
    /// Something the job started withstood SIGKILL.
    #[error("{count} processes of the job could not be stopped: {pids}")]
    Leftover { count: usize, pids: String },
}

fn spawn_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::ArgumentListTooLong => {
            "; the job's variables are larger than the operating system allows, use file variables for long values"
        }
        _ => "",
    }
}

/// One job's shell.
pub(crate) struct ShellExecutor<'a> {
    config: &'a RunnerConfig,
    directory: PathBuf,
    processes: JobProcesses,
    shell: PathBuf,
}

impl<'a> ShellExecutor<'a> {
    /// A shell for the job in this slot directory.
    pub(crate) fn new(config: &'a RunnerConfig, slot_directory: &Path) -> Self {
        Self {
            config,
            directory: slot_directory.to_owned(),
            processes: JobProcesses::new(slot_directory),
            shell: PathBuf::new(),
        }
    }

    fn inherited_path(&self) -> OsString {
        self.config
            .shell_environment
            .iter()
            .find(|(name, _)| name == "PATH")
            .map_or_else(
                || "/usr/local/bin:/usr/bin:/bin".into(),
                |(_, value)| value.clone(),
            )
    }

    /// Starts the shell. Its input is an unnamed file, because a script may be longer than
    /// arguments and pipes hold; its two outputs are one pipe, so their order is kept.
    fn spawn(
        &self,
        request: &StageRequest<'_>,
    ) -> Result<(Shell, pipe::Receiver, Option<pipe::Sender>), ShellError> {
        let pipe_error = |what| {
            let directory = self.directory.clone();
            move |source| ShellError::Pipe {
                what,
                directory,
                source,
            }
        };
        // What a person types comes after the script, so then its input is a pipe.
        let (input, typed) = match request.failure_shell {
            None => (
                script_file(request.script, &self.directory).map_err(pipe_error("script"))?,
                None,
            ),
            Some(_) => {
                let (reader, writer) = std::io::pipe().map_err(pipe_error("script"))?;
                let writer = pipe::Sender::from_owned_fd(writer.into());
                let writer = writer.map_err(pipe_error("script"))?;
                (OwnedFd::from(reader).into(), Some(writer))
            }
        };
        let (reader, writer) = std::io::pipe().map_err(pipe_error("output"))?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(pipe_error("output"))?;

        // Not a login shell: `/etc/profile` replaces PATH on common systems, and a person's
        // profile would make the job depend on that person. So PATH is what they see.
        let path = self.inherited_path();
        let mut environment = BTreeMap::from([(OsStr::new("PATH"), path.as_os_str())]);
        let inherited = self.config.shell_environment.iter();
        environment.extend(inherited.map(|(name, value)| (name.as_os_str(), value.as_os_str())));
        let of_job = request.environment.iter();
        environment.extend(of_job.map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        environment.insert(OsStr::new(MARKER), OsStr::new(self.processes.marker()));
        let start = Start {
            shell: &self.shell,
            directory: &self.directory,
            environment,
            input,
            output: writer.into(),
        };
        let shell = self
            .processes
            .start(start)
            .map_err(|source| ShellError::Spawn {
                shell: self.shell.clone(),
                source,
            })?;
        Ok((shell, reader, typed))
    }

    /// Waits for the shell, or stops it by the ladder: SIGTERM to its group, grace, SIGKILL.
    async fn supervise(
        &self,
        shell: &mut Shell,
        request: &StageRequest<'_>,
        control: &mut Control,
    ) -> Result<StageEnd, ShellError> {
        let group = shell.pid();
        let signal = |signal| {
            // A group that is gone needs no signal.
            let _ = killpg(group, signal);
        };
        let mut end = tokio::select! {
            biased;
            status = shell.wait() => return self.exited(status),
            () = control.reached(request.stop_on) => StageEnd::Canceled,
            () = tokio::time::sleep_until(request.deadline) => StageEnd::TimedOut,
        };
        if control.requested() < Request::Abort {
            signal(Signal::SIGTERM);
            tokio::select! {
                biased;
                status = shell.wait() => {
                    self.exited(status)?;
                    return Ok(end);
                }
                () = tokio::time::sleep(self.config.kill_grace) => {}
                () = control.reached(Request::Abort) => end = StageEnd::Aborted,
            }
        } else {
            end = StageEnd::Aborted;
        }
        signal(Signal::SIGKILL);
        self.exited(shell.wait().await)?;
        Ok(end)
    }

    fn exited(&self, code: std::io::Result<i32>) -> Result<StageEnd, ShellError> {
        code.map(StageEnd::Exited)
            .map_err(|source| ShellError::Wait {
                shell: self.shell.clone(),
                source,
            })
    }
}

impl Executor for ShellExecutor<'_> {
    const NAME: &'static str = "shell";

    async fn prepare(&mut self, log: &mut Log) -> Result<(), ExecutorError> {
        let path = self.inherited_path();
        let (name, shell) = SHELLS
            .iter()
            .find_map(|name| Some((name, find_in_path(name, &path)?)))
            .ok_or_else(|| ShellError::NoShell {
                path: path.to_string_lossy().into_owned(),
            })?;
        self.shell = shell;
        log.line(&format!("Using Shell ({name}) executor...")).await;
        Ok(())
    }

    fn place(&self) -> String {
        format!("Running on {}...", self.config.description)
    }

    async fn run(
        &mut self,
        request: StageRequest<'_>,
        output: &mut Output,
        control: &mut Control,
    ) -> Result<StageEnd, ExecutorError> {
        let (mut shell, mut reader, typed) = self.spawn(&request)?;
        let feed = feed(typed, &request);
        tokio::pin!(feed);
        let mut all_fed = false;
        let leader = shell.pid();
        let copy = copy_output(&mut reader, output, request.failure_shell);
        tokio::pin!(copy);
        let mut all_read = false;
        let end = {
            let supervise = self.supervise(&mut shell, &request, control);
            tokio::pin!(supervise);
            loop {
                tokio::select! {
                    end = &mut supervise => break end,
                    () = &mut copy, if !all_read => all_read = true,
                    () = &mut feed, if !all_fed => all_fed = true,
                }
            }
        };
        self.processes.ended(leader);
        // Something in the background may still be writing, such as the `tee` of a process
        // substitution; it gets a moment, and then nothing of the job may stay.
        if !all_read {
            let moment = tokio::time::timeout(self.config.drain_grace, &mut copy);
            all_read = moment.await.is_ok();
        }
        let left = self.processes.sweep().await;
        if !all_read {
            let _ = tokio::time::timeout(LAST_READ, &mut copy).await;
        }
        let end = end?;
        if !left.is_empty() {
            return Err(ShellError::Leftover {
                count: left.len(),
                pids: left
                    .iter()
                    .map(i32::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            }
            .into());
        }
        Ok(end)
    }

    async fn cleanup(&mut self) -> Result<(), ExecutorError> {
        Ok(())
    }
}

/// An unnamed file with the script, to be read from its beginning; in memory where the
/// system has such files.
fn script_file(script: &str, directory: &Path) -> std::io::Result<File> {
    #[cfg(target_os = "linux")]
    let file = {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        memfd_create("script", MFdFlags::MFD_CLOEXEC).map(File::from)
    };
    #[cfg(not(target_os = "linux"))]
    let file = Err(std::io::Error::from(std::io::ErrorKind::Unsupported));
    let mut file = file.or_else(|_| tempfile::tempfile_in(directory))?;
    file.write_all(script.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Gives the shell its script and what a person types then.
async fn feed(pipe: Option<pipe::Sender>, request: &StageRequest<'_>) {
    let (Some(mut pipe), Some(shell)) = (pipe, request.failure_shell) else {
        return;
    };
    // A shell that ended reads nothing more; its exit code tells the rest.
    let mut is_fed = pipe.write_all(request.script.as_bytes()).await;
    while is_fed.is_ok()
        && let Some(line) = shell.line().await
    {
        is_fed = pipe.write_all(format!("{line}\n").as_bytes()).await;
    }
}

async fn copy_output(
    reader: &mut pipe::Receiver,
    output: &mut Output,
    failure_shell: Option<&FailureShell>,
) {
    let mut buffer = vec![0; READ_BYTES];
    // A pipe that cannot be read has nothing more to say.
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        if let Some(shell) = failure_shell {
            shell.see(&buffer[..count]);
        }
        output.write(&buffer[..count]).await;
    }
}

/// The first executable file of that name in a search path.
fn find_in_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|file| {
            std::fs::metadata(file).is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
            })
        })
}
