//! The file as a whole, names of jobs, stages, scripts.

use crate::support::{
    check_error, check_job_error, config, errors, job_names, job_value, load_text, warnings,
};
use serde_json::json;

#[test]
fn a_file_must_be_a_map_with_a_job() {
    check_error(&[
        ("", "- Please provide content of .gitlab-ci.yml"),
        (" \n\n", "- Please provide content of .gitlab-ci.yml"),
        ("just_a_word", "1:1 Invalid configuration format"),
        ("[a, b]", "1:1 Invalid configuration format"),
        ("# nothing", "1:1 Invalid configuration format"),
        (
            "before_script: [make deps]",
            "- jobs config should contain at least one visible job",
        ),
        (
            ".base:\n  script: make",
            "- jobs config should contain at least one visible job",
        ),
    ]);
}

#[test]
fn syntax_errors_carry_the_words_of_the_parser() {
    check_error(&[
        (
            "alpha: beta: gamma",
            "1:12 (<unknown>): mapping values are not allowed in this context at line 1 column 12",
        ),
        (
            "x:\n  script: [a\ny: b",
            "3:2 (<unknown>): did not find expected ',' or ']' while parsing a flow sequence \
             at line 2 column 11",
        ),
        (
            "x:\n\tscript: m",
            "2:1 (<unknown>): found character that cannot start any token while scanning for \
             the next token at line 2 column 1",
        ),
        (
            "x: *nowhere",
            "1:4 An alias referenced an unknown anchor: nowhere",
        ),
    ]);
    let loaded = load_text("x:\n\tscript: m");
    let hint = loaded.diagnostics[0].hint.as_deref().unwrap();
    assert!(hint.contains("tabs"), "{hint}");
}

#[test]
fn what_is_no_job_is_told_as_a_job_without_commands() {
    let text = "config should implement the script:, run:, or trigger: keyword";
    for (yaml, expected) in [
        ("note: some text", format!("1:1 jobs note {text}")),
        ("lint:", format!("1:1 jobs lint {text}")),
        ("lint: [make]", format!("1:1 jobs lint {text}")),
        ("Lint: {image: a}", format!("1:1 jobs lint {text}")),
    ] {
        assert_eq!(errors(yaml), [expected], "{yaml}");
    }
    let hint = |yaml| load_text(yaml).diagnostics[0].hint.clone().unwrap();
    assert!(hint("x: {scripts: make}").contains("did you mean `script`?"));
    assert!(hint("variable: {A: b}").contains("`variables`"));
}

#[test]
fn names_of_jobs() {
    check_error(&[
        ("'':\n  script: make", "1:1 jobs:job name can't be blank"),
        ("7:\n  script: make", "1:1 jobs:7 name should be a symbol"),
        (
            "on:\n  script: make",
            "1:1 jobs:true name should be a symbol",
        ),
    ]);
    let long = "n".repeat(256);
    assert_eq!(
        errors(&format!("{long}: {{script: m}}")),
        [format!(
            "1:1 jobs:{long} name is too long (maximum is 255 characters)"
        )]
    );
    assert_eq!(
        job_names(".tmpl: {image: a}\nb: {script: m}\n'7': {script: m}"),
        ["b", "7"]
    );
    assert_eq!(job_names("default: {script: ls}"), ["default"]);
}

#[test]
fn aliases_and_merge_keys_make_jobs() {
    let yaml =
        "one: &tpl\n  stage: build\n  script: make\ntwo: *tpl\nthree:\n  <<: *tpl\n  stage: test";
    let config = config(yaml);
    let stages: Vec<_> = config
        .jobs
        .values()
        .map(|job| (job.name.as_str(), job.stage.as_str(), job.script.len()))
        .collect();
    assert_eq!(
        stages,
        [
            ("one", "build", 1),
            ("two", "build", 1),
            ("three", "test", 1)
        ]
    );
}

#[test]
fn all_faults_are_told_at_once_where_they_are() {
    let yaml = "lint:\n  script: make\n  colour: red\n  rules: {if: $A}\ntest:\n  tags: linux\n  script: [5]\n";
    assert_eq!(
        errors(yaml),
        [
            "3:3 jobs:lint config contains unknown keys: colour",
            "4:10 jobs:lint rules should be an array containing hashes and arrays of hashes",
            "6:9 jobs:test:tags config should be an array of strings",
            "7:12 jobs:test:script config should be a string or a nested array of strings up to \
             10 levels deep",
        ]
    );
}

#[test]
fn a_diagnostic_names_job_keyword_and_cure() {
    let loaded = load_text("Build:\n  script: m\n  cache: {key: 1}\n  stge: test\n");
    let found: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| {
            (
                d.job.as_deref().unwrap(),
                d.keyword.as_deref(),
                d.hint.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("Build", None, Some("did you mean `stage`?")),
            ("Build", Some("cache:key"), Some("put the key in quotes")),
        ]
    );
}

#[test]
fn a_plain_job_has_the_defaults_of_gitlab() {
    let job = config("lint: {script: make}").jobs["lint"].clone();
    assert_eq!(job.stage, "test");
    assert_eq!(job.script, ["make"]);
    assert_eq!((job.when, job.allow_failure.clone()), (None, None));
    assert_eq!(job.only.unwrap().refs.unwrap(), ["branches", "tags"]);
    assert!(job.rules.is_none() && job.needs.is_none() && job.variables.is_empty());
}

