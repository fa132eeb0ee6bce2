use super::*;
use crate::keywords::JOB_KEYS;
use crate::{Limits, NoFiles, load};
use std::collections::BTreeSet;

/// Maps, and the configuration in which `@` stands for their key. `only` a few words are
/// tested of maps whose keys exclude each other or come in kinds.
const PLACES: &[(&[&str], &str)] = &[
    (&["default"], "default: {@: }\nx: {script: a}"),
    (&["workflow"], "workflow: {@: }\nx: {script: a}"),
    (
        &["workflow", "rules"],
        "workflow: {rules: [{@: }]}\nx: {script: a}",
    ),
    (
        &["workflow", "auto_cancel"],
        "workflow: {auto_cancel: {@: }}\nx: {script: a}",
    ),
    (&["x", "rules"], "x: {script: a, rules: [{@: }]}"),
    (
        &["x", "rules", "changes"],
        "x: {script: a, rules: [{changes: {@: }}]}",
    ),
    (
        &["x", "rules", "exists"],
        "x: {script: a, rules: [{exists: {@: }}]}",
    ),
    (&["x", "artifacts"], "x: {script: a, artifacts: {@: }}"),
    (
        &["x", "artifacts", "reports"],
        "x: {script: a, artifacts: {reports: {@: }}}",
    ),
    (
        &["x", "artifacts", "reports", "coverage_report"],
        "x: {script: a, artifacts: {reports: {coverage_report: {@: }}}}",
    ),
    (&["x", "cache"], "x: {script: a, cache: {@: }}"),
    (
        &["x", "cache", "key"],
        "x: {script: a, cache: {key: {@: }}}",
    ),
    (&["x", "image"], "x: {script: a, image: {@: }}"),
    (&["x", "services"], "x: {script: a, services: [{@: }]}"),
    (&["x", "environment"], "x: {script: a, environment: {@: }}"),
    (
        &["x", "environment", "kubernetes"],
        "x: {script: a, environment: {name: a, kubernetes: {@: }}}",
    ),
    (&["x", "retry"], "x: {script: a, retry: {@: }}"),
    (
        &["x", "allow_failure"],
        "x: {script: a, allow_failure: {@: }}",
    ),
    (&["x", "parallel"], "x: {script: a, parallel: {@: }}"),
    (&["x", "inherit"], "x: {script: a, inherit: {@: }}"),
    (&["x", "hooks"], "x: {script: a, hooks: {@: }}"),
    (&["x", "release"], "x: {script: a, release: {@: }}"),
    (
        &["x", "release", "assets", "links"],
        "x: {script: a, release: {tag_name: a, description: a, assets: {links: [{@: }]}}}",
    ),
    (
        &["x", "id_tokens", "T"],
        "x: {script: a, id_tokens: {T: {@: }}}",
    ),
    (&["x", "only"], "x: {script: a, only: {@: }}"),
    (&["x", "pages"], "x: {script: a, pages: {@: }}"),
    (
        &["x", "secrets", "S"],
        "x: {script: a, secrets: {S: {@: }}}",
    ),
    (
        &["x", "trigger", "forward"],
        "x: {trigger: {project: a, forward: {@: }}}",
    ),
    (
        &["x", "dast_configuration"],
        "x: {script: a, dast_configuration: {@: }}",
    ),
    (&["x", "inputs", "I"], "x: {script: a, inputs: {I: {@: }}}"),
    (&["x"], "x: {script: a, @: }"),
];

/// All words of the table.
fn words() -> BTreeSet<&'static str> {
    fn collect(block: &'static Block, words: &mut BTreeSet<&'static str>) {
        for keyword in block.0 {
            words.insert(keyword.name);
            for form in keyword.takes {
                if let Takes::Map(inner) | Takes::Maps(inner) | Takes::Named(inner) = form {
                    collect(inner, words);
                }
            }
        }
    }
    let mut words = BTreeSet::new();
    collect(globals(), &mut words);
    collect(of_job(), &mut words);
    words
}

#[test]
fn the_table_has_the_words_that_the_readers_take() {
    for (path, text) in PLACES {
        let block = blocks(path).next().unwrap_or_else(|| panic!("{path:?}"));
        for word in words() {
            // A trigger has fewer keys, and is the only job without a script.
            if *path == ["x"] && ["trigger", "run", "script"].contains(&word) {
                continue;
            }
            let loaded = load("x", &text.replace('@', word), &NoFiles, &Limits::default());
            let refused = (loaded.diagnostics.iter()).any(|d| {
                d.message.contains("unknown key") && d.message.ends_with(&format!(": {word}"))
            });
            assert_eq!(block.get(word).is_none(), refused, "{path:?} {word}");
        }
    }
}

#[test]
fn every_keyword_of_jobs_and_of_the_top_is_explained() {
    for word in JOB_KEYS.known {
        assert!(of_job().get(word).is_some(), "{word}");
    }
    for word in crate::keywords::GLOBALS {
        assert!(globals().get(word).is_some(), "{word}");
    }
    for (block, path) in [(of_job(), "job"), (globals(), "top")] {
        for keyword in block.0 {
            assert!(
                keyword.meaning.ends_with(['.', ')', '`', '…']),
                "{path} {}",
                keyword.name
            );
        }
    }
}

#[test]
fn a_path_finds_its_keyword() {
    let meaning = |path: &[&str]| keyword(path).map(|keyword| keyword.name);
    assert_eq!(meaning(&["stages"]), Some("stages"));
    assert_eq!(
        meaning(&["test", "rules", "changes", "paths"]),
        Some("paths")
    );
    assert_eq!(
        meaning(&["test", "secrets", "KEY", "vault", "engine"]),
        Some("engine")
    );
    assert_eq!(
        meaning(&["variables", "A", "description"]),
        Some("description")
    );
    assert_eq!(meaning(&["test"]), None);
    assert_eq!(meaning(&["test", "variables", "script"]), None);
    assert_eq!(meaning(&["variables", "script"]), None);
    assert_eq!(meaning(&[]), None);
}

#[test]
fn predefined_variables_stand_in_order_and_once() {
    assert!(PREDEFINED.is_sorted_by(|one, next| one.name < next.name));
}
