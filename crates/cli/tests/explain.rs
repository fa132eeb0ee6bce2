//! `expand`, `graph`, `why` and `variables` as a user sees them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::Sandbox;

const CONFIG: &str = r#"
include: [ci/base.yml]
stages: [build, test, deploy]
variables:
  LEVEL: "2"
  IMAGE: "app:$LEVEL"
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
      variables: {NIGHTLY: "1"}
    - if: $CI_PIPELINE_SOURCE == "push"
build:
  stage: build
  extends: .base
  variables: {MODE: fast}
  script: [make]
unit:
  stage: test
  script:
    - make test
    - |
      echo "first: 1"
      echo second # no comment
  needs: [build]
style: {stage: test, script: !reference [.shared, script], needs: [], allow_failure: true}
deploy:
  stage: deploy
  script: make deploy
  rules:
    - if: $CI_COMMIT_BRANCH == "main" && ($DEPLOY || $LEVEL == "3")
      when: manual
    - if: $CI_COMMIT_TAG =~ /^v\d+$/
      variables: {LEVEL: "9"}
old:
  stage: deploy
  script: make old
  only: [schedules]
"#;

const BASE: &str = r#"
.base:
  image: rust
  variables:
    MODE: slow
    COLOR: "yes"
.shared:
  script: ["make 'x: y'"]
"#;

fn sandbox() -> Sandbox {
    Sandbox::new(&[(".gitlab-ci.yml", CONFIG), ("ci/base.yml", BASE)])
}

