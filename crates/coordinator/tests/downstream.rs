//! Pipelines that jobs start, and resources that pipelines share, on a server.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_protocol::{JobPayload, JobState, JobUpdate};
use shipway_store::{JobRow, PipelineRow, Visibility};
use support::Site;

/// Takes the next job of the pipeline.
async fn take(site: &Site, pipeline: &PipelineRow) -> JobPayload {
    let taken = site.coordinator.take_job(pipeline.id, "runner").await;
    taken.unwrap().expect("a pending job")
}

fn value<'a>(payload: &'a JobPayload, key: &str) -> &'a str {
    let mut all = payload.variables.iter();
    let found = all.find(|variable| variable.key == key);
    found.map_or("", |variable| variable.value.as_str())
}

/// Ends a job, and lets follow what follows.
async fn end(site: &Site, job: i64, state: JobState) {
    let update = JobUpdate {
        state,
        failure_reason: None,
        exit_code: None,
    };
    let done = site.coordinator.update_job(JobId(job), &update).await;
    done.unwrap();
    site.coordinator.settle().await.unwrap();
}

/// Commits files and starts the pipeline, up to where runners are needed.
async fn start(site: &Site, files: &[(&str, &str)]) -> PipelineRow {
    let sha = site.commit("Change", files);
    let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
    let row = support::pipeline(started.unwrap());
    site.coordinator.settle().await.unwrap();
    row
}

/// The newest pipeline that jobs of this one started.
async fn below(site: &Site, pipeline: &PipelineRow) -> Option<PipelineRow> {
    let rows = site.store().downstream_of(pipeline.id).await.unwrap();
    let id = rows.last()?.pipeline_id;
    site.store().pipeline(id).await.unwrap()
}

async fn failure(site: &Site, pipeline: &PipelineRow, job: &str) -> (Status, String) {
    let job: JobRow = site.job(pipeline, job).await;
    (job.status, job.failure_reason.unwrap_or_default())
}

const PARENT: &str = "
variables: {COLOUR: red, TOP: top}
child:
  variables: {COLOUR: 'blue of $CI_COMMIT_REF_NAME'}
  trigger: {include: [{local: child.yml, inputs: {word: hello}}], strategy: depend}
after: {stage: deploy, script: x}
";

const CHILD: &str = "
spec: {inputs: {word: {}}}
---
variables: {COLOUR: green}
inside:
  script: echo $[[ inputs.word ]]
  rules: [{if: '$CI_PIPELINE_SOURCE == \"parent_pipeline\" && $COLOUR == \"blue of main\"'}]
";

#[tokio::test]
async fn a_child_pipeline_runs_before_what_follows_its_job() {
    let site = Site::new().await;
    let files = [(".gitlab-ci.yml", PARENT), ("child.yml", CHILD)];
    let row = start(&site, &files).await;
    assert_eq!(site.job(&row, "child").await.status, Status::Running);
    let child = below(&site, &row).await.unwrap();
    assert_eq!(child.source, "parent_pipeline");
    assert_eq!((&child.sha, &child.ref_name), (&row.sha, &row.ref_name));
    assert_eq!(child.user_id, row.user_id);
    let payload = take(&site, &child).await;
    assert_eq!(payload.steps[0].script, ["echo hello"]);
    assert_eq!(value(&payload, "COLOUR"), "blue of main");
    assert_eq!(value(&payload, "TOP"), "top");
    assert_eq!(value(&payload, "CI_PIPELINE_SOURCE"), "parent_pipeline");
    end(&site, payload.id, JobState::Success).await;
    assert_eq!(site.job(&row, "child").await.status, Status::Success);
    assert_eq!(take(&site, &row).await.job_info.name, "after");
    // Nobody lists it beside its parent, as on GitLab.
    let newest = site.store().newest_pipeline(site.project.id, "main").await;
    assert_eq!(newest.unwrap().unwrap().id, row.id);
}

