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
