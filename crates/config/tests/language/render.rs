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
