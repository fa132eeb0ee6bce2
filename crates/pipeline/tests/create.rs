//! From a configuration and a context to a plan.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use shipway_config::variables::{Collection, Variable};
use shipway_config::{Config, Limits, NoFiles};
use shipway_pipeline::{Context, Plan, RefKind, Source, create};

#[track_caller]
fn config(text: &str) -> Config {
    let loaded = shipway_config::load(".gitlab-ci.yml", text, &NoFiles, &Limits::default());
    let messages: Vec<_> = loaded.diagnostics.iter().map(|one| &one.message).collect();
    loaded.config.unwrap_or_else(|| panic!("{messages:?}"))
}

/// `branch main push A=1 …`: kind and name of the ref, source, pipeline variables.
fn context(words: &str) -> Context {
    let mut words = words.split_whitespace();
    let ref_kind = match words.next().unwrap() {
        "branch" => RefKind::Branch,
        "tag" => RefKind::Tag,
        "mr" => RefKind::MergeRequest,
        other => panic!("{other}"),
    };
    let ref_name = words.next().unwrap().to_owned();
    let source: Source = words.next().unwrap().parse().unwrap();
    let mut predefined = Collection::new();
    predefined.push(Variable::new("CI", "true"));
    predefined.push(Variable::new("CI_COMMIT_REF_NAME", &ref_name));
    predefined.push(Variable::new("CI_PIPELINE_SOURCE", source.as_str()));
    let pairs = words.map(|word| word.split_once('=').unwrap());
    Context {
        ref_name,
        ref_kind,
        source,
        project_path: "group/project".to_owned(),
        predefined,
        outer: pairs
            .map(|(key, value)| Variable::new(key, value))
            .collect(),
    }
}

#[track_caller]
fn plan(text: &str, words: &str) -> Plan {
    create(&config(text), &context(words), &NoFiles).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(|job| job.spec.name.as_str()).collect()
}

