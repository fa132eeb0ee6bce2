//! `variables`.

use crate::support::{check_error, check_job_error, config, job_value, load_text};
use serde_json::json;

#[test]
fn values_become_texts() {
    let yaml = "x:\n  script: m\n  variables: {A: one, B: 12, C: true, D: 2.5, E: , F: 1.10, G: 012, H: 0x1F, I: 12:30, J: 1e3, K: '1.10', L: yes, M: 1_000}";
    let variables = config(yaml).jobs["x"].variables.clone();
    let texts: Vec<String> = variables
        .iter()
        .map(|(name, variable)| format!("{name}={}", variable.value))
        .collect();
    assert_eq!(
        texts.join(" "),
        "A=one B=12 C=true D=2.5 E= F=1.1 G=10 H=31 I=45000 J=1e3 K=1.10 L=true M=1000"
    );
}

#[test]
fn forms() {
    let yaml = "variables:\n  A: {value: a, description: shown}\n  B: {value: $X, expand: false}\n  C: {value: $X, expand: true}\n  D: {value: b, options: [a, b]}\n  E: {description: d}\nx: {script: m, variables: null}\n";
    let config = config(yaml);
    let raw: Vec<_> = config
        .variables
        .iter()
        .map(|(name, variable)| (name.as_str(), variable.value.as_str(), variable.raw))
        .collect();
    assert_eq!(
        raw,
        [
            ("A", "a", false),
            ("B", "$X", true),
            ("C", "$X", false),
            ("D", "b", false),
            ("E", "", false),
        ]
    );
    assert_eq!(config.prefilled["A"].description.as_deref(), Some("shown"));
    assert_eq!(config.prefilled["D"].options, ["a", "b"]);
    assert!(config.jobs["x"].variables.is_empty());
}

#[test]
fn global_variables_stay_out_of_jobs() {
    let yaml = "variables: {script: hello}\nx: {script: m}";
    let config = config(yaml);
    assert_eq!(config.variables["script"].value, "hello");
    assert!(config.jobs["x"].variables.is_empty());
    assert_eq!(config.jobs.len(), 1);
}

#[test]
fn expand_in_a_job() {
    let yaml = "x: {script: m, variables: {A: {value: v, expand: false}}}";
    assert_eq!(
        job_value(yaml, "x", "variables"),
        json!({"A": {"value": "v", "raw": true}})
    );
}

#[test]
fn wrong_variables() {
    check_job_error(&[
        (
            "variables: text",
            "jobs:x:variables config should be a hash",
        ),
        (
            "variables: {A: {value: v, description: d}}",
            "jobs:x:variables:a config uses invalid data keys: description",
        ),
        (
            "variables: {A: []}",
            "variable definition must be either a string or a hash",
        ),
        (
            "variables: {A: {value: v, expand: maybe}}",
            "jobs:x:variables:a config expand should be a boolean value",
        ),
        (
            "rules: [{if: $A, variables: text}]",
            "jobs:x:rules:rule:variables config should be a hash",
        ),
    ]);
    check_error(&[
        (
            "variables: text\nx: {script: m}",
            "1:12 variables config should be a hash",
        ),
        (
            "variables: {A: []}\nx: {script: m}",
            "1:16 variable definition must be either a string or a hash",
        ),
        (
            "variables: {FOO: {odd: v}}\nx: {script: m}",
            "1:19 variables:foo config uses invalid data keys: odd",
        ),
        (
            "variables: {A: {value: c, options: [a, b]}}\nx: {script: m}",
            "1:36 variables:a config value must be present in options",
        ),
        (
            "variables: {A: {value: a, options: [a, 5]}}\nx: {script: m}",
            "1:40 variables:a config options should be an array of strings",
        ),
        (
            "variables: {A: {value: a, description: [5]}}\nx: {script: m}",
            "1:40 variables:a config description must be an alphanumeric string",
        ),
    ]);
}

#[test]
fn values_that_yaml_takes_for_dates_are_refused_with_a_cure() {
    let loaded = load_text("x: {script: m, variables: {A: 2020-01-01}}");
    let error = &loaded.diagnostics[0];
    assert_eq!(error.message, "Tried to load unspecified class: Date");
    assert_eq!(
        error.hint.as_deref(),
        Some("put the value in quotes to keep it a text")
    );
}
