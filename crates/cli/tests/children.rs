//! Child pipelines in a local run: started, shown, reported, with what they are given.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{Sandbox, job, statuses};

#[test]
fn child_pipelines_run_in_the_same_run() {
    let sandbox = Sandbox::new(&[
        (
            ".gitlab-ci.yml",
            r#"
stages: [build, test, deploy]
variables: {COLOUR: red}
generate:
  stage: build
  script: ['echo "dynamic: {script: [echo made of $COLOUR]}" > child.yml']
  artifacts: {paths: [child.yml]}
static:
  stage: test
  variables: {WHO: "parent at $CI_COMMIT_BRANCH"}
  trigger: {include: static.yml, strategy: depend}
made:
  stage: test
  trigger: {include: [{artifact: child.yml, job: generate}], strategy: mirror}
after: {stage: deploy, script: [echo after all]}
"#,
        ),
        (
            "static.yml",
            r#"
build:
  script: ['echo "from $WHO by $CI_PIPELINE_SOURCE"', 'echo $CI_PIPELINE_ID > number']
  artifacts: {paths: [number]}
deeper:
  stage: deploy
  variables: {PARENT: $CI_PIPELINE_ID}
  trigger: {include: deep.yml, strategy: depend}
"#,
        ),
        (
            "deep.yml",
            r#"
deep:
  needs: [{pipeline: $PARENT, job: build}]
  script: ['echo "number $(cat number) of $PARENT"']
"#,
        ),
    ]);
    let (done, report) = sandbox.report(&[]);
    done.exits(0)
        .says("made of red")
        .says("from parent at main by parent_pipeline")
        .says("static › deeper › deep")
        .says("number 2 of 2")
        .says("after all");
    assert_eq!(
        statuses(&report),
        [
            "generate success",
            "static success",
            "made success",
            "after success"
        ]
    );
    let below = report["downstream"].as_array().unwrap();
    let names: Vec<&str> = (below.iter())
        .map(|child| child["trigger_job"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["static", "made", "static › deeper"]);
    assert_eq!(below[0]["status"], "success");
    assert_eq!(job(&below[1], "dynamic")["exit_code"], 0);
}

#[test]
fn a_failing_child_fails_the_run_only_with_a_strategy() {
    for (strategy, code, status) in [(", strategy: depend", 1, "failed"), ("", 0, "success")] {
        let parent = format!("child: {{trigger: {{include: child.yml{strategy}}}}}\n");
        let child = "bad: {script: [echo about to fail, exit 3]}\n";
        let sandbox = Sandbox::new(&[(".gitlab-ci.yml", &parent), ("child.yml", child)]);
        let (done, report) = sandbox.report(&[]);
        done.exits(code).says("child › bad failed (exit code 3)");
        assert_eq!(report["status"], status);
        assert_eq!(report["downstream"][0]["status"], "failed");
    }
}

#[test]
fn a_child_that_cannot_be_made_fails_its_job_and_says_why() {
    let sandbox = Sandbox::new(&[
        (".gitlab-ci.yml", "child: {trigger: {include: child.yml}}\n"),
        ("child.yml", "bad: {scrpt: [x]}\n"),
    ]);
    let (done, report) = sandbox.report(&[]);
    done.exits(1).says("implement the script");
    let reason = &job(&report, "child")["failure_reason"];
    assert_eq!(reason, "downstream_pipeline_creation_failed");
}

#[test]
fn a_child_is_not_run_without_what_only_a_server_has() {
    let sandbox = Sandbox::new(&[
        (
            ".gitlab-ci.yml",
            "child: {trigger: {include: child.yml, strategy: depend}}\n",
        ),
        (
            "child.yml",
            "x: {script: echo ran-anyway, id_tokens: {T: {aud: a}}}\n",
        ),
    ]);
    let done = sandbox.shipway(&["run", "--verbose"]);
    done.exits(1);
    assert!(!done.out.contains("ran-anyway"), "{}", done.out);
}

#[test]
fn another_projects_pipeline_needs_a_server() {
    let sandbox = Sandbox::new(&[(".gitlab-ci.yml", "x: {trigger: group/other}\n")]);
    sandbox.shipway(&["run"]).exits(2).says("trigger:project");
}
