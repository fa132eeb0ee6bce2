//! Running `git`: a clean environment, machine-readable output, nothing interactive.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Variables that may pass from our environment to git although their name begins with `GIT_`:
/// where the configuration is, how far to search, how to reach a remote. Every other one
/// (`GIT_DIR`, `GIT_INDEX_FILE`, `GIT_TRACE`, …) would redirect git or change its output; they
/// are set, for example, when Shipway is started from a git hook.
const KEPT_VARIABLES: &[&str] = &[
    "GIT_CONFIG_",
    "GIT_SSL_",
    "GIT_SSH",
    "GIT_LFS_",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
];

/// Configuration that could start a daemon or write into the user's `.git`.
const OVERRIDES: &[&str] = &[
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.quotePath=false",
];

/// A call of `git` that did not give an answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git` in the search path.
    #[error(
        "git is not installed or not in PATH; install it, on Debian or Ubuntu with `apt install git`"
    )]
    NotInstalled,
    /// The process could not be started or its output not be read.
    #[error("cannot run `{command}` in `{}`", directory.display())]
    Run {
        /// The command as a person would type it.
        command: String,
        /// Where it was to run.
        directory: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Git ran and refused.
    #[error("`{command}` failed in `{}`: {}", directory.display(), stderr.trim())]
    Failed {
        /// The command as a person would type it.
        command: String,
        /// Where it ran.
        directory: PathBuf,
        /// The exit code; absent when a signal ended it.
        code: Option<i32>,
        /// Git's own words.
        stderr: String,
    },
    /// Git answered in a form that we do not know.
    #[error("`{command}` answered in an unexpected form; git 2.31 or newer is needed")]
    Unexpected {
        /// The command as a person would type it.
        command: String,
    },
}

/// What every call says, wherever it runs: answers for machines, questions to nobody.
const EVERY_CALL: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
];

/// One call of git, being put together.
pub(crate) struct Git {
    command: Command,
    asked: Asked,
}

/// What was asked of git and where, for messages.
pub(crate) struct Asked {
    directory: PathBuf,
    /// The command as a person would type it.
    shown: String,
}

impl Git {
    /// A call in a work tree of the user, with `environment` on top of this process's own but
    /// for what would lead git elsewhere.
    pub(crate) fn new(directory: &Path, environment: &[(OsString, OsString)]) -> Self {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if is_redirecting(&name) {
                command.env_remove(name);
            }
        }
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_PAGER", "cat");
        let mut call = Self::with(command, directory, OVERRIDES);
        let environment = environment.iter().map(|(name, value)| (name, value));
        call.command.envs(environment);
        call
    }

    /// A call by `command`, which has the environment that git is to see, with `settings` of
    /// the form `name=value`.
    pub(crate) fn with(mut command: Command, directory: &Path, settings: &[&str]) -> Self {
        command
            .envs(EVERY_CALL.iter().copied())
            .current_dir(directory)
            .args(["--no-pager", "--literal-pathspecs"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let call = Self {
            command,
            asked: Asked {
                directory: directory.to_owned(),
                shown: "git".to_owned(),
            },
        };
        settings
            .iter()
            .fold(call, |call, setting| call.setting(setting))
    }

    /// A setting for this call, `name=value`. Settings come before arguments.
    pub(crate) fn setting(mut self, setting: &str) -> Self {
        self.command.arg("-c").arg(setting);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        for arg in args {
            self.asked.shown.push(' ');
            self.asked.shown.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets a variable of git's environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The command, for who starts it in another way.
    #[cfg(feature = "hosting")]
    pub(crate) fn into_parts(self) -> (Command, Asked) {
        (self.command, self.asked)
    }

    /// Starts the process; several may run side by side.
    pub(crate) fn spawn(mut self) -> Result<Running, GitError> {
        match self.command.spawn() {
            Ok(child) => Ok(Running {
                child: Some(child),
                asked: self.asked,
            }),
            Err(error) => Err(self.asked.not_started(error)),
        }
    }

    /// Runs to the end and returns standard output.
    pub(crate) fn output(self) -> Result<Vec<u8>, GitError> {
        self.spawn()?.output()
    }

    /// Runs to the end with `input` as standard input.
    pub(crate) fn output_with_input(mut self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        self.command.stdin(Stdio::piped());
        let mut running = self.spawn()?;
        let stdin = running.child.as_mut().and_then(|child| child.stdin.take());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // A broken pipe means that git ended early; its own message says why.
                if let Some(mut stdin) = stdin {
                    stdin.write_all(input).ok();
                }
            });
            running.output()
        })
    }
}

/// A started git process. Dropped without an answer it is killed, so none is left behind.
pub(crate) struct Running {
    child: Option<Child>,
    asked: Asked,
}

impl Running {
    /// Waits for the end and returns standard output.
    pub(crate) fn output(mut self) -> Result<Vec<u8>, GitError> {
        let Some(child) = self.child.take() else {
            return Ok(Vec::new());
        };
        let output = child
            .wait_with_output()
            .map_err(|error| self.asked.broken(error))?;
        self.asked.judge(output.status, || {
            String::from_utf8_lossy(&output.stderr).into_owned()
        })?;
        Ok(output.stdout)
    }

    /// As [`Running::output`], with `None` where git ran and refused.
    pub(crate) fn answer(self) -> Result<Option<Vec<u8>>, GitError> {
        match self.output() {
            Ok(output) => Ok(Some(output)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Asked {
    /// Why the process could not be started.
    pub(crate) fn not_started(&self, error: std::io::Error) -> GitError {
        // Also a working directory that is gone is "not found".
        if error.kind() == std::io::ErrorKind::NotFound && self.directory.is_dir() {
            return GitError::NotInstalled;
        }
        self.broken(error)
    }

    /// Its output could not be read, or its end not be waited for.
    pub(crate) fn broken(&self, source: std::io::Error) -> GitError {
        GitError::Run {
            command: self.shown.clone(),
            directory: self.directory.clone(),
            source,
        }
    }

    /// Whether it ended well; if not, with git's own words.
    pub(crate) fn judge(
        &self,
        status: ExitStatus,
        complaint: impl FnOnce() -> String,
    ) -> Result<(), GitError> {
        if status.success() {
            return Ok(());
        }
        Err(GitError::Failed {
            command: self.shown.clone(),
            directory: self.directory.clone(),
            code: status.code(),
            stderr: complaint(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn is_redirecting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("GIT_") && !KEPT_VARIABLES.iter().any(|kept| name.starts_with(kept))
}

/// The pieces of NUL-terminated output.
pub(crate) fn records(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    let output = output.strip_suffix(b"\0").unwrap_or(output);
    let empty = output.is_empty();
    output.split(|byte| *byte == 0).take_while(move |_| !empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_redirect_git_are_told_from_those_that_configure_it() {
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE"] {
            assert!(is_redirecting(OsStr::new(name)), "{name}");
        }
        for name in ["GIT_CONFIG_GLOBAL", "GIT_SSH_COMMAND", "GITLAB_CI", "HOME"] {
            assert!(!is_redirecting(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn records_end_with_nul() {
        let split = |bytes: &'static [u8]| records(bytes).collect::<Vec<_>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"a\0b\nc\0"), [b"a".as_slice(), b"b\nc"]);
        assert_eq!(split(b"a\0\0b\0"), [b"a".as_slice(), b"", b"b"]);
    }
}
