//! `!reference`.

use crate::support::{Project, accepted, check_error, config, errors, job_value};
use serde_json::json;

#[test]
fn references_are_replaced_by_what_they_name() {
    for (yaml, keyword, expected) in [
        (
            ".a: {b: {c: deep}}\nx: {script: [!reference [.a, b, c]]}",
            "script",
            json!(["deep"]),
        ),
        (
            ".a: {vars: {P: p, Q: q}}\nx: {script: m, variables: !reference [.a, vars]}",
            "variables",
            json!({"P": {"value": "p"}, "Q": {"value": "q"}}),
        ),
        (
            "x: {script: [!reference [.late, s]]}\n.late: {s: !reference [.later, s]}\n.later: {s: [one]}",
            "script",
            json!(["one"]),
        ),
        (
            ".a: {script: [one, two]}\nx: {script: [zero, !reference [.a, script], three]}",
            "script",
            json!(["zero", "one", "two", "three"]),
        ),
        (
            "variables: {A: a}\nx: {script: m, variables: {B: !reference [variables, A]}}",
            "variables",
            json!({"B": {"value": "a"}}),
        ),
    ] {
        assert_eq!(job_value(yaml, "x", keyword), expected, "{yaml}");
    }
}

#[test]
fn a_reference_sees_a_job_before_its_extends() {
    let yaml = ".a: {tags: [t]}\n.b: {extends: .a}\nx: {script: m, tags: !reference [.b, tags]}";
    assert_eq!(
        errors(yaml),
        ["3:22 !reference [\".b\", \"tags\"] could not be found"]
    );
    let yaml = ".a: {rules: [{if: $A}]}\n.b: {rules: [!reference [.a, rules], {if: $B}]}\nx: {extends: .b, script: m}";
    let rules = config(yaml).jobs["x"].rules.clone().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].condition.as_deref(), Some("$A"));
}

#[test]
fn references_cross_files() {
    let project = Project(&[
        (
            ".gitlab-ci.yml",
            "include: [{local: /lib.yml}]\nx: {script: [!reference [.lib, s]]}",
        ),
        ("lib.yml", ".lib: {s: [one]}"),
    ]);
    let config = accepted(project.load(), "references across files");
    assert_eq!(config.jobs["x"].script, ["one"]);
}

#[test]
fn wrong_references() {
    check_error(&[
        (
            "x: {script: !reference [.gone]}",
            "1:13 !reference [\".gone\"] could not be found",
        ),
        (
            "x: {script: !reference .gone}",
            "1:13 `!reference` needs a list",
        ),
        (
            "x: {script: !reference []}",
            "1:13 `!reference` needs a list of keys",
        ),
        (
            ".a: {t: [one]}\nx: {script: make, tags: [!reference [.a, t], two]}",
            "1:9 jobs:x:tags config should be an array of strings",
        ),
    ]);
    for (yaml, expected) in [
        (
            "a: !reference [b]\nb: !reference [a]\nx: {script: make}",
            "2:4 !reference [\"a\"] is part of a circular chain",
        ),
        (
            "x: {script: !reference [x, script]}",
            "1:13 !reference [\"x\", \"script\"] is part of a circular chain",
        ),
    ] {
        assert!(
            errors(yaml)
                .iter()
                .any(|e| e.ends_with("is part of a circular chain")),
            "{expected}: {:?}",
            errors(yaml)
        );
    }
    let chain = |levels: usize| {
        let mut yaml: String = (0..levels)
            .map(|i| format!(".r{i}: {{s: !reference [.r{}, s]}}\n", i + 1))
            .collect();
        yaml += &format!(".r{levels}: {{s: [m]}}\nx: {{script: !reference [.r0, s]}}");
        yaml
    };
    assert_eq!(job_value(&chain(9), "x", "script"), json!(["m"]));
    let deep = errors(&chain(10));
    assert!(
        deep[0].ends_with("!reference [\".r10\", \"s\"] is nested too deeply"),
        "{deep:?}"
    );
}
