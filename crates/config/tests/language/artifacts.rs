//! `artifacts` and `cache`.

use crate::support::{check_error, check_job_error, check_value, config, with_job};
use serde_json::json;
use shipway_config::{CacheKey, ResultWhen};

#[test]
fn artifacts() {
    let yaml = with_job(
        "artifacts: {paths: [o/], exclude: [o/*.tmp], untracked: true, name: n, expire_in: 7d, expose_as: Out, when: always, access: developer}",
    );
    let artifacts = config(&yaml).jobs["x"].artifacts.clone().unwrap();
    assert_eq!(artifacts.paths, ["o/"]);
    assert_eq!(artifacts.exclude, ["o/*.tmp"]);
    assert!(artifacts.untracked);
    assert_eq!(artifacts.name.as_deref(), Some("n"));
    assert_eq!(artifacts.expire_in.as_deref(), Some("7d"));
    assert_eq!(artifacts.expose_as.as_deref(), Some("Out"));
    assert_eq!(artifacts.when, ResultWhen::Always);
    assert_eq!(artifacts.access.as_deref(), Some("developer"));

    let never = with_job("artifacts: {paths: [o], expire_in: Never, public: false}");
    let artifacts = config(&never).jobs["x"].artifacts.clone().unwrap();
    assert_eq!(artifacts.expire_in.as_deref(), Some("Never"));
    assert_eq!(artifacts.access.as_deref(), Some("developer"));
}

#[test]
fn reports() {
    let yaml = with_job(
        "artifacts:\n  reports:\n    junit: [a.xml, b/*.xml]\n    dotenv: .env\n    coverage_report: {coverage_format: cobertura, path: c.xml}\n    terraform: null",
    );
    let reports = config(&yaml).jobs["x"].artifacts.clone().unwrap().reports;
    assert_eq!(
        serde_json::to_value(&reports).unwrap(),
        json!({"junit": ["a.xml", "b/*.xml"], "dotenv": [".env"], "cobertura": ["c.xml"]})
    );
    for kind in [
        "accessibility",
        "annotations",
        "api_fuzzing",
        "browser_performance",
        "codequality",
        "container_scanning",
        "coverage_fuzzing",
        "cyclonedx",
        "dast",
        "dependency_scanning",
        "load_performance",
        "metrics",
        "requirements",
        "sarif",
        "sast",
        "secret_detection",
        "terraform",
    ] {
        let yaml = with_job(&format!("artifacts: {{reports: {{{kind}: a.json}}}}"));
        assert!(
            config(&yaml).jobs["x"].artifacts.clone().unwrap().reports[kind] == ["a.json"],
            "{kind}"
        );
    }
}

#[test]
fn wrong_artifacts() {
    let long = format!("artifacts: {{expose_as: {}, paths: [a]}}", "a".repeat(101));
    check_job_error(&[
        (
            "artifacts: [{paths: [o]}]",
            "jobs:x:artifacts config should be a hash",
        ),
        (
            "artifacts: {name: 1}",
            "jobs:x:artifacts name should be a string",
        ),
        (
            "artifacts: {when: 1}",
            "jobs:x:artifacts when should be one of: on_success, on_failure, always",
        ),
        (
            "artifacts: {when: odd}",
            "jobs:x:artifacts when should be one of: on_success, on_failure, always",
        ),
        (
            "artifacts: {expire_in: 1}",
            "jobs:x:artifacts expire in should be a duration",
        ),
        (
            "artifacts: {expire_in: 7 elephants}",
            "jobs:x:artifacts expire in should be a duration",
        ),
        (
            "artifacts: {untracked: text}",
            "jobs:x:artifacts untracked should be a boolean value",
        ),
        (
            "artifacts: {paths: text}",
            "jobs:x:artifacts paths should be an array of strings",
        ),
        (
            "artifacts: {exclude: 5}",
            "jobs:x:artifacts exclude should be an array of strings",
        ),
        (
            "artifacts: {reports: text}",
            "jobs:x:artifacts reports should be a hash",
        ),
        (
            "artifacts: {public: 'false'}",
            "jobs:x:artifacts public should be a boolean value",
        ),
        (
            "artifacts: {expose_as: 1, paths: [a]}",
            "jobs:x:artifacts expose as should be a string",
        ),
        (
            &long,
            "jobs:x:artifacts expose as is too long (maximum is 100 characters)",
        ),
        (
            "artifacts: {expose_as: '', paths: [a]}",
            "jobs:x:artifacts expose as can contain only letters, digits, '-', '_' and spaces",
        ),
        (
            "artifacts: {expose_as: '<b>', paths: [a]}",
            "jobs:x:artifacts expose as can contain only letters, digits, '-', '_' and spaces",
        ),
        (
            "artifacts: {expose_as: Out}",
            "jobs:x:artifacts paths can't be blank",
        ),
        (
            "artifacts: {expose_as: Out, paths: ['a*']}",
            "jobs:x:artifacts paths can't contain '*' when used with 'expose_as'",
        ),
        (
            "artifacts: {odd: 1}",
            "jobs:x:artifacts config contains unknown keys: odd",
        ),
        (
            "artifacts: {access: random}",
            "jobs:x:artifacts access should be one of: none, developer, maintainer, all",
        ),
        (
            "artifacts: {public: true, access: all}",
            "jobs:x:artifacts config these keys cannot be used together: access, public",
        ),
        (
            "artifacts: {reports: {junti: a.xml}}",
            "jobs:x:artifacts:reports config contains unknown keys: junti",
        ),
        (
            "artifacts: {reports: {junit: {paths: [a]}}}",
            "jobs:x:artifacts:reports junit should be an array of strings or a string",
        ),
        (
            "artifacts: {reports: {browser_performance: [a, b]}}",
            "jobs:x:artifacts:reports browser performance should be a string",
        ),
        (
            "artifacts: {reports: {coverage_report: cobertura}}",
            "jobs:x:artifacts:reports:coverage_report config should be a hash",
        ),
        (
            "artifacts: {reports: {coverage_report: {coverage_format: lcov, path: a}}}",
            "jobs:x:artifacts:reports:coverage_report coverage format must be one of supported \
             formats: cobertura, jacoco.",
        ),
        (
            "artifacts: {reports: {coverage_report: {coverage_format: jacoco}}}",
            "jobs:x:artifacts:reports:coverage_report path can't be blank",
        ),
    ]);
}

