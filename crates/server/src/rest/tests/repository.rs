//! Branches, tags, commits and files.

use axum::http::{Method, StatusCode};
use serde_json::json;
use shipway_pipeline::Status;
use shipway_store::Visibility;

use super::site::{Site, job_secret};

#[tokio::test]
async fn branches_and_tags() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/repository", project.id);
    let protect = format!("/projects/{}/protected_branches", project.id);
    let body = json!({ "name": "ma*", "push_access_level": 40, "merge_access_level": 30 });
    assert_eq!(
        site.post("maintainer", &protect, body).await.status,
        StatusCode::CREATED
    );
    let main = site
        .get("developer", &format!("{base}/branches/main"))
        .await
        .json();
    for (field, value) in [
        ("protected", true),
        ("default", true),
        ("can_push", false),
        ("developers_can_push", false),
        ("developers_can_merge", true),
    ] {
        assert_eq!(main[field], value, "{field}: {main}");
    }
    assert_eq!(main["commit"]["id"], sha);
    let other = site
        .get("developer", &format!("{base}/branches/feat%2Fx"))
        .await
        .json();
    assert_eq!(
        (&other["protected"], &other["can_push"]),
        (&json!(false), &json!(true))
    );
    let listed = site
        .get("reporter", &format!("{base}/branches?search=^feat"))
        .await;
    assert_eq!(listed.headers["x-total"], "1");
    assert_eq!(listed.json()[0]["can_push"], false);
    let tag = site
        .get("reporter", &format!("{base}/tags/v1.0%2Frc"))
        .await
        .json();
    assert_eq!(tag["target"], sha);
    assert_eq!(tag["message"], json!(null));
    assert_eq!(
        site.get("reporter", &format!("{base}/tags")).await.json(),
        json!([tag])
    );
    for (path, fault) in [
        ("branches/none", r#"{"message":"404 Branch Not Found"}"#),
        ("tags/none", r#"{"message":"404 Tag Not Found"}"#),
    ] {
        let missing = site.get("reporter", &format!("{base}/{path}")).await;
        assert_eq!(missing.text(), fault);
    }
}

#[tokio::test]
async fn commits_and_their_statuses() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.finish(&pipeline, "compile", Status::Success).await;
    let sha = pipeline.sha.clone().unwrap();
    let base = format!("/projects/{}/repository/commits", project.id);
    let count = |query: &'static str| {
        let path = format!("{base}{query}");
        let site = &site;
        async move {
            let reply = site.get("reporter", &path).await;
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
            reply.json().as_array().unwrap().len()
        }
    };
    let all = count("").await;
    assert!(all > 0);
    for (query, expected) in [
        ("?path=dir", 1),
        ("?path=none", 0),
        ("?path=../x", 0),
        ("?path=:(glob)*", 0),
        ("?since=2099-01-01", 0),
        ("?until=1960-01-01", 0),
        ("?page=99999999&per_page=100", 0),
        ("?ref_name=feat/x&per_page=1", 1),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    for name in ["main", "HEAD", "v1.0%2Frc", &sha, &sha[..8]] {
        let shown = site.get("reporter", &format!("{base}/{name}")).await.json();
        assert_eq!(shown["id"], sha, "{name}: {shown}");
        assert_eq!(shown["last_pipeline"]["id"], pipeline.id.0);
    }
    let wrong = site.get("reporter", &format!("{base}?ref_name=none")).await;
    assert_eq!(wrong.text(), r#"{"message":"404 Commit Not Found"}"#);
    let again = format!("/projects/{}/jobs/{job}/retry", project.id);
    let again = site.post("developer", &again, json!({})).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text());
    let statuses = format!("{base}/{sha}/statuses");
    for (query, expected) in [
        ("", 2),
        ("?all=true", 3),
        ("?name=compile", 1),
        ("?stage=test", 1),
        ("?pipeline_id=99", 0),
        ("?ref=none", 0),
    ] {
        let listed = site.get("reporter", &format!("{statuses}{query}")).await;
        assert_eq!(listed.headers["x-total"], expected.to_string(), "{query}");
    }
    let newest = site
        .get("reporter", &format!("{statuses}?name=compile"))
        .await
        .json();
    assert_eq!(newest[0]["id"], again.json()["id"]);
    assert_eq!(
        newest[0]["author"]["username"],
        pipeline_author(&site, &pipeline).await
    );
}

async fn pipeline_author(site: &Site, pipeline: &shipway_store::PipelineRow) -> String {
    let user = site
        .app
        .store()
        .user(pipeline.user_id.unwrap())
        .await
        .unwrap();
    user.unwrap().username
}

#[tokio::test]
async fn a_file_as_it_is() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/repository/files", project.id);
    let file = format!("{base}/dir%2Fa%20b.txt/raw");
    for query in ["", "?ref=main", "?ref=HEAD", "?ref=feat/x"] {
        let reply = site.get("reporter", &format!("{file}{query}")).await;
        assert_eq!(reply.text(), "content\n", "{query}");
        assert_eq!(reply.headers["x-gitlab-file-name"], "a b.txt");
        assert_eq!(reply.headers["x-gitlab-file-path"], "dir/a b.txt");
        assert_eq!(reply.headers["x-gitlab-size"], "8");
        assert_eq!(reply.headers["x-gitlab-commit-id"], sha);
        assert_eq!(reply.headers["cache-control"], "private, no-store");
        assert_eq!(reply.headers["content-type"], "text/plain");
    }
    for path in [
        format!("{base}/none/raw"),
        format!("{base}/dir/raw"),
        format!("{file}?ref=none"),
    ] {
        let missing = site.get("reporter", &path).await;
        assert_eq!(
            missing.status,
            StatusCode::NOT_FOUND,
            "{path}: {}",
            missing.text()
        );
    }
    let guest = site.get("guest", &file).await;
    assert_eq!(guest.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_job_reads_what_its_project_has() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.job(&pipeline, "compile").await;
    let claim = site.claim(&pipeline, job).await;
    assert_eq!(claim, job_secret(job));
    for (path, status) in [
        ("repository/branches/main", 200),
        ("repository/commits/main", 200),
        ("environments", 200),
        ("protected_branches", 401),
    ] {
        let path = format!("/projects/{}/{path}?job_token={claim}", project.id);
        let reply = site.ask(None, Method::GET, &path, None).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
    }
}
