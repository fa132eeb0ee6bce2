//! `rules`, `only`, `except`.

use crate::support::{check_error, check_job_error, check_value, config, warnings, with_job};
use serde_json::json;
use shipway_config::{Policy, Rule, When};

#[test]
fn rules_are_read_in_order_and_flattened() {
    let yaml = with_job(
        "rules:\n  - {if: $U == null, when: delayed, start_in: 1 day}\n  - {if: $A, when: never}\n  - - if: $B\n    - - {if: $C, allow_failure: true, interruptible: true}",
    );
    let rules = config(&yaml).jobs["x"].rules.clone().unwrap();
    let condition = |text: &str| Some(text.to_owned());
    assert_eq!(
        rules,
        [
            Rule {
                condition: condition("$U == null"),
                when: Some(When::Delayed),
                start_in: Some(86_400),
                ..Rule::default()
            },
            Rule {
                condition: condition("$A"),
                when: Some(When::Never),
                ..Rule::default()
            },
            Rule {
                condition: condition("$B"),
                ..Rule::default()
            },
            Rule {
                condition: condition("$C"),
                allow_failure: Some(true),
                interruptible: Some(true),
                ..Rule::default()
            },
        ]
    );
}

#[test]
fn no_rules_and_empty_rules_differ() {
    check_value(
        "rules",
        &[
            ("rules: []", json!([])),
            ("rules: null", json!(null)),
            ("", json!(null)),
        ],
    );
}

#[test]
fn wrong_rules() {
    let rule = "jobs:x:rules:rule";
    let list = "jobs:x rules should be an array containing hashes and arrays of hashes";
    let deep = format!("rules: {}{{if: $A}}{}", "[".repeat(12), "]".repeat(12));
    for (lines, expected) in [
        ("rules: {if: $A}", list.to_owned()),
        (&deep, list.to_owned()),
        ("rules: [text]", format!("{rule} config should be a hash")),
        (
            "rules: [{odd: 1}]",
            format!("{rule} config contains unknown keys: odd"),
        ),
        (
            "rules: [{if: $A, when: explode}]",
            format!("{rule} when unknown value: explode"),
        ),
        (
            "rules: [{if: $A, when: false}]",
            format!("{rule} when unknown value: false"),
        ),
        (
            "rules: [{if: $A, when: delayed}]",
            format!("{rule} start in can't be blank"),
        ),
        (
            "rules: [{if: $A, when: delayed, start_in: 2 weeks}]",
            format!("{rule} start in should not exceed the limit"),
        ),
        (
            "rules: [{if: $A, start_in: 1 day}]",
            format!("{rule} start in must be blank"),
        ),
        (
            "rules: [{if: ['$A', '$B']}]",
            format!("{rule} if invalid expression syntax"),
        ),
        (
            "rules: [{if: ''}]",
            format!("{rule} if invalid expression syntax"),
        ),
        (
            "rules: [{if: '$A =~ /^(?!main).+/'}]",
            format!("{rule} if invalid expression syntax"),
        ),
        (
            "rules: [{if: $A, allow_failure: always}]",
            format!("{rule} allow failure should be a boolean value"),
        ),
        (
            "rules: [{if: $A, interruptible: 1}]",
            format!("{rule}:interruptible config should be a boolean value"),
        ),
        (
            "rules: [{if: $A, needs: a}]",
            format!("{rule}:needs config can only be a hash or an array"),
        ),
    ] {
        check_job_error(&[(lines, &expected)]);
    }
}

#[test]
fn rules_stand_alone() {
    let text = "jobs:x config key may not be used with `rules`:";
    for (lines, expected) in [
        ("only: [main]\nrules: [{if: $A}]", "only"),
        ("except: {refs: [main]}\nrules: [{if: $A}]", "except"),
        ("only: [a]\nexcept: [b]\nrules: [{if: $A}]", "only, except"),
        (
            "when: delayed\nstart_in: 5 minutes\nrules: [{if: $A}]",
            "start_in",
        ),
    ] {
        check_job_error(&[(lines, &format!("{text} {expected}"))]);
    }
    for lines in ["only: null\nrules: [{if: $A}]", "only: [main]\nrules: null"] {
        config(&with_job(lines));
    }
}

