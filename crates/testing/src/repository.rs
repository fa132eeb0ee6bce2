//! Commits, made with the machine's own git.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A work tree whose branch is `main`. No configuration of the machine or the user reaches it,
/// and the same commits have the same hashes.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes one in a new directory, or takes the one that is there.
    pub fn at(path: &Path) -> Self {
        let new = Self {
            path: path.to_owned(),
        };
        if !path.exists() {
            std::fs::create_dir_all(path).expect("a directory");
            new.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        new
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes these files and commits all; the commit.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.path.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Lets a bare repository fetch `main` as each of these refs, whatever they were.
    pub fn publish(&self, bare: &Path, refs: &[&str]) {
        let from = self.path.to_str().expect("a path of UTF-8");
        let refs: Vec<String> = refs.iter().map(|name| format!("+main:{name}")).collect();
        let mut arguments = vec!["fetch", "--quiet", from];
        arguments.extend(refs.iter().map(String::as_str));
        git(bare, &arguments);
    }

    /// Runs git, which must succeed; what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.path, arguments)
    }
}

/// Runs git in a directory; it must succeed. Returns what it prints.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    let output: Output = git_command(directory, arguments).output().expect("git");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// A call of git that knows nothing of the machine and asks nobody.
pub fn git_command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Ann")
            .env(format!("GIT_{who}_EMAIL"), "ann@example.com")
            .env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05+01:00");
    }
    command
}
