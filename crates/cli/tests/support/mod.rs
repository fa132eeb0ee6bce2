//! A project in a directory of its own, and the real binary run on it in a clean environment.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary project with a home directory beside it.
pub(crate) struct Sandbox {
    directory: TempDir,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    /// A git repository with these files committed.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self::empty();
        sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
        for (name, content) in files {
            sandbox.write(name, content);
        }
        sandbox.commit("first");
        sandbox
    }

    /// A directory without a repository.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("home")).unwrap();
        std::fs::create_dir(directory.path().join("project")).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command("git").args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A program in the project's directory with nothing of the tester's environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("USER", "tester")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com");
        command
    }

    pub(crate) fn shipway(&self, args: &[&str]) -> Done {
        let output = self
            .command(env!("CARGO_BIN_EXE_shipway"))
            .args(args)
            .output();
        Done::from(output.unwrap())
    }

    /// Runs with a report and reads it.
    pub(crate) fn report(&self, args: &[&str]) -> (Done, serde_json::Value) {
        let path = self.directory.path().join("report.json");
        let mut all = vec!["run", "--report", path.to_str().unwrap()];
        all.extend(args);
        let done = self.shipway(&all);
        let report = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("no report: {}{}", done.out, done.err));
        (done, serde_json::from_str(&report).unwrap())
    }

    /// Everything below the project but git's and our own state, with contents.
    pub(crate) fn listing(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut queue = vec![self.path()];
        while let Some(directory) = queue.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                if path.ends_with(".git") || path.ends_with(".shipway") {
                    continue;
                }
                if path.is_dir() {
                    queue.push(path);
                } else {
                    let content = std::fs::read(&path).unwrap();
                    found.push((path, content));
                }
            }
        }
        found.sort();
        found
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "out:\n{}err:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(all.contains(text), "no {text:?} in:\n{all}");
        self
    }

    #[track_caller]
    pub(crate) fn silent_about(&self, text: &str) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(!all.contains(text), "{text:?} is in:\n{all}");
        self
    }
}

/// A job of a report.
#[track_caller]
pub(crate) fn job<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let jobs = report["jobs"].as_array().unwrap();
    let found = jobs.iter().find(|job| job["name"] == name);
    found.unwrap_or_else(|| panic!("no job {name} in {report:#}"))
}

/// `name status` of all jobs of a report.
pub(crate) fn statuses(report: &serde_json::Value) -> Vec<String> {
    let jobs = report["jobs"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    jobs.map(|job| format!("{} {}", text(&job["name"]), text(&job["status"])))
        .collect()
}