#[test]
fn the_default_policy() {
    for (workflow, lines, expected) in [
        ("", "", Some("branches tags")),
        ("", "only: [branches]", Some("branches")),
        ("", "rules: []", None),
        ("", "rules: [{if: $A}]", None),
        ("workflow: {rules: [{when: always}]}\n", "", None),
        (
            "workflow: {rules: [{when: always}]}\n",
            "only: [branches]",
            Some("branches"),
        ),
        ("workflow: {name: n}\n", "", Some("branches tags")),
        ("", "only: {variables: [$A]}", Some("branches tags")),
        ("", "only: null\nexcept: null", Some("branches tags")),
    ] {
        let yaml = format!("{workflow}{}", with_job(lines));
        let only = config(&yaml).jobs["x"].only.clone();
        let refs = only.map(|only| only.refs.unwrap().join(" "));
        assert_eq!(refs.as_deref(), expected, "{yaml}");
    }
}

#[test]
fn policies() {
    let yaml = with_job(
        "only: [main, '/^v/', 'branches@g/p']\nexcept: {refs: [dev], variables: [$A == \"1\"]}",
    );
    let job = config(&yaml).jobs["x"].clone();
    let texts = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(
        job.only,
        Some(Policy {
            refs: texts(&["main", "/^v/", "branches@g/p"]),
            variables: None,
            ..Policy::default()
        })
    );
    assert_eq!(
        job.except,
        Some(Policy {
            refs: texts(&["dev"]),
            variables: texts(&["$A == \"1\""]),
            ..Policy::default()
        })
    );
    let refs = "should be an array of strings or regular expressions using re2 syntax";
    for key in ["only", "except"] {
        for (value, expected) in [
            (
                "1",
                "has to be either an array of conditions or a hash".to_owned(),
            ),
            ("[1, 1]", format!("config {refs}")),
            ("['/*bad/']", format!("config {refs}")),
            ("{}", "config can't be blank".to_owned()),
            (
                "{refs: [main], odd: 1}",
                "config contains unknown keys: odd".to_owned(),
            ),
            ("{refs: [1]}", format!("refs {refs}")),
            (
                "{variables: text}",
                "variables should be an array of strings".to_owned(),
            ),
            (
                "{variables: ['==']}",
                "variables invalid expression syntax".to_owned(),
            ),
        ] {
            check_job_error(&[(
                &format!("{key}: {value}"),
                &format!("jobs:x:{key} {expected}"),
            )]);
        }
    }
}

#[test]
fn a_last_rule_without_condition_is_warned_of() {
    for (workflow, rule, expected) in [
        ("", "{when: on_success}", true),
        ("", "{when: never}", false),
        ("", "{if: $A, when: always}", false),
        ("", "{exists: [Dockerfile], when: always}", false),
        ("", "{when: manual, allow_failure: true}", false),
        ("", "[{if: $A}, {when: always}]", true),
        (
            "workflow: {rules: [{when: always}]}\n",
            "{when: always}",
            false,
        ),
    ] {
        let yaml = format!("{workflow}{}", with_job(&format!("rules: [{rule}]")));
        assert_eq!(!warnings(&yaml).is_empty(), expected, "{yaml}");
    }
    // The caret is at that rule, however deep the list is in which it stands.
    let yaml = "a:\n  script: m\n  rules:\n    - if: $A\n    - - if: $B\n      - when: always\n";
    assert!(
        warnings(yaml)[0].starts_with("6:9 "),
        "{:?}",
        warnings(yaml)
    );
}

#[test]
fn a_wrong_expression_shows_where() {
    check_error(&[(
        "x:\n  script: m\n  rules:\n    - if: $A = \"1\"\n",
        "4:11 jobs:x:rules:rule if invalid expression syntax",
    )]);
}

#[test]
fn a_comparison_with_a_bare_boolean_is_warned_of() {
    for (condition, expected) in [
        ("$A == true", true),
        ("$B && (false != $A)", true),
        ("$A == \"true\"", false),
        ("$A == $B || true", false),
    ] {
        let yaml = with_job(&format!("rules: [{{if: '{condition}'}}]"));
        assert_eq!(!warnings(&yaml).is_empty(), expected, "{condition}");
    }
}
