//! What other systems say about a commit.

use axum::http::StatusCode;
use serde_json::json;
use shipway_pipeline::Status;
use shipway_store::Visibility;

use super::site::Site;

#[tokio::test]
async fn a_commit_without_a_pipeline_gets_one_of_its_own() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let path = format!("/projects/{}/statuses/{sha}", project.id);
    let body = json!({
        "state": "running",
        "context": "ci/other",
        "target_url": "https://ci.example.org/1",
        "description": "at work",
        "coverage": 42.5,
    });
    let reply = site.post("developer", &path, body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    let first = reply.json();
    for (field, value) in [
        ("sha", json!(sha)),
        ("ref", json!("feat/x")),
        ("status", json!("running")),
        ("name", json!("ci/other")),
        ("target_url", json!("https://ci.example.org/1")),
        ("description", json!("at work")),
        ("coverage", json!(42.5)),
        ("allow_failure", json!(false)),
        ("finished_at", json!(null)),
    ] {
        assert_eq!(first[field], value, "{field}: {first}");
    }
    assert_eq!(first["author"]["username"], "developer");
    let pipeline = format!(
        "/projects/{}/pipelines/{}",
        project.id, first["pipeline_id"]
    );
    let shown = site.get("developer", &pipeline).await.json();
    assert_eq!(
        (&shown["source"], &shown["status"]),
        (&json!("external"), &json!("running"))
    );
    // The same again is no fault; what is not said stays.
    for state in ["running", "success"] {
        let body = json!({ "state": state, "name": "ci/other" });
        let reply = site.post("developer", &path, body).await.json();
        assert_eq!(reply["id"], first["id"]);
        assert_eq!(
            (&reply["status"], &reply["coverage"]),
            (&json!(state), &json!(42.5))
        );
    }
    let shown = site.get("developer", &pipeline).await.json();
    assert_eq!(shown["status"], "success", "{shown}");
    let other = site
        .post("developer", &path, json!({ "state": "failed" }))
        .await
        .json();
    assert_eq!(
        (&other["name"], &other["pipeline_id"]),
        (&json!("default"), &first["pipeline_id"])
    );
    let shown = site.get("developer", &pipeline).await.json();
    assert_eq!(shown["status"], "failed", "{shown}");
    let listed = format!("/projects/{}/repository/commits/{sha}/statuses", project.id);
    for (query, expected) in [
        ("", 2),
        ("?name=default", 1),
        ("?stage=external", 2),
        ("?stage=x", 0),
    ] {
        let reply = site.get("reporter", &format!("{listed}{query}")).await;
        assert_eq!(reply.headers["x-total"], expected.to_string(), "{query}");
    }
}

