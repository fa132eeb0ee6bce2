//! `shipway simulate` as a user sees it: scripts of events, and the present plan.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test that does not run says so")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::Sandbox;

const SCRIPT: &str = r#"
config:
  stages: [compile, check, ship]
  compile: {stage: compile, script: make}
  unit: {stage: check, script: make test}
  style: {stage: check, script: make style, allow_failure: true, needs: []}
  report: {stage: check, script: make report, when: on_failure}
  ship: {stage: ship, script: make ship, when: manual, allow_failure: false}
  notify: {stage: ship, script: make notify, needs: [ship]}

init:
  expect:
    pipeline: pending
    stages: {compile: pending, check: pending, ship: created}
    jobs:
      compile: pending
      unit: created
      style: pending
      report: created
      ship: created
      notify: created

transitions:
  - event: drop
    jobs: [style]
  - {event: run, jobs: [compile]}
  - {event: success, jobs: [compile]}
  - {event: success, jobs: [unit]}
  - {event: play, jobs: [ship]}
  - {event: drop, jobs: [ship]}
  - {event: retry}
  - {event: drop, jobs: [style]}
  - {event: play, jobs: [ship]}
  - {event: success, jobs: [ship]}
  - event: success
    jobs: [notify]
    expect:
      pipeline: success
      stages: {compile: success, check: success, ship: success}
      jobs:
        compile: success
        unit: success
        style: failed
        report: skipped
        ship: success
        notify: success
"#;

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault} in {text}"))
}

