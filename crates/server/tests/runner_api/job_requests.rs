//! `POST /jobs/request` (conformance list, K.2), and a job's whole way.

use std::time::{Duration, Instant};

use serde_json::json;
use shipway_pipeline::Status;

use crate::support::{Site, info};

const ONE_JOB: &str = "build: {script: [make]}";

#[tokio::test(flavor = "multi_thread")]
async fn from_registration_to_success() {
    let site = Site::new().await;
    let secret = site
        .registration_token(shipway_store::Level::Instance, 0)
        .await;
    let body = json!({ "token": secret, "description": "host", "tag_list": "a,b", "info": info() });
    let registered = site.post("runners", body).await.is(201).json();
    let token = registered["token"].as_str().unwrap();
    site.push(ONE_JOB).await;
    let (id, secret, job) = site.take(token).await;
    assert_eq!(job["job_info"]["name"], "build");
    site.update(id, &secret, "running").await.is(200);
    let answer = site.patch(id, &secret, "0-4", b"hello").await.is(202);
    assert_eq!(answer.header("range"), Some("0-5"));
    let answer = site.update(id, &secret, "success").await.is(200);
    assert_eq!(answer.header("job-status"), Some("success"));
    let row = site.job(id).await;
    assert_eq!(row.status, Status::Success);
    assert_eq!(site.log(&row), b"hello");
    site.request(token).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_runner_gets_a_new_job_at_once() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let last = site.request(&token).await.is(204);
    let last = last.header("x-gitlab-last-update").unwrap().to_owned();
    let waiting = async {
        let answer = site.request_after(&token, Some(&last)).await;
        (answer.is(201), Instant::now())
    };
    let pushing = async {
        while site.app.dispatch().waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        site.push(ONE_JOB).await;
        Instant::now()
    };
    let ((answer, taken), pushed) = tokio::join!(waiting, pushing);
    assert!(answer.header("x-gitlab-last-update").is_none());
    let late = taken.saturating_duration_since(pushed);
    assert!(late < Duration::from_millis(500), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn k31_to_k38_the_state_of_the_queue() {
    let site = Site::new().await;
    let (mut row, token) = site.runner().await;
    let state =
        |answer: &crate::support::Answer| answer.header("x-gitlab-last-update").unwrap().to_owned();
    let empty = site.request(&token).await.is(204);
    assert!(empty.body.is_empty());
    let first = state(&empty);
    assert_eq!(first.len(), 32);
    assert_eq!(state(&site.request(&token).await.is(204)), first);

    // A job for others changes nothing for this runner; one of its own does.
    site.push("gpu: {script: [make], tags: [gpu]}").await;
    assert_eq!(state(&site.request(&token).await.is(204)), first);
    site.push(ONE_JOB).await;
    let job = site.request_after(&token, Some(&first)).await.is(201);
    assert_eq!(job.header("x-gitlab-last-update"), None);
    let second = state(&site.request_after(&token, Some(&first)).await.is(204));
    assert_ne!(second, first);

    row.tags = r#"["gpu"]"#.to_owned();
    row.paused = true;
    site.update_runner(&row).await;
    let paused = state(&site.request_after(&token, Some(&second)).await.is(204));
    assert_ne!(paused, second);
    row.paused = false;
    site.update_runner(&row).await;
    site.request_after(&token, Some(&paused)).await.is(201);

    site.request("glrt-unknown").await.refused(403);
    site.request("").await.refused(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_waits_is_told_that_it_became_another() {
    let site = Site::new().await;
    let (mut row, token) = site.runner().await;
    site.push("gpu: {script: [make], tags: [gpu]}").await;
    let answer = site.request(&token).await.is(204);
    let last = answer.header("x-gitlab-last-update").unwrap().to_owned();
    let changing = async {
        while site.app.dispatch().waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        row.tags = r#"["gpu"]"#.to_owned();
        site.update_runner(&row).await;
    };
    let (answer, ()) = tokio::join!(site.request_after(&token, Some(&last)), changing);
    answer.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn k39_of_many_runners_one_gets_the_job() {
    let site = Site::new().await;
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push(site.runner().await.1);
    }
    site.push("a: {script: [make]}\nb: {script: [make]}\nc: {script: [make]}")
        .await;
    let requests = tokens.iter().map(|token| site.request(token));
    let answers = futures_util::future::join_all(requests).await;
    let mut jobs: Vec<i64> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json()["id"].as_i64().unwrap())
        .collect();
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!(jobs.len(), 3);
    let others = answers.iter().filter(|answer| answer.status == 204);
    assert_eq!(others.count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn k40_to_k43_what_is_not_handed_out() {
    let site = Site::new().await;
    let project = site.project.id;
    type Change = fn(&mut shipway_store::NewRunner);
    let table: [(&str, &str, Change); 5] = [
        ("tags", "build: {script: [make], tags: [a, b]}", |new| {
            new.tags = r#"["a"]"#.to_owned();
        }),
        ("untagged", ONE_JOB, |new| {
            new.tags = r#"["a"]"#.to_owned();
            new.run_untagged = false;
        }),
        ("protected", ONE_JOB, |new| new.protected_only = true),
        ("another project", ONE_JOB, |new| {
            new.kind = shipway_store::RunnerKind::Project;
            new.locked = true;
        }),
        ("another group", ONE_JOB, |new| {
            new.kind = shipway_store::RunnerKind::Group;
            new.owner_id = Some(999);
        }),
    ];
    for (what, configuration, change) in table {
        site.push(configuration).await;
        let (_, token) = site.runner_with(change).await;
        assert_eq!(site.request(&token).await.status, 204, "{what}");
    }
    assert_eq!(site.app.dispatch().queued(), 5);
    let all = |new: &mut shipway_store::NewRunner| {
        new.tags = r#"["a","b"]"#.to_owned();
        new.kind = shipway_store::RunnerKind::Project;
    };
    let (row, token) = site.runner_with(all).await;
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction.assign_runner(row.id, project).await.unwrap();
    transaction.commit().await.unwrap();
    for _ in 0..5 {
        site.take(&token).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k44_a_job_that_the_runner_does_not_support_fails_and_the_next_comes() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let needs = "
        cached: {script: [make], cache: {key: k, paths: [x], fallback_keys: [f]}}
        plain: {script: [make]}";
    let pipeline = site.push(needs).await;
    let mut info = info();
    info["features"]["fallback_cache_keys"] = false.into();
    let body = json!({ "token": token, "info": info });
    let job = site.post("jobs/request", body).await.is(201).json();
    assert_eq!(job["job_info"]["name"], "plain");
    let failed = site.job_named(&pipeline, "cached").await;
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.failure_reason.as_deref(), Some("runner_unsupported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn k45_a_job_whose_dependency_is_gone_fails() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let pipeline = site
        .push(
            "build: {stage: build, script: [make], artifacts: {paths: [x], expire_in: 1 sec}}\n\
             test: {stage: test, script: [make]}",
        )
        .await;
    let (build, secret, _) = site.take(&token).await;
    site.update(build, &secret, "success").await.is(200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    site.request(&token).await.is(204);
    let test = site.job_named(&pipeline, "test").await;
    assert_eq!(test.status, Status::Failed);
    assert_eq!(
        test.failure_reason.as_deref(),
        Some("missing_dependency_failure")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_of_the_instance_is_told_how_many_others_work_for_the_project() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let jobs = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let jobs = jobs.map(|name| format!("{name}: {{script: [make]}}\n"));
    site.push(&jobs.concat()).await;
    let count = |payload: &serde_json::Value| -> String {
        let count = &payload["job_info"]["project_jobs_running_on_instance_runners_count"];
        count.as_str().unwrap().to_owned()
    };
    for expected in ["0", "1", "2", "3", "4", "5+", "5+"] {
        let (_, _, payload) = site.take(&token).await;
        assert_eq!(count(&payload), expected);
    }
    let project = site.project.id;
    let of_project = |new: &mut shipway_store::NewRunner| {
        new.kind = shipway_store::RunnerKind::Project;
        new.owner_id = Some(project.0);
    };
    let (runner, token) = site.runner_with(of_project).await;
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction.assign_runner(runner.id, project).await.unwrap();
    transaction.commit().await.unwrap();
    let (_, _, payload) = site.take(&token).await;
    assert_eq!(count(&payload), "+Inf");
}

#[tokio::test(flavor = "multi_thread")]
async fn k46_and_k47_the_payload() {
    let mut site = Site::new().await;
    site.set_project(|row| row.settings = r#"{"build_timeout": 1800}"#.to_owned())
        .await;
    let (row, token) = site
        .runner_with(|new| {
            new.tags = r#"["docker"]"#.to_owned();
            new.maximum_timeout = Some(900);
        })
        .await;
    let pipeline = site
        .push(
            "build:\n  script: [make]\n  after_script: [clean]\n  tags: [docker]\n  \
             image: rust:1.80\n  services: [postgres:16]\n  \
             artifacts: {paths: [out], reports: {junit: r.xml}}\n  cache: {key: k, paths: [c]}",
        )
        .await;
    let (id, secret, job) = site.take(&token).await;
    let info = &job["job_info"];
    assert_eq!(info["project_id"], site.project.id.0);
    assert_eq!(info["pipeline_id"], pipeline.id.0);
    assert_eq!(info["project_full_path"], "group/app");
    assert!(info["project_jobs_running_on_instance_runners_count"].is_string());
    assert!(job.get("run").is_none() && job.get("secrets").is_none());
    assert!(job["inputs"].is_array() && job["hooks"].is_array());
    assert_eq!(job["runner_info"]["timeout"], 900);
    assert_eq!(job["allow_git_fetch"], true);
    let host = site.url.strip_prefix("http://").unwrap();
    let address = format!("http://gitlab-ci-token:{secret}@{host}/group/app.git");
    let git = &job["git_info"];
    assert_eq!(git["repo_url"], address);
    assert_eq!(git["sha"], pipeline.sha.clone().unwrap());
    assert_eq!(git["sha"].as_str().unwrap().len(), 40);
    assert_eq!(git["ref"], "main");
    assert_eq!(git["depth"], 20);
    let refs: Vec<&str> = git["refspecs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refspec| refspec.as_str().unwrap())
        .collect();
    for refspec in &refs {
        let source = refspec.trim_start_matches('+').split(':').next().unwrap();
        assert!(site.has_ref(source), "{refspec}");
    }
    assert_eq!(refs.len(), 2);
    let names = |list: &str, key: &str| -> Vec<String> {
        let list = job[list].as_array().unwrap().iter();
        list.map(|one| one[key].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("steps", "name"), ["script", "after_script"]);
    assert_eq!(names("artifacts", "artifact_type"), ["archive", "junit"]);
    assert_eq!(names("services", "name"), ["postgres:16"]);
    assert_eq!(job["image"]["name"], "rust:1.80");
    assert_eq!(names("cache", "key"), ["k-non_protected"]);
    let reasons = job["features"]["failure_reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("image_pull_failure")));
    assert_eq!(job["features"]["trace_sections"], true);
    let variable = |key: &str| {
        let list = job["variables"].as_array().unwrap();
        let mut found = list.iter().filter(|variable| variable["key"] == key);
        let variable = found.next().unwrap_or_else(|| panic!("{key}")).clone();
        assert!(found.next().is_none(), "{key} twice");
        variable
    };
    assert_eq!(variable("CI_JOB_ID")["value"], id.to_string());
    assert_eq!(variable("CI_JOB_TOKEN")["value"], secret.as_str());
    assert_eq!(variable("CI_JOB_TOKEN")["masked"], true);
    assert_eq!(variable("CI_REPOSITORY_URL")["value"], address);
    assert_eq!(variable("CI_RUNNER_ID")["value"], row.id.0.to_string());
    assert_eq!(variable("CI_JOB_TIMEOUT")["value"], "900");
    assert_eq!(variable("CI_SERVER_URL")["value"], site.url);
    // The token opens nothing but this job, and is not kept.
    let stored = site.job(id).await;
    assert_eq!(stored.runner_id, Some(row.id));
    assert_eq!(stored.system_id.as_deref(), Some("s_0123456789ab"));
    assert_ne!(stored.token_digest.unwrap(), secret.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn k50_a_runner_that_hangs_up_gets_no_job() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let answer = site.request(&token).await.is(204);
    let last = answer.header("x-gitlab-last-update").unwrap().to_owned();
    let waiting = site.request_after(&token, Some(&last));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), waiting)
            .await
            .is_err()
    );
    for _ in 0..200 {
        if site.app.dispatch().waiting() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(site.app.dispatch().waiting(), 0);
    let pipeline = site.push(ONE_JOB).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let job = site.job_named(&pipeline, "build").await;
    assert_eq!(job.status, Status::Pending);
    site.take(&token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k52_a_job_that_its_runner_never_began_with_waits_again() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    site.push(ONE_JOB).await;
    let (id, first, _) = site.take(&token).await;
    let coordinator = site.app.coordinator();
    let minute = 60 * 1_000_000;
    let now = jiff::Timestamp::now().as_microsecond();
    coordinator.end_overdue_jobs(now + minute).await.unwrap();
    assert_eq!(site.status(id).await, Status::Running);
    coordinator
        .end_overdue_jobs(now + 3 * minute)
        .await
        .unwrap();
    assert_eq!(site.status(id).await, Status::Pending);
    site.update(id, &first, "running").await.refused(403);
    let (again, second, _) = site.take(&token).await;
    assert_eq!(again, id);
    assert_ne!(first, second);
    site.patch(id, &first, "0-0", b"x").await.refused(403);
    site.update(id, &second, "running").await.is(200);
    coordinator
        .end_overdue_jobs(now + 30 * minute)
        .await
        .unwrap();
    assert_eq!(site.status(id).await, Status::Running);
    // More than an hour without a word.
    coordinator
        .end_overdue_jobs(now + 65 * minute)
        .await
        .unwrap();
    let row = site.job(id).await;
    assert_eq!(row.status, Status::Failed);
    assert_eq!(
        row.failure_reason.as_deref(),
        Some("stuck_or_timeout_failure")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_takes_fails_after_a_day() {
    let site = Site::new().await;
    let pipeline = site.push("build: {script: [make], tags: [nobody]}").await;
    let hour = 60 * 60 * 1_000_000;
    let now = jiff::Timestamp::now().as_microsecond();
    let job = async || site.job_named(&pipeline, "build").await;
    site.app
        .coordinator()
        .end_overdue_jobs(now + 23 * hour)
        .await
        .unwrap();
    assert_eq!(job().await.status, Status::Pending);
    site.app
        .coordinator()
        .end_overdue_jobs(now + 25 * hour)
        .await
        .unwrap();
    assert_eq!(job().await.status, Status::Failed);
    assert_eq!(
        job().await.failure_reason.as_deref(),
        Some("stuck_or_timeout_failure")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_lets_nobody_wait() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    let answer = site.request(&token).await.is(204);
    let last = answer.header("x-gitlab-last-update").unwrap().to_owned();
    let stopping = async {
        while site.app.dispatch().waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        site.app.closing().cancel();
    };
    let (answer, ()) = tokio::join!(site.request_after(&token, Some(&last)), stopping);
    answer.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_job_says_what_stands_in_the_way() {
    let mut site = Site::new().await;
    let pipeline = site
        .push("build: {script: [make], tags: [linux, gpu]}")
        .await;
    let why = async |site: &Site| {
        let job = site.job_named(&pipeline, "build").await;
        site.app.coordinator().why_stuck(&job).await.unwrap()
    };
    let none = "This job is stuck because the project has no runner.";
    assert_eq!(why(&site).await.as_deref(), Some(none));
    let (mut row, token) = site
        .runner_with(|new| new.tags = r#"["linux"]"#.to_owned())
        .await;
    site.request(&token).await.is(204);
    let sentence = why(&site).await.unwrap();
    assert!(
        sentence.contains("`build host`") && sentence.contains("`gpu`"),
        "{sentence}"
    );
    row.tags = r#"["linux","gpu"]"#.to_owned();
    site.update_runner(&row).await;
    assert_eq!(why(&site).await, None);
    // The project may refuse the instance's runners.
    let settings = r#"{"shared_runners_enabled": false}"#;
    site.set_project(|row| row.settings = settings.to_owned())
        .await;
    assert_eq!(why(&site).await.as_deref(), Some(none));
}