/// Exit code, standard output, standard error.
fn shipway(sandbox: &Sandbox, args: &[&str]) -> (i32, String, String) {
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_shipway"))
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn json_of(sandbox: &Sandbox, args: &[&str]) -> Value {
    let (code, out, fault) = shipway(sandbox, &[args, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{fault}");
    serde_json::from_str(&out).unwrap_or_else(|cause| panic!("{cause} in {out}"))
}

#[test]
fn expand_tells_where_each_part_came_from_and_means_the_same() {
    let sandbox = sandbox();
    let before = json_of(&sandbox, &["list"]);
    let (code, out, fault) = shipway(&sandbox, &["expand"]);
    assert_eq!(code, 0, "{fault}");
    for line in [
        "#   ci/base.yml, included from .gitlab-ci.yml:2",
        "build: # .gitlab-ci.yml:12, extends .base",
        "  image: rust # ci/base.yml:3",
        "    COLOR: \"yes\" # ci/base.yml:6",
        "    - \"make 'x: y'\" # ci/base.yml:8",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    assert!(!out.contains(".base:"), "{out}");
    let merged = json_of(&sandbox, &["expand"]);
    assert_eq!(
        merged["config"]["build"]["variables"],
        json!({"MODE": "fast", "COLOR": "yes"})
    );
    let origins = merged["origins"].as_array().unwrap();
    let color = origins
        .iter()
        .find(|one| one["path"] == json!(["build", "variables", "COLOR"]));
    assert_eq!(color.unwrap()["file"], "ci/base.yml");

    // What it prints is a configuration with the same pipeline and the same expansion.
    for args in [vec!["expand"], vec!["expand", "--no-comments", "--hidden"]] {
        let (_, out, _) = shipway(&sandbox, &args);
        let again = Sandbox::new(&[(".gitlab-ci.yml", &out)]);
        assert_eq!(json_of(&again, &["list"]), before, "{out}");
        let mut expanded = json_of(&again, &["expand"]);
        assert_eq!(expanded["config"].take(), merged["config"], "{out}");
    }
    let (_, out, _) = shipway(&sandbox, &["expand", "unit"]);
    assert!(!out.contains("deploy:"), "{out}");
    let (code, _, fault) = shipway(&sandbox, &["expand", "unti"]);
    assert_eq!(code, 2);
    assert!(fault.contains("did you mean `unit`?"), "{fault}");
}

#[test]
fn a_ref_is_read_from_its_commit() {
    let sandbox = Sandbox::new(&[
        (
            ".gitlab-ci.yml",
            "include: ci/*.yml\nold: {script: x, rules: [{exists: [ci/base.yml]}]}",
        ),
        ("ci/base.yml", "base: {script: x}"),
        ("app/.gitlab-ci.yml", "include: /part.yml\nold: {script: x}"),
        ("app/part.yml", "part: {script: x}"),
    ]);
    sandbox.git(&["tag", "v1"]);
    for (path, text) in [
        (".gitlab-ci.yml", "new: {script: x, stage: tset}"),
        ("ci/base.yml", "what: is this"),
        ("app/part.yml", "other: {script: x}"),
    ] {
        std::fs::write(sandbox.path().join(path), text).unwrap();
    }
    std::fs::remove_file(sandbox.path().join("app/.gitlab-ci.yml")).unwrap();
    let names = |listed: &Value| -> Vec<String> {
        let jobs = listed["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let listed = json_of(&sandbox, &["list", "--ref", "v1"]);
    assert_eq!(names(&listed), ["base", "old"]);
    let (code, _, _) = shipway(&sandbox, &["lint"]);
    assert_eq!(code, 1);
    let report = json_of(&sandbox, &["lint", "--ref", "v1"]);
    assert_eq!(report["errors"], json!([]));
    let merged = json_of(&sandbox, &["expand", "--ref", "v1"]);
    assert_eq!(merged["config"]["base"]["script"], "x");
    let why = json_of(&sandbox, &["why", "old", "--ref", "v1"]);
    assert_eq!(why["included"], true);
    let (code, _, fault) = shipway(&sandbox, &["list", "--ref", "v1", "--file", "none.yml"]);
    assert_eq!(code, 2);
    assert!(
        fault.contains("there is no none.yml in the commit v1"),
        "{fault}"
    );
    // A project inside of a bigger repository; it is known by what is there now.
    std::fs::write(
        sandbox.path().join("app/.gitlab-ci.yml"),
        "now: {script: x}",
    )
    .unwrap();
    let listed = json_of(&sandbox, &["list", "-C", "app", "--ref", "v1"]);
    assert_eq!(names(&listed), ["part", "old"]);
}

#[test]
fn graphs_in_all_formats() {
    let sandbox = sandbox();
    let (_, text, _) = shipway(&sandbox, &["graph"]);
    assert!(text.contains("    unit   ← build"), "{text}");
    let (_, text, _) = shipway(&sandbox, &["graph", "--by", "needs"]);
    assert!(text.contains("build\n└─ unit"), "{text}");
    let graph = json_of(&sandbox, &["graph"]);
    assert_eq!(graph["stages"], json!(["build", "test"]));
    assert_eq!(
        graph["edges"],
        json!([{"from": "build", "to": "unit", "kind": "need"}])
    );
    for (format, marks) in [
        (
            "svg",
            vec!["<svg xmlns", "prefers-color-scheme: dark", ">unit<"],
        ),
        ("mermaid", vec!["flowchart LR", "subgraph", "-->"]),
        ("dot", vec!["digraph", "cluster_0", "->"]),
    ] {
        let (code, first, _) = shipway(&sandbox, &["graph", "--format", format]);
        let (_, second, _) = shipway(&sandbox, &["graph", "--format", format]);
        assert_eq!(code, 0);
        assert_eq!(first, second);
        for mark in marks {
            assert!(first.contains(mark), "{mark} is not in {first}");
        }
    }
}

#[test]
fn names_cannot_break_out_of_a_picture() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "'<script>\"]; & -->': {script: x}\nnext: {stage: deploy, script: x}\n",
    )]);
    let (_, svg, _) = shipway(&sandbox, &["graph", "--format", "svg"]);
    assert!(svg.contains("&lt;script&gt;&quot;]; &amp; --&gt;"), "{svg}");
    assert!(!svg.contains("<script>"), "{svg}");
    let (_, mermaid, _) = shipway(&sandbox, &["graph", "--format", "mermaid"]);
    assert!(mermaid.contains("#60;script#62;#34;"), "{mermaid}");
    let (_, dot, _) = shipway(&sandbox, &["graph", "--format", "dot"]);
    assert!(dot.contains(r#""<script>\"]; & -->""#), "{dot}");
}

#[test]
fn why_shows_rules_values_and_the_smallest_change() {
    let sandbox = sandbox();
    let why = json_of(&sandbox, &["why", "deploy"]);
    assert_eq!(why["included"], false);
    assert_eq!(why["reason"], "none of its 2 rules matched");
    assert_eq!(why["workflow"][0]["outcome"], "failed");
    assert_eq!(why["workflow"][1]["outcome"], "matched");
    assert_eq!(why["rules"][0]["outcome"], "failed");
    assert_eq!(why["rule_places"][1], ".gitlab-ci.yml:32:7");
    let values = why["rules"][0]["parts"][0]["values"].as_array().unwrap();
    let value = |text: &str| {
        let found = values.iter().find(|one| one["text"] == text);
        found.unwrap_or_else(|| panic!("{text} in {values:#?}"))["value"].clone()
    };
    assert_eq!(value("$CI_COMMIT_BRANCH == \"main\""), "true");
    assert_eq!(value("$DEPLOY || $LEVEL == \"3\""), "false");
    assert_eq!(value("$DEPLOY"), "null");
    assert_eq!(value("$LEVEL"), "\"2\"");
    let variables = why["variables"].as_array().unwrap();
    let level = variables.iter().position(|one| one["name"] == "LEVEL");
    let level = level.unwrap();
    assert_eq!(variables[level]["level"]["level"], "pipeline");
    assert_eq!(why["variable_places"][level], ".gitlab-ci.yml:5:10");
    let flips = why["flips"].as_array().unwrap();
    let flip = |change: Value| flips.contains(&json!({"changes": [change]}));
    assert!(
        flip(json!({"kind": "variable", "name": "DEPLOY", "value": "1"})),
        "{flips:#?}"
    );

    let (_, text, _) = shipway(&sandbox, &["why", "deploy"]);
    assert!(text.contains("shipway why deploy --var DEPLOY=1"), "{text}");
    let (_, text, _) = shipway(&sandbox, &["why", "deploy", "--var", "DEPLOY=1"]);
    assert!(text.contains("is in the pipeline, when: manual"), "{text}");
    assert!(text.contains("$DEPLOY = \"1\"  --var"), "{text}");
}

#[test]
fn what_why_says_would_change_it_does() {
    let sandbox = sandbox();
    // Each flip of one variable or source is tried with the options it names.
    for job in ["deploy", "old", "build"] {
        let why = json_of(&sandbox, &["why", job]);
        let included = why["included"].as_bool().unwrap();
        let mut tried = 0;
        for flip in why["flips"].as_array().unwrap() {
            let mut args = vec!["why".to_owned(), job.to_owned()];
            for change in flip["changes"].as_array().unwrap() {
                let name = change["name"].as_str().unwrap_or_default();
                match change["kind"].as_str().unwrap() {
                    "variable" => args.extend([
                        "--var".to_owned(),
                        format!("{name}={}", change["value"].as_str().unwrap()),
                    ]),
                    "source" => args.extend(["--source".to_owned(), name.to_owned()]),
                    _ => continue,
                }
            }
            if args.len() == 2 {
                continue;
            }
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            assert_eq!(json_of(&sandbox, &args)["included"], !included, "{args:?}");
            tried += 1;
        }
        assert!(tried > 0, "{why:#}");
    }
}

#[test]
fn a_merge_request_is_made_up() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "
for_it: {script: x, rules: [{if: '$CI_MERGE_REQUEST_IID && $CI_COMMIT_BRANCH == null'}]}
into: {script: x, rules: [{if: '$CI_MERGE_REQUEST_TARGET_BRANCH_NAME == $CI_DEFAULT_BRANCH'}]}
changed: {script: x, rules: [{changes: [new]}]}
unchanged: {script: x, rules: [{changes: [.gitlab-ci.yml]}]}
only: {script: x, only: [merge_requests]}
branches: {script: x}
",
    )]);
    sandbox.git(&["checkout", "-q", "-b", "topic"]);
    sandbox.write("new", "x");
    sandbox.git(&["add", "new"]);
    sandbox.commit("new");
    sandbox.commit("nothing more");
    let listed = json_of(&sandbox, &["list", "--source", "merge_request_event"]);
    let jobs = listed["jobs"].as_array().unwrap();
    let names: Vec<&str> = jobs
        .iter()
        .map(|job| job["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["for_it", "into", "changed", "only"]);
}

#[test]
fn why_a_job_of_a_run_was_skipped() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "
bad: {stage: test, script: ['false']}
next: {stage: deploy, script: ['true']}
late: {stage: deploy, script: ['true'], when: manual}
",
    )]);
    let (code, _, _) = shipway(&sandbox, &["run", "--quiet"]);
    assert_eq!(code, 1);
    let why = json_of(&sandbox, &["why", "next", "--run", "last"]);
    assert_eq!(why["status"], "skipped");
    assert_eq!(why["because"], json!([{"job": "bad", "status": "failed"}]));
    let (code, text, _) = shipway(&sandbox, &["why", "bad", "--run", "1"]);
    assert_eq!(code, 0);
    assert!(text.contains("✗ failed: it ran and failed"), "{text}");
    let (code, _, fault) = shipway(&sandbox, &["why", "next", "--run", "7"]);
    assert_eq!(code, 2);
    assert!(fault.contains("there is no run `7`"), "{fault}");
}

