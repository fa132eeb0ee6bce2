//! The one hook that pushes run, and the proof that it runs.
//!
//! Git leaves out a hook that is missing or not executable and goes on. So the hook is tried
//! when the repositories are opened, and looked at before every push that needs it.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const SCRIPT: &str = include_str!("pre-receive.sh");

/// Lists what may only move forward; read by the script.
pub(super) const FAST_FORWARD_ONLY: &str = "SHIPWAY_FAST_FORWARD_ONLY";

/// The longest list, in bytes: the longest variable that Linux passes to a program is 128 KiB.
pub(super) const LONGEST_LIST: usize = 100 * 1024;

/// How long the start of other programs may keep the new hook from being run.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// The directory that git is told to look for hooks in.
#[derive(Debug, Clone)]
pub(super) struct Hooks {
    pub(super) directory: PathBuf,
}

impl Hooks {
    /// Writes the hook below `root` and tries it.
    pub(super) fn install(root: &Path) -> io::Result<Self> {
        let directory = root.join("hooks");
        fs::create_dir_all(&directory)?;
        let hooks = Self { directory };
        // Moved into place, because another process may be running the old one.
        let new = hooks.directory.join(format!("new-{}", std::process::id()));
        fs::write(&new, SCRIPT)?;
        fs::set_permissions(&new, Permissions::from_mode(0o755))?;
        fs::rename(&new, hooks.script())?;
        let status = hooks.try_out()?;
        if status.success() {
            return Ok(hooks);
        }
        let text = format!("`{}` ended with {status}", hooks.script().display());
        Err(io::Error::other(text))
    }

    /// Runs the hook with nothing to refuse.
    ///
    /// A program that another thread starts while the hook is written holds it open for writing
    /// until that program's own code runs, and a file held so cannot be executed. Nobody can
    /// come to hold it later: once the hook has run, it runs for git too.
    fn try_out(&self) -> io::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            let ended = Command::new(self.script())
                .env_remove(FAST_FORWARD_ONLY)
                .stdin(Stdio::null())
                .status();
            let busy =
                matches!(&ended, Err(error) if error.kind() == ErrorKind::ExecutableFileBusy);
            if !busy || started.elapsed() > BUSY_FOR {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// An error when git would not find the hook.
    pub(super) fn check(&self) -> io::Result<()> {
        let metadata = fs::metadata(self.script())?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            return Ok(());
        }
        Err(ErrorKind::PermissionDenied.into())
    }

    fn script(&self) -> PathBuf {
        self.directory.join("pre-receive")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_again_while_something_holds_it_open_for_writing() {
        let root = tempfile::tempdir().unwrap();
        let hooks = Hooks::install(root.path()).unwrap();
        let held = fs::File::options()
            .append(true)
            .open(hooks.script())
            .unwrap();
        let busy = Command::new(hooks.script()).status().unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::ExecutableFileBusy);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                drop(held);
            });
            assert!(hooks.try_out().unwrap().success());
        });
    }
}