#[tokio::test]
async fn a_job_follows_its_pipeline_as_its_strategy_says() {
    use JobState::{Failed, Success};
    // Strategy, how the child's job ends, the trigger job before and after.
    let table = [
        ("", Failed, Status::Success, Status::Success),
        (
            ", strategy: depend",
            Failed,
            Status::Running,
            Status::Failed,
        ),
        (
            ", strategy: mirror",
            Failed,
            Status::Pending,
            Status::Failed,
        ),
        (
            ", strategy: mirror",
            Success,
            Status::Pending,
            Status::Success,
        ),
    ];
    for (strategy, ends, before, after) in table {
        let site = Site::new().await;
        let parent = format!("child: {{trigger: {{include: child.yml{strategy}}}}}");
        let files = [
            (".gitlab-ci.yml", parent.as_str()),
            ("child.yml", "in: {script: x}"),
        ];
        let row = start(&site, &files).await;
        assert_eq!(site.job(&row, "child").await.status, before, "{strategy}");
        let child = below(&site, &row).await.unwrap();
        let job = take(&site, &child).await;
        end(&site, job.id, ends).await;
        assert_eq!(site.job(&row, "child").await.status, after, "{strategy}");
        assert_eq!(site.status(&row).await, after, "{strategy}");
    }
}

#[tokio::test]
async fn a_downstream_pipeline_that_is_retried_takes_its_job_along() {
    let site = Site::new().await;
    let parent = "
child: {trigger: {include: child.yml, strategy: depend}}
after: {stage: deploy, script: x}
";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let row = start(&site, &files).await;
    let child = below(&site, &row).await.unwrap();
    let job = take(&site, &child).await;
    end(&site, job.id, JobState::Failed).await;
    assert_eq!(site.status(&row).await, Status::Failed);
    assert_eq!(site.job(&row, "after").await.status, Status::Skipped);
    site.coordinator
        .retry_pipeline(child.id, None)
        .await
        .unwrap();
    site.coordinator.settle().await.unwrap();
    assert_eq!(site.job(&row, "child").await.status, Status::Running);
    assert_eq!(site.job(&row, "after").await.status, Status::Created);
    let job = take(&site, &child).await;
    end(&site, job.id, JobState::Success).await;
    assert_eq!(site.job(&row, "after").await.status, Status::Pending);
    // A retry of the job itself starts another pipeline.
    let bridge = site.job(&row, "child").await.id;
    site.coordinator.retry_job(bridge, None).await.unwrap();
    site.coordinator.settle().await.unwrap();
    assert_ne!(below(&site, &row).await.unwrap().id, child.id);
}

#[tokio::test]
async fn what_cannot_be_started_fails_its_job_and_says_why() {
    let site = Site::new().await;
    let parent = "
missing: {trigger: {include: absent.yml}}
wrong: {trigger: {include: wrong.yml}}
empty: {trigger: {include: empty.yml}}
unknown: {trigger: group/unknown}
blank: {trigger: {project: 'group/$NOTHING'}}
unmade: {trigger: {include: [{artifact: a.yml, job: maker}]}, needs: [maker]}
maker: {script: x}
";
    let empty = "in: {script: x, rules: [{if: '$NEVER'}]}";
    let files = [
        (".gitlab-ci.yml", parent),
        ("wrong.yml", "in: {scrpt: x}"),
        ("empty.yml", empty),
    ];
    let row = start(&site, &files).await;
    let maker = take(&site, &row).await;
    end(&site, maker.id, JobState::Success).await;
    let creation = "downstream_pipeline_creation_failed";
    let not_found = "downstream_bridge_project_not_found";
    let table = [
        ("missing", creation, "absent.yml"),
        ("wrong", creation, "implement the script"),
        ("empty", creation, "would have been empty"),
        ("unknown", not_found, "group/unknown"),
        ("blank", not_found, "group/"),
        ("unmade", creation, "no artifacts"),
    ];
    for (name, reason, text) in table {
        let found = failure(&site, &row, name).await;
        assert_eq!(found, (Status::Failed, reason.to_owned()), "{name}");
        let path = site
            .store()
            .logs()
            .path(row.id, site.job(&row, name).await.id);
        let log = std::fs::read_to_string(path).unwrap();
        assert!(log.contains(text), "{name}: {log}");
    }
}

#[tokio::test]
async fn children_have_children_but_no_deeper() {
    let site = Site::new().await;
    // Each level starts the same file again.
    let file = "again: {trigger: {include: .gitlab-ci.yml, strategy: depend}}";
    let row = start(&site, &[(".gitlab-ci.yml", file)]).await;
    let first = below(&site, &row).await.unwrap();
    let second = below(&site, &first).await.unwrap();
    assert_eq!(below(&site, &second).await, None);
    let reason = "reached_max_descendant_pipelines_depth";
    let found = failure(&site, &second, "again").await;
    assert_eq!(found, (Status::Failed, reason.to_owned()));
    assert_eq!(site.status(&row).await, Status::Failed);
}

