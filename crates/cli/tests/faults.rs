//! Bad input: each case ends in a clear error or a defined result, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use support::{Sandbox, statuses};

#[test]
fn every_fault_of_a_configuration_is_reported_at_once() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "stages: [build]\n\
         one:\n  stage: biuld\n  script: [make]\n\
         two:\n  stage: build\n  scirpt: [make]\n\
         three:\n  stage: build\n  script: [make]\n  needs: [nobody]\n",
    )]);
    for command in ["run", "lint"] {
        let done = sandbox.shipway(&[command]);
        done.exits(if command == "lint" { 1 } else { 2 })
            .says("chosen stage biuld does not exist")
            .says("scirpt")
            .says("nobody")
            .says(".gitlab-ci.yml:3");
    }
    let done = sandbox.shipway(&["lint", "--format", "json"]);
    done.exits(1);
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["valid"], false);
    let errors = report["errors"].as_array().unwrap();
    assert!(errors.len() >= 3, "{report:#}");
    let stage = errors
        .iter()
        .find(|error| error["message"].as_str().unwrap().contains("biuld"))
        .unwrap();
    assert_eq!(stage["file"], ".gitlab-ci.yml");
    assert_eq!(stage["line"], 3);
    assert_eq!(stage["job"], "one");
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name_and_place() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "go:\n  trigger: group/project\n")]);
    sandbox
        .shipway(&["run"])
        .exits(2)
        .says("trigger")
        .says(".gitlab-ci.yml:2");
}

#[test]
fn a_valid_configuration_is_called_so() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "test: {script: [make]}\n")]);
    sandbox.shipway(&["lint"]).exits(0).says("is valid, 1 job");
    let done = sandbox.shipway(&["lint", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&done.exits(0).out).unwrap();
    assert_eq!(report["valid"], true);
}

#[test]
fn places_without_a_pipeline_say_what_to_do() {
    let nothing = Sandbox::empty();
    nothing.shipway(&["run"]).exits(2).says("git init");
    nothing
        .shipway(&["run", "-C", "absent"])
        .exits(2)
        .says("absent");
    nothing.git(&["init", "--quiet", "--bare", "bare.git"]);
    nothing
        .shipway(&["run", "-C", "bare.git"])
        .exits(2)
        .says("bare repository");
    let no_file = Sandbox::new(&[("readme", "")]);
    no_file
        .shipway(&["run"])
        .exits(2)
        .says("there is no .gitlab-ci.yml")
        .says("hint:");
    no_file
        .shipway(&["run", "--file", "ci/absent.yml"])
        .exits(2)
        .says("there is no ci/absent.yml");
    let output = no_file
        .command(env!("CARGO_BIN_EXE_shipway"))
        .arg("run")
        .env("PATH", no_file.home())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("git"), "{err}");
}

#[test]
fn a_repository_without_a_commit_runs() {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
    sandbox.write(
        ".gitlab-ci.yml",
        "test: {script: ['echo \"sha $CI_COMMIT_SHA\"']}\n",
    );
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("no commit yet")
        .says("sha 0000000000000000000000000000000000000000");
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_named() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "")]);
    std::fs::write(sandbox.path().join(".gitlab-ci.yml"), [0xff, 0xfe, 0x00]).unwrap();
    sandbox.shipway(&["run"]).exits(2).says(".gitlab-ci.yml");
    let large = format!("# {}\n", "x".repeat(3 * 1024 * 1024));
    sandbox.write(".gitlab-ci.yml", &large);
    sandbox.shipway(&["lint"]).exits(2).says(".gitlab-ci.yml");
    sandbox.write(".gitlab-ci.yml", "");
    sandbox
        .shipway(&["lint"])
        .exits(1)
        .says("Please provide content of .gitlab-ci.yml");
}

#[test]
fn artifacts_cannot_leave_the_project() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
leak:
  script: [ln -s "$SECRET" link, echo own > own]
  artifacts: {paths: [../../../../secret, /etc/hostname, link/secret, own]}
