//! Whole jobs with real processes.

mod archives;
mod conformance;
mod disk;
mod docker;
mod docker_in_docker;
#[cfg(feature = "remote")]
mod docker_remote;
mod faults;
mod full_disk;
mod git;
mod git_server;
mod hostile_archives;
mod own_process;
mod services;
#[cfg(feature = "s3")]
mod shared_cache;
mod shell;
mod sources;
mod sticky;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shipway_git::Tree;
use shipway_protocol::{Features, JobInfo, JobPayload, JobState, RunnerInfo, Step, Variable};
use tempfile::TempDir;

use crate::config::{ExecutorChoice, RunnerConfig, user_environment};
use crate::control::{Control, control};
use crate::failure::JobOutcome;
use crate::runner::{Runner, Sources};
use crate::testing::RecordingSource;

/// A runner in directories of its own, a job for it, and what came of it.
pub(crate) struct Bench {
    pub directory: TempDir,
    pub config: RunnerConfig,
    pub payload: JobPayload,
    pub sources: Sources,
    pub source: RecordingSource,
}

impl Bench {
    pub(crate) fn new(script: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut config = RunnerConfig::new(path("builds"), path("cache"), path("tmp"));
        std::fs::create_dir(path("tmp")).unwrap();
        config.executor = ExecutorChoice::Shell;
        config.kill_grace = Duration::from_secs(5);
        config.shell_environment = user_environment(std::env::vars_os());
        Self {
            config,
            payload: payload(script),
            sources: Sources::Empty,
            source: RecordingSource::default(),
            directory,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes the snapshot the job gets, of these files.
    pub(crate) fn snapshot(&mut self, files: &[(&str, &str)]) -> PathBuf {
        let path = self.path("snapshot");
        for (name, content) in files {
            write(&path.join(name), content);
        }
        self.sources = Sources::Directory {
            snapshot: Arc::new(Tree::read(&path).unwrap()),
            git_objects: None,
        };
        path
    }

    pub(crate) fn variable(&mut self, key: &str, value: &str) -> &mut Variable {
        self.payload.variables.push(Variable {
            key: key.into(),
            value: value.into(),
            ..Variable::default()
        });
        self.payload.variables.last_mut().unwrap()
    }

    pub(crate) fn after_script(&mut self, script: &[&str]) {
        self.payload.steps.push(step("after_script", script));
    }

    pub(crate) async fn run(&self) -> JobOutcome {
        let (_canceller, control) = control();
        self.run_under(control).await
    }

    pub(crate) async fn run_under(&self, control: Control) -> JobOutcome {
        let runner = Runner::new(self.config.clone());
        let run = runner.run_job(
            self.payload.clone(),
            self.sources.clone(),
            &self.source,
            0,
            control,
        );
        let outcome = tokio::time::timeout(Duration::from_secs(120), run)
            .await
            .expect("the job hangs");
        drop(runner);
        let updates = self.source.updates();
        assert_eq!(updates.len(), 1, "the result is reported once");
        assert_eq!(updates[0].state, outcome.state);
        let left: Vec<_> = std::fs::read_dir(&self.config.builds_dir)
            .into_iter()
            .flatten()
            .collect();
        assert!(
            left.is_empty(),
            "left behind: {left:?}\n{}",
            self.source.log()
        );
        outcome
    }

    /// Runs a job that succeeds and returns its log without colours.
    pub(crate) async fn succeed(&self) -> String {
        let outcome = self.run().await;
        let log = self.log();
        assert_eq!(outcome.state, JobState::Success, "{log}");
        log
    }

    /// The log without escape sequences.
    pub(crate) fn log(&self) -> String {
        plain(&self.source.log())
    }
}

pub(crate) fn payload(script: &[&str]) -> JobPayload {
    JobPayload {
        id: 7,
        job_info: JobInfo {
            name: "test".into(),
            stage: "test".into(),
            project_id: 1,
            project_name: "project".into(),
            project_full_path: "group/project".into(),
            ..JobInfo::default()
        },
        runner_info: RunnerInfo { timeout: 3600 },
        steps: vec![step("script", script)],
        features: Features::default(),
        ..JobPayload::default()
    }
}

pub(crate) fn step(name: &str, script: &[&str]) -> Step {
    Step {
        name: name.into(),
        script: script.iter().map(|line| (*line).to_owned()).collect(),
        ..Step::default()
    }
}

pub(crate) fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Text without ANSI sequences.
pub(crate) fn plain(text: &str) -> String {
    let mut output = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            output.push(character);
        }
    }
    output
}

/// Says that a test cannot run here: in the file that collects such lines, or where a person
/// sees it although the test passes.
pub(crate) fn skipped(test: &str, reason: &str) {
    use std::io::Write;
    let line = format!("{test}: {reason}\n");
    match std::env::var_os("SHIPWAY_TEST_SKIPS") {
        Some(path) => {
            let mut options = std::fs::File::options();
            let file = options.create(true).append(true).open(path);
            file.unwrap().write_all(line.as_bytes()).unwrap();
        }
        None => {
            let line = format!("skipped: {line}");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    }
}

/// Waits until `condition` holds; what it waits for is in the message when it never does.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process whose command line holds `word` is alive.
pub(crate) fn is_running(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        entry.file_name().to_string_lossy().parse::<i32>().is_ok()
            && std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    })
}
