//! What GitLab accepts and surely nobody means.

use crate::support::load_text;

/// The doubts about a configuration without faults: `line:column message`, and the hint.
fn doubts(yaml: &str) -> Vec<(String, String)> {
    let loaded = load_text(yaml);
    let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{yaml}"));
    let doubts = config.doubts(&loaded.files).into_iter();
    doubts
        .map(|doubt| {
            let span = doubt.span.expect("doubts have places");
            let place = format!("{}:{} {}", span.line, span.column, doubt.message);
            (place, doubt.hint.unwrap_or_default())
        })
        .collect()
}

#[test]
fn values_that_yaml_turns_into_others() {
    for (value, expected) in [
        ("3.10", Some("3.1")),
        ("010", Some("8")),
        ("1_000", Some("1000")),
        ("12:30:45", Some("45045")),
        ("yes", Some("true")),
        ("True", Some("true")),
        ("0x1F", Some("31")),
        ("3.11", None),
        ("true", None),
        ("42", None),
        ("-1.5", None),
        ("3.10.1", None),
        ("\"3.10\"", None),
    ] {
        for yaml in [
            format!("variables: {{V: {value}}}\na: {{script: x}}"),
            format!("a: {{script: x, variables: {{V: {{value: {value}}}}}}}"),
            format!("a: {{script: x, parallel: {{matrix: [{{V: [x, {value}]}}]}}}}"),
            format!(
                ".t: {{variables: {{V: {value}}}}}\na: {{extends: .t, script: x}}\nb: {{extends: .t, script: x}}"
            ),
        ] {
            let found = doubts(&yaml);
            match expected {
                None => assert_eq!(found, [], "{yaml}"),
                Some(text) => {
                    assert_eq!(found.len(), 1, "{yaml}: {found:?}");
                    let (message, hint) = &found[0];
                    let told = format!("variable `V` is `{text}`, not `{value}`");
                    assert!(message.ends_with(&told), "{message}");
                    assert!(hint.ends_with(&format!("\"{value}\"")), "{hint}");
                }
            }
        }
    }
}

#[test]
fn patterns_that_are_compared_as_texts() {
    for (condition, hint) in [
        (r#"$CI_COMMIT_BRANCH =~ "^feature""#, "quotes: `/^feature/`"),
        (r#"$CI_COMMIT_BRANCH !~ "a/.*""#, "quotes: `/a\\/.*/`"),
        (
            r#"$CI_COMMIT_TAG && $CI_COMMIT_REF_NAME == "/^v\d+/""#,
            "write `$CI_COMMIT_REF_NAME =~ /^v\\d+/`, without quotes",
        ),
        (
            r#"$CI_COMMIT_BRANCH != "/^main$/i""#,
            "write `$CI_COMMIT_BRANCH !~ /^main$/i`, without quotes",
        ),
        (r#"$CI_COMMIT_BRANCH =~ "main""#, ""),
        (r#"$CI_COMMIT_BRANCH =~ "/^main$/""#, ""),
        (r#"$CI_COMMIT_BRANCH =~ /^main$/"#, ""),
        (r#"$CI_COMMIT_BRANCH == "/srv/www/""#, ""),
    ] {
        let yaml = format!(
            ".r: &r\n  rules:\n    - if: '{condition}'\na: {{<<: *r, script: x}}\nb: {{<<: *r, script: x}}"
        );
        let mut found = doubts(&yaml);
        found.retain(|(message, _)| message.contains("pattern"));
        if hint.is_empty() {
            assert_eq!(found, [], "{condition}");
        } else {
            assert_eq!(found.len(), 1, "{condition}: {found:?}");
            assert_eq!(found[0].0, "3:11 a pattern in quotes is taken for a text");
            assert!(found[0].1.ends_with(hint), "{}", found[0].1);
        }
    }
}

#[test]
fn two_pipelines_of_one_push_are_told_once() {
    // The first is told by GitLab's own warning while the file is read.
    let yaml = "a: {script: x, rules: [{if: $A}, {when: always}]}\n\
                b: {script: x, rules: [{when: manual, allow_failure: true}]}";
    let found: Vec<String> = doubts(yaml).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        found,
        ["2:23 jobs:b may allow multiple pipelines to run for a single action"]
    );
}
