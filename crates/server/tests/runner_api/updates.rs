//! What a runner says of its job (K.4).

use reqwest::Method;
use serde_json::{Value, json};
use shipway_pipeline::Status;

use crate::support::{Site, answer, info};

const ONE_JOB: &str = "build: {script: [make]}";

async fn started(site: &Site) -> (i64, String) {
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    (job, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn k91_and_k92_and_k96_a_job_that_succeeds() {
    let site = Site::new().await;
    let (job, token) = started(&site).await;
    assert!(site.job(job).await.acknowledged_at.is_none());
    for _ in 0..2 {
        let answer = site.update(job, &token, "running").await.is(200);
        assert_eq!(answer.header("job-status"), Some("running"));
        assert_eq!(answer.body, b"200");
    }
    assert!(site.job(job).await.acknowledged_at.is_some());
    let answer = site.update(job, &token, "success").await.is(200);
    assert_eq!(answer.header("job-status"), Some("success"));
    for state in ["success", "failed", "running"] {
        let answer = site.update(job, &token, state).await;
        answer.refused(403);
        assert_eq!(answer.header("job-status"), Some("success"));
    }
    assert_eq!(site.status(job).await, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn k93_and_k94_a_job_that_fails() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    let table = [
        (json!("script_failure"), "script_failure"),
        (json!("runner_interrupted"), "runner_interrupted"),
        (json!("invented_tomorrow"), "unknown_failure"),
        (Value::Null, "unknown_failure"),
    ];
    for (sent, stored) in table {
        site.push("build: {script: [make], allow_failure: {exit_codes: [7]}}")
            .await;
        let (job, token, _) = site.take(&runner).await;
        let body = json!({
            "token": token, "state": "failed", "failure_reason": sent, "exit_code": 7,
            "output": { "checksum": "crc32:00000000" }, "info": info(), "invented": [1],
        });
        let answer = site.put(&format!("jobs/{job}"), body).await.is(200);
        assert_eq!(answer.header("job-status"), Some("failed"));
        let row = site.job(job).await;
        assert_eq!(row.failure_reason.as_deref(), Some(stored));
        assert_eq!(row.exit_code, Some(7));
        assert!(row.allow_failure);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k95_and_k98_to_k101_what_is_accepted() {
    let mut site = Site::new().await;
    let (job, token) = started(&site).await;
    let path = format!("jobs/{job}");
    for state in ["banana", "Success"] {
        site.update(job, &token, state).await.refused(400);
    }
    // Only the token is required: without a state it is a sign of life.
    site.put(&path, json!({ "token": token })).await.is(200);
    site.put(&path, json!({ "token": token, "state": 1 }))
        .await
        .refused(400);
    site.put(&path, json!({ "token": "wrong", "state": "success" }))
        .await
        .refused(403);
    site.put(&path, json!({ "state": "success" }))
        .await
        .refused(403);
    site.put("jobs/0", json!({ "token": token, "state": "success" }))
        .await
        .refused(403);
    assert_eq!(site.status(job).await, Status::Running);
    // Without `output`, with the token in the body only, then in the header only.
    site.put(&path, json!({ "token": token, "state": "running" }))
        .await
        .is(200);
    let call = site.call(Method::PUT, &path).header("JOB-TOKEN", &token);
    answer(call.json(&json!({ "state": "running", "output": {} })))
        .await
        .is(200);
    // The body's token wins.
    let call = site.call(Method::PUT, &path).header("JOB-TOKEN", &token);
    answer(call.json(&json!({ "state": "running", "token": "x" })))
        .await
        .refused(403);
    let project = site.project.id;
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction.delete_project(project).await.unwrap();
    transaction.commit().await.unwrap();
    site.update(job, &token, "success").await.refused(403);
    site.project.id = project;
}

#[tokio::test(flavor = "multi_thread")]
async fn k97_success_while_canceling_is_a_cancellation() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    for state in ["success", "failed"] {
        let pipeline = site.push(ONE_JOB).await;
        let (job, token, _) = site.take(&runner).await;
        site.app
            .coordinator()
            .cancel_pipeline(pipeline.id)
            .await
            .unwrap();
        let answer = site.update(job, &token, "running").await.is(200);
        assert_eq!(answer.header("job-status"), Some("canceling"));
        let answer = site.update(job, &token, state).await.is(200);
        assert_eq!(answer.header("job-status"), Some("canceled"));
        assert_eq!(site.status(job).await, Status::Canceled);
        assert_eq!(site.job(job).await.failure_reason, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k51_a_runner_that_cannot_be_asked_is_stopped_at_once() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    let pipeline = site.push(ONE_JOB).await;
    let mut info = info();
    info["features"]["cancel_gracefully"] = false.into();
    let body = json!({ "token": runner, "system_id": "s_old", "info": info });
    let job = site.post("jobs/request", body).await.is(201).json();
    let (id, token) = (job["id"].as_i64().unwrap(), job["token"].as_str().unwrap());
    site.app
        .coordinator()
        .cancel_pipeline(pipeline.id)
        .await
        .unwrap();
    for _ in 0..200 {
        if site.status(id).await == Status::Canceled {
            let refused = site.patch(id, token, "0-0", b"x").await;
            refused.refused(403);
            assert_eq!(refused.header("job-status"), Some("canceled"));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the job is {}", site.status(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_is_for_before_the_beginning() {
    let site = Site::new().await;
    let (job, token) = started(&site).await;
    site.update(job, &token, "running").await.is(200);
    site.update(job, &token, "pending").await.refused(400);
    assert_eq!(site.status(job).await, Status::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_comes_from_the_log() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push("build: {script: [make], coverage: '/TOTAL (\\d+)%/'}")
        .await;
    let (job, token, _) = site.take(&runner).await;
    site.patch(job, &token, "0-9", b"TOTAL 87%\n").await.is(202);
    site.update(job, &token, "success").await.is(200);
    assert_eq!(site.job(job).await.coverage, Some(87.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_the_whole_log_with_its_update() {
    let site = Site::new().await;
    let (job, token) = started(&site).await;
    let path = format!("jobs/{job}");
    for trace in ["one\n", "one\n", "one\ntwo\n", "one\n"] {
        let body = json!({ "token": token, "trace": trace });
        site.put(&path, body).await.is(200);
    }
    let body = json!({ "token": token, "trace": "one\ntwo\nend\n", "state": "success" });
    site.put(&path, body).await.is(200);
    let row = site.job(job).await;
    assert_eq!(site.log(&row), b"one\ntwo\nend\n");
    assert_eq!(row.status, Status::Success);
}
