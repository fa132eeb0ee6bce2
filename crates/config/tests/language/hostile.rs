//! Input that means harm, or that only looks strange.

use crate::support::{config, errors, load_text, messages};
use proptest::prelude::*;
use shipway_config::{
    Limits, LoadContext, NoFiles, Severity, duration, expression::Expression, glob, load_for,
    pattern, refs, render,
};
use std::time::{Duration, Instant};

/// Generous, because test machines are busy; a quadratic or exponential load takes minutes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A matrix of so many names with ten values each.
fn product(names: usize) -> String {
    (0..names)
        .map(|name| format!("N{name}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "))
        .collect()
}

#[test]
fn bombs_are_refused_quickly() {
    let aliases: String = (1..14)
        .map(|i| {
            format!(
                "a{i}: &a{i} [{}]\n",
                vec![format!("*a{}", i - 1); 9].join(", ")
            )
        })
        .collect();
    let merges: String = (1..40)
        .map(|i| {
            format!(
                "m{i}: &m{i} {{<<: [*m{0}, *m{0}], k{i}: {{<<: *m{0}}}}}\n",
                i - 1
            )
        })
        .collect();
    let references: String = (1..10)
        .map(|i| {
            format!(
                ".r{i}: {{s: [{}]}}\n",
                vec![format!("!reference [.r{}, s]", i - 1); 30].join(", ")
            )
        })
        .collect();
    let extends: String = (1..60)
        .map(|i| format!(".e{i}: {{extends: [.e{0}, .e{0}, .e{0}]}}\n", i - 1))
        .collect();
    for (name, yaml) in [
        ("aliases", format!("a0: &a0 x\n{aliases}")),
        ("merges", format!("m0: &m0 {{a: 1}}\n{merges}")),
        (
            "references",
            format!(".r0: {{s: [m]}}\n{references}x: {{script: !reference [.r9, s]}}"),
        ),
        (
            "extends",
            format!(".e0: {{script: m}}\n{extends}x: {{extends: .e59}}"),
        ),
        (
            "a matrix",
            format!(
                "p: {{script: m, parallel: {{matrix: [{{{}}}]}}}}",
                product(40)
            ),
        ),
        (
            "a matrix of needs",
            format!(
                "p: {{script: m, parallel: 2}}\nx: {{script: m, needs: [{{job: p, parallel: {{matrix: [{{{}}}]}}}}]}}",
                product(40)
            ),
        ),
        (
            "needs of instances",
            format!(
                "p: {{script: m, parallel: 200}}\nx: {{script: m, parallel: 200, needs: [{}]}}",
                "p, ".repeat(5000)
            ),
        ),
        (
            "inputs",
            format!(
                "spec: {{inputs: {{a: {{default: '{}'}}}}}}\n---\nx: {{script: '{}'}}",
                "y".repeat(1_000_000),
                "$[[ inputs.a ]]".repeat(50_000)
            ),
        ),
        ("brackets", "[".repeat(100_000)),
        ("braces", "{a: ".repeat(100_000)),
        ("dashes", "- ".repeat(50_000)),
        ("questions", "? ".repeat(50_000)),
        (
            "parentheses",
            format!(
                "x: {{script: m, rules: [{{if: '{}'}}]}}",
                "(".repeat(100_000)
            ),
        ),
    ] {
        let start = Instant::now();
        assert!(!errors(&yaml).is_empty(), "{name}");
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn size_alone_does_no_harm() {
    let start = Instant::now();
    let huge = format!("x:\n  script: '{}'\n", "y".repeat(1_900_000));
    assert_eq!(config(&huge).jobs["x"].script[0].len(), 1_900_000);
    let jobs: String = (0..3000)
        .map(|i| {
            format!(
                "j{i}: {{script: m, needs: [{}]}}\n",
                if i > 0 {
                    format!("j{}", i - 1)
                } else {
                    String::new()
                }
            )
        })
        .collect();
    assert_eq!(config(&jobs).jobs.len(), 3000);
    let wrong: String = (0..3000).map(|i| format!("j{i}: {{scrpt: m}}\n")).collect();
    assert_eq!(errors(&wrong).len(), 1000);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let too_large = format!("x: {{script: '{}'}}", "y".repeat(2_100_000));
    assert_eq!(errors(&too_large), ["1:1 The parsed YAML is too big"]);
}

#[test]
fn strange_bytes() {
    for (yaml, expected) in [
        ("x: {script: \0}", "control characters are not allowed"),
        ("x: {script: \u{7f}}", "control characters are not allowed"),
        (
            "x:\n\tscript: m",
            "found character that cannot start any token",
        ),
        ("[!tag,]", "did not find expected whitespace"),
        ("x: \"\\", "unexpected end of stream"),
    ] {
        let found = errors(yaml);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{yaml:?}: {found:?}"
        );
    }
    for yaml in [
        "\u{feff}x: {script: m}",
        "x:\r\n  script: m\r\n",
        "x:\n  script: |\n    m",
        "x:\n  script:\n    - >-\n      m",
        "x: {script: m} # no end of line",
        "---\nx: {script: m}\n...\n",
    ] {
        assert_eq!(
            config(yaml).jobs["x"].script.concat().trim(),
            "m",
            "{yaml:?}"
        );
    }
}

#[test]
fn a_block_scalar_at_the_end_needs_no_line_break() {
    assert_eq!(
        config("x:\n  script: |\n    a\n    b").jobs["x"].script,
        ["a\nb"]
    );
    assert_eq!(
        config("x:\n  script: |\n    a\n    b\n").jobs["x"].script,
        ["a\nb\n"]
    );
}

/// Lines that come close to a configuration, so that the later steps are reached as well.
fn almost_a_configuration() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "x",
        ".t",
        "script",
        "stages",
        "rules",
        "if",
        "needs",
        "extends",
        "include",
        "variables",
        "default",
        "cache",
        "key",
        "image",
        "services",
        "artifacts",
        "paths",
        "parallel",
        "environment",
        "workflow",
        "only",
        "when",
        "retry",
        "tags",
        "matrix",
        "trigger",
        "changes",
        "exists",
        "secrets",
        "release",
        "pages",
        "id_tokens",
        "hooks",
        "inputs",
        "run",
        "name",
        "job",
        "local",
        "$[[ inputs.a ]]",
        "$[[ inputs.list[0] | truncate(0,1) ]]",
        "$[[ matrix.A ]]",
        "$[[",
        "]]",
        "*a",
        "&a",
        "<<",
        "!reference",
        "$A =~ /a/",
        "5",
        "true",
        "null",
        "-",
        ":",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "|",
        ">",
        "#",
        "---",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "ä",
        " ",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| {
        let mut text = String::new();
        for word in words {
            text.push_str(word);
            if word.chars().all(char::is_alphanumeric) && text.len().is_multiple_of(3) {
                text.push_str(": ");
            }
        }
        text
    })
}