#[test]
fn refs_decide_with_only_and_except() {
    let table = [
        ("only: [main]", "branch main push", true),
        ("only: [deploy]", "branch main push", false),
        ("only: [branches]", "branch main push", true),
        ("only: [tags]", "branch main push", false),
        ("only: [main, tags]", "tag v1 push", true),
        ("only: ['/docs-.*/']", "branch docs-x push", true),
        ("only: ['/DOCS-.*/i']", "branch docs-x push", true),
        ("only: ['/fix-.*/']", "branch docs-x push", false),
        ("only: ['main@group/project']", "branch main push", true),
        ("only: ['main@group/other']", "branch main push", false),
        ("only: ['branches@group/project']", "branch x push", true),
        ("except: [main]", "branch main push", false),
        ("except: [main]", "branch other push", true),
        ("except: [tags]", "tag v1 push", false),
        (
            "except: {refs: [x], variables: ['$A']}",
            "branch main push A=1",
            false,
        ),
        ("only: [schedules]", "branch main schedule", true),
        ("only: [schedules]", "branch main push", false),
        ("only: [pushes]", "branch main push", true),
        ("only: [web]", "branch main web", true),
        ("only: [api]", "branch main api", true),
        ("only: [triggers]", "branch main trigger", true),
        ("only: [pipelines]", "branch main pipeline", true),
        ("only: [external]", "branch main external", true),
        ("only: [chat]", "branch main chat", true),
        (
            "only: [parent_pipelines]",
            "branch main parent_pipeline",
            true,
        ),
        (
            "only: [external_pull_requests]",
            "branch main external_pull_request_event",
            true,
        ),
        (
            "only: [merge_request_events]",
            "mr topic merge_request_event",
            false,
        ),
        (
            "only: [merge_requests]",
            "mr topic merge_request_event",
            true,
        ),
        ("only: [branches]", "mr topic merge_request_event", false),
        ("when: on_success", "mr topic merge_request_event", false),
        ("when: on_success", "branch main push", true),
        (
            "only: {variables: ['$A == \"1\"']}",
            "branch main push A=1",
            true,
        ),
        (
            "only: {variables: ['$A == \"1\"']}",
            "branch main push A=2",
            false,
        ),
        (
            "only: {refs: [main], variables: ['$A']}",
            "branch x push A=1",
            false,
        ),
    ];
    for (condition, words, expected) in table {
        let text =
            format!("base: {{script: m, rules: [when: always]}}\nx: {{script: m, {condition}}}");
        let plan = plan(&text, words);
        assert_eq!(
            names(&plan).contains(&"x"),
            expected,
            "{condition} for {words}"
        );
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    use shipway_config::AllowFailure::Always;
    let text = r#"
base: {script: m, rules: [when: always]}
x:
  script: m
  variables: {A: job, B: job}
  rules:
    - {if: '$MODE == "never"', when: never}
    - {if: '$MODE == "manual"', when: manual}
    - {if: '$MODE == "optional"', when: manual, allow_failure: true}
    - {if: '$MODE == "late"', when: delayed, start_in: 1 hour}
    - {if: '$MODE == "vars"', variables: {A: rule}, needs: [base], interruptible: true}
    - {if: '$MODE == "any"'}
"#;
    let job = |mode: &str| {
        let plan = plan(text, &format!("branch main push MODE={mode}"));
        plan.jobs.into_iter().find(|job| job.spec.name == "x")
    };
    assert!(job("never").is_none());
    assert!(job("else").is_none());
    let manual = job("manual").unwrap();
    assert_eq!(
        (manual.when.as_str(), manual.allow_failure),
        ("manual", Always(false))
    );
    assert_eq!(job("optional").unwrap().allow_failure, Always(true));
    assert_eq!(job("late").unwrap().spec.start_in, Some(3600));
    let vars = job("vars").unwrap();
    assert_eq!(vars.spec.variables["A"].value, "rule");
    assert_eq!(vars.spec.variables["B"].value, "job");
    assert_eq!(vars.spec.needs.unwrap()[0].job, "base");
    assert_eq!(vars.spec.interruptible, Some(true));
    assert_eq!(job("any").unwrap().when.as_str(), "on_success");
}

#[test]
fn allow_failure_follows_from_when_unless_given() {
    let table = [
        ("when: manual", true),
        ("when: manual, allow_failure: false", false),
        ("allow_failure: true", true),
        ("when: on_success", false),
        ("when: manual, rules: [{if: $CI}]", true),
        ("rules: [{if: $CI, when: manual}]", false),
    ];
    for (keys, expected) in table {
        let plan = plan(&format!("x: {{script: m, {keys}}}"), "branch main push");
        let expected = shipway_config::AllowFailure::Always(expected);
        assert_eq!(plan.jobs[0].allow_failure, expected, "{keys}");
    }
}

#[test]
fn variables_of_all_levels_are_seen_in_their_order() {
    let text = r#"
variables: {A: global, B: global, C: global}
x:
  script: m
  variables: {B: job}
  rules:
    - if: '$A == "outer" && $B == "job" && $C == "global" && $CI == "true" && $CI_JOB_NAME == "x"'
y:
  script: m
  inherit: {variables: [C]}
  rules: [{if: '$A == null && $C == "global"'}]
z: {script: m, rules: [{if: '$B == "global"'}]}
"#;
    assert_eq!(names(&plan(text, "branch main push A=outer")), ["x", "z"]);
    assert_eq!(names(&plan(text, "branch main push")), ["y", "z"]);
}

#[test]
fn needs_that_are_not_there_are_faults_unless_optional() {
    let text = "
a: {stage: build, script: m, rules: [{if: $NO}]}
b: {script: m, needs: [a]}
c: {script: m, needs: [{job: a, optional: true}]}
";
    let faults = create(&config(text), &context("branch main push"), &NoFiles).unwrap_err();
    assert_eq!(faults.len(), 1);
    let text = faults[0].to_string();
    assert!(text.starts_with("'b' job needs 'a' job, but 'a' does not exist in the pipeline."));
    let optional = plan(
        "
a: {stage: build, script: m, rules: [{if: $NO}]}
c: {script: m, needs: [{job: a, optional: true}]}
",
        "branch main push",
    );
    assert_eq!(optional.jobs[0].spec.needs.as_deref(), Some(&[][..]));
}

#[test]
fn a_pipeline_needs_a_job_outside_of_the_edge_stages() {
    let faults = |text: &str| {
        let faults = create(&config(text), &context("branch main push"), &NoFiles).unwrap_err();
        faults[0].to_string()
    };
    assert!(faults("a: {stage: .pre, script: m}").contains("would have been empty"));
    assert!(faults("a: {script: m, rules: [{if: $NO}]}").contains("would have been empty"));
}

#[test]
fn stages_without_jobs_are_not_shown() {
    let text = "
stages: [one, two, three]
a: {stage: three, script: m}
b: {stage: .pre, script: m}
c: {stage: one, script: m, rules: [{if: $NO}]}
";
    let plan = plan(text, "branch main push");
    assert_eq!(plan.stages, [".pre", "three"]);
    assert_eq!(plan.skipped.len(), 1);
}

#[test]
fn workflow_decides_about_the_whole() {
    let text = r#"
workflow:
  name: "Run for $CI_COMMIT_REF_NAME by $WHO"
  auto_cancel: {on_job_failure: all}
  rules:
    - {if: '$MODE == "never"', when: never}
    - {if: '$MODE', variables: {WHO: rule}, auto_cancel: {on_job_failure: none}}
    - {if: '$CI_PIPELINE_SOURCE == "web"'}
variables: {WHO: global}
x: {script: m}
"#;
    let filtered =
        |words: &str| create(&config(text), &context(words), &NoFiles).unwrap_err()[0].to_string();
    let expected = "Pipeline filtered out by workflow rules.";
    assert_eq!(filtered("branch main push MODE=never"), expected);
    assert_eq!(filtered("branch main push"), expected);
    let by_rule = plan(text, "branch main push MODE=on");
    assert_eq!(by_rule.name.as_deref(), Some("Run for main by rule"));
    assert_eq!(by_rule.variables["WHO"].value, "rule");
    assert!(!by_rule.cancel_on_job_failure);
    let by_source = plan(text, "branch main web");
    assert_eq!(by_source.name.as_deref(), Some("Run for main by global"));
    assert!(by_source.cancel_on_job_failure);
    // With `workflow:rules` a job without conditions runs for merge requests too.
    assert_eq!(
        names(&plan(text, "mr topic merge_request_event MODE=on")),
        ["x"]
    );
}

#[test]
fn fields_the_server_expands_are_expanded() {
    let text = "
variables: {WHERE: eu, FULL: $WHERE-1}
x:
  script: m
  tags: [linux, $FULL, $UNKNOWN]
  resource_group: prod-$WHERE
  environment: {name: review/$CI_COMMIT_REF_NAME}
";
    let plan = plan(text, "branch topic push");
    let spec = &plan.jobs[0].spec;
    assert_eq!(spec.tags, ["linux", "eu-1", ""]);
    assert_eq!(spec.resource_group.as_deref(), Some("prod-eu"));
    assert_eq!(spec.environment.as_ref().unwrap().name, "review/topic");
}