#[test]
fn caches() {
    let plain = json!([{
        "key": {"text": "k"}, "paths": ["b/"], "untracked": true, "unprotect": false,
        "when": "on_success", "policy": "pull-push", "fallback_keys": [],
    }]);
    check_value(
        "cache",
        &[
            (
                "cache: {paths: [b/], untracked: true, key: k}",
                plain.clone(),
            ),
            ("cache: [{paths: [b/], untracked: true, key: k}]", plain),
            ("cache: []", json!([])),
            (
                "cache:\n  key: {files: [a.lock], prefix: $CI_JOB_NAME}\n  paths: [p]\n  when: always\n  policy: $POLICY\n  fallback_keys: [f]\n  unprotect: true",
                json!([{
                    "key": {"files": {"files": ["a.lock"], "prefix": "$CI_JOB_NAME"}},
                    "paths": ["p"], "untracked": false, "unprotect": true, "when": "always",
                    "policy": "$POLICY", "fallback_keys": ["f"],
                }]),
            ),
        ],
    );
    for key in [".k", "k.", "a..b", "':sym'", "$CI_COMMIT_REF_SLUG"] {
        let yaml = with_job(&format!("cache: {{key: {key}, paths: [p]}}"));
        let expected = CacheKey::Text(key.trim_matches('\'').to_owned());
        assert_eq!(config(&yaml).jobs["x"].cache[0].key, expected, "{key}");
    }
    let none = config(&with_job("cache: {paths: [b/]}"));
    assert_eq!(
        none.jobs["x"].cache[0].key,
        CacheKey::Text("default".to_owned())
    );
    let ten = format!(
        "cache: {{paths: [p], key: {{files: [{}]}}}}",
        ["f"; 10].join(", ")
    );
    assert_eq!(config(&with_job(&ten)).jobs["x"].cache.len(), 1);
}

#[test]
fn wrong_caches() {
    check_error(&[
        (
            "cache: text\nx: {script: m}",
            "1:8 cache config should be a hash",
        ),
        (
            "cache: {odd: 1}\nx: {script: m}",
            "1:9 cache config contains unknown keys: odd",
        ),
        (
            "cache: {untracked: text}\nx: {script: m}",
            "1:20 cache:untracked config should be a boolean value",
        ),
        (
            "cache: {paths: text}\nx: {script: m}",
            "1:16 cache:paths config should be an array of strings",
        ),
    ]);
    let eleven = format!("cache: {{key: {{files: [{}]}}}}", ["f"; 11].join(", "));
    check_job_error(&[
        ("cache: [text]", "jobs:x:cache config should be a hash"),
        (
            "cache: [{}, {}, {}, {}, {}]",
            "jobs:x:cache config no more than 4 caches can be created",
        ),
        (
            "cache: {key: 1}",
            "jobs:x:cache:key should be a hash, a string or a symbol",
        ),
        (
            "cache: {key: [a]}",
            "jobs:x:cache:key should be a hash, a string or a symbol",
        ),
        (
            "cache: {key: {files: [1]}}",
            "jobs:x:cache:key:files config should be an array of strings",
        ),
        (
            "cache: {key: {files: a}}",
            "jobs:x:cache:key:files config should be an array of strings",
        ),
        (
            "cache: {key: {files: []}}",
            "jobs:x:cache:key:files config requires at least 1 item",
        ),
        (
            &eleven,
            "jobs:x:cache:key:files config has too many items (maximum is 10)",
        ),
        (
            "cache: {key: {prefix: p}}",
            "jobs:x:cache:key config missing required keys: files",
        ),
        (
            "cache: {key: {prefix: 1, files: [a]}}",
            "jobs:x:cache:key:prefix config should be a string or symbol",
        ),
        (
            "cache: {key: {odd: a}}",
            "jobs:x:cache:key config contains unknown keys: odd",
        ),
        (
            "cache: {key: .}",
            "jobs:x:cache:key config cannot be \".\" or \"..\"",
        ),
        (
            "cache: {key: ..}",
            "jobs:x:cache:key config cannot be \".\" or \"..\"",
        ),
        (
            "cache: {key: a/b}",
            "jobs:x:cache:key config cannot contain the \"/\" character",
        ),
        (
            "cache: {policy: odd}",
            "jobs:x:cache policy should be a variable or one of: pull-push, push, pull",
        ),
        (
            "cache: {policy: [push]}",
            "jobs:x:cache policy should be a variable or one of: pull-push, push, pull",
        ),
        (
            "cache: {when: never}",
            "jobs:x:cache when should be one of: on_success, on_failure, always",
        ),
        (
            "cache: {fallback_keys: k}",
            "jobs:x:cache:fallback_keys config should be an array of strings",
        ),
        (
            "cache: {fallback_keys: [a, b, c, d, e, f]}",
            "jobs:x:cache fallback keys has to many entries (maximum 5)",
        ),
    ]);
}
