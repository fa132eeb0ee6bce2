//! `shipway runner` through the binary, against a small coordinator.

#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/coordinator.rs"]
mod coordinator;
mod support;

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use coordinator::Coordinator;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::Sandbox;

const TOKEN: &str = "glrt-t1_abcdefghijklmnopqrst";

fn register(sandbox: &Sandbox, coordinator: &Coordinator) {
    sandbox
        .shipway(&[
            "runner",
            "register",
            "-n",
            "-c",
            "conf/config.toml",
            "--url",
            &coordinator.url,
            "--token",
            TOKEN,
            "--executor",
            "shell",
            "--name",
            "bench",
            "--env",
            "FROM_CONFIG=yes",
        ])
        .exits(0)
        .silent_about("abcdefghijkl");
}

struct Daemon(Child);

impl Daemon {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_shipway"));
        command
            .args(["runner", "run", "-c", "conf/config.toml", "-d", "work"])
            .stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end and returns its exit code and what it logged.
    fn end(mut self) -> (Option<i32>, String) {
        eventually("the end", || self.0.try_wait().unwrap().is_some());
        let mut log = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (self.0.wait().unwrap().code(), log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(40), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A job on the sandbox's repository.
fn job(sandbox: &Sandbox, script: &[&str]) -> Value {
    json!({
        "id": 7, "token": "glcbt-job-secret", "allow_git_fetch": true,
        "job_info": {"name": "test", "stage": "test", "project_id": 1, "project_full_path": "group/project"},
        "git_info": {
            "repo_url": format!("file://{}", sandbox.path().display()), "ref": "main",
            "sha": sandbox.git(&["rev-parse", "HEAD"]).trim(), "depth": 20,
            "refspecs": ["+refs/heads/main:refs/remotes/origin/main"]
        },
        "variables": [{"key": "CI_JOB_TOKEN", "value": "glcbt-job-secret", "masked": true}],
        "steps": [{"name": "script", "script": script}],
        "artifacts": [{"paths": ["out.txt"], "artifact_type": "archive", "artifact_format": "zip", "when": "always"}],
        "runner_info": {"timeout": 60},
        "features": {"trace_sections": true, "failure_reasons": ["runner_interrupted"]}
    })
}

#[test]
fn a_registered_runner_runs_a_job_and_leaves_when_it_has_ended() {
    let (sandbox, coordinator) = (
        Sandbox::new(&[("file", "from-git\n")]),
        Coordinator::start(),
    );
    register(&sandbox, &coordinator);
    let script = [
        "cat file",
        "echo $CI_JOB_TOKEN $FROM_CONFIG | tee out.txt",
        "sleep 1",
        "echo is-through",
    ];
    coordinator.told().queue.push(job(&sandbox, &script));
    let daemon = Daemon::start(&sandbox);
    eventually("the script", || coordinator.log().contains("from-git"));
    daemon.signal(Signal::SIGQUIT);
    let (code, log) = daemon.end();
    assert_eq!(code, Some(0), "{log}");
    let end = coordinator.end().unwrap();
    assert_eq!(end["state"], "success", "{}", coordinator.log());
    let trace = coordinator.log();
    assert!(
        trace.contains("\n[MASKED] yes\n") && trace.contains("is-through"),
        "{trace}"
    );
    assert!(
        trace.contains("Job succeeded") && trace.contains("section_start:"),
        "{trace}"
    );
    assert_eq!(coordinator.told().archives.len(), 1);
    for secret in ["job-secret", "abcdefghijkl"] {
        assert!(
            !trace.contains(secret) && !log.contains(secret),
            "{log}{trace}"
        );
    }
    assert!(
        log.contains("job.received") && log.contains("job.ended"),
        "{log}"
    );
}

#[test]
fn sigterm_ends_the_job_and_says_why() {
    let (sandbox, coordinator) = (Sandbox::new(&[]), Coordinator::start());
    register(&sandbox, &coordinator);
    coordinator
        .told()
        .queue
        .push(job(&sandbox, &["echo is-up", "sleep 60"]));
    let daemon = Daemon::start(&sandbox);
    eventually("the script", || coordinator.log().contains("is-up"));
    daemon.signal(Signal::SIGTERM);
    let (code, log) = daemon.end();
    assert_eq!(code, Some(0), "{log}");
    let end = coordinator.end().unwrap();
    assert_eq!(end["failure_reason"], "runner_interrupted");
}

#[test]
fn a_second_signal_exits_at_once() {
    let (sandbox, coordinator) = (Sandbox::new(&[]), Coordinator::start());
    register(&sandbox, &coordinator);
    coordinator
        .told()
        .queue
        .push(job(&sandbox, &["echo is-up", "sleep 60"]));
    let daemon = Daemon::start(&sandbox);
    eventually("the script", || coordinator.log().contains("is-up"));
    daemon.signal(Signal::SIGQUIT);
    std::thread::sleep(Duration::from_millis(300));
    daemon.signal(Signal::SIGQUIT);
    let (code, log) = daemon.end();
    assert_eq!(code, Some(130), "{log}");
    assert!(coordinator.end().is_none());
}

#[test]
fn runners_are_listed_verified_and_removed() {
    let (sandbox, coordinator) = (Sandbox::empty(), Coordinator::start());
    register(&sandbox, &coordinator);
    sandbox
        .shipway(&[
            "runner",
            "register",
            "-n",
            "-c",
            "conf/config.toml",
            "--url",
            &coordinator.url,
            "--registration-token",
            "GR1348941secret",
            "--executor",
            "docker",
            "--name",
            "old",
            "--docker-image",
            "alpine:3",
            "--tag-list",
            "a,b",
        ])
        .exits(0);
    let request = &coordinator.bodies("POST runners")[0];
    assert_eq!(
        (&request["tag_list"], &request["run_untagged"]),
        (&json!("a,b"), &json!(false))
    );
    sandbox
        .shipway(&["runner", "list", "-c", "conf/config.toml"])
        .exits(0)
        .says("bench  Executor=shell Token=abcdefghi URL=http")
        .says("old  Executor=docker")
        .silent_about("abcdefghijkl");
    let config = sandbox.read("conf/config.toml");
    assert!(
        config.contains("id = 34") && config.contains("legacy-auth-token-1"),
        "{config}"
    );

    sandbox
        .shipway(&["runner", "verify", "-c", "conf/config.toml"])
        .exits(0)
        .says("bench is valid");
    sandbox
        .shipway(&[
            "runner",
            "unregister",
            "-c",
            "conf/config.toml",
            "--name",
            "old",
        ])
        .exits(0);
    assert_eq!(
        coordinator.bodies("DELETE runners")[0]["token"],
        "legacy-auth-token-1"
    );

    coordinator.told().forgetful = true;
    sandbox
        .shipway(&["runner", "verify", "-c", "conf/config.toml"])
        .exits(1)
        .says("bench is not valid")
        .says("Failed to verify runners");
    sandbox
        .shipway(&["runner", "verify", "--delete", "-c", "conf/config.toml"])
        .exits(0);
    assert!(!sandbox.read("conf/config.toml").contains("bench"));
}

#[test]
fn what_cannot_be_registered_is_said_and_leaves_no_file() {
    let (sandbox, coordinator) = (Sandbox::empty(), Coordinator::start());
    let start = [
        "runner",
        "register",
        "-n",
        "-c",
        "conf/config.toml",
        "--executor",
        "shell",
    ];
    let run = |rest: &[&str]| {
        let all: Vec<&str> = start.iter().chain(rest).copied().collect();
        sandbox.shipway(&all)
    };
    run(&[]).exits(2).says("--url is missing");
    run(&["--url", "nowhere", "--token", TOKEN])
        .exits(2)
        .says("is not the address of a coordinator");
    run(&[
        "--url",
        &coordinator.url,
        "--token",
        TOKEN,
        "--tag-list",
        "a",
    ])
    .exits(2)
    .says("--tag-list cannot be set");
    coordinator.told().forgetful = true;
    run(&["--url", &coordinator.url, "--token", TOKEN])
        .exits(1)
        .says("403 Forbidden")
        .silent_about("abcdefghijkl");
    assert!(!sandbox.path().join("conf/config.toml").exists());
    sandbox
        .shipway(&["runner", "run", "-c", "conf/config.toml"])
        .exits(2)
        .says("there is no runner in conf/config.toml");
}

#[test]
fn what_jobs_left_goes_by_the_budget_and_what_the_user_put_there_stays() {
    let (sandbox, coordinator) = (
        Sandbox::new(&[("file", "from-git\n")]),
        Coordinator::start(),
    );
    register(&sandbox, &coordinator);
    let mut payload = job(
        &sandbox,
        &["mkdir kept && head -c 300000 /dev/urandom > kept/big"],
    );
    payload["cache"] =
        json!([{"key": "k", "paths": ["kept"], "policy": "pull-push", "when": "on_success"}]);
    coordinator.told().queue.push(payload);
    let daemon = Daemon::start(&sandbox);
    eventually("the result", || coordinator.log().contains("Job succeeded"));
    daemon.signal(Signal::SIGQUIT);
    let (code, log) = daemon.end();
    assert_eq!(code, Some(0), "{log}");
    sandbox.write("work/builds/mine/file", "precious");
    sandbox.write("work/cache/mine/cache.zip", "precious");
    let gc = |arguments: &[&str]| {
        let always = ["runner", "gc", "-c", "conf/config.toml", "-d", "work"];
        let done = sandbox.shipway(&[&always[..], arguments].concat());
        done.exits(0);
        done
    };
    gc(&["--dry-run"])
        .says("and there is no budget")
        .says("Nothing would go.");
    gc(&["--dry-run", "--budget", "0"])
        .says("would go")
        .says("group/project/k/cache.zip")
        .says("/0/group/project\n");
    let archive = sandbox.path().join("work/cache/group/project/k/cache.zip");
    assert!(archive.exists());
    gc(&["--budget", "0"]).says("Removed 2 things");
    assert!(!archive.exists());
    assert_eq!(sandbox.read("work/builds/mine/file"), "precious");
    assert_eq!(sandbox.read("work/cache/mine/cache.zip"), "precious");
    gc(&["--budget", "0"]).says("0 B used of a budget of 0 B.");
}