#[tokio::test]
async fn children_are_canceled_with_their_parent() {
    let site = Site::new().await;
    let parent = "child: {trigger: {include: child.yml}}\nother: {script: x}";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let row = start(&site, &files).await;
    let child = below(&site, &row).await.unwrap();
    assert_eq!(child.status, Status::Pending);
    site.coordinator.cancel_pipeline(row.id).await.unwrap();
    assert_eq!(site.status(&child).await, Status::Canceled);
    assert_eq!(site.status(&row).await, Status::Canceled);
}

/// Another project, with the role of the site's user in it.
async fn another(site: &Site, level: Option<i64>, configuration: &str) -> i64 {
    let files = [(".gitlab-ci.yml", configuration)];
    let other = site.add_project("group/other", Visibility::Internal, level, &files);
    other.await.id.0
}

const UPSTREAM: &str = "
up:
  variables: {WHO: upstream}
  trigger: {project: group/other, strategy: depend}
";

#[tokio::test]
async fn a_job_starts_the_pipeline_of_another_project() {
    let site = Site::new().await;
    let other = another(&site, Some(30), "other: {script: x}").await;
    let row = start(&site, &[(".gitlab-ci.yml", UPSTREAM)]).await;
    let down = below(&site, &row).await.expect("a pipeline");
    assert_eq!(down.project_id.unwrap().0, other);
    assert_eq!(down.source, "pipeline");
    let payload = take(&site, &down).await;
    assert_eq!(value(&payload, "WHO"), "upstream");
    assert_eq!(value(&payload, "CI_PROJECT_PATH"), "group/other");
    end(&site, payload.id, JobState::Success).await;
    assert_eq!(site.status(&row).await, Status::Success);
}

#[tokio::test]
async fn a_job_starts_nothing_where_its_user_may_not() {
    for level in [None, Some(20)] {
        let site = Site::new().await;
        another(&site, level, "other: {script: x}").await;
        let row = start(&site, &[(".gitlab-ci.yml", UPSTREAM)]).await;
        assert_eq!(below(&site, &row).await, None);
        let reason = "insufficient_bridge_permissions".to_owned();
        assert_eq!(failure(&site, &row, "up").await, (Status::Failed, reason));
    }
}

#[tokio::test]
async fn two_projects_that_start_each_other_end() {
    let site = Site::new().await;
    let back = "back: {trigger: {project: group/app}}";
    another(&site, Some(40), back).await;
    site.join(40).await;
    let forth = "forth: {trigger: {project: group/other}}";
    let row = start(&site, &[(".gitlab-ci.yml", forth)]).await;
    let mut next = row.clone();
    let mut length = 1;
    while let Some(row) = below(&site, &next).await {
        next = row;
        length += 1;
        assert!(length < 20, "a loop without an end");
    }
    let jobs = site.store().jobs(next.id).await.unwrap();
    let reason = jobs[0].failure_reason.as_deref();
    assert_eq!(reason, Some("pipeline_loop_detected"));
}