/// Exit code, standard output, standard error.
fn simulate(sandbox: &Sandbox, args: &[&str]) -> (i32, String, String) {
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_shipway"))
        .arg("simulate")
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_script_goes_step_by_step() {
    let sandbox = Sandbox::new(&[]);
    sandbox.write("script.yml", SCRIPT);
    let (code, out, fault) = simulate(&sandbox, &["script.yml", "--format", "json"]);
    assert_eq!(code, 0, "{fault}");
    let states = json_of(&out);
    let of = |step: usize, job: &str| states[step]["jobs"][job].as_str().unwrap().to_owned();
    assert_eq!(states.as_array().unwrap().len(), 12);
    assert_eq!(of(2, "compile"), "running");
    assert_eq!(of(3, "unit"), "pending");
    assert_eq!(of(4, "report"), "skipped");
    assert_eq!(of(4, "ship"), "manual");
    assert_eq!(states[4]["pipeline"], "manual");
    assert_eq!(of(6, "notify"), "skipped");
    assert_eq!(states[6]["pipeline"], "failed");
    assert_eq!(
        of(7, "style"),
        "pending",
        "an allowed failure is retried too"
    );
    assert_eq!(of(7, "ship"), "created");
    assert_eq!(of(8, "ship"), "manual");
    assert_eq!(states[11]["pipeline"], "success");

    let (code, out, _) = simulate(&sandbox, &["script.yml"]);
    assert_eq!(code, 0);
    assert!(out.contains("6. drop ship  pipeline failed"), "{out}");
    assert!(out.contains("ship:notify  » created → skipped"), "{out}");
}

#[test]
fn what_a_script_expects_is_checked() {
    let sandbox = Sandbox::new(&[]);
    let script = SCRIPT.replace("report: skipped", "report: success");
    sandbox.write("script.yml", &script);
    let (code, _, fault) = simulate(&sandbox, &["script.yml"]);
    assert_eq!(code, 1);
    let line = "after step 11 job report is skipped, expected success";
    assert!(fault.contains(line), "{fault}");
}

#[test]
fn what_cannot_happen_is_refused() {
    let sandbox = Sandbox::new(&[]);
    let table = [
        (
            "{event: explode, jobs: [a]}",
            "step 1: `explode` is not an event",
        ),
        ("{event: success, jobs: [buidl]}", "did you mean `build`?"),
        ("{event: drop}", "step 1: `drop` needs `jobs`"),
        (
            "{event: retry, jobs: [build]}",
            "job `build` is pending, so it cannot be retried",
        ),
    ];
    for (transition, expected) in table {
        let script = format!("config: {{build: {{script: make}}}}\ntransitions: [{transition}]\n");
        sandbox.write("script.yml", &script);
        let (code, _, fault) = simulate(&sandbox, &["script.yml"]);
        assert_eq!(code, 2, "{transition}");
        assert!(fault.contains(expected), "{transition}: {fault}");
    }
    for (script, expected) in [
        ("transitions: []", "`config` is missing"),
        ("config: [a]", "`config` should be a mapping"),
        ("config: {a: {script: x, stage: tset}}", "script.yml:1"),
        (
            "config: {a: {script: x}}\ncontext: {brunch: x}",
            "unknown field `brunch`",
        ),
    ] {
        sandbox.write("script.yml", script);
        let (code, _, fault) = simulate(&sandbox, &["script.yml"]);
        assert_eq!(code, 2, "{script}");
        assert!(fault.contains(expected), "{script}: {fault}");
    }
}

#[test]
fn a_script_has_a_context() {
    let sandbox = Sandbox::new(&[]);
    let config = "
config:
  tagged: {script: x, rules: [{if: $CI_COMMIT_TAG}]}
  nightly: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\" && $LEVEL == \"3\"'}]}
  docs: {script: x, rules: [{changes: [docs/**/*]}]}
  always: {script: x}
";
    for (context, expected) in [
        ("{tag: v1, changes: [a]}", vec!["tagged", "always"]),
        (
            "{source: schedule, variables: {LEVEL: 3}, changes: []}",
            vec!["nightly", "always"],
        ),
        ("{changes: [docs/a/b.md]}", vec!["docs", "always"]),
    ] {
        sandbox.write("script.yml", &format!("{config}context: {context}\n"));
        let (code, out, fault) = simulate(&sandbox, &["script.yml", "--format", "json"]);
        assert_eq!(code, 0, "{fault}");
        let states = json_of(&out);
        let jobs: Vec<&String> = states[0]["jobs"].as_object().unwrap().keys().collect();
        assert_eq!(jobs, expected, "{context}");
    }
}

#[test]
fn the_present_plan_with_a_failure() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "
stages: [build, test, deploy]
build: {stage: build, script: make, retry: 1}
unit: {stage: test, script: make test}
lint: {stage: test, script: make lint, needs: []}
deploy: {stage: deploy, script: make deploy, when: manual}
undo: {stage: deploy, script: make undo, when: on_failure}
",
    )]);
    let (code, out, fault) = simulate(&sandbox, &["--format", "json"]);
    assert_eq!(code, 0, "{fault}");
    let waves = json_of(&out);
    let last = waves.as_array().unwrap().last().unwrap();
    assert_eq!(last["pipeline"], "success");
    assert_eq!(last["jobs"]["undo"], "skipped");
    assert_eq!(last["jobs"]["deploy"], "manual");

    let (code, out, fault) = simulate(&sandbox, &["--fail", "build", "--format", "json"]);
    assert_eq!(code, 0, "{fault}");
    let waves = json_of(&out);
    let waves = waves.as_array().unwrap();
    assert_eq!(waves[1]["failed"], json!(["build"]));
    assert_eq!(waves[2]["failed"], json!(["build"]), "it has a retry");
    let last = waves.last().unwrap();
    assert_eq!(last["pipeline"], "failed");
    assert_eq!(last["jobs"]["unit"], "skipped");
    assert_eq!(last["jobs"]["lint"], "success");
    assert_eq!(last["jobs"]["undo"], "success");

    let (_, out, _) = simulate(&sandbox, &["--play", "deploy"]);
    assert!(out.contains("deploy succeeds"), "{out}");
    let (code, _, fault) = simulate(&sandbox, &["--fail", "biuld"]);
    assert_eq!(code, 2);
    assert!(fault.contains("did you mean `build`?"), "{fault}");
}

/// The one case that states an older behaviour, as its README says.
const OUTDATED: &str = "dag_test_manual_allow_failure_true.yml";

#[test]
fn the_scripted_pipelines_of_the_contract() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/pipeline_processing");
    let Ok(entries) = std::fs::read_dir(directory) else {
        let test = "the_scripted_pipelines_of_the_contract";
        return skip(test, "the conformance cases are not at hand");
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    paths.retain(|path| !path.ends_with(OUTDATED));
    assert!(paths.len() > 20, "{} cases", paths.len());
    let sandbox = Sandbox::new(&[]);
    for path in paths {
        let name = path.display().to_string();
        // The command itself compares with what the case expects, at every step.
        let (code, _, fault) = simulate(&sandbox, &[&name, "--format", "json"]);
        assert_eq!(code, 0, "{name}: {fault}");
    }
}

/// Says that a test did not run: to the file the suite collects, or to the tester.
fn skip(test: &str, reason: &str) {
    use std::io::Write;
    let line = format!("{test}: {reason}\n");
    match std::env::var_os("SHIPWAY_TEST_SKIPS") {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .unwrap();
        }
        None => eprint!("skipped: {line}"),
    }
}
