//! `extends`.

use crate::support::{check_error, config, errors, job_names};

#[test]
fn maps_merge_and_everything_else_is_replaced() {
    let yaml = "\
.b: {script: [one, two], tags: [a], variables: {A: p, K: k}, image: alpine:3}
x: {extends: .b, script: [three], variables: {A: c, B: d}}
y: {extends: .b, variables: {B: d}}
z: {extends: .b, variables: null, tags: null}
w: {extends: .b, variables: {}}
";
    let config = config(yaml);
    let variables = |job: &str| {
        let variables = config.jobs[job].variables.iter();
        let list: Vec<String> = variables.map(|(k, v)| format!("{k}={}", v.value)).collect();
        list.join(" ")
    };
    assert_eq!(variables("x"), "A=c K=k B=d");
    assert_eq!(variables("y"), "A=p K=k B=d");
    assert_eq!(variables("z"), "");
    assert_eq!(variables("w"), "A=p K=k");
    assert_eq!(config.jobs["x"].script, ["three"]);
    assert_eq!(config.jobs["x"].tags, ["a"]);
    assert!(config.jobs["z"].tags.is_empty());
}

#[test]
fn null_brings_the_default_policy_back() {
    let yaml =
        ".b: {script: make, only: {refs: [main]}}\nx: {extends: .b, only: null}\ny: {extends: .b}";
    let config = config(yaml);
    let refs = |job: &str| config.jobs[job].only.clone().unwrap().refs.unwrap();
    assert_eq!(refs("x"), ["branches", "tags"]);
    assert_eq!(refs("y"), ["main"]);
}

#[test]
fn several_levels_and_parents() {
    let yaml = "\
x: {extends: .b, script: outer, when: always}
.b: {extends: .a, script: inner, image: alpine:3}
.a: {before_script: [prep]}
.c: {image: debian:12}
y: {extends: [.b, .c]}
";
    let config = config(yaml);
    let x = &config.jobs["x"];
    assert_eq!(
        (&x.before_script[0], &x.script[0]),
        (&"prep".to_owned(), &"outer".to_owned())
    );
    assert_eq!(config.jobs["y"].image.as_ref().unwrap().name, "debian:12");
    assert_eq!(config.jobs["y"].script, ["inner"]);
}

#[test]
fn wrong_parents() {
    check_error(&[
        (
            "x: {extends: .gone, script: make}",
            "1:14 x: unknown keys in `extends` (.gone)",
        ),
        (
            "x: {extends: [.one, .two], script: make}",
            "1:15 x: unknown keys in `extends` (.one, .two)",
        ),
        (
            ".b: text\nx: {extends: .b, script: make}",
            "2:14 x: invalid base hashes in `extends` (.b)",
        ),
        (
            "x: {extends: x, script: make}",
            "1:14 x: circular dependency detected in `extends`",
        ),
        (
            "x: {extends: 5, script: make}",
            "1:14 x: unknown keys in `extends` (5)",
        ),
        (
            "x: {extends: [.gone, x], script: make}",
            "1:15 x: unknown keys in `extends` (.gone)",
        ),
    ]);
    let circle = "x: {extends: .a, script: make}\n.a: {extends: .b}\n.b: {extends: .a}\n";
    assert_eq!(
        errors(circle)[0],
        "2:15 .a: circular dependency detected in `extends`"
    );
    let shared = ".b: {extends: .gone}\nx: {extends: .b, script: m}\ny: {extends: .b, script: m}";
    assert_eq!(
        errors(shared),
        ["1:15 .b: unknown keys in `extends` (.gone)"]
    );
}

#[test]
fn eleven_levels_are_allowed_in_any_order_of_definition() {
    let chain = |levels: usize, reversed: bool| {
        let mut lines: Vec<String> = (0..levels)
            .map(|level| format!(".l{level}: {{extends: .l{}}}", level + 1))
            .collect();
        lines.push(format!(".l{levels}: {{script: m}}"));
        lines[0] = lines[0].replacen(".l0", "x", 1);
        if reversed {
            lines.reverse();
        }
        lines.join("\n")
    };
    for reversed in [false, true] {
        assert_eq!(job_names(&chain(11, reversed)), ["x"]);
        let errors = errors(&chain(12, reversed));
        assert!(
            errors[0].ends_with(".l11: nesting too deep in `extends`"),
            "{errors:?}"
        );
    }
}
