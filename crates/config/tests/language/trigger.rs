//! Jobs that start or mirror other pipelines.

use crate::support::{config, errors, job_value};
use serde_json::{Value, json};

fn trigger(written: &str) -> Value {
    job_value(&format!("go: {{trigger: {written}}}"), "go", "trigger")
}

fn check(cases: &[(&str, &str)]) {
    for (lines, expected) in cases {
        let found = errors(&format!("go: {{{lines}}}"));
        let texts: Vec<&str> = found
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.1))
            .collect();
        assert_eq!(texts, [*expected], "{lines}");
    }
}

#[test]
fn projects_and_children() {
    let forward = json!({"yaml_variables": true, "pipeline_variables": false});
    let project = |project: &str, branch: Value, strategy: Value, inputs: Value| json!({"project": {"project": project, "branch": branch, "inputs": inputs, "strategy": strategy, "forward": forward}});
    for (written, expected) in [
        ("g/p", project("g/p", Value::Null, Value::Null, json!({}))),
        (
            "$TARGET",
            project("$TARGET", Value::Null, Value::Null, json!({})),
        ),
        (
            "{project: g/p, branch: dev, strategy: depend}",
            project("g/p", json!("dev"), json!("depend"), json!({})),
        ),
        (
            "{project: g/p, strategy: mirror}",
            project("g/p", Value::Null, json!("mirror"), json!({})),
        ),
        (
            "{project: g/p, inputs: {size: 3}}",
            project("g/p", Value::Null, Value::Null, json!({"size": 3})),
        ),
        (
            "{include: child.yml}",
            json!({"child": {"include": ["child.yml"], "strategy": null, "forward": forward}}),
        ),
        (
            "{include: [{local: a.yml, inputs: {a: b}}, {artifact: b.yml, job: make}], \
                 forward: {pipeline_variables: true, yaml_variables: false}}",
            json!({"child": {
                "include": [{"local": "a.yml", "inputs": {"a": "b"}}, {"artifact": "b.yml", "job": "make"}],
                "strategy": null,
                "forward": {"yaml_variables": false, "pipeline_variables": true},
            }}),
        ),
    ] {
        assert_eq!(trigger(written), expected, "{written}");
    }
    let mirror = job_value("go: {needs: {pipeline: g/p}}", "go", "trigger");
    assert_eq!(mirror, json!({"mirror": {"pipeline": "g/p"}}));
    assert_eq!(
        config("go: {needs: {pipeline: g/p}}").jobs["go"].needs,
        None
    );
}

#[test]
fn triggers_are_checked() {
    check(&[
        ("trigger: ''", "jobs:go:trigger config can't be blank"),
        (
            "trigger: 123",
            "jobs:go:trigger has to be either a string or a hash",
        ),
        ("trigger: {}", "jobs:go:trigger config can't be blank"),
        (
            "trigger: slug",
            "jobs:go:trigger config `slug` is not the path of a project",
        ),
        (
            "trigger: /slug",
            "jobs:go:trigger config `/slug` is not the path of a project",
        ),
        (
            "trigger: {project: ''}",
            "jobs:go:trigger project can't be blank",
        ),
        (
            "trigger: {project: [g/p]}",
            "jobs:go:trigger project should be a string",
        ),
        (
            "trigger: {project: 'slug#'}",
            "jobs:go:trigger config `slug#` is not the path of a project",
        ),
        (
            "trigger: {project: g/p, branch: 5}",
            "jobs:go:trigger branch should be a string",
        ),
        (
            "trigger: {project: g/p, strategy: odd}",
            "jobs:go:trigger strategy should be depend or mirror",
        ),
        (
            "trigger: {project: g/p, odd: 1}",
            "jobs:go:trigger config contains unknown keys: odd",
        ),
        (
            "trigger: {project: g/p, include: a.yml}",
            "jobs:go:trigger config contains unknown keys: project",
        ),
        (
            "trigger: {branch: b, include: a.yml}",
            "jobs:go:trigger config contains unknown keys: branch",
        ),
        (
            "trigger: {include: a.yml, inputs: {a: b}}",
            "jobs:go:trigger config contains unknown keys: inputs",
        ),
        (
            "trigger: {include: [a.yml, b.yml, c.yml, d.yml]}",
            "jobs:go:trigger:include config is too long (maximum is 3)",
        ),
        (
            "trigger: {include: [{artifact: a.yml}]}",
            "jobs:go:trigger:include config must specify the job where to fetch the artifact from",
        ),
        (
            "trigger: {include: [{project: g/p}]}",
            "jobs:go:trigger:include config must specify the file where to fetch the config from",
        ),
        (
            "trigger: {include: [{project: slug, file: a.yml}]}",
            "jobs:go:trigger:include:project `slug` is not the path of a project",
        ),
        (
            "trigger: {project: g/p, forward: {odd: 1}}",
            "jobs:go:trigger:forward config contains unknown keys: odd",
        ),
        (
            "trigger: {project: g/p, forward: {yaml_variables: maybe}}",
            "jobs:go:trigger:forward yaml variables should be a boolean value",
        ),
    ]);
    let found = errors("go: {trigger: {include: [{file: a.yml}]}}");
    assert!(
        found[0].contains("does not have a valid subkey for include"),
        "{found:?}"
    );
}

#[test]
fn beside_a_trigger_stands_only_what_makes_sense() {
    check(&[
        (
            "trigger: g/p, image: a",
            "jobs:go config contains unknown keys: image",
        ),
        (
            "trigger: g/p, script: m",
            "jobs:go config contains unknown keys: trigger",
        ),
    ]);
    for (lines, expected) in [
        (
            "trigger: g/p, when: delayed",
            "jobs:go when should be one of: on_success, on_failure, always, manual",
        ),
        (
            "trigger: g/p, allow_failure: {exit_codes: [1]}",
            "jobs:go allow failure should be a boolean value",
        ),
        (
            "trigger: g/p, parallel: 2",
            "jobs:go:parallel config cannot use \"parallel: <number>\".",
        ),
        (
            "trigger: g/p, needs: [{pipeline: $P, job: a}]",
            "jobs:go:needs config uses invalid types: cross_dependency",
        ),
        (
            "needs: [{pipeline: g/a}, {pipeline: g/b}]",
            "jobs:go config should contain at most one bridge need",
        ),
        (
            "needs: []",
            "jobs:go config should contain either a trigger or a needs:pipeline",
        ),
    ] {
        let found = errors(&format!("go: {{{lines}}}"));
        assert!(
            found.iter().any(|line| line.ends_with(expected)),
            "{lines}: {found:?}"
        );
    }
    let yaml = "default: {image: a, tags: [x], retry: 2, before_script: [g], interruptible: true}
a: {script: m}
go:
  trigger: g/p
  stage: test
  needs: [a]
  rules: [{if: $A, when: manual}]
  variables: {B: c}
  resource_group: r
  allow_failure: true
  parallel: {matrix: [{P: [x, y]}]}
.down: {trigger: g/p}
";
    let config = config(yaml);
    let names: Vec<&str> = config.jobs.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "go: [x]", "go: [y]"]);
    let go = &config.jobs["go: [x]"];
    assert!(go.trigger.is_some() && go.script.is_empty());
    assert_eq!((&go.image, go.tags.len(), &go.retry), (&None, 0, &None));
    assert!(go.before_script.is_empty());
    assert_eq!(go.interruptible, Some(true));
    assert_eq!(go.needs.as_ref().unwrap()[0].job, "a");
}
