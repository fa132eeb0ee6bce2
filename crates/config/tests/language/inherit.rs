//! `default`, the old top-level keywords, `inherit`.

use crate::support::{check_error, config, job_value};
use serde_json::json;

#[test]
fn defaults_are_taken_whole_or_not_at_all() {
    let prefix = "default:\n  before_script: [g]\n  tags: [x, y]\n  retry: {max: 1}\n  cache: {key: k, paths: [p/]}\n  interruptible: true\n";
    for (job, keyword, expected) in [
        ("{script: m}", "before_script", json!(["g"])),
        ("{script: m}", "tags", json!(["x", "y"])),
        ("{script: m, before_script: []}", "before_script", json!([])),
        ("{script: m, tags: [j]}", "tags", json!(["j"])),
        (
            "{script: m, retry: {max: 2}}",
            "retry",
            json!({"max": 2, "when": [], "exit_codes": []}),
        ),
        (
            "{script: m, interruptible: false}",
            "interruptible",
            json!(false),
        ),
        ("{script: m}", "interruptible", json!(true)),
        (
            "{script: m, inherit: {default: false}}",
            "before_script",
            json!([]),
        ),
        (
            "{script: m, inherit: {default: true}}",
            "before_script",
            json!(["g"]),
        ),
        (
            "{script: m, inherit: {default: [before_script]}}",
            "before_script",
            json!(["g"]),
        ),
        (
            "{script: m, inherit: {default: [image]}}",
            "before_script",
            json!([]),
        ),
        (
            "{script: m, tags: [j], inherit: {default: false}}",
            "tags",
            json!(["j"]),
        ),
        (
            "{script: m, inherit: {default: [tags]}}",
            "tags",
            json!(["x", "y"]),
        ),
        ("{script: m, tags: null}", "tags", json!(["x", "y"])),
    ] {
        let yaml = format!("{prefix}a: {job}");
        assert_eq!(job_value(&yaml, "a", keyword), expected, "{job}");
    }
    let yaml = format!("{prefix}a: {{script: m, cache: {{paths: [q/]}}}}");
    let cache = &config(&yaml).jobs["a"].cache;
    assert_eq!(cache.len(), 1);
    assert_eq!(cache[0].paths, ["q/"]);
    assert_eq!(cache[0].key, shipway_config::CacheKey::default());
}

#[test]
fn old_keywords_at_the_top_level_are_defaults() {
    let yaml = "before_script: [g]\nafter_script: clean\nimage: alpine:3\nservices: [pg:16]\ncache: {paths: [c/]}\na: {script: m}\nb: {script: m, inherit: {default: [image]}}";
    let config = config(yaml);
    let a = &config.jobs["a"];
    assert_eq!(a.before_script, ["g"]);
    assert_eq!(a.after_script, ["clean"]);
    assert_eq!(a.image.as_ref().unwrap().name, "alpine:3");
    assert_eq!(a.services[0].image.name, "pg:16");
    assert_eq!(a.cache[0].paths, ["c/"]);
    let b = &config.jobs["b"];
    assert!(b.before_script.is_empty() && b.services.is_empty());
    assert!(b.image.is_some());
}

#[test]
fn both_places_may_be_used_for_different_keywords_only() {
    let yaml = "before_script: [g]\ndefault: {image: alpine:3}\na: {script: m}";
    let job = config(yaml).jobs["a"].clone();
    assert_eq!(job.before_script, ["g"]);
    assert!(job.image.is_some());
    check_error(&[(
        "image: alpine:3\ndefault: {image: debian:12}\na: {script: m}",
        "1:8 image is defined in top-level and `default:` entry",
    )]);
}

#[test]
fn wrong_defaults_are_told_once() {
    check_error(&[
        (
            "default: [x]\na: {script: m}",
            "1:10 default config should be a hash",
        ),
        (
            "default: {script: [x], odd: 1}\na: {script: m}\n",
            "1:24 jobs:default config contains unknown keys: odd",
        ),
        (
            "default: {imag: a}\na: {script: m}\nb: {script: m}",
            "1:11 default config contains unknown keys: imag",
        ),
        (
            "default: {tags: x}\na: {script: m}\nb: {script: m}",
            "1:17 default:tags config should be an array of strings",
        ),
        (
            "default: {timeout: soon}\na: {script: m}",
            "1:20 default:timeout config should be a duration",
        ),
        (
            "a: {script: m, inherit: {default: [iamge]}}",
            "1:35 jobs:a:inherit:default config contains unknown values: iamge",
        ),
        (
            "a: {script: m, inherit: {variables: 5}}",
            "1:37 jobs:a:inherit:variables should be a bool or array of strings",
        ),
        (
            "a: {script: m, inherit: {odd: 5}}",
            "1:26 jobs:a:inherit config contains unknown keys: odd",
        ),
    ]);
}

#[test]
fn inherited_variables() {
    for (inherit, expected) in [
        ("{variables: [A]}", json!({"only": ["A"]})),
        ("{variables: false}", json!("none")),
        ("{variables: true}", json!("all")),
        ("{}", json!("all")),
    ] {
        let yaml = format!("variables: {{A: a}}\nx: {{script: m, inherit: {inherit}}}");
        assert_eq!(
            job_value(&yaml, "x", "inherit_variables"),
            expected,
            "{inherit}"
        );
    }
}
