//! `run` and `hooks`: commands that are no script.

use crate::support::{check_job_error, config, errors};

#[test]
fn steps() {
    let yaml = |run: &str| format!("x: {{run: {run}}}");
    for run in [
        "[{name: a, step: ./steps/one}]",
        "[{name: a, func: registry.example/group/echo:1, inputs: {b: c}}]",
        "[{name: a, script: echo, env: {A: b}}]",
        "[{name: a, step: {git: {url: h/s, rev: v1, dir: d}}, inputs: {a: {b: [c]}}}]",
        "[{name: a, step: {oci: {registry: r, repository: b, tag: '1', file: f}}}]",
        "[{name: a, action: m/y@v1}]",
    ] {
        let job = config(&yaml(run)).jobs["x"].clone();
        assert!(job.run.is_some() && job.script.is_empty(), "{run}");
    }
    for (run, expected) in [
        ("text", "jobs:x run value at root is not an array"),
        ("''", "jobs:x run value at root is not an array"),
        (
            "[{step: a}]",
            "jobs:x run object at `/0` is missing required properties: name",
        ),
        (
            "[{name: a}]",
            "jobs:x run object at `/0` is missing required properties: step",
        ),
        (
            "[{name: a, step: b, script: c}]",
            "jobs:x run value at `/0` has more than one of step, func, script, action",
        ),
        (
            "[{name: a, script: b, odd: 1}]",
            "jobs:x run object property at `/0/odd` is a disallowed additional property",
        ),
        (
            "[{name: a, script: [b]}]",
            "jobs:x run value at `/0/script` is not a string",
        ),
        (
            "[{name: a, script: b, env: [c]}]",
            "jobs:x run value at `/0/env` is not an object",
        ),
        (
            "[{name: a, script: b, env: {MY_VAR: 5}}]",
            "jobs:x run value at `/0/env/my_var` is not a string",
        ),
        (
            "[{name: a, step: b, inputs: [c]}]",
            "jobs:x run value at `/0/inputs` is not an object",
        ),
        (
            "[{name: a, script: b, inputs: {c: d}}]",
            "jobs:x run object property at `/0/inputs` is a disallowed additional property",
        ),
        (
            "[{name: a, step: {git: {url: u}}}]",
            "jobs:x run object at `/0/step/git` is missing required properties: rev",
        ),
        (
            "[{name: a, step: {git: {rev: r, dir: d}}}]",
            "jobs:x run object at `/0/step/git` is missing required properties: url",
        ),
        (
            "[{name: a, step: 123}]",
            "jobs:x run value at `/0/step` is not an object",
        ),
    ] {
        let found = errors(&yaml(run));
        let texts: Vec<&str> = found
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.1))
            .collect();
        assert_eq!(texts, [expected], "{run}");
    }
    let found = errors("x: {script: m, run: [{name: a, script: b}]}");
    assert_eq!(
        found,
        ["1:21 jobs:x config these keys cannot be used together: script, run"]
    );
}

#[test]
fn hooks() {
    let yaml = "default: {hooks: {pre_get_sources_script: [d]}}
own: {script: m, hooks: {pre_get_sources_script: [j, [k]]}}
inherited: {script: m}
without: {script: m, inherit: {default: false}}";
    let config = config(yaml);
    for (job, expected) in [
        ("own", vec!["j", "k"]),
        ("inherited", vec!["d"]),
        ("without", vec![]),
    ] {
        assert_eq!(config.jobs[job].pre_get_sources_script, expected, "{job}");
    }
    check_job_error(&[
        ("hooks: text", "jobs:x:hooks config should be a hash"),
        (
            "hooks: {odd: [a]}",
            "jobs:x:hooks config contains unknown keys: odd",
        ),
        (
            "hooks: {pre_get_sources_script: true}",
            "jobs:x:hooks:pre_get_sources_script config should be a string or a nested \
                 array of strings up to 10 levels deep",
        ),
    ]);
}
