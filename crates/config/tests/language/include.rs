//! `include:local`.

use crate::support::{Project, accepted, messages};
use shipway_config::Severity;

const MAIN: &str = ".gitlab-ci.yml";

fn errors(files: &[(&str, &str)]) -> Vec<String> {
    messages(&Project(files).load(), Severity::Error)
}

fn jobs(files: &[(&str, &str)]) -> Vec<String> {
    let config = accepted(Project(files).load(), files[0].1);
    config.jobs.keys().cloned().collect()
}

#[test]
fn forms_and_order() {
    let lib = ("a.yml", "y: {script: make}");
    let sub = ("ci/b.yaml", "z: {script: make}");
    for (include, expected) in [
        ("/a.yml", "y x"),
        ("a.yml", "y x"),
        ("./a.yml", "y x"),
        ("{local: /a.yml}", "y x"),
        ("[/a.yml, {local: ci/b.yaml}]", "y z x"),
        ("[ci/b.yaml, a.yml]", "z y x"),
        ("[a.yml, a.yml]", "y x"),
        ("[]", "x"),
        ("null", "x"),
        ("'*.yml'", "y x"),
        ("'ci/*'", "z x"),
    ] {
        let main = format!("include: {include}\nx: {{script: make}}");
        let files = [("main", main.as_str()), lib, sub];
        assert_eq!(jobs(&files).join(" "), expected, "{include}");
    }
}

#[test]
fn wildcards_are_a_dialect_of_their_own() {
    let files = |pattern: &'static str| {
        [
            (MAIN, pattern),
            ("ci/one.yml", "one: {script: m}"),
            ("ci/sub/two.yml", "two: {script: m}"),
            ("ci/sub/deep/three.yml", "three: {script: m}"),
            ("other.yml", "other: {script: m}"),
        ]
    };
    for (pattern, expected) in [
        ("include: 'ci/*.yml'", "one"),
        ("include: 'ci/**.yml'", "one three two"),
        ("include: 'ci/**/*.yml'", "three two"),
        ("include: '/ci/*.yml'", "one"),
        ("include: '*.yml'", "other"),
    ] {
        // The configuration itself ends in .yml too and must not include itself here.
        let mut files = files(pattern).to_vec();
        files[0].0 = "main";
        assert_eq!(jobs(&files).join(" "), expected, "{pattern}");
    }
    assert_eq!(
        errors(&[(MAIN, "include: 'no/*.yml'")]),
        ["1:10 Local file `no/*.yml` does not have any matching files!"]
    );
}

#[test]
fn files_merge_deeply_and_the_including_one_wins() {
    let files = [
        (
            MAIN,
            "include: [/a.yml, /b.yml]\nx: {variables: {B: main}}\nvariables: {G: main}",
        ),
        (
            "a.yml",
            "x: {script: [one, two], variables: {A: a, B: a}}\nvariables: {G: a, H: a}",
        ),
        ("b.yml", "x: {script: [three]}\ndefault: {tags: [t]}"),
    ];
    let config = accepted(Project(&files).load(), "merge");
    let x = &config.jobs["x"];
    assert_eq!(x.script, ["three"]);
    assert_eq!(x.tags, ["t"]);
    assert_eq!(x.variables["A"].value, "a");
    assert_eq!(x.variables["B"].value, "main");
    assert_eq!(config.variables["G"].value, "main");
    assert_eq!(config.variables["H"].value, "a");
}

#[test]
fn nested_includes_come_before_their_file() {
    let files = [
        (MAIN, "include: a.yml\nx: {stage: test}"),
        ("a.yml", "include: [b.yml]\nx: {script: [a]}"),
        ("b.yml", "x: {script: [b], tags: [b]}"),
    ];
    let config = accepted(Project(&files).load(), "nested");
    assert_eq!(config.jobs["x"].script, ["a"]);
    assert_eq!(config.jobs["x"].tags, ["b"]);
}

#[test]
fn every_wrong_include_is_told() {
    let x = "\nx: {script: make}";
    for (include, expected) in [
        ("/gone.yml", "1:10 Local file `gone.yml` does not exist!"),
        (
            "[/gone.yml, away.yml]",
            "1:11 Local file `gone.yml` does not exist!; 1:22 Local file `away.yml` does not exist!",
        ),
        (
            "/a.txt",
            "1:10 Included file `/a.txt` does not have YAML extension!",
        ),
        (
            "dir/.yml",
            "1:10 Included file `dir/.yml` does not have YAML extension!",
        ),
        ("../out.yml", "1:10 Local file `../out.yml` does not exist!"),
        (
            "[{odd: a.yml}]",
            "1:11 `{\"odd\":\"a.yml\"}` does not have a valid subkey for include. Valid subkeys \
             are: `local`, `project`, `remote`, `template`, `component`, `artifact`",
        ),
        (
            "5",
            "1:10 include config should be an array of strings or hashes",
        ),
        ("{local: 5}", "1:18 include:local should be a string"),
        ("empty.yml", "1:10 Local file `empty.yml` is empty!"),
        ("list.yml", "1:1 `list.yml`: Invalid configuration format"),
        (
            "broken.yml",
            "2:1 `broken.yml`: (<unknown>): did not find expected ',' or ']' while parsing a flow \
             sequence at line 1 column 4",
        ),
    ] {
        let main = format!("include: {include}{x}");
        let files = [
            (MAIN, main.as_str()),
            ("empty.yml", " \n"),
            ("list.yml", "[a]"),
            ("broken.yml", "a: [b\n"),
        ];
        assert_eq!(errors(&files).join("; "), expected, "{include}");
    }
}

#[test]
fn at_most_150_files() {
    let text = "Maximum of 150 nested includes are allowed!";
    let itself = [(MAIN, "include: /a.yml"), ("a.yml", "include: /a.yml")];
    assert_eq!(errors(&itself), [format!("1:10 {text}")]);
    let many = |count: usize| format!("include: [{}]", vec!["a.yml"; count].join(", "));
    let a = ("a.yml", "x: {script: m}");
    assert_eq!(jobs(&[(MAIN, &many(150)), a]), ["x"]);
    let found = errors(&[(MAIN, &many(151)), a]);
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with(text), "{found:?}");
}

#[test]
fn faults_in_an_included_file_point_into_it() {
    let files = [
        (MAIN, "include: a.yml\nx: {extends: .t}"),
        ("a.yml", ".t:\n  script: m\n  tags: linux\n"),
    ];
    let loaded = Project(&files).load();
    let span = loaded.diagnostics[0].span.unwrap();
    assert_eq!(loaded.files.path(span.file), "a.yml");
    assert_eq!((span.line, span.column), (3, 9));
    assert_eq!(
        loaded.diagnostics[0].message,
        "jobs:x:tags config should be an array of strings"
    );
    let from = loaded.files.included_from(span.file).unwrap();
    assert_eq!((loaded.files.path(from.file), from.line), (MAIN, 1));
}