#[tokio::test]
async fn a_resource_goes_from_pipeline_to_pipeline() {
    // Mode, and which of three pipelines get the resource after the first one had it.
    let table = [
        ("unordered", [1, 2]),
        ("oldest_first", [1, 2]),
        ("newest_first", [2, 1]),
        ("newest_ready_first", [2, 1]),
    ];
    let file = "ship: {script: x, resource_group: $CI_COMMIT_REF_NAME}";
    for (mode, order) in table {
        let site = Site::new().await;
        let first = start(&site, &[(".gitlab-ci.yml", file)]).await;
        let group = site.store().resource_group(site.project.id, "main").await;
        let group = group.unwrap().unwrap();
        let mut transaction = site.store().begin().await.unwrap();
        let set = transaction.set_process_mode(group.id, mode);
        set.await.unwrap();
        transaction.commit().await.unwrap();
        let job = take(&site, &first).await;
        let mut rows = vec![first];
        for _ in 0..2 {
            let sha = rows[0].sha.clone().unwrap();
            let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
            rows.push(support::pipeline(started.unwrap()));
            site.coordinator.settle().await.unwrap();
        }
        let waits = Status::WaitingForResource;
        for row in &rows[1..] {
            assert_eq!(site.job(row, "ship").await.status, waits, "{mode}");
        }
        end(&site, job.id, JobState::Success).await;
        let [next, last] = order;
        assert_eq!(site.job(&rows[last], "ship").await.status, waits, "{mode}");
        let job = take(&site, &rows[next]).await;
        end(&site, job.id, JobState::Failed).await;
        let job = take(&site, &rows[last]).await;
        end(&site, job.id, JobState::Success).await;
        assert_eq!(site.store().claimants(group.id).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_trigger_job_with_a_strategy_keeps_its_resource() {
    let site = Site::new().await;
    let parent = "
child: {resource_group: g, trigger: {include: child.yml, strategy: depend}}
ship: {resource_group: g, script: x}
";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let row = start(&site, &files).await;
    let waits = Status::WaitingForResource;
    assert_eq!(site.job(&row, "ship").await.status, waits);
    let child: PipelineId = below(&site, &row).await.unwrap().id;
    let job = site
        .coordinator
        .take_job(child, "r")
        .await
        .unwrap()
        .unwrap();
    end(&site, job.id, JobState::Success).await;
    assert_eq!(site.job(&row, "ship").await.status, Status::Pending);
}

#[tokio::test]
async fn another_server_finishes_what_one_left_undone() {
    let site = Site::new().await;
    let parent = "child: {trigger: {include: child.yml, strategy: depend}}";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let sha = site.commit("Change", &files);
    let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
    let row = support::pipeline(started.unwrap());
    // The first server dies here.
    let second = site.another().await;
    second.settle_all().await.unwrap();
    second.settle_all().await.unwrap();
    assert_eq!(site.job(&row, "child").await.status, Status::Running);
    assert_eq!(site.store().downstream_of(row.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_branch_of_another_project_may_be_named() {
    let creation = "downstream_pipeline_creation_failed";
    for (branch, expected) in [("main", None), ("$WHICH", None), ("absent", Some(creation))] {
        let site = Site::new().await;
        another(&site, Some(30), "other: {script: x}").await;
        let file = format!(
            "up: {{variables: {{WHICH: main}}, trigger: {{project: group/other, branch: {branch}}}}}"
        );
        let row = start(&site, &[(".gitlab-ci.yml", &file)]).await;
        let job = site.job(&row, "up").await;
        assert_eq!(job.failure_reason.as_deref(), expected, "{branch}");
        assert_eq!(below(&site, &row).await.is_some(), expected.is_none());
    }
}

/// The first pipeline of the other project on its main branch.
async fn run_other(site: &Site, other: i64) -> PipelineRow {
    let project = shipway_store::ProjectId(other);
    let project = site.store().project(project).await.unwrap().unwrap();
    let found = site.coordinator.find_ref(&project, "main").await.unwrap();
    let (reference, sha) = found.unwrap();
    let request = shipway_coordinator::PipelineRequest {
        project,
        reference,
        sha: sha.clone(),
        ..site.request(&sha)
    };
    let started = site.coordinator.start_pipeline(&request).await;
    support::pipeline(started.unwrap())
}

#[tokio::test]
async fn artifacts_come_from_another_project() {
    // The user's role there, and whether the job gets them; the project is private.
    for (level, gets) in [(Some(20), true), (None, false)] {
        let site = Site::new().await;
        let maker = "make: {script: x, artifacts: {paths: [a]}}";
        let other = another(&site, level, maker).await;
        site.hide(other).await;
        let there = run_other(&site, other).await;
        let made = take(&site, &there).await;
        site.archive(made.id).await;
        end(&site, made.id, JobState::Success).await;
        let file = "
use:
  script: x
  needs: [{project: group/other, job: make, ref: main, artifacts: true}]
";
        let row = start(&site, &[(".gitlab-ci.yml", file)]).await;
        let taken = site.coordinator.take_job(row.id, "runner").await.unwrap();
        let ids: Vec<i64> = (taken.iter().flat_map(|payload| &payload.dependencies))
            .map(|dependency| dependency.id)
            .collect();
        let (asking, wanted) = (site.job(&row, "use").await, site.job(&there, "make").await);
        let may = site.coordinator.may_fetch(&asking, &wanted).await.unwrap();
        assert_eq!(may, gets, "{level:?}");
        if gets {
            assert_eq!(ids, [made.id]);
        } else {
            let reason = "missing_dependency_failure".to_owned();
            assert_eq!(failure(&site, &row, "use").await, (Status::Failed, reason));
        }
    }
}

#[tokio::test]
async fn a_job_mirrors_the_newest_pipeline_of_a_project() {
    let site = Site::new().await;
    let other = another(&site, Some(20), "make: {script: x}").await;
    let there = run_other(&site, other).await;
    let file = "see: {needs: {pipeline: group/other}}\nafter: {stage: deploy, script: x}";
    let row = start(&site, &[(".gitlab-ci.yml", file)]).await;
    assert_eq!(site.job(&row, "see").await.status, Status::Pending);
    let made = take(&site, &there).await;
    site.coordinator.settle_all().await.unwrap();
    assert_eq!(site.job(&row, "see").await.status, Status::Running);
    end(&site, made.id, JobState::Success).await;
    site.coordinator.settle_all().await.unwrap();
    assert_eq!(site.job(&row, "see").await.status, Status::Success);
    assert_eq!(site.job(&row, "after").await.status, Status::Pending);
}

#[tokio::test]
async fn a_delayed_job_below_keeps_its_own_time() {
    let site = Site::new().await;
    let parent = "child: {trigger: {include: child.yml, strategy: mirror}}";
    let child = "late: {script: x, when: delayed, start_in: 1 hour}";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", child)];
    let row = start(&site, &files).await;
    assert_eq!(site.job(&row, "child").await.status, Status::Scheduled);
    assert_eq!(site.coordinator.start_due(row.id).await.unwrap(), None);
    assert_eq!(site.job(&row, "child").await.status, Status::Scheduled);
    // The job below is of the first stage: its timer runs since the pipeline is there.
    let child = below(&site, &row).await.unwrap();
    let wait = site.coordinator.start_due(child.id).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let near = hour - std::time::Duration::from_secs(60)..=hour;
    assert!(wait.is_some_and(|wait| near.contains(&wait)), "{wait:?}");
    assert_eq!(site.job(&child, "late").await.status, Status::Scheduled);
}

#[tokio::test]
async fn a_newer_commit_cancels_children_but_not_for_their_trigger_job() {
    let site = Site::new().await;
    let parent = "child: {trigger: {include: child.yml, strategy: depend}}";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let first = start(&site, &files).await;
    let child = below(&site, &first).await.unwrap();
    // The trigger job runs, which counts for nothing; no job of a runner has started.
    assert_eq!(site.job(&first, "child").await.status, Status::Running);
    // The same commit again makes nothing redundant.
    let sha = first.sha.clone().unwrap();
    let again = site.coordinator.start_pipeline(&site.request(&sha)).await;
    support::pipeline(again.unwrap());
    assert_eq!(site.status(&first).await, Status::Running);
    start(&site, &[("other", "a change")]).await;
    assert_eq!(site.status(&first).await, Status::Canceled);
    assert_eq!(site.status(&child).await, Status::Canceled);
}

const DEFAULTS: &str = "
default: {image: upstream, before_script: [above]}
child: {trigger: {include: child.yml}}
up: {trigger: {project: group/other}}
";

#[tokio::test]
async fn defaults_stay_where_they_are() {
    let site = Site::new().await;
    another(&site, Some(30), "in: {script: x}").await;
    let files = [
        (".gitlab-ci.yml", DEFAULTS),
        ("child.yml", "in: {script: x}"),
    ];
    let row = start(&site, &files).await;
    let below = site.store().downstream_of(row.id).await.unwrap();
    assert_eq!(below.len(), 2);
    for link in below {
        let down = site.store().pipeline(link.pipeline_id).await.unwrap();
        let payload = take(&site, &down.unwrap()).await;
        assert_eq!(payload.steps[0].script, ["x"]);
        assert_eq!(payload.image, None);
    }
}

#[tokio::test]
async fn a_pipeline_knows_the_one_above() {
    let site = Site::new().await;
    another(&site, Some(30), "in: {script: x}").await;
    let parent = "
child: {trigger: {include: child.yml}}
up: {trigger: {project: group/other}}
";
    // A rule sees it too.
    let child = "in: {script: x, rules: [{if: $CI_UPSTREAM_JOB_ID}]}";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", child)];
    let row = start(&site, &files).await;
    for (name, job) in [("child", "in"), ("up", "in")] {
        let bridge = site.job(&row, name).await.id;
        let below = site.store().downstream_of(row.id).await.unwrap();
        let link = below.iter().find(|link| link.job_id == bridge).unwrap();
        let down = site.store().pipeline(link.pipeline_id).await.unwrap();
        let payload = take(&site, &down.unwrap()).await;
        assert_eq!(payload.job_info.name, job);
        assert_eq!(
            value(&payload, "CI_UPSTREAM_PIPELINE_ID"),
            row.id.to_string()
        );
        assert_eq!(value(&payload, "CI_UPSTREAM_JOB_ID"), bridge.to_string());
        let project = site.project.id.to_string();
        assert_eq!(value(&payload, "CI_UPSTREAM_PROJECT_ID"), project);
    }
    // One that no job started knows of none.
    let first = site.push("in: {script: x}").await;
    let payload = take(&site, &first).await;
    assert_eq!(value(&payload, "CI_UPSTREAM_PIPELINE_ID"), "");
    let uri = "ci.example.org/group/app//.gitlab-ci.yml@refs/heads/main";
    assert_eq!(value(&payload, "CI_CONFIG_REF_URI"), uri);
}

#[tokio::test]
async fn a_trigger_job_gives_inputs_to_another_project() {
    let other = "
spec: {inputs: {words: {type: array}, size: {type: number, default: 1}}}
---
in: {script: $[[ inputs.words ]], parallel: $[[ inputs.size ]]}
";
    // What is given, and the scripts or the failure.
    let table = [
        ("{words: [a, b], size: 2}", Some(2)),
        ("{words: [a, b]}", Some(1)),
        ("{size: 2}", None),
        ("{words: [a], else: 1}", None),
    ];
    for (inputs, expected) in table {
        let site = Site::new().await;
        another(&site, Some(30), other).await;
        let file = format!("up: {{trigger: {{project: group/other, inputs: {inputs}}}}}");
        let row = start(&site, &[(".gitlab-ci.yml", &file)]).await;
        let down = below(&site, &row).await.expect("a pipeline");
        let jobs = site.store().jobs(down.id).await.unwrap().len();
        assert_eq!((jobs > 0).then_some(jobs), expected, "{inputs}");
        match expected {
            Some(_) => {
                let payload = take(&site, &down).await;
                assert_eq!(payload.steps[0].script, ["a", "b"]);
            }
            None => assert_eq!(down.status, Status::Failed),
        }
    }
}

#[tokio::test]
async fn each_of_a_matrix_of_trigger_jobs_starts_its_own() {
    let site = Site::new().await;
    let parent = "
child:
  parallel: {matrix: [{WHERE: [here, there]}]}
  trigger: {include: child.yml}
";
    let files = [(".gitlab-ci.yml", parent), ("child.yml", "in: {script: x}")];
    let row = start(&site, &files).await;
    let mut found = Vec::new();
    for link in site.store().downstream_of(row.id).await.unwrap() {
        let down = site.store().pipeline(link.pipeline_id).await.unwrap();
        let payload = take(&site, &down.unwrap()).await;
        found.push(value(&payload, "WHERE").to_owned());
    }
    found.sort();
    assert_eq!(found, ["here", "there"]);
}

#[tokio::test]
async fn a_file_that_a_job_made_includes_without_variables() {
    // How the included file is named in a file of the commit and in one that a job made, and
    // whether there is a pipeline.
    let table = [
        ("deep.yml", true, true),
        ("$NAME.yml", false, true),
        ("$NAME.yml", true, false),
    ];
    for (name, made, works) in table {
        let site = Site::new().await;
        let child = format!("include: {name}\n");
        let entry = match made {
            true => "{artifact: child.yml, job: maker}",
            false => "{local: child.yml}",
        };
        let parent = format!(
            "maker: {{script: x, artifacts: {{paths: [child.yml]}}}}\n\
             child: {{stage: deploy, variables: {{NAME: deep}}, trigger: {{include: [{entry}]}}}}\n"
        );
        let files = [
            (".gitlab-ci.yml", parent.as_str()),
            ("child.yml", child.as_str()),
            ("deep.yml", "in: {script: x}"),
        ];
        let row = start(&site, &files).await;
        let maker = take(&site, &row).await;
        site.archive_of(maker.id, "child.yml", &child).await;
        end(&site, maker.id, JobState::Success).await;
        let status = site.job(&row, "child").await.status;
        let expected = match works {
            true => Status::Success,
            false => Status::Failed,
        };
        assert_eq!(status, expected, "{name} {made}");
    }
}
