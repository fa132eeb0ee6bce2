//! The protocol against two coordinators: one of ours that errs as told, and an independent
//! one.

mod calls;
mod coordinator;
mod independent;
mod jobs;
mod vault;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Client, Endpoint, Manager, Pace, RemoteRunner, Shutdown, details};
use crate::config::{ExecutorChoice, RunnerConfig, user_environment};
use crate::runner::Runner;

pub(super) const SYSTEM_ID: &str = "s_0123456789ab";

pub(super) fn config(directory: &Path) -> RunnerConfig {
    let path = |name: &str| directory.join(name);
    let mut config = RunnerConfig::new(path("builds"), path("cache"), path("tmp"));
    config.executor = ExecutorChoice::Shell;
    config.shell_environment = user_environment(std::env::vars_os());
    config
}

pub(super) fn client(url: &str) -> Client {
    let config = config(Path::new("/nonexistent"));
    let endpoint = Endpoint {
        url: url.to_owned(),
        ca_file: None,
    };
    Client::new(&endpoint, details(&config), SYSTEM_ID).unwrap()
}

/// A running manager of one runner, quick in everything.
pub(super) struct Bench {
    _directory: TempDir,
    pub shutdown: watch::Sender<Shutdown>,
    task: JoinHandle<()>,
}

pub(super) fn pace() -> Pace {
    Pace {
        interval: Duration::from_millis(20),
        heartbeat: Duration::from_secs(30),
        first_retry: Duration::from_millis(20),
        final_attempts: 5,
    }
}

fn runner(url: &str, token: &str, directory: &Path) -> RemoteRunner {
    RemoteRunner {
        name: "bench".into(),
        token: token.into(),
        client: Arc::new(client(url)),
        runner: Runner::new(config(directory)),
        limit: 0,
        strict_check_interval: false,
        unhealthy_requests_limit: 3,
        unhealthy_interval: Duration::from_secs(3600),
        pace: pace(),
    }
}

impl Bench {
    pub(super) fn start(url: &str, token: &str) -> Self {
        Self::with(url, token, |_| {})
    }

    pub(super) fn with(url: &str, token: &str, change: impl FnOnce(&mut RemoteRunner)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut runner = runner(url, token, directory.path());
        change(&mut runner);
        Self::of(runner, directory, Duration::from_millis(20))
    }

    /// As [`Bench::start`], but with so long between two requests.
    pub(super) fn slow(url: &str, token: &str, check_interval: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::of(
            runner(url, token, directory.path()),
            directory,
            check_interval,
        )
    }

    fn of(runner: RemoteRunner, directory: TempDir, check_interval: Duration) -> Self {
        let manager = Manager {
            runners: vec![runner],
            concurrent: 2,
            check_interval,
            shutdown_timeout: Duration::from_secs(10),
            collector: None,
        };
        let (shutdown, asked) = watch::channel(Shutdown::None);
        Self {
            _directory: directory,
            shutdown,
            task: tokio::spawn(manager.run(asked)),
        }
    }

    /// Asks the manager to finish and waits until it has.
    pub(super) async fn finish(self) {
        self.shutdown.send_replace(Shutdown::Finish);
        let ended = tokio::time::timeout(Duration::from_secs(30), self.task);
        ended.await.expect("the manager hangs").unwrap();
    }
}

/// A job with this script.
pub(super) fn job(script: &[&str]) -> Value {
    json!({
        "id": 7, "token": "glcbt-job-secret",
        "job_info": {"name": "test", "stage": "test", "project_id": 1, "project_full_path": "group/project"},
        "variables": [{"key": "CI_JOB_TOKEN", "value": "glcbt-job-secret", "masked": true}],
        "steps": [{"name": "script", "script": script, "timeout": 60}],
        "runner_info": {"timeout": 60},
        "features": {"trace_sections": false, "failure_reasons": ["runner_interrupted"]},
        "services": null, "image": null, "cache": null, "hooks": null, "surprise": {"a": 1}
    })
}
