//! The machine's git as a child process, its words in the job's log.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::log::Output;

const READ_BYTES: usize = 8 * 1024;

/// How git is called for one job.
#[derive(Debug)]
pub(crate) struct Git<'a> {
    pub project: &'a Path,
    /// Configuration with the credentials.
    pub credentials: PathBuf,
    /// The setting that names the server's certificate authorities, where they are its own.
    pub authorities: Option<String>,
    /// `GIT_ALLOW_PROTOCOL`.
    pub protocols: String,
    /// What else it inherits; nothing of the job's own.
    pub environment: &'a [(OsString, OsString)],
}

impl Git<'_> {
    fn command(&self, arguments: &[String]) -> Command {
        let mut include = OsString::from("include.path=");
        include.push(&self.credentials);
        let mut command = Command::new("git");
        command
            .args(["-c", "core.hooksPath=/dev/null", "-c"])
            .arg(include)
            .args(self.authorities.iter().flat_map(|setting| ["-c", setting]))
            .args(arguments)
            .current_dir(self.project)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(self.environment.iter().cloned())
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_ALLOW_PROTOCOL", &self.protocols)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .process_group(0);
        // A repository is only ever the project's own, not one of a directory above.
        if let Some(parent) = self.project.parent() {
            command.env("GIT_CEILING_DIRECTORIES", parent);
        }
        command
    }

    /// Runs git and writes what it says to `output`. Dropping the future ends it with all
    /// that it started.
    pub(crate) async fn run(
        &self,
        arguments: &[String],
        output: &mut Output,
    ) -> io::Result<ExitStatus> {
        let (reader, writer) = io::pipe()?;
        let mut reader = pipe::Receiver::from_owned_fd(reader.into())?;
        let mut command = self.command(arguments);
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut group = Group(command.spawn()?);
        // It holds the pipe's writing end.
        drop(command);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer).await? {
                0 => break,
                read => output.write(&buffer[..read]).await,
            }
        }
        group.0.wait().await
    }

    /// Runs git quietly and returns what it wrote to its standard output.
    pub(crate) async fn read(&self, arguments: &[String]) -> io::Result<Option<Vec<u8>>> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let done = command.output().await?;
        Ok(done.status.success().then_some(done.stdout))
    }
}

/// A child in a process group of its own; dropped before its end, the whole group is killed.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // A child that was waited for has no id any more.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}
