//! Diagnostics as people read them.

use crate::support::{Project, load_text};
use shipway_config::render;

#[test]
fn lines_caret_chain_and_hint_are_shown() {
    let files = [
        (".gitlab-ci.yml", "include: ci/lib.yml\nx: {extends: .t}\n"),
        ("ci/lib.yml", ".t:\n  script: m\n  tags: linux\n"),
    ];
    let loaded = Project(&files).load();
    assert_eq!(
        render(&loaded.diagnostics[0], &loaded.files, false),
        "\
error: jobs:x:tags config should be an array of strings
 --> ci/lib.yml:3:9
  |
3 |   tags: linux
  |         ^^^^^ this is a string
  |
  = note: included from .gitlab-ci.yml:1:10
  = help: write a list: `tags: [linux]`"
    );
}

#[test]
fn a_second_place_is_shown_too() {
    let loaded = load_text("a:\n  script: one\n  script: two\n");
    assert_eq!(
        render(&loaded.diagnostics[0], &loaded.files, false),
        "\
warning: the key `script` is given twice; only the later one counts
 --> .gitlab-ci.yml:3:3
  |
2 |   script: one
  |   ------ is lost
3 |   script: two
  |   ^^^^^^ counts"
    );
}

#[test]
fn colour_is_asked_for_and_control_characters_are_not_passed_on() {
    let loaded = load_text("a:\n  \"s\\e[31mcript\": m\n  script: m\n");
    let plain = render(&loaded.diagnostics[0], &loaded.files, false);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(render(&loaded.diagnostics[0], &loaded.files, true).contains('\u{1b}'));
}

#[test]
fn any_place_can_be_drawn() {
    for yaml in [
        "",
        "---",
        "a: |",
        "\u{feff}a: [",
        "ä: ö: ü",
        "a:\r\n\tb",
        "a",
        "x:\n  script: [\n",
    ] {
        let loaded = load_text(yaml);
        for diagnostic in &loaded.diagnostics {
            assert!(
                render(diagnostic, &loaded.files, false).starts_with("error: "),
                "{yaml:?}"
            );
        }
        assert!(!loaded.diagnostics.is_empty(), "{yaml:?}");
    }
}

#[test]
fn a_huge_value_is_cut() {
    let yaml = format!("x:\n  script: m\n  tags: {}\n", "y".repeat(1_000_000));
    let loaded = load_text(&yaml);
    let text = render(&loaded.diagnostics[0], &loaded.files, false);
    assert!(text.len() < 10_000, "{}", text.len());
}

/// What is usually done wrong, with the label at the caret and the cure.
#[test]
fn typical_mistakes_have_a_cure() {
    for (yaml, label, hint) in [
        (
            "a: {script: m, when: on_sucess}",
            None,
            "did you mean `on_success`?",
        ),
        (
            "a: {script: m, timeout: 3 hors}",
            None,
            "write a duration with its unit",
        ),
        (
            "a: {script: m, artifacts: {path: x, expires_in: 1 day}}",
            Some("unknown key"),
            "did you mean `paths` and `expire_in`?",
        ),
        (
            "a: {script: m}\nb: {script: m, needs: [{name: a}]}",
            Some("unknown key"),
            "did you mean `job`?",
        ),
        (
            "a: {script: m, trigger: {include: c.yml}}",
            Some("unknown key"),
            "a job has either `script` or `trigger`",
        ),
        (
            "a: {trigger: {project: p/q, include: c.yml}}",
            Some("unknown key"),
            "a trigger has either `include` or `project`",
        ),
        (
            "default: {stage: build}\na: {script: m}",
            Some("unknown key"),
            "`stage` has no default; it belongs to a job",
        ),
        (
            "a: {script: m, only: {variables: ['$B =~ /x/y/']}}",
            None,
            "a slash inside of a pattern is written `\\/`",
        ),
        (
            "a: {script: m, rules: [{if: $A and $B}]}",
            None,
            "`and` is written `&&`",
        ),
        (
            "include: [{file: ci/x.yml}]",
            None,
            "a file of this project is `local`",
        ),
        (
            "on: [push]",
            Some("not a text for YAML"),
            "without them it is the boolean true",
        ),
        (
            "a: {script: m, release: {description: d}}",
            Some("lacks `tag_name`"),
            "",
        ),
        (
            "a:\n  script:\n    - \"echo \"b\"\"\n",
            None,
            "a quote inside of double quotes",
        ),
        (
            "a:\n  script:\n    - m\n   \u{a0}- n\n",
            None,
            "often a copied U+00A0",
        ),
        (
            "a:\n  script:\n    - [ -f x ] && m\n",
            None,
            "a command that starts with `[`",
        ),
        (
            "a: {script: echo {a,b}}\n",
            None,
            "a value with brackets or commas",
        ),
        (
            "a:\n  script:\n    - \"C:\\path\"\n",
            None,
            "single quotes keep it as it is",
        ),
        (
            "stages:\n- build\n-test\na: {script: m}\n",
            None,
            "nor an item behind `- `",
        ),
        (
            "<<<<<<< HEAD\na: {script: m}\n=======\nb: {script: m}\n>>>>>>> b\n",
            None,
            "git has left a conflict",
        ),
    ] {
        let loaded = load_text(yaml);
        let first = &loaded.diagnostics[0];
        assert!(first.is_error(), "{yaml}");
        if let Some(label) = label {
            assert_eq!(first.label.as_deref(), Some(label), "{yaml}");
        }
        let is_about_the_kind = first
            .label
            .as_deref()
            .is_some_and(|text| text.starts_with("this is "));
        assert!(!is_about_the_kind, "{yaml}: {:?}", first.label);
        let told = first.hint.as_deref().unwrap_or_default();
        assert!(told.contains(hint), "{yaml}: {told}");
    }
}