#[tokio::test]
async fn who_speak_first_at_once_have_one_pipeline() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let path = format!("/projects/{}/statuses/{sha}", project.id);
    let say = async |name: usize| {
        let body = json!({ "state": "success", "name": format!("system {name}") });
        site.post("developer", &path, body).await.json()
    };
    let said = futures_util::future::join_all((0..8).map(say)).await;
    let pipelines: std::collections::BTreeSet<String> = (said.iter())
        .map(|status| status["pipeline_id"].to_string())
        .collect();
    assert_eq!(pipelines.len(), 1, "{said:?}");
    let ids: std::collections::BTreeSet<i64> = (said.iter())
        .map(|status| status["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), 8);
    // No job has one of these numbers.
    let pipeline = site.pipeline(&project).await;
    for job in site.app.store().jobs(pipeline.id).await.unwrap() {
        assert!(!ids.contains(&job.id.0), "job {} is a status too", job.id);
    }
    let body = json!({ "state": "success", "name": "afterwards" });
    let after = site.post("developer", &path, body).await.json();
    let jobs = site.app.store().jobs(pipeline.id).await.unwrap();
    let last = jobs.iter().map(|job| job.id.0).max().unwrap();
    assert_eq!(after["id"], last + 1);
}

#[tokio::test]
async fn a_commit_with_a_pipeline_has_it_there() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let sha = pipeline.sha.clone().unwrap();
    let path = format!("/projects/{}/statuses/{sha}", project.id);
    let reply = site
        .post(
            "developer",
            &path,
            json!({ "state": "failed", "name": "x" }),
        )
        .await;
    assert_eq!(reply.json()["pipeline_id"], pipeline.id.0);
    // Its own jobs decide about it.
    let row = site
        .app
        .store()
        .pipeline(pipeline.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.status, pipeline.status);
    let listed = format!("/projects/{}/repository/commits/{sha}/statuses", project.id);
    assert_eq!(site.get("reporter", &listed).await.headers["x-total"], "3");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let before = site.everything().await;
    let base = format!("/projects/{}/statuses", project.id);
    let long = "x".repeat(256);
    for (sha, body, status) in [
        (&*sha, json!({}), 400),
        (&*sha, json!({ "state": "great" }), 400),
        (&*sha, json!({ "state": "failed", "coverage": "much" }), 400),
        (
            &*sha,
            json!({ "state": "failed", "description": long }),
            400,
        ),
        (
            &*sha,
            json!({ "state": "failed", "target_url": "javascript:alert(1)" }),
            400,
        ),
        (&*sha, json!({ "state": "failed", "ref": "none" }), 404),
        (&*sha, json!({ "state": "failed", "pipeline_id": 99 }), 404),
        (
            "0123456789012345678901234567890123456789",
            json!({ "state": "failed" }),
            404,
        ),
    ] {
        let reply = site
            .post("developer", &format!("{base}/{sha}"), body.clone())
            .await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text());
    }
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn a_manual_job_gets_variables() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    site.finish(&pipeline, "compile", Status::Success).await;
    let job = site.job(&pipeline, "deploy").await;
    let path = format!("/projects/{}/jobs/{job}/play", project.id);
    let store = site.app.store();
    for broken in [
        json!("A"),
        json!([{ "key": "A" }]),
        json!([{ "key": "a b", "value": "" }]),
    ] {
        let body = json!({ "job_variables_attributes": broken });
        let reply = site.post("developer", &path, body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
        assert_eq!(
            store.job_variables(pipeline.id, "deploy").await.unwrap(),
            b""
        );
    }
    let given = json!({ "job_variables_attributes": [{ "key": "A", "value": "b" }] });
    let played = site.post("developer", &path, given.clone()).await;
    assert_eq!(played.status, StatusCode::OK, "{}", played.text());
    assert_eq!(played.json()["status"], "pending");
    let kept = store.job_variables(pipeline.id, "deploy").await.unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(kept.contains(r#""key":"A","value":"b""#), "{kept}");
    let again = site.post("developer", &path, given).await;
    assert_eq!(
        again.text(),
        r#"{"message":"400 Bad request - Unplayable Job"}"#
    );
}

#[tokio::test]
async fn keysets_reach_every_job() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    for _ in 0..3 {
        site.pipeline(&project).await;
    }
    let base = format!("/projects/{}/jobs?pagination=keyset&per_page=2", project.id);
    for (query, expected) in [
        ("", 6),
        ("&sort=asc", 6),
        // The older pipelines are cancelled by the newer ones.
        (
            "&scope[]=canceled&scope[]=skipped&scope[]=pending&scope[]=created",
            6,
        ),
        ("&scope[]=pending", 1),
    ] {
        let mut next = Some(format!("{base}{query}"));
        let mut ids = Vec::new();
        while let Some(path) = next {
            let reply = site.get("reporter", &path).await;
            for job in reply.json().as_array().unwrap() {
                ids.push(job["id"].as_i64().unwrap());
            }
            next = reply.headers.get("link").map(|link| {
                let link = link.to_str().unwrap();
                let url = link.split(['<', '>']).nth(1).unwrap();
                url.split_once("/api/v4").unwrap().1.to_owned()
            });
        }
        assert_eq!(ids.len(), expected, "{query}");
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if !query.contains("asc") {
            sorted.reverse();
        }
        assert_eq!(ids, sorted, "{query}");
    }
}
