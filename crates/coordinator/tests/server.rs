//! The use cases of a server: pipelines of commits, wishes, deployments, two servers at a time.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shipway_config::InputValues;
use shipway_config::variables::Variable;
use shipway_coordinator::{
    Answer, Asker, Dispatch, Error, Given, NoPipeline, ProjectSettings, Started,
};
use shipway_pipeline::{Source, Status};
use shipway_protocol::{JobState, JobUpdate, RunnerFeatures};
use shipway_store::{
    DeploymentStatus, EnvironmentState, Level, NewVariable, Page, ProtectedRefRow, RefKind,
    VariableType,
};
use support::{Site, pipeline};

const TWO_STAGES: &str = "build: {stage: build, script: make}\ntest: {script: make test}\n";

async fn end(site: &Site, job: shipway_pipeline::JobId, state: JobState) {
    let update = JobUpdate {
        state,
        failure_reason: None,
        exit_code: None,
    };
    site.coordinator.update_job(job, &update).await.unwrap();
}

#[tokio::test]
async fn a_push_makes_a_pipeline_with_the_servers_variables() {
    let site = Site::new().await;
    let row = site.push(TWO_STAGES).await;
    assert_eq!(row.status, Status::Pending);
    assert_eq!((row.iid, row.ref_name.as_str()), (1, "main"));
    assert_eq!(row.user_id, Some(site.user.id));
    let pinned = format!("refs/pipelines/{}", row.id);
    let repository = site.coordinator.repository(&site.project).await.unwrap();
    assert_eq!(repository.resolve(&pinned).await.unwrap(), row.sha);
    let payload = site.coordinator.take_job(row.id, "runner").await.unwrap();
    let payload = payload.expect("a pending job");
    assert_eq!(payload.job_info.name, "build");
    let value = |key: &str| {
        let found = payload
            .variables
            .iter()
            .find(|variable| variable.key == key);
        found.map_or("", |variable| variable.value.as_str())
    };
    assert_eq!(value("CI_SERVER_URL"), "https://ci.example.org");
    assert_eq!(value("CI_PROJECT_URL"), "https://ci.example.org/group/app");
    assert_eq!(value("CI_PROJECT_VISIBILITY"), "private");
    assert_eq!(value("GITLAB_USER_LOGIN"), "dev");
    assert_eq!(value("CI_COMMIT_REF_PROTECTED"), "false");
    end(&site, payload.id.into_job(), JobState::Success).await;
    let test = site.job(&row, "test").await;
    assert_eq!(test.status, Status::Pending);
}

/// A job's id as the payload has it.
trait IntoJob {
    fn into_job(self) -> shipway_pipeline::JobId;
}

impl IntoJob for i64 {
    fn into_job(self) -> shipway_pipeline::JobId {
        shipway_pipeline::JobId(self)
    }
}

#[tokio::test]
async fn commits_that_make_no_jobs() {
    let site = Site::new().await;
    let start = async |message: &str, configuration: &str| {
        let sha = site.commit(message, &[(".gitlab-ci.yml", configuration)]);
        site.coordinator
            .start_pipeline(&site.request(&sha))
            .await
            .unwrap()
    };
    let never = "workflow: {rules: [{if: '$NEVER'}]}\ntest: {script: x}\n";
    let filtered = start("Filtered", never).await;
    assert_eq!(filtered, Started::None(NoPipeline::FilteredByWorkflow));
    let empty = start("Empty", "test: {script: x, rules: [{if: '$NEVER'}]}\n").await;
    assert_eq!(empty, Started::None(NoPipeline::Empty));

    let wrong = pipeline(start("Wrong", "test: {scirpt: x}\nother: {script: [1]}\n").await);
    assert_eq!(wrong.status, Status::Failed);
    let errors = wrong.yaml_errors.unwrap();
    assert!(errors.contains(".gitlab-ci.yml:1:"), "{errors}");
    assert!(wrong.finished_at.is_some());

    let skipped = pipeline(start("Later [skip ci]", TWO_STAGES).await);
    assert_eq!(skipped.status, Status::Skipped);
    assert!(site.store().jobs(skipped.id).await.unwrap().is_empty());

    // A person who asks for it gets it all the same.
    let sha = site.commit("Again [skip ci]", &[]);
    let mut request = site.request(&sha);
    request.source = Source::Web;
    let web = pipeline(site.coordinator.start_pipeline(&request).await.unwrap());
    assert_eq!(web.status, Status::Pending);
}

