//! A running job's token: it fetches, and little else, while the job runs.

use reqwest::Method;
use serde_json::{Value, json};
use shipway_server::{EmbeddedRunnerWishes, embedded_runner};
use shipway_store::Visibility;

use crate::site::{ROOT_TOKEN, Site};

/// A job as a runner gets it.
pub(crate) async fn take_job(site: &Site) -> Value {
    let wishes = EmbeddedRunnerWishes {
        description: "test".to_owned(),
        tags: Vec::new(),
    };
    let token = embedded_runner(&site.app, &wishes).await.unwrap();
    let body = json!({ "token": token, "system_id": "s_1", "info": { "name": "test" } });
    let request = site
        .request(Method::POST, "/api/v4/jobs/request")
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_fetches_while_it_runs() {
    let site = Site::start().await;
    site.pushed("root/other").await;
    let work = site.work("work");
    std::fs::write(work.path.join(".gitlab-ci.yml"), "test: {script: x}\n").unwrap();
    work.commit("with pipeline");
    work.ok(&[
        "push",
        "--quiet",
        &site.clone_url("root", ROOT_TOKEN, "root/app"),
        "main",
    ]);
    let job = take_job(&site).await;
    let token = job["token"].as_str().unwrap();
    let url = job["git_info"]["repo_url"].as_str().unwrap();
    assert_eq!(url, site.clone_url("gitlab-ci-token", token, "root/app"));

    let here = work.at(&site.root);
    here.ok(&["clone", "--quiet", url, "clone"]);
    let clone = work.at(&site.root.join("clone"));
    clone.commit("by the job");
    let complaint = clone.refused(&["push", "origin", "main:new"]);
    assert!(complaint.contains("403"), "{complaint}");

    let other = site.clone_url("gitlab-ci-token", token, "root/other");
    let complaint = here.refused(&["clone", "--quiet", &other, "other"]);
    assert!(complaint.contains("not found"), "{complaint}");
    site.make_visible("root/other", Visibility::Internal).await;
    here.ok(&["clone", "--quiet", &other, "other"]);

    // The API opens to jobs at the routes that say so.
    for (name, value) in [
        ("job-token", token.to_owned()),
        ("private-token", token.to_owned()),
        ("authorization", format!("Bearer {token}")),
    ] {
        let status = site.status("/api/v4/version", (name, &value)).await;
        assert_eq!(status, 401, "{name}");
    }

    let body = json!({ "token": token, "state": "success" });
    let path = format!("/api/v4/jobs/{}", job["id"]);
    let request = site
        .request(Method::PUT, &path)
        .header("content-type", "application/json")
        .body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let complaint = here.refused(&["clone", "--quiet", url, "late"]);
    assert!(complaint.contains("Authentication failed"), "{complaint}");
}
