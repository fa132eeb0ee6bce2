//! `lint` as a user sees it: where its text comes from, what it is made for, and its warnings.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::Sandbox;

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
fn lint_from_standard_input_and_for_a_pipeline() {
    let sandbox = Sandbox::new(&[
        (".gitlab-ci.yml", "a: {script: x}"),
        ("ci/base.yml", ".base: {image: rust}"),
    ]);
    let lint = |args: &str, text: &str| {
        let output = sandbox
            .command("bash")
            .args([
                "-c",
                &format!("printf '%s' \"$TEXT\" | \"$PROGRAM\" lint {args} --format json"),
            ])
            .env("TEXT", text)
            .env("PROGRAM", env!("CARGO_BIN_EXE_shipway"))
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    };
    let (code, report) = lint("-", "a: {script: x, stage: tset}");
    assert_eq!(code, 1);
    assert_eq!(report["errors"][0]["file"], "standard input");
    let (code, _) = lint(
        "-",
        "include: [ci/base.yml]\na: {script: x, extends: .base}",
    );
    assert_eq!(code, 0, "includes are those of the project");

    let filtered = "workflow: {rules: [{if: $CI_COMMIT_TAG}]}\na: {script: x}";
    assert_eq!(lint("-", filtered).0, 0);
    let (code, report) = lint("- --dry-run", filtered);
    assert_eq!(code, 1);
    let message = report["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("filtered out by workflow rules"),
        "{message}"
    );
    assert_eq!(report["errors"][0]["line"], 1);
    // What includes ask for is known without a pipeline too.
    let asking = "include: [{local: 'ci/$CI_COMMIT_BRANCH.yml', rules: [{if: $CI_COMMIT_TAG}]}]\na: {script: x}";
    assert_eq!(lint("-", asking).0, 0);
    let need = "a: {script: x, rules: [{if: '$A == \"1\"'}]}\nb: {script: x, needs: [a]}\nvariables: {A: ''}";
    assert_eq!(lint("- --source web", need).0, 1);
    assert_eq!(lint("- --var A=1", need).0, 0);
}

#[test]
fn lint_warns_of_what_is_not_meant() {
    let table = [
        (
            "workflow: {rules: [{if: $CI_COMMIT_BRANCH}]}\na: {script: x, rules: [{when: always}, {if: $CI_COMMIT_TAG}]}",
            "rule 2 can never match",
        ),
        (
            "a: {script: x, rules: [{if: '$CI_COMMIT_BRANCH && $CI_COMMIT_TAG'}]}",
            "rule 1 can never match",
        ),
        (
            "a: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == \"pushes\"'}]}",
            "rule 1 can never match",
        ),
        (
            "a: {script: x, rules: [{if: '$V == \"a\" && $V =~ /^b/'}]}\nvariables: {V: a}",
            "rule 1 can never match",
        ),
        (
            "a: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID}, {if: $CI_COMMIT_BRANCH}]}",
            "jobs:a may allow multiple pipelines to run for a single action",
        ),
        (
            ".a: {script: x}\nb: {script: x}",
            "hidden job `.a` is not used",
        ),
        (
            "a: {script: x, rules: [{if: $CI_COMIT_TAG}]}",
            "variable `CI_COMIT_TAG` is never defined",
        ),
        (
            "variables: {PYTHON: 3.10}\na: {script: x}",
            "variable `PYTHON` is `3.1`, not `3.10`",
        ),
        (
            "a: {script: x, rules: [{if: '$CI_COMMIT_TAG =~ \"^v\"'}]}",
            "a pattern in quotes is taken for a text",
        ),
        (
            "a: {script: x, rules: [{if: '$LEVEL == \"3\"'}]}",
            "variable `LEVEL` is never defined",
        ),
        (
            "a: {script: x, rules: [{if: '$LEVEL == \"3\"'}, {if: '$KIND =~ /xy/ && $LEVEL'}]}",
            "variables `LEVEL` and `KIND` are never defined",
        ),
        (
            "variables: {DEPLOY: ''}\na: {script: x, rules: [{if: $DEPLYO}]}",
            "variable `DEPLYO` is never defined",
        ),
        (
            "a: {script: ['echo x', 'git checkout ${CI_COMIT_SHA}']}",
            "variable `CI_COMIT_SHA` is never defined",
        ),
        (
            "variables: {A: $B}\na: {script: x, variables: {B: '$C', C: '$A'}}",
            "circular variable reference detected: [\"A\", \"B\", \"C\"]",
        ),
        (
            "a: {stage: build, script: x}\nb: {script: x, dependencies: [a]}",
            "job `b` asks for artifacts of `a`",
        ),
    ];
    for (config, message) in table {
        let sandbox = Sandbox::new(&[(".gitlab-ci.yml", config)]);
        let report = json_of(&sandbox, &["lint"]);
        assert_eq!(report["valid"], true, "{config}: {report:#}");
        let warnings = report["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{config}: {warnings:#?}");
        assert_eq!(warnings[0]["message"], message, "{config}");
        assert!(warnings[0]["line"].as_u64().unwrap() >= 1);
    }
    for quiet in [
        "variables: {A: '$B', B: x}\na: {script: x, variables: {B: '$B y'}}",
        "a: {script: x, rules: [{if: $CI_COMMIT_TAG}, {if: $CI_COMMIT_BRANCH}]}",
        "a: {script: x, rules: [{if: $DEPLOY}, {if: $V != null}]}",
        ".a: {script: x}\nb: {extends: .a}",
        "a: {script: ['CI_COMIT_SHA=1 make', 'echo $CI_COMIT_SHA $CI_OF_OURS']}",
        ".a: {script: [x]}\nb: {script: !reference [.a, script]}",
        ".a: &a {script: x}\nb: {<<: *a}",
        "a: {stage: build, script: x, artifacts: {paths: [y]}}\nb: {script: x, dependencies: [a]}",
        "a: {stage: build, script: x}\nb: {script: x, needs: [a]}",
    ] {
        let sandbox = Sandbox::new(&[(".gitlab-ci.yml", quiet)]);
        assert_eq!(
            json_of(&sandbox, &["lint"])["warnings"],
            json!([]),
            "{quiet}"
        );
    }
}