#[tokio::test]
async fn no_configuration_no_pipeline() {
    let mut site = Site::new().await;
    let sha = site.commit("First", &[("ci/other.yml", TWO_STAGES)]);
    let request = site.request(&sha);
    let started = site.coordinator.start_pipeline(&request).await.unwrap();
    assert_eq!(started, Started::None(NoPipeline::NoConfiguration));
    let settings = ProjectSettings {
        ci_config_path: "ci/other.yml".to_owned(),
        ..ProjectSettings::default()
    };
    site.set(&settings).await;
    let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
    assert_eq!(pipeline(started.unwrap()).status, Status::Pending);
    let mut unknown = site.request(&"1".repeat(40));
    unknown.reference = "refs/heads/gone".to_owned();
    let error = site.coordinator.start_pipeline(&unknown).await.unwrap_err();
    assert!(error.to_string().contains("no commit"), "{error}");
}

#[tokio::test]
async fn a_newer_commit_cancels_what_is_redundant() {
    let site = Site::new().await;
    let waiting = site.push(TWO_STAGES).await;
    let started = site.push("test: {script: a}\n").await;
    assert_eq!(site.status(&waiting).await, Status::Canceled);
    site.coordinator
        .take_job(started.id, "runner")
        .await
        .unwrap();
    let interruptible = site.push("test: {script: b, interruptible: true}\n").await;
    assert_eq!(site.status(&started).await, Status::Running);
    site.coordinator
        .take_job(interruptible.id, "runner")
        .await
        .unwrap();
    let none = "workflow: {auto_cancel: {on_new_commit: none}}\ntest: {script: c}\n";
    let kept = site.push(none).await;
    assert_eq!(
        site.job(&interruptible, "test").await.status,
        Status::Canceling
    );
    site.push(TWO_STAGES).await;
    assert_eq!(site.status(&kept).await, Status::Pending);
}

#[tokio::test]
async fn variables_come_with_the_project_and_protection() {
    let site = Site::new().await;
    let mut transaction = site.store().begin().await.unwrap();
    for (key, protected) in [("OPEN", false), ("CLOSED", true)] {
        let new = NewVariable {
            level: Level::Project,
            level_id: site.project.id.0,
            key: key.to_owned(),
            value: b"yes".to_vec(),
            variable_type: VariableType::EnvVar,
            protected,
            masked: false,
            hidden: false,
            raw: false,
            environment_scope: "*".to_owned(),
            description: None,
        };
        transaction.insert_variable(&new).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let rules = "open: {script: x, rules: [{if: '$OPEN'}]}\n\
        closed: {script: x, rules: [{if: '$CLOSED'}]}\n\
        own: {script: x, rules: [{if: '$OWN'}]}\n";
    let names = async |row: &shipway_store::PipelineRow| -> Vec<String> {
        let jobs = site.store().jobs(row.id).await.unwrap();
        jobs.into_iter().map(|job| job.name).collect()
    };
    let first = site.push(rules).await;
    assert_eq!(names(&first).await, ["open"]);
    assert!(!first.protected && !first.context.contains("OPEN"));

    let mut transaction = site.store().begin().await.unwrap();
    let protection = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        project_id: site.project.id,
        kind: RefKind::Branch,
        pattern: "ma*".to_owned(),
        push_level: 40,
        merge_level: 40,
    };
    transaction.set_protected_ref(&protection).await.unwrap();
    transaction.commit().await.unwrap();
    let sha = site.commit("Protected", &[]);
    let mut request = site.request(&sha);
    request.variables = vec![Variable::new("OWN", "1")];
    let second = pipeline(site.coordinator.start_pipeline(&request).await.unwrap());
    assert_eq!(names(&second).await, ["open", "closed", "own"]);
    assert!(second.protected);
}

