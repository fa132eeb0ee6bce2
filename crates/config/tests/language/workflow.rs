//! `workflow`.

use crate::support::{config, errors};
use shipway_config::When;

#[test]
fn workflows() {
    let yaml = "\
workflow:
  name: Run for $CI_COMMIT_BRANCH
  auto_cancel: {on_new_commit: interruptible, on_job_failure: all}
  rules:
    - {if: $CI, variables: {A: w}, auto_cancel: {on_new_commit: none}}
    - [{when: never}]
x: {script: m}
";
    let workflow = config(yaml).workflow.unwrap();
    assert_eq!(workflow.name.as_deref(), Some("Run for $CI_COMMIT_BRANCH"));
    assert_eq!(
        workflow.auto_cancel.on_new_commit.as_deref(),
        Some("interruptible")
    );
    assert_eq!(workflow.auto_cancel.on_job_failure.as_deref(), Some("all"));
    let rules = workflow.rules.unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].condition.as_deref(), Some("$CI"));
    assert_eq!(rules[0].variables["A"].value, "w");
    assert_eq!(rules[0].auto_cancel.on_new_commit.as_deref(), Some("none"));
    assert_eq!(rules[1].when, Some(When::Never));
    assert!(config("x: {script: m}").workflow.is_none());
    assert_eq!(
        config("workflow: {name: null}\nx: {script: m}")
            .workflow
            .unwrap()
            .name,
        None
    );
}

#[test]
fn wrong_workflows() {
    let long = format!("{{name: {}}}", "n".repeat(256));
    for (value, expected) in [
        ("text", "workflow config should be a hash"),
        ("{odd: 1}", "workflow config contains unknown keys: odd"),
        (
            "{rules: [{if: $A, odd: 1}]}",
            "workflow:rules:rule config contains unknown keys: odd",
        ),
        (
            "{rules: [{if: $A, when: manual}]}",
            "workflow:rules:rule when unknown value: manual",
        ),
        (
            "{rules: text}",
            "workflow rules should be an array containing hashes and arrays of hashes",
        ),
        (
            "{name: ''}",
            "workflow name is too short (minimum is 1 character)",
        ),
        (
            &long,
            "workflow name is too long (maximum is 255 characters)",
        ),
        ("{name: 5}", "workflow name should be a string"),
        (
            "{auto_cancel: {on_job_failure: some}}",
            "workflow:auto_cancel on job failure should be one of: none, all",
        ),
        (
            "{rules: [{if: '=='}]}",
            "workflow:rules:rule if invalid expression syntax",
        ),
    ] {
        let found = errors(&format!("workflow: {value}\nx: {{script: m}}"));
        assert_eq!(found.len(), 1, "{value}: {found:?}");
        assert!(found[0].ends_with(expected), "{value}: {found:?}");
    }
}
