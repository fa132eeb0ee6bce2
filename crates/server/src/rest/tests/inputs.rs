//! Values for the inputs of a configuration, by every way into a pipeline, and pipelines that
//! jobs ask for.

use axum::http::Method;
use serde_json::{Value, json};
use shipway_pipeline::PipelineId;
use shipway_store::{ProjectRow, Visibility};
use shipway_testing::rows;

use super::site::{Reply, Site};
use crate::identity::token;

/// Its only job is called as the input says.
const CONFIGURATION: &str = "
spec: {inputs: {words: {type: array, default: [a]}, name: {default: n}}}
---
'$[[ inputs.name ]]': {script: $[[ inputs.words ]]}
";

async fn project(site: &Site) -> ProjectRow {
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    site.write(&project, ".gitlab-ci.yml", CONFIGURATION);
    site.commit(&project).await;
    project
}

/// The name of the job of the pipeline that was answered, or the answer.
async fn outcome(site: &Site, reply: &Reply) -> Result<String, String> {
    match reply.status.is_success() {
        true => Ok(job_of(site, reply.json()["id"].as_i64().unwrap()).await),
        false => Err(reply.text()),
    }
}

async fn job_of(site: &Site, pipeline: i64) -> String {
    let jobs = site.app.store().jobs(PipelineId(pipeline)).await.unwrap();
    jobs[0].name.clone()
}

