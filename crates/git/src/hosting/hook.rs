//! The one hook that pushes run, and the proof that it runs.
//!
//! Git leaves out a hook that is missing or not executable and goes on. So the hook is tried
//! when the repositories are opened, and looked at before every push that needs it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SCRIPT: &str = include_str!("pre-receive.sh");

/// Lists what may only move forward; read by the script.
pub(super) const FAST_FORWARD_ONLY: &str = "SHIPWAY_FAST_FORWARD_ONLY";

/// The longest list, in bytes: the longest variable that Linux passes to a program is 128 KiB.
pub(super) const LONGEST_LIST: usize = 100 * 1024;

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
        let status = std::process::Command::new(hooks.script())
            .env_remove(FAST_FORWARD_ONLY)
            .stdin(std::process::Stdio::null())
            .status()?;
        if status.success() {
            return Ok(hooks);
        }
        let text = format!("`{}` ended with {status}", hooks.script().display());
        Err(io::Error::other(text))
    }

    /// An error when git would not find the hook.
    pub(super) fn check(&self) -> io::Result<()> {
        let metadata = fs::metadata(self.script())?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            return Ok(());
        }
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn script(&self) -> PathBuf {
        self.directory.join("pre-receive")
    }
}