"#,
    )]);
    std::fs::write(sandbox.home().join("secret"), "do not take").unwrap();
    let variable = format!("SECRET={}", sandbox.home().display());
    let (done, report) = sandbox.report(&["--var", &variable, "--artifacts", "../taken"]);
    done.exits(0).says("WARNING");
    assert_eq!(statuses(&report), ["leak success"]);
    assert_eq!(sandbox.read("../taken/leak/own"), "own\n");
    let taken = std::fs::read_dir(sandbox.path().join("../taken/leak")).unwrap();
    assert_eq!(taken.count(), 1);
}

#[test]
fn much_output_and_output_that_is_no_text_are_no_problem() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "big: {script: ['head -c 20000000 /dev/zero | tr \"\\0\" x', 'head -c 1000 /dev/urandom', echo, echo the end]}\n",
    )]);
    let done = sandbox.shipway(&["run"]);
    done.exits(0).says("the end");
    assert!(done.out.len() > 20_000_000);
}

#[test]
fn a_job_that_leaves_a_daemon_ends_and_so_does_the_daemon() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "daemon: {script: ['setsid sleep 4321 & echo started', 'sleep 4321 &']}\n",
    )]);
    let start = Instant::now();
    sandbox.shipway(&["run"]).exits(0).says("started");
    assert!(start.elapsed() < Duration::from_secs(20));
    let left = std::process::Command::new("pgrep")
        .args(["-f", "sleep 4321"])
        .output();
    assert_eq!(String::from_utf8_lossy(&left.unwrap().stdout), "");
}

#[test]
fn a_time_limit_ends_a_job() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "slow: {script: [sleep 100], timeout: 1 second, artifacts: {paths: [x]}}\nnext: {stage: deploy, script: [echo no]}\n",
    )]);
    let (done, report) = sandbox.report(&[]);
    done.exits(1);
    assert_eq!(statuses(&report), ["slow failed", "next skipped"]);
    assert_eq!(report["jobs"][0]["failure_reason"], "job_execution_timeout");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "test: {script: [echo]}\n")]);
    sandbox.write("occupied", "a file where a directory is wanted");
    sandbox
        .shipway(&["run", "--state-dir", "occupied"])
        .exits(2)
        .says("occupied")
        .says("--state-dir");
}

#[test]
fn a_state_directory_may_be_given_in_any_form() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "test: {script: [echo]}\n")]);
    let (done, report) = sandbox.report(&["--state-dir", "../new/../state"]);
    done.exits(0);
    let log = report["jobs"][0]["log"].as_str().unwrap();
    assert!(!log.contains(".."), "{log}");
    assert!(sandbox.path().join("../state/logs").is_dir());
}

#[test]
fn a_closed_pipe_is_no_fault() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "chatty: {script: ['seq 100000']}\n")]);
    let shipway = env!("CARGO_BIN_EXE_shipway");
    let output = sandbox
        .command("bash")
        .args([
            "-c",
            &format!("{shipway} run | head -n 1; echo \"${{PIPESTATUS[0]}}\""),
        ])
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.trim().ends_with('0'), "{out}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn a_reader_that_waits_does_not_hold_up_the_jobs() {
    let configuration = "stages: [talk, act]\n\
        chatty: {stage: talk, script: ['seq 100000']}\n\
        after: {stage: act, script: ['touch \"$DONE\"']}\n";
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", configuration)]);
    let done = sandbox.home().join("done");
    let shipway = sandbox
        .command(env!("CARGO_BIN_EXE_shipway"))
        .args(["run", "--var", &format!("DONE={}", done.display())])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !done.exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let in_time = done.exists();
    // Reads what was printed at last, all of it.
    let output = shipway.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(in_time, "{out}");
    assert!(out.contains("100000\n") && out.contains("passed"));
}

#[test]
fn help_completion_and_manual_pages_are_there() {
    let sandbox = Sandbox::new(&[]);
    sandbox
        .shipway(&["--help"])
        .exits(0)
        .says("Examples:")
        .says("run");
    sandbox
        .shipway(&["run", "--help"])
        .exits(0)
        .says("shipway run test lint");
    sandbox
        .shipway(&["completion", "bash"])
        .exits(0)
        .says("_shipway");
    sandbox.shipway(&["man", "."]).exits(0);
    assert!(sandbox.read("shipway-run.1").contains("shipway"));
    sandbox
        .shipway(&["run", "--jbos", "2"])
        .exits(2)
        .says("--jobs");
}