#[tokio::test]
async fn of_a_pipeline_by_the_api() {
    let site = Site::new().await;
    let project = project(&site).await;
    let many: serde_json::Map<String, Value> = (0..21)
        .map(|number| (format!("n{number}"), json!(1)))
        .collect();
    let table = [
        (json!({}), Ok("n")),
        (json!({ "name": "x" }), Ok("x")),
        (json!({ "name": 5 }), Ok("5")),
        (json!({ "words": ["b", "c"] }), Ok("n")),
        (json!({ "words": "[\"b\"]" }), Ok("n")),
        (json!({ "words": 1 }), Err("provided value is not an array")),
        (json!({ "other": 1 }), Err("unknown input arguments: other")),
        (json!("x"), Err("inputs is invalid")),
        (json!(many), Err("at most 20")),
    ];
    for (inputs, expected) in table {
        let path = format!("/projects/{}/pipeline", project.id);
        let body = json!({ "ref": "main", "inputs": inputs });
        let reply = site.post("developer", &path, body).await;
        match (outcome(&site, &reply).await, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{inputs}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, _) => panic!("{inputs}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn of_a_trigger() {
    let site = Site::new().await;
    let project = project(&site).await;
    let secret = site.trigger(&project, "developer").await;
    let path = format!("/projects/{}/trigger/pipeline", project.id);
    let query = format!("{path}?token={secret}&ref=main&inputs%5Bname%5D=by-query");
    let reply = site.ask(None, Method::POST, &query, None).await;
    assert_eq!(outcome(&site, &reply).await, Ok("by-query".to_owned()));
    let body = json!({ "token": secret, "ref": "main", "inputs": { "name": "by-json" } });
    let body = body.to_string().into_bytes();
    let reply = site.ask(None, Method::POST, &path, Some(("application/json", body)));
    let reply = reply.await;
    assert_eq!(outcome(&site, &reply).await, Ok("by-json".to_owned()));
}

#[tokio::test]
async fn of_a_schedule() {
    let site = Site::new().await;
    let project = project(&site).await;
    let base = format!("/projects/{}/pipeline_schedules", project.id);
    let inputs =
        json!([{ "name": "name", "value": "nightly" }, { "name": "words", "value": ["b"] }]);
    let body = json!({ "description": "d", "ref": "main", "cron": "0 4 * * *", "inputs": inputs });
    let made = site.post("developer", &base, body).await.json();
    assert_eq!(made["inputs"], inputs);
    let one = format!("{base}/{}", made["id"]);
    let seen = site.get("reporter", &one).await.json();
    assert_eq!(seen.get("inputs"), None);
    let play = async || {
        let path = format!("{one}/play");
        site.post("developer", &path, json!({})).await;
        let list = format!("{one}/pipelines?sort=desc");
        let newest = site.get("developer", &list).await;
        job_of(&site, newest.json()[0]["id"].as_i64().unwrap()).await
    };
    assert_eq!(play().await, "nightly");
    // A variable leaves them as they are; what is not named stays.
    let variable = json!({ "key": "A", "value": "b" });
    site.post("developer", &format!("{one}/variables"), variable)
        .await;
    let change = async |inputs: Value| {
        let body = json!({ "inputs": inputs });
        site.json("developer", Method::PUT, &one, body).await
    };
    let changed = change(json!([{ "name": "words", "destroy": true }])).await;
    let left = json!([{ "name": "name", "value": "nightly" }]);
    assert_eq!(changed.json()["inputs"], left);
    change(json!([{ "name": "name", "value": "later" }])).await;
    assert_eq!(play().await, "later");
    for wrong in [
        json!([{ "value": "x" }]),
        json!([{ "name": "x" }]),
        json!("x"),
    ] {
        let refused = change(wrong).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
}

#[tokio::test]
async fn a_job_asks_for_a_pipeline_with_its_token() {
    let site = Site::new().await;
    let above = site.project("above", Visibility::Private).await;
    let pipeline = site.pipeline(&above).await;
    let job = site.job(&pipeline, "compile").await;
    let token = site.claim(&pipeline, job).await;
    let project = project(&site).await;
    let path = format!("/projects/{}/trigger/pipeline", project.id);
    let query = format!("{path}?token={token}&ref=main&variables%5BA%5D=b");
    let reply = site.ask(None, Method::POST, &query, None).await;
    let made = reply.json();
    assert_eq!(made["source"], "pipeline", "{made}");
    assert_eq!(made["user"]["username"], "developer");
    let below = site.app.store().downstream_of(pipeline.id).await.unwrap();
    let links: Vec<_> = (below.iter())
        .map(|link| (link.pipeline_id.0, link.job_id))
        .collect();
    assert_eq!(links, [(made["id"].as_i64().unwrap(), job)]);
    // The token of a job that is over opens nothing.
    let address = format!("{path}?token=none&ref=main");
    let over = site.ask(None, Method::POST, &address, None).await;
    assert_eq!(over.status.as_u16(), 404);
}

/// Its jobs have inputs of their own.
const JOBS: &str = "
play:
  when: manual
  inputs: {where: {default: staging, options: [staging, live]}}
  script: ['to ${{ job.inputs.where }}']
";

#[tokio::test]
async fn of_a_job_that_is_played_and_tried_again() {
    let site = Site::new().await;
    let project = project(&site).await;
    site.write(&project, ".gitlab-ci.yml", JOBS);
    let pipeline = site.pipeline(&project).await;
    let job = site.job(&pipeline, "play").await;
    let runner = token::new("");
    let mut transaction = site.app.store().begin().await.unwrap();
    let new = rows::runner(token::digest(&runner));
    transaction.insert_runner(&new).await.unwrap();
    transaction.commit().await.unwrap();
    // What the runner is given to do; it stops a job when asked to, and here never says so.
    let script = async || {
        let info = json!({ "features": { "cancel_gracefully": true } });
        let body = json!({ "token": runner, "system_id": "s", "info": info }).to_string();
        let kind = "application/json";
        let request = site.ask(
            None,
            Method::POST,
            "/jobs/request",
            Some((kind, body.into())),
        );
        request.await.json()["steps"][0]["script"].clone()
    };
    let ask = async |job: i64, action: &str, inputs: Value| {
        let path = format!("/projects/{}/jobs/{job}/{action}", project.id);
        let body = json!({ "job_inputs": inputs });
        site.post("developer", &path, body).await
    };
    for (inputs, fault) in [
        (
            json!({ "where": "nowhere" }),
            "not in the list of allowed options",
        ),
        (json!({ "other": 1 }), "unknown input arguments: other"),
        (json!("x"), "job_inputs is invalid"),
    ] {
        let refused = ask(job.0, "play", inputs).await;
        assert_eq!(refused.status.as_u16(), 400, "{}", refused.text());
        assert!(refused.text().contains(fault), "{}", refused.text());
    }
    let played = ask(job.0, "play", json!({ "where": "live" })).await;
    assert_eq!(played.status.as_u16(), 200, "{}", played.text());
    assert_eq!(script().await, json!(["to live"]));
    site.app.coordinator().cancel_job(job).await.unwrap();

    // It is being cancelled; who may say that it is over is a maintainer.
    let path = format!("/projects/{}/jobs/{job}/cancel", project.id);
    let force = async |who: &str| site.post(who, &path, json!({ "force": true })).await;
    assert_eq!(force("developer").await.status.as_u16(), 403);
    let canceled = force("maintainer").await;
    assert_eq!(canceled.json()["status"], "canceled", "{}", canceled.text());

    let refused = ask(job.0, "retry", json!({ "where": 5 })).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text());
    let again = ask(job.0, "retry", json!({ "where": "staging" })).await;
    assert_eq!(again.status.as_u16(), 201, "{}", again.text());
    assert_eq!(script().await, json!(["to staging"]));
}