fn survives(text: &str) {
    let loaded = load_text(text);
    assert_eq!(
        loaded.config.is_none(),
        !messages(&loaded, Severity::Error).is_empty()
    );
    for diagnostic in &loaded.diagnostics {
        render(diagnostic, &loaded.files, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn no_configuration_panics(text in almost_a_configuration()) {
        survives(&text);
    }

    #[test]
    fn no_text_with_inputs_panics(text in almost_a_configuration(), value in any::<String>()) {
        let header = "spec:\n  inputs: {a: {default: 'ä: b'}, list: {type: array, default: [c]}}\n---\n";
        survives(&format!("{header}{text}"));
        let context = LoadContext {
            inputs: [("a".to_owned(), value.into())].into(),
            ..LoadContext::default()
        };
        let text = format!("{header}{text}");
        let loaded = load_for("ci.yml", &text, &NoFiles, &Limits::default(), &context);
        for diagnostic in &loaded.diagnostics {
            render(diagnostic, &loaded.files, true);
        }
    }

    #[test]
    fn no_small_language_panics(text in "[ $a-zA-Z0-9()!=~&|/\\\\'\"\\[\\]*+?^:.,-]{0,40}") {
        let _ = Expression::parse(&text).map(|expression| expression.is_true(&|_| Some("a")));
        let _ = duration::parse_seconds(&text);
        let _ = pattern::compile(&text, "i");
        let _ = refs::matches(&text, "main", "g/p");
        glob::Glob::new(&text).is_match("src/a.rs");
        shipway_config::suggest(&text, ["script", "stage"]);
    }
}