#[test]
fn stages() {
    for (yaml, expected) in [
        (
            "a: {stage: deploy, script: m}",
            ".pre build test deploy .post",
        ),
        (
            "stages: [first, [second, third], last]\na: {stage: third, script: m}",
            ".pre first second third last .post",
        ),
        (
            "stages: [build, .pre, .post, test]\na: {script: m}",
            ".pre build test .post",
        ),
        (
            "a: {stage: .pre, script: m}",
            ".pre build test deploy .post",
        ),
    ] {
        assert_eq!(config(yaml).stages.join(" "), expected, "{yaml}");
    }
    let nested = "stages config should be an array of strings or a nested array of strings up to 10 levels deep";
    check_error(&[
        (
            "a:\n  stage: qa\n  script: make",
            "2:10 a job: chosen stage qa does not exist; available stages are .pre, build, test, \
             deploy, .post",
        ),
        (
            "stages: [compile]\na: {script: make}",
            "2:1 a job: chosen stage test does not exist; available stages are .pre, compile, .post",
        ),
        (
            "a: {stage: 3, script: make}",
            "1:12 jobs:a:stage config should be a string",
        ),
        (
            "stages: [test, 1]\na: {script: make}",
            &format!("1:16 {nested}"),
        ),
    ]);
    assert_eq!(
        errors("stages: test\na: {script: m}")[0],
        format!("1:9 {nested}")
    );
    let loaded = load_text("stages: [test, deploy]\na: {stage: deplyo, script: m}");
    assert_eq!(
        loaded.diagnostics[0].hint.as_deref(),
        Some("did you mean `deploy`?")
    );
}

#[test]
fn a_stage_error_and_a_warning_come_together() {
    let yaml = "a:\n  stage: qa\n  script: m\n  rules:\n    - when: always\n";
    assert!(errors(yaml)[0].contains("chosen stage qa does not exist"));
    assert!(warnings(yaml)[0].contains("jobs:a may allow multiple pipelines to run"));
}

#[test]
fn scripts() {
    for (lines, expected) in [
        ("script: make", json!(["make"])),
        ("script: [a, [b, [c]]]", json!(["a", "b", "c"])),
        ("script: |\n  one\n  two", json!(["one\ntwo\n"])),
        ("script:\n- >-\n  one\n  two", json!(["one two"])),
    ] {
        let yaml = format!("x:\n  {}\n", lines.replace('\n', "\n  "));
        assert_eq!(job_value(&yaml, "x", "script"), expected, "{yaml}");
    }
    let text = "config should be a string or a nested array of strings up to 10 levels deep";
    check_error(&[
        (
            "a:\n  script: make\n  before_script: [5, make]",
            &format!("3:19 jobs:a:before_script {text}"),
        ),
        (
            "before_script: 5\na: {script: make}",
            &format!("1:16 before_script {text}"),
        ),
        (
            "a:\n  script:\n    - echo key: value\n",
            &format!("3:7 jobs:a:script {text}"),
        ),
        (
            "a:\n  script: [[[[[[[[[[[m]]]]]]]]]]]\n",
            &format!("2:21 jobs:a:script {text}"),
        ),
        ("a: {script: []}", "1:13 jobs:a script can't be blank"),
        ("a: {script: ''}", "1:13 jobs:a script can't be blank"),
        ("a: {script: ~}", "1:13 jobs:a script can't be blank"),
    ]);
    let hint = load_text("a: {script: [echo key: value]}").diagnostics[0]
        .hint
        .clone()
        .unwrap();
    assert!(hint.contains("quotes"), "{hint}");
    assert_eq!(job_names("a: {script: [[[[[[[[[[m]]]]]]]]]]}"), ["a"]);
}

#[test]
fn duplicate_keys_are_warned_of_and_the_later_wins() {
    let yaml = "a:\n  script: one\n  script: two\n";
    assert_eq!(
        warnings(yaml),
        ["3:3 the key `script` is given twice; only the later one counts"]
    );
    assert_eq!(job_value(yaml, "a", "script"), json!(["two"]));
    let merged = ".t: &t {image: a}\nx:\n  <<: *t\n  image: b\n  script: m\n";
    assert_eq!(warnings(merged), [""; 0]);
}

#[test]
fn resource_group_and_dependencies_have_types() {
    check_job_error(&[
        (
            "resource_group: 5",
            "jobs:x resource group should be a string",
        ),
        (
            "dependencies: a",
            "jobs:x dependencies should be an array of strings",
        ),
    ]);
}

#[test]
fn one_fault_does_not_bring_others_after_it() {
    for (yaml, expected) in [
        (
            "build: {stage: build, tags: t}\nx: {script: m, needs: [build]}",
            &[
                "1:1 jobs build config should implement the script:, run:, or trigger: keyword",
                "1:29 jobs:build:tags config should be an array of strings",
            ][..],
        ),
        (
            "go: {trigger: 5}\nx: {script: m, needs: [go]}",
            &["1:15 jobs:go:trigger has to be either a string or a hash"],
        ),
        (
            "stages: [one, 2]\nx: {stage: three, script: m}",
            &[
                "1:15 stages config should be an array of strings or a nested array of strings up \
                 to 10 levels deep",
            ],
        ),
    ] {
        assert_eq!(errors(yaml), expected, "{yaml}");
    }
}
