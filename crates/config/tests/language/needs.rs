//! `needs` and `dependencies`, also against the stages of other jobs.

use crate::support::{check_error, check_job_error, config, errors, job_value, load_text};
use serde_json::json;

fn need(job: &str, artifacts: bool, optional: bool) -> serde_json::Value {
    json!({"job": job, "artifacts": artifacts, "optional": optional})
}

#[test]
fn forms_of_needs() {
    let a = "a: {stage: build, script: m}\n";
    for (needs, expected) in [
        ("[a]", json!([need("a", true, false)])),
        ("[{job: a}]", json!([need("a", true, false)])),
        ("{job: a}", json!([need("a", true, false)])),
        (
            "[{job: a, artifacts: false, optional: true}]",
            json!([need("a", false, true)]),
        ),
        (
            "[{job: gone, optional: true}]",
            json!([need("gone", true, true)]),
        ),
        ("[]", json!([])),
        ("null", json!(null)),
    ] {
        let yaml = format!("{a}b: {{script: m, needs: {needs}}}");
        assert_eq!(job_value(&yaml, "b", "needs"), expected, "{needs}");
    }
}

#[test]
fn parallel_jobs_are_needed_whole() {
    let yaml = "p: {stage: build, script: m, parallel: 2}\nb: {script: m, needs: [{job: p, artifacts: false}]}\nc: {script: m, dependencies: [p]}\nd: {script: m, needs: ['p 2/2']}\ne: {script: m, rules: [{if: $A, needs: [p]}]}";
    let both = json!([need("p 1/2", false, false), need("p 2/2", false, false)]);
    assert_eq!(job_value(yaml, "b", "needs"), both);
    assert_eq!(
        job_value(yaml, "c", "dependencies"),
        json!(["p 1/2", "p 2/2"])
    );
    assert_eq!(
        job_value(yaml, "d", "needs"),
        json!([need("p 2/2", true, false)])
    );
    assert_eq!(
        config(yaml).jobs["e"].rules.as_ref().unwrap()[0]
            .needs
            .as_ref()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn wrong_forms() {
    check_job_error(&[
        (
            "needs: a",
            "jobs:x:needs config can only be a hash or an array",
        ),
        ("needs: ['']", "jobs:x:needs:need config can't be blank"),
        ("needs: [{job: ''}]", "jobs:x:needs:need job can't be blank"),
        (
            "needs: [{job: 5}]",
            "jobs:x:needs:need job should be a string",
        ),
        ("needs: [5]", "jobs:x:needs:need has an unsupported type"),
        (
            "needs: [{artifacts: true}]",
            "jobs:x:needs:need job can't be blank",
        ),
    ]);
    check_error(&[
        (
            "a: {script: m}\nb: {script: m, needs: [{job: a, optional: 1}]}",
            "2:43 jobs:b:needs:need optional should be a boolean value",
        ),
        (
            "a: {script: m}\nb: {script: m, needs: [{job: a, odd: 1}]}",
            "2:33 jobs:b:needs:need config contains unknown keys: odd",
        ),
    ]);
}

#[test]
fn needed_jobs_must_exist_and_not_come_later() {
    check_error(&[
        (
            "a: {stage: build, script: m, needs: [b]}\nb: {stage: test, script: m}",
            "1:38 a job: need b is not defined in current or prior stages",
        ),
        (
            "a: {script: m, needs: [gone]}",
            "1:24 a job: undefined need: gone",
        ),
        (
            ".h: {script: m}\na: {script: m, needs: [.h]}",
            "2:24 a job: undefined need: .h",
        ),
        (
            "x:\n  script: m\n  rules: [{if: $U == null, needs: [gone]}]",
            "3:36 x job: undefined need: gone",
        ),
        (
            "x:\n  script: m\n  rules: [{if: $U == null, needs: [y, {job: y}]}]\ny: {script: m}",
            "3:45 x has the following needs duplicated: y.",
        ),
        (
            "a: {script: m}\nb: {script: m, needs: [a, a]}",
            "2:27 b has the following needs duplicated: a.",
        ),
        (
            "p: {stage: deploy, script: m, parallel: 3}\nb: {script: m, needs: [p]}",
            "2:24 b job: need p 1/3 is not defined in current or prior stages",
        ),
    ]);
    assert_eq!(
        errors("a: {script: m}\nb: {script: m, needs: [a]}"),
        [""; 0]
    );
    let loaded = load_text("compile: {script: m}\nb: {script: m, needs: [complie]}");
    assert_eq!(
        loaded.diagnostics[0].hint.as_deref(),
        Some("did you mean `compile`?")
    );
}

#[test]
fn circles() {
    check_error(&[
        (
            "compile: {script: m, needs: [ship]}\nbundle: {script: m, needs: [compile]}\nship: {script: m, needs: [bundle]}",
            "1:29 The pipeline has circular dependencies: topological sort failed: \
             [\"compile\", \"ship\", \"bundle\"]",
        ),
        (
            "a: {script: m}\nb: {script: m, needs: [a, b]}",
            "2:23 The pipeline has circular dependencies: self-dependency: b",
        ),
    ]);
}

#[test]
fn at_most_fifty_needs() {
    let with = |count: usize| {
        let jobs: String = (0..count)
            .map(|i| format!("j{i}: {{script: m}}\n"))
            .collect();
        let names: Vec<String> = (0..count).map(|i| format!("j{i}")).collect();
        format!("{jobs}b: {{script: m, needs: [{}]}}", names.join(", "))
    };
    assert_eq!(errors(&with(50)), [""; 0]);
    assert_eq!(
        errors(&with(51)),
        [
            "52:23 b: one job can only need 50 others, but you have listed 51. See needs keyword \
             documentation for more details"
        ]
    );
}

#[test]
fn dependencies() {
    check_error(&[
        (
            "a: {script: m, dependencies: [gone]}",
            "1:31 a job: undefined dependency: gone",
        ),
        (
            "a: {script: m, dependencies: [z]}\nz: {stage: deploy, script: m}",
            "1:31 a job: dependency z is not defined in current or prior stages",
        ),
        (
            "p: {stage: build, script: m}\nq: {stage: build, script: m}\na: {script: m, needs: [p], dependencies: [q]}",
            "3:42 jobs:a dependencies the q should be part of needs",
        ),
    ]);
    let yaml = "p: {stage: build, script: m}\na: {script: m, dependencies: []}\nb: {script: m, dependencies: [p]}";
    assert_eq!(job_value(yaml, "a", "dependencies"), json!([]));
    assert_eq!(job_value(yaml, "b", "dependencies"), json!(["p"]));
    assert_eq!(job_value(yaml, "p", "dependencies"), json!(null));
}