#[tokio::test]
async fn deployments_follow_their_jobs() {
    let site = Site::new().await;
    let configuration = "deploy: {script: x, environment: {name: 'review/$CI_COMMIT_REF_SLUG', \
        url: 'https://$CI_ENVIRONMENT_SLUG.example.org'}}\n";
    let row = site.push(configuration).await;
    let environments = async || {
        let all = site.store().environments(
            site.project.id,
            Page {
                limit: 10,
                offset: 0,
            },
        );
        all.await.unwrap().rows
    };
    assert!(environments().await.is_empty());
    site.coordinator.take_job(row.id, "runner").await.unwrap();
    let all = environments().await;
    assert_eq!(all[0].name, "review/main");
    assert_eq!(all[0].tier, "development");
    let url = all[0].external_url.as_deref().unwrap();
    assert!(url.starts_with("https://review-main"), "{url}");
    let job = site.job(&row, "deploy").await;
    let deployment = async || {
        site.store()
            .deployment_of_job(job.id)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(deployment().await.status, DeploymentStatus::Running);
    end(&site, job.id, JobState::Success).await;
    assert_eq!(deployment().await.status, DeploymentStatus::Success);
    assert!(deployment().await.finished_at.is_some());
}

/// An environment with a job that stops it; `more` is for the job that deploys.
fn review(more: &str) -> String {
    format!(
        "deploy: {{script: x, environment: {{name: review/$CI_COMMIT_REF_SLUG, on_stop: stop{more}}}}}\n\
         stop: {{script: x, when: manual, environment: {{name: review/$CI_COMMIT_REF_SLUG, action: stop}}}}\n"
    )
}

async fn environment(site: &Site, name: &str) -> shipway_store::EnvironmentRow {
    let found = site.store().environment_by_name(site.project.id, name);
    found.await.unwrap().expect("an environment")
}

/// Runs the next job of the pipeline.
async fn run(site: &Site, row: &shipway_store::PipelineRow, result: JobState) -> String {
    let payload = site.coordinator.take_job(row.id, "runner").await.unwrap();
    let payload = payload.expect("a pending job");
    end(site, payload.id.into_job(), result).await;
    payload.job_info.name
}

#[tokio::test]
async fn an_environment_stops_when_its_time_is_over() {
    let site = Site::new().await;
    let row = site.push(&review(", auto_stop_in: 1 day")).await;
    run(&site, &row, JobState::Success).await;
    let stored = environment(&site, "review/main").await;
    let day = 24 * 3600 * 1_000_000;
    let left = stored.auto_stop_at.unwrap() - jiff::Timestamp::now().as_microsecond();
    assert!((day - 60_000_000..=day).contains(&left), "{left}");
    assert_eq!(site.coordinator.stop_due_environments().await.unwrap(), []);
    let over = async |name: &str| {
        let mut row = environment(&site, name).await;
        row.auto_stop_at = Some(1);
        let mut transaction = site.store().begin().await.unwrap();
        transaction.update_environment(&row).await.unwrap();
        transaction.commit().await.unwrap();
        row.id
    };
    let id = over("review/main").await;
    // Whoever comes after a restart.
    let other = site.another().await;
    assert_eq!(other.stop_due_environments().await.unwrap(), [id]);
    let stored = environment(&site, "review/main").await;
    assert_eq!(stored.state, EnvironmentState::Stopping);
    assert_eq!(stored.auto_stop_at, None);
    assert_eq!(site.coordinator.stop_due_environments().await.unwrap(), []);
    // A job that fails has stopped nothing.
    assert_eq!(run(&site, &row, JobState::Failed).await, "stop");
    let stored = environment(&site, "review/main").await;
    assert_eq!(stored.state, EnvironmentState::Available);
    let again = site.coordinator.stop_environment(id, None, false).await;
    again.unwrap();
    assert_eq!(run(&site, &row, JobState::Success).await, "stop");
    let stored = environment(&site, "review/main").await;
    assert_eq!(stored.state, EnvironmentState::Stopped);

    // Without a job it is just stopped.
    let plain = "deploy: {script: x, environment: {name: plain, auto_stop_in: 1 hour}}\n";
    let row = site.push(plain).await;
    run(&site, &row, JobState::Success).await;
    over("plain").await;
    site.coordinator.stop_due_environments().await.unwrap();
    let stored = environment(&site, "plain").await;
    assert_eq!(stored.state, EnvironmentState::Stopped);
}

#[tokio::test]
async fn what_lets_the_time_of_an_environment_begin_anew() {
    let site = Site::new().await;
    let job = |action: &str, more: &str| {
        format!("{action}: {{script: x, environment: {{name: here, action: {action}{more}}}}}\n")
    };
    let at = async |configuration: String| {
        let row = site.push(&configuration).await;
        run(&site, &row, JobState::Success).await;
        let mut row = environment(&site, "here").await;
        let at = row.auto_stop_at;
        row.auto_stop_at = Some(7);
        let mut transaction = site.store().begin().await.unwrap();
        transaction.update_environment(&row).await.unwrap();
        transaction.commit().await.unwrap();
        at
    };
    assert!(at(job("start", ", auto_stop_in: 2 hours")).await.unwrap() > 7);
    assert_eq!(at(job("verify", "")).await, Some(7));
    let prepared = at(job("prepare", "")).await.unwrap();
    assert!(prepared > jiff::Timestamp::now().as_microsecond() + 7_100_000_000);
    assert!(at(job("access", "")).await.unwrap() > 7);
    assert_eq!(at(job("start", "")).await, Some(7));
    assert_eq!(at(job("start", ", auto_stop_in: never")).await, None);
}

#[tokio::test]
async fn environments_of_a_deleted_branch_are_stopped() {
    let site = Site::new().await;
    let sha = site.commit("Both", &[(".gitlab-ci.yml", &review(""))]);
    let deploy = async |branch: &str| {
        let mut request = site.request(&sha);
        request.reference = format!("refs/heads/{branch}");
        let row = pipeline(site.coordinator.start_pipeline(&request).await.unwrap());
        run(&site, &row, JobState::Success).await;
        row
    };
    let feature = deploy("feature").await;
    deploy("other").await;
    let push = shipway_git::hosting::Push {
        updates: vec![shipway_git::hosting::RefUpdate {
            name: "refs/heads/feature".to_owned(),
            old: Some(sha.clone()),
            new: None,
        }],
        ..shipway_git::hosting::Push::default()
    };
    let pushed = site
        .coordinator
        .pushed(&site.project, Some(&site.user), &push);
    pushed.await.unwrap();
    let state = async |name: &str| environment(&site, name).await.state;
    assert_eq!(state("review/feature").await, EnvironmentState::Stopping);
    assert_eq!(state("review/other").await, EnvironmentState::Available);
    assert_eq!(run(&site, &feature, JobState::Success).await, "stop");
    assert_eq!(state("review/feature").await, EnvironmentState::Stopped);
}

#[tokio::test]
async fn an_outdated_deployment_does_not_run() {
    let mut site = Site::new().await;
    let job = "environment: {name: production}";
    let first =
        format!("deploy: {{script: x, {job}}}\nlater: {{script: y, when: manual, {job}}}\n");
    let settings = ProjectSettings {
        auto_cancel_pending_pipelines: false,
        ..ProjectSettings::default()
    };
    site.set(&settings).await;
    let older = site.push(&first).await;
    let newer = site.push(&format!("deploy: {{script: z, {job}}}\n")).await;
    run(&site, &newer, JobState::Success).await;
    // The queue's way: a runner that asks gets no outdated job.
    let dispatch = Dispatch::start(Arc::clone(&site.coordinator))
        .await
        .unwrap();
    let asker = Asker {
        runner: site.runner().await,
        system_id: "s_1".to_owned(),
        features: RunnerFeatures::default(),
    };
    let asked = dispatch.request_job(asker, None, Duration::ZERO).await;
    assert!(!matches!(asked.unwrap(), Answer::Job(_)));
    let failed = site.job(&older, "deploy").await;
    assert_eq!(failed.status, Status::Failed);
    let reason = failed.failure_reason.as_deref();
    assert_eq!(reason, Some("failed_outdated_deployment_job"));
    let manual = site.job(&older, "later").await;
    let refused = site.coordinator.play(manual.id, None).await.unwrap_err();
    assert!(refused.to_string().contains("production"), "{refused}");

    // To roll back is to run again what has been deployed, if the project allows it.
    let newest = site.push(&format!("deploy: {{script: w, {job}}}\n")).await;
    run(&site, &newest, JobState::Success).await;
    let deployed = site.job(&newer, "deploy").await.id;
    site.set(&ProjectSettings {
        ci_forward_deployment_rollback_allowed: false,
        ..settings.clone()
    })
    .await;
    site.coordinator
        .retry_job(deployed, None)
        .await
        .unwrap_err();
    site.set(&settings).await;
    site.coordinator.retry_job(deployed, None).await.unwrap();
    run(&site, &newer, JobState::Success).await;

    // Where the project does not mind, older ones run.
    site.set(&ProjectSettings {
        ci_forward_deployment_enabled: false,
        ..settings
    })
    .await;
    site.coordinator.play(manual.id, None).await.unwrap();
}

#[tokio::test]
async fn wishes_of_people() {
    let site = Site::new().await;
    let configuration = "a: {script: x, when: manual, allow_failure: false}\n\
        b: {script: x, when: delayed, start_in: 1 day}\n\
        c: {script: x}\n";
    let row = site.push(configuration).await;
    let status = async |name: &str| site.job(&row, name).await.status;
    let id = async |name: &str| site.job(&row, name).await.id;
    site.coordinator.play(id("a").await, None).await.unwrap();
    site.coordinator.unschedule(id("b").await).await.unwrap();
    site.coordinator.cancel_job(id("c").await).await.unwrap();
    assert_eq!(status("a").await, Status::Pending);
    assert_eq!(status("b").await, Status::Manual);
    assert_eq!(status("c").await, Status::Canceled);
    let before = id("c").await;
    let again = site.coordinator.retry_job(before, None).await.unwrap();
    assert_eq!(again, id("c").await);
    assert_ne!(again, before);
    assert_eq!(status("c").await, Status::Pending);
    let error = site.coordinator.retry_job(again, None).await.unwrap_err();
    assert!(error.to_string().contains("cannot be"), "{error}");
}

#[tokio::test]
async fn a_played_job_knows_that_it_is_manual() {
    let site = Site::new().await;
    let configuration = "a: {script: x, when: manual}\nb: {script: x}\n";
    let row = site.push(configuration).await;
    let manual = site.job(&row, "a").await;
    assert!(!manual.triggered);
    site.coordinator.play(manual.id, None).await.unwrap();
    assert!(site.job(&row, "a").await.triggered);
    // As another process sees it, or this one after a restart.
    site.coordinator.release(row.id);
    let mut found = Vec::new();
    while let Some(payload) = site.coordinator.take_job(row.id, "runner").await.unwrap() {
        let mut variables = payload.variables.iter();
        let manual = variables.find(|one| one.key == "CI_JOB_MANUAL");
        let manual = manual.map(|one| one.value.clone());
        found.push((payload.job_info.name.clone(), manual));
    }
    found.sort();
    let expected = [
        ("a".to_owned(), Some("true".to_owned())),
        ("b".to_owned(), None),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn who_plays_or_retries_a_job_is_its_user() {
    let site = Site::new().await;
    let mut transaction = site.store().begin().await.unwrap();
    let player = shipway_testing::rows::user("player");
    let player = transaction.insert_user(&player).await.unwrap();
    transaction.commit().await.unwrap();
    let configuration = "a: {script: x, when: manual, retry: 1}\nb: {script: x, stage: .pre}\n";
    let row = site.push(configuration).await;
    // Who runs the next job, by its variables, and on whose behalf.
    let take = async |result: JobState| {
        let payload = site.coordinator.take_job(row.id, "runner").await.unwrap();
        let payload = payload.expect("a pending job");
        let value = |key: &str| {
            let found = payload.variables.iter().find(|one| one.key == key);
            found.map(|one| one.value.clone()).unwrap_or_default()
        };
        let names = [value("GITLAB_USER_LOGIN"), value("GITLAB_USER_EMAIL")];
        assert_eq!(value("CI_COMMIT_USER_LOGIN"), "dev");
        let id = payload.id.into_job();
        let job = site.store().job(id).await.unwrap().unwrap();
        let user = site.coordinator.user_of_job(&job).await.unwrap().unwrap();
        assert_eq!(value("GITLAB_USER_ID"), user.id.to_string());
        end(&site, id, result).await;
        (id, names.join(" "))
    };
    let (b, names) = take(JobState::Success).await;
    assert_eq!(names, "dev dev@example.com");
    let a = site.job(&row, "a").await.id;
    site.coordinator.play(a, Some(player.id)).await.unwrap();
    let by_player = "player player@example.com";
    assert_eq!(take(JobState::Failed).await.1, by_player);
    // The attempt that GitLab makes by itself is still the player's.
    assert_eq!(take(JobState::Success).await.1, by_player);
    site.coordinator
        .retry_job(b, Some(player.id))
        .await
        .unwrap();
    assert_eq!(take(JobState::Success).await.1, by_player);
}

#[tokio::test]
async fn a_job_is_played_with_variables_of_its_own() {
    let site = Site::new().await;
    let configuration = "variables: {WHERE: file}\na: {script: x, when: manual}\nb: {script: x}\n";
    let row = site.push(configuration).await;
    let take = async || {
        let payload = site.coordinator.take_job(row.id, "runner").await.unwrap();
        let payload = payload.expect("a pending job");
        let found = payload.variables.iter().find(|one| one.key == "WHERE");
        let value = found.map(|one| one.value.clone());
        let (name, id) = (payload.job_info.name.clone(), payload.id.into_job());
        end(&site, id, JobState::Failed).await;
        (name, id, value)
    };
    let given = Given {
        variables: vec![Variable::new("WHERE", "given")],
        ..Given::default()
    };
    let b = site.job(&row, "b").await.id;
    let refused = site.coordinator.play_with(b, None, &given).await;
    assert!(refused.is_err(), "it waits for a runner already");
    let (name, _, value) = take().await;
    assert_eq!((&*name, value.as_deref()), ("b", Some("file")));
    let a = site.job(&row, "a").await.id;
    site.coordinator.play_with(a, None, &given).await.unwrap();
    let (name, a, value) = take().await;
    assert_eq!((&*name, value.as_deref()), ("a", Some("given")));
    // The next attempt has them too.
    site.coordinator.retry_job(a, None).await.unwrap();
    let (name, _, value) = take().await;
    assert_eq!((&*name, value.as_deref()), ("a", Some("given")));
}

#[tokio::test]
async fn inputs_of_a_job_have_other_values_when_it_is_played_or_tried_again() {
    let site = Site::new().await;
    let configuration = "
a:
  when: manual
  inputs: {where: {default: staging}, count: {type: number, default: 1}}
  image: 'app:${{ job.inputs.count }}'
  script: ['to ${{ job.inputs.where }}']
b: {script: ['${{ job.inputs.where }}']}
";
    let row = site.push(configuration).await;
    let take = async || {
        let payload = site.coordinator.take_job(row.id, "runner").await.unwrap();
        let payload = payload.expect("a pending job");
        end(&site, payload.id.into_job(), JobState::Failed).await;
        let image = payload.image.map_or_else(String::new, |image| image.name);
        assert!(payload.inputs.is_empty(), "nothing is left for the runner");
        (payload.steps[0].script[0].clone(), image)
    };
    let inputs = |pairs: &[(&str, serde_json::Value)]| -> InputValues {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    };
    let given = |inputs: InputValues| Given {
        inputs,
        ..Given::default()
    };
    assert_eq!(take().await.0, "${{ job.inputs.where }}");
    let a = site.job(&row, "a").await.id;
    for (name, value) in [("count", "many"), ("other", "x")] {
        let wrong = given(inputs(&[(name, value.into())]));
        let refused = site.coordinator.play_with(a, None, &wrong).await;
        assert!(matches!(refused, Err(Error::Inputs(_))), "{refused:?}");
    }
    let live = given(inputs(&[("where", "live".into())]));
    site.coordinator.play_with(a, None, &live).await.unwrap();
    let expect = |script: &str, image: &str| (script.to_owned(), image.to_owned());
    assert_eq!(take().await, expect("to live", "app:1"));
    let a = site.job(&row, "a").await.id;
    let wrong = given(inputs(&[("x", 1.into())]));
    let refused = site.coordinator.retry_with(a, None, &wrong).await;
    assert!(matches!(refused, Err(Error::Inputs(_))));
    let known = site.job(&row, "a").await;
    let mut other = site.coordinator.given(&known).await.unwrap();
    assert_eq!(other, live);
    other.inputs.extend(inputs(&[("count", 3.into())]));
    let a = site.coordinator.retry_with(a, None, &other).await.unwrap();
    assert!(
        site.coordinator.retry_with(a, None, &other).await.is_err(),
        "it waits"
    );
    assert_eq!(take().await, expect("to live", "app:3"));
    let a = site.job(&row, "a").await.id;
    site.coordinator.retry_job(a, None).await.unwrap();
    assert_eq!(take().await, expect("to live", "app:3"));
}

#[tokio::test]
async fn all_manual_jobs_of_a_stage_are_played() {
    let site = Site::new().await;
    let configuration = "
stages: [one, two]
a: {stage: one, script: x, when: manual}
b: {stage: one, script: x, when: manual}
c: {stage: one, script: x}
d: {stage: two, script: x, when: manual, needs: []}
";
    let row = site.push(configuration).await;
    for (stage, expected) in [("none", 0), ("one", 2), ("one", 0)] {
        let played = site.coordinator.play_stage(row.id, None, stage).await;
        assert_eq!(played.unwrap(), expected, "{stage}");
    }
    for (name, expected) in [
        ("a", Status::Pending),
        ("b", Status::Pending),
        ("d", Status::Manual),
    ] {
        assert_eq!(site.job(&row, name).await.status, expected, "{name}");
    }
}

#[tokio::test]
async fn a_job_whose_runner_is_gone_is_canceled_by_force() {
    let site = Site::new().await;
    let row = site
        .push("a: {script: x}\nb: {script: x, stage: deploy}")
        .await;
    let a = site.job(&row, "a").await.id;
    let early = site.coordinator.force_cancel(a).await;
    assert!(early.is_err(), "it is not being cancelled");
    site.coordinator.take_job(row.id, "runner").await.unwrap();
    site.coordinator.cancel_job(a).await.unwrap();
    assert_eq!(site.job(&row, "a").await.status, Status::Canceling);
    site.coordinator.force_cancel(a).await.unwrap();
    assert_eq!(site.job(&row, "a").await.status, Status::Canceled);
    assert_eq!(site.status(&row).await, Status::Canceled);
    // The runner is told at its next word that nobody waits for it.
    let update = JobUpdate {
        state: JobState::Success,
        failure_reason: None,
        exit_code: None,
    };
    let late = site.coordinator.update_job(a, &update).await;
    assert!(late.is_err());
    assert_eq!(site.job(&row, "a").await.status, Status::Canceled);
}

#[tokio::test]
async fn two_servers_share_a_pipeline() {
    let site = Site::new().await;
    let jobs: String = (0..20).map(|n| format!("j{n}: {{script: x}}\n")).collect();
    let row = site.push(&jobs).await;
    let other = site.another().await;
    // Each keeps the pipeline in memory, and finds out that the other has gone on.
    let mut taken = Vec::new();
    for _ in 0..10 {
        for server in [&*site.coordinator, &other] {
            let payload = server.take_job(row.id, "runner").await.unwrap();
            taken.push(payload.expect("there are enough").id);
        }
    }
    let mut unique = taken.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 20, "{taken:?}");
    assert_eq!(
        site.coordinator.take_job(row.id, "runner").await.unwrap(),
        None
    );
    let done = JobUpdate {
        state: JobState::Success,
        failure_reason: None,
        exit_code: None,
    };
    for (index, job) in taken.into_iter().enumerate() {
        // By the server that did not hand it out.
        let server = [&other, &*site.coordinator][index % 2];
        server.update_job(job.into_job(), &done).await.unwrap();
    }
    assert_eq!(site.status(&row).await, Status::Success);
}

#[tokio::test]
async fn a_push_that_was_not_dealt_with_is_caught_up() {
    let site = Site::new().await;
    site.commit("First", &[(".gitlab-ci.yml", TWO_STAGES)]);
    let made = site.coordinator.catch_up(&site.project).await.unwrap();
    assert_eq!(made.len(), 1);
    let again = site.coordinator.catch_up(&site.project).await.unwrap();
    assert_eq!(again, []);
    let project = site
        .store()
        .project(site.project.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(project.default_branch.as_deref(), Some("main"));
    site.push("test: {script: x}\n").await;
    let after = site.coordinator.catch_up(&site.project).await.unwrap();
    assert_eq!(after, [], "the push itself was dealt with");
}

#[tokio::test]
async fn schedules_run_once_when_due() {
    let site = Site::new().await;
    site.commit(
        "First",
        &[(
            ".gitlab-ci.yml",
            "test: {script: x, only: [schedules]}\n\
             named: {script: x, rules: [{if: $CI_PIPELINE_SCHEDULE_DESCRIPTION == 'Nightly'}]}\n",
        )],
    );
    let new = shipway_store::NewSchedule {
        project_id: site.project.id,
        description: "Nightly".to_owned(),
        ref_name: "main".to_owned(),
        cron: "* * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        active: true,
        owner_id: site.user.id,
        next_run_at: Some(1),
        variables: br#"[{"key":"NIGHT","value":"1"}]"#.to_vec(),
        last_pipeline_id: None,
        created_at: 1,
    };
    let mut transaction = site.store().begin().await.unwrap();
    let row = transaction.insert_schedule(&new).await.unwrap();
    transaction.commit().await.unwrap();
    let made = site.coordinator.run_due_schedules().await.unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!(site.coordinator.run_due_schedules().await.unwrap(), []);
    let row = site.store().schedule(row.id).await.unwrap().unwrap();
    assert_eq!(row.last_pipeline_id, Some(made[0].0));
    assert!(row.next_run_at.unwrap() > 1);
    let pipeline = site.store().pipeline(made[0]).await.unwrap().unwrap();
    assert_eq!(pipeline.source, "schedule");
    let jobs = site.store().jobs(made[0]).await.unwrap();
    let names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["test", "named"]);
    // They are secrets, and not where everybody's are.
    assert!(!pipeline.context.contains("NIGHT"));
    let own = site.coordinator.own_variables(&pipeline).await.unwrap();
    assert!(own.iter().any(|variable| variable.key == "NIGHT"));
}

#[tokio::test]
async fn expired_artifacts_go_but_for_the_latest() {
    let site = Site::new().await;
    let mut rows = Vec::new();
    for content in ["old", "new"] {
        let row = site.push(&format!("test: {{script: {content}}}\n")).await;
        let job = site
            .coordinator
            .take_job(row.id, "runner")
            .await
            .unwrap()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("archive.zip");
        std::fs::write(&file, content).unwrap();
        let spec = shipway_protocol::ArtifactSpec {
            artifact_type: "archive".to_owned(),
            ..shipway_protocol::ArtifactSpec::default()
        };
        let stored =
            site.coordinator
                .store_artifact(job.id.into_job(), &spec, "archive.zip", &file);
        stored.await.unwrap();
        let mut transaction = site.store().begin().await.unwrap();
        let expiry = transaction.set_artifact_expiry(job.id.into_job(), Some(1));
        expiry.await.unwrap();
        transaction.commit().await.unwrap();
        end(&site, job.id.into_job(), JobState::Success).await;
        rows.push(row);
    }
    assert_eq!(site.coordinator.expire_artifacts().await.unwrap(), 1);
    let left = async |index: usize| {
        let pipeline: &shipway_store::PipelineRow = &rows[index];
        site.store()
            .artifacts_of_pipeline(pipeline.id)
            .await
            .unwrap()
            .len()
    };
    assert_eq!((left(0).await, left(1).await), (0, 1));
}

#[tokio::test]
async fn what_another_server_does_with_a_job_is_known_within_seconds() {
    let site = Site::new().await;
    let row = site.push("job: {script: x}\n").await;
    let dispatch = Dispatch::start(Arc::clone(&site.coordinator)).await;
    let dispatch = dispatch.unwrap();
    let asker = Asker {
        runner: site.runner().await,
        system_id: "s_1".to_owned(),
        features: RunnerFeatures::default(),
    };
    let asked = dispatch.request_job(asker, None, Duration::ZERO).await;
    let Answer::Job(job) = asked.unwrap() else {
        panic!("no job");
    };
    let (id, token) = (job.id.into_job(), job.token);
    let here = async |token: &str| {
        let found = site.coordinator.job_with_token(id, token).await.unwrap();
        found.map(|row| row.status)
    };
    assert_eq!(here(&token).await, Some(Status::Running));
    assert_eq!(here("another").await, None);
    site.another().await.cancel_pipeline(row.id).await.unwrap();
    let start = Instant::now();
    while here(&token).await == Some(Status::Running) {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