#[test]
fn variables_come_with_their_origin() {
    let sandbox = sandbox();
    let report = json_of(&sandbox, &["variables", "build", "--var", "MODE=odd"]);
    let entries = report["variables"].as_array().unwrap();
    let of = |name: &str| entries.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("IMAGE")["value"], "app:2");
    assert_eq!(of("IMAGE")["level"], "pipeline");
    assert_eq!(of("COLOR")["place"], "ci/base.yml:6:12");
    assert_eq!(of("MODE")["value"], "odd");
    assert_eq!(of("MODE")["level"], "outer");
    assert!(entries.iter().all(|one| one["name"] != "CI_COMMIT_SHA"));

    let report = json_of(
        &sandbox,
        &["variables", "build", "--source", "schedule", "--all"],
    );
    let entries = report["variables"].as_array().unwrap();
    let of = |name: &str| entries.iter().rfind(|one| one["name"] == name).unwrap();
    assert_eq!(of("NIGHTLY")["level"], "workflow_rule");
    assert_eq!(of("NIGHTLY")["rule"], 1);
    assert_eq!(of("NIGHTLY")["place"], ".gitlab-ci.yml:10:28");
    assert_eq!(of("CI_JOB_NAME")["value"], "build");

    let (code, _, fault) = shipway(&sandbox, &["variables", "deploy"]);
    assert_eq!(code, 2);
    assert!(fault.contains("shipway why deploy"), "{fault}");
}
