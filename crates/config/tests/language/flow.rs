//! `when`, `start_in`, `allow_failure`, `retry`, `timeout`, `coverage`, `tags`, `parallel`.

use crate::support::{check_job_error, check_value, config, job_names, with_job};
use serde_json::json;
use shipway_config::ParallelInstance;

#[test]
fn when_and_start_in() {
    check_value(
        "start_in",
        &[
            ("when: delayed\nstart_in: 1 day", json!(86_400)),
            ("when: delayed\nstart_in: 1 week", json!(604_800)),
            ("when: delayed\nstart_in: '90'", json!(90)),
        ],
    );
    check_value(
        "when",
        &[("when: manual", json!("manual")), ("", json!(null))],
    );
    let list = "on_success, on_failure, always, manual, delayed";
    check_job_error(&[
        ("when: [always]", "jobs:x when should be a string"),
        (
            "when: later",
            &format!("jobs:x when should be one of: {list}"),
        ),
        (
            "when: never",
            &format!("jobs:x when should be one of: {list}"),
        ),
        ("when: delayed", "jobs:x start in should be a duration"),
        (
            "when: delayed\nstart_in: text",
            "jobs:x start in should be a duration",
        ),
        (
            "when: delayed\nstart_in: 8 days",
            "jobs:x start in should not exceed the limit",
        ),
        ("start_in: 1 day", "jobs:x start in must be blank"),
    ]);
}

#[test]
fn allow_failure() {
    check_value(
        "allow_failure",
        &[
            ("allow_failure: true", json!({"always": true})),
            (
                "when: manual\nallow_failure: false",
                json!({"always": false}),
            ),
            ("when: manual", json!(null)),
            ("allow_failure: {exit_codes: 1}", json!({"exit_codes": [1]})),
            (
                "allow_failure: {exit_codes: [3, 4]}",
                json!({"exit_codes": [3, 4]}),
            ),
        ],
    );
    check_job_error(&[
        (
            "allow_failure: text",
            "jobs:x allow failure should be a hash or a boolean value",
        ),
        (
            "allow_failure: {exit_codes: text}",
            "jobs:x:allow_failure exit codes should be an array of integers or an integer",
        ),
        (
            "allow_failure: {exit: 1}",
            "jobs:x:allow_failure config contains unknown keys: exit",
        ),
    ]);
}

#[test]
fn retry() {
    check_value(
        "retry",
        &[
            ("retry: 2", json!({"max": 2, "when": [], "exit_codes": []})),
            ("retry: 0", json!({"max": 0, "when": [], "exit_codes": []})),
            (
                "retry: {max: 1, when: runner_system_failure, exit_codes: 137}",
                json!({"max": 1, "when": ["runner_system_failure"], "exit_codes": [137]}),
            ),
            (
                "retry: {max: 2, when: [no_updates_running, job_token_expired]}",
                json!({"max": 2, "when": ["no_updates_running", "job_token_expired"], "exit_codes": []}),
            ),
            (
                "retry: {max: 2, when: [script_failure, always], exit_codes: [1, 2]}",
                json!({"max": 2, "when": ["script_failure", "always"], "exit_codes": [1, 2]}),
            ),
        ],
    );
    check_job_error(&[
        ("retry: 3", "retry config must be less than or equal to 2"),
        (
            "retry: -1",
            "retry config must be greater than or equal to 0",
        ),
        ("retry: 1.5", "retry config must be an integer"),
        (
            "retry: text",
            "retry config has to be either an integer or a hash",
        ),
        (
            "retry: {max: 3}",
            "retry max must be less than or equal to 2",
        ),
        ("retry: {max: two}", "retry max is not a number"),
        ("retry: {odd: 1}", "retry config contains unknown keys: odd"),
        (
            "retry: {when: odd}",
            "retry when is not included in the list",
        ),
        (
            "retry: {when: [always, odd]}",
            "retry when contains unknown values: odd",
        ),
        (
            "retry: {when: 5}",
            "retry when should be an array of strings or a string",
        ),
        (
            "retry: {exit_codes: text}",
            "retry exit codes should be an array of integers or an integer",
        ),
    ]);
}

#[test]
fn timeout_interruptible_and_coverage() {
    check_value("timeout", &[("timeout: 1m 3s", json!(63))]);
    check_value(
        "interruptible",
        &[("interruptible: true", json!(true)), ("", json!(null))],
    );
    check_value(
        "coverage",
        &[
            (
                r"coverage: '/TOTAL.*\s+(\d+%)$/'",
                json!(r"TOTAL.*\s+(\d+%)$"),
            ),
            ("coverage: /code/i", json!("(?i)code")),
        ],
    );
    let coverage = "jobs:x:coverage config must be a regular expression using re2 syntax";
    check_job_error(&[
        (
            "timeout: soon",
            "jobs:x:timeout config should be a duration",
        ),
        ("timeout: 100", "jobs:x:timeout config should be a duration"),
        (
            "timeout: 3 months",
            "jobs:x:timeout config should not exceed the limit",
        ),
        (
            "interruptible: 1",
            "jobs:x:interruptible config should be a boolean value",
        ),
        (r"coverage: 'Total: \d+'", coverage),
        ("coverage: '/(/'", coverage),
        ("coverage: '/(?!x)/'", coverage),
        ("coverage: 5", coverage),
    ]);
}

#[test]
fn tags() {
    let list = |count: usize| format!("tags: [{}]", vec!["t"; count].join(", "));
    assert_eq!(config(&with_job(&list(49))).jobs["x"].tags.len(), 49);
    check_job_error(&[
        (
            "tags: linux",
            "jobs:x:tags config should be an array of strings",
        ),
        (
            "tags: [1]",
            "jobs:x:tags config should be an array of strings",
        ),
        (
            &list(50),
            "jobs:x:tags config must be less than the limit of 50 tags",
        ),
    ]);
}

#[test]
fn parallel() {
    let config = config("p: {script: m, parallel: 3}");
    let names: Vec<&str> = config.jobs.keys().map(String::as_str).collect();
    assert_eq!(names, ["p 1/3", "p 2/3", "p 3/3"]);
    let job = &config.jobs["p 2/3"];
    assert_eq!(job.key, "p");
    assert_eq!(job.name, "p 2/3");
    assert_eq!(job.parallel, Some(ParallelInstance { index: 2, total: 3 }));
    assert_eq!(job_names("p: {script: m, parallel: 1}"), ["p 1/1"]);
    check_job_error(&[
        (
            "parallel: text",
            "jobs:x:parallel should be an integer or a hash",
        ),
        (
            "parallel: true",
            "jobs:x:parallel should be an integer or a hash",
        ),
        (
            "parallel: 0",
            "jobs:x:parallel config must be greater than or equal to 1",
        ),
        (
            "parallel: 201",
            "jobs:x:parallel config must be less than or equal to 200",
        ),
        ("parallel: 1.5", "jobs:x:parallel config must be an integer"),
        (
            "parallel: {}",
            "jobs:x:parallel config missing required keys: matrix",
        ),
    ]);
}
