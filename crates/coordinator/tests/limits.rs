//! What a server's limits refuse, and what they say.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use shipway_config::variables::Variable;
use shipway_coordinator::{NoPipeline, OverrideRole, ProjectSettings, ServerLimits, Started};
use shipway_pipeline::{Source, Status};
use shipway_store::NewSchedule;
use support::{Site, pipeline};

async fn limited(limits: &[&str]) -> Site {
    let mut all = ServerLimits::default();
    for limit in limits {
        all.set(limit).unwrap();
    }
    Site::limited(all).await
}

#[tokio::test]
async fn a_pipeline_of_too_many_jobs_fails_with_the_limit() {
    let site = limited(&["pipeline-jobs=2", "pipeline-deployments=1"]).await;
    let fits = site.push("a: {script: x}\nb: {script: x}\n").await;
    assert_eq!(fits.status, Status::Pending);
    let large = site.push("a: {script: x, parallel: 3}\n").await;
    assert_eq!(large.status, Status::Failed);
    let errors = large.yaml_errors.unwrap();
    assert!(errors.contains("limit of 2") && errors.contains("`pipeline-jobs`"));
    let deploys = |name: &str, action: &str| {
        format!("{name}: {{script: x, environment: {{name: {name}, action: {action}}}}}\n")
    };
    let one = site
        .push(&(deploys("a", "start") + &deploys("b", "prepare")))
        .await;
    assert_eq!(one.yaml_errors, None);
    let two = site
        .push(&(deploys("a", "start") + &deploys("b", "start")))
        .await;
    let errors = two.yaml_errors.unwrap();
    assert!(
        errors.contains("Requested 2, but the limit is 1"),
        "{errors}"
    );
}

#[tokio::test]
async fn a_child_pipeline_has_the_limits_too() {
    let site = limited(&["pipeline-jobs=2"]).await;
    let child = "a: {script: x, parallel: 3}\n";
    let top = "child: {trigger: {include: child.yml}}\n";
    let files = [(".gitlab-ci.yml", top), ("child.yml", child)];
    let sha = site.commit("Both", &files);
    let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
    let row = pipeline(started.unwrap());
    site.coordinator.settle_all().await.unwrap();
    let bridge = site.job(&row, "child").await;
    assert_eq!(bridge.status, Status::Failed);
    let reason = bridge.failure_reason.unwrap();
    assert_eq!(reason, "downstream_pipeline_creation_failed");
}

#[tokio::test]
async fn jobs_at_work_leave_no_room_for_more() {
    let site = limited(&["active-jobs=2"]).await;
    let first = site.push("a: {script: x}\nb: {script: x}\n").await;
    let second = site.push("a: {script: y}\nb: {script: x}\n").await;
    let errors = second.yaml_errors.unwrap();
    assert!(errors.contains("`active-jobs`"), "{errors}");
    site.coordinator.cancel_pipeline(first.id).await.unwrap();
    let third = site.push("a: {script: z}\n").await;
    assert_eq!(third.status, Status::Pending);
}

#[tokio::test]
async fn pipelines_of_a_commit_are_counted_for_a_minute() {
    let site = limited(&["pipelines-per-minute=2"]).await;
    let sha = site.commit("First", &[(".gitlab-ci.yml", "a: {script: x}\n")]);
    let start = async |sha: &str| {
        let request = site.request(sha);
        site.coordinator.start_pipeline(&request).await.unwrap()
    };
    pipeline(start(&sha).await);
    pipeline(start(&sha).await);
    let refused = start(&sha).await;
    assert_eq!(refused, Started::None(NoPipeline::TooOften(2)));
    let Started::None(reason) = refused else {
        unreachable!("it is none");
    };
    assert!(reason.to_string().contains("`pipelines-per-minute`"));
    let other = site.commit("Second", &[]);
    pipeline(start(&other).await);
}

#[tokio::test]
async fn a_schedule_runs_as_often_as_a_day_allows() {
    let site = limited(&["schedule-runs-per-day=24"]).await;
    site.commit("First", &[(".gitlab-ci.yml", "a: {script: x}\n")]);
    let new = NewSchedule {
        project_id: site.project.id,
        description: "Often".to_owned(),
        ref_name: "main".to_owned(),
        cron: "*/5 * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        active: true,
        owner_id: site.user.id,
        next_run_at: Some(1),
        variables: b"[]".to_vec(),
        last_pipeline_id: None,
        created_at: 1,
    };
    let mut transaction = site.store().begin().await.unwrap();
    let row = transaction.insert_schedule(&new).await.unwrap();
    transaction.commit().await.unwrap();
    let now = jiff::Timestamp::now().as_microsecond();
    assert_eq!(site.coordinator.run_due_schedules().await.unwrap().len(), 1);
    let row = site.store().schedule(row.id).await.unwrap().unwrap();
    let minutes = (row.next_run_at.unwrap() - now) / 60_000_000;
    assert!((58..=65).contains(&minutes), "{minutes}");
}

#[tokio::test]
async fn variables_of_pipelines_are_for_those_whom_the_project_names() {
    let mut site = Site::new().await;
    let configuration = "a: {script: x}\n";
    let sha = site.commit("First", &[(".gitlab-ci.yml", configuration)]);
    let settings = |role| ProjectSettings {
        ci_pipeline_variables_minimum_override_role: role,
        ..ProjectSettings::default()
    };
    let forbidden = Started::None(NoPipeline::VariablesForbidden);
    for (role, level, source, may) in [
        (OverrideRole::Developer, 30, Source::Api, true),
        (OverrideRole::Maintainer, 30, Source::Api, false),
        (OverrideRole::Maintainer, 30, Source::Push, false),
        (OverrideRole::Maintainer, 30, Source::Schedule, true),
        (OverrideRole::Maintainer, 40, Source::Web, true),
        (OverrideRole::Owner, 40, Source::Trigger, false),
        (OverrideRole::NoOneAllowed, 50, Source::Api, false),
    ] {
        site.set(&settings(role)).await;
        site.join(level).await;
        let mut request = site.request(&sha);
        request.source = source;
        request.variables = vec![Variable::new("WHERE", "there")];
        let started = site.coordinator.start_pipeline(&request).await.unwrap();
        assert_eq!(started != forbidden, may, "{role:?} {level} {source:?}");
        // Without variables everybody may who may start one.
        request.variables.clear();
        let started = site.coordinator.start_pipeline(&request).await.unwrap();
        assert_ne!(started, forbidden);
    }
    // What a hook sends comes along for everybody.
    let mut request = site.request(&sha);
    request.source = Source::Trigger;
    request.variables = vec![Variable::new("TRIGGER_PAYLOAD", "{}")];
    let started = site.coordinator.start_pipeline(&request).await.unwrap();
    assert_ne!(started, forbidden);
}
