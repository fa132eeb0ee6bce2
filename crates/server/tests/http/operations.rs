//! Health, figures, headers, errors, and the end.

use std::time::Duration;

use reqwest::Method;

use crate::site::{ROOT_TOKEN, Site};

#[tokio::test(flavor = "multi_thread")]
async fn health_and_figures() {
    let site = Site::start().await;
    for (path, expected) in [
        ("/-/health", "Shipway OK"),
        ("/-/liveness", r#"{"status":"ok"}"#),
        (
            "/-/readiness",
            r#"{"status":"ok","db_check":[{"status":"ok"}],"closing":false}"#,
        ),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.text().await.unwrap(), expected, "{path}");
    }
    site.get("/nobody/nothing").await;
    let metrics = site.get("/-/metrics").await.text().await.unwrap();
    for line in [
        r#"shipway_http_requests_total{method="GET",route="/-/health",status="200"} 1"#,
        "shipway_http_requests_in_flight 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("nothing"), "addresses are without number");
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_uploads_of_a_killed_server_are_swept_at_the_start() {
    let leave = |settings: &mut shipway_server::Settings| {
        let incoming = settings.data.join("incoming");
        std::fs::create_dir_all(&incoming).unwrap();
        std::fs::write(incoming.join(".tmpDead01"), "half").unwrap();
    };
    let site = Site::start_with(leave).await;
    assert_eq!(site.get("/-/health").await.status(), 200);
    let incoming = site.app.settings().data.join("incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

/// Waits until the figures are as expected: those of jobs follow what happens.
async fn figures(site: &Site, expected: &[&str]) {
    let start = std::time::Instant::now();
    loop {
        let metrics = site.get("/-/metrics").await.text().await.unwrap();
        let has = |line: &&&str| metrics.lines().any(|found| found == **line);
        let Some(line) = expected.iter().find(|line| !has(line)) else {
            return;
        };
        assert!(start.elapsed().as_secs() < 10, "{line}\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_the_queue_and_of_jobs() {
    let site = Site::start().await;
    figures(
        &site,
        &[
            r#"shipway_jobs{status="pending"} 0"#,
            r#"shipway_runners{state="online"} 0"#,
            "shipway_runners_waiting 0",
            "shipway_job_queue_duration_seconds_count 0",
        ],
    )
    .await;
    let work = site.work("work");
    let configuration = "a: {script: x}\nb: {script: x}\n";
    std::fs::write(work.path.join(".gitlab-ci.yml"), configuration).unwrap();
    work.commit("with pipeline");
    let url = site.clone_url("root", ROOT_TOKEN, "root/app");
    work.ok(&["push", "--quiet", &url, "main"]);
    figures(&site, &[r#"shipway_jobs{status="pending"} 2"#]).await;
    let job = crate::job_tokens::take_job(&site).await;
    figures(
        &site,
        &[
            r#"shipway_jobs{status="pending"} 1"#,
            r#"shipway_jobs{status="running"} 1"#,
            r#"shipway_runners{state="online"} 1"#,
            r#"shipway_runners{state="offline"} 0"#,
            "shipway_job_queue_duration_seconds_count 1",
        ],
    )
    .await;
    let body = serde_json::json!({ "token": job["token"], "state": "failed" });
    let request = site
        .request(Method::PUT, &format!("/api/v4/jobs/{}", job["id"]))
        .header("content-type", "application/json")
        .body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
    figures(
        &site,
        &[
            r#"shipway_jobs{status="running"} 0"#,
            r#"shipway_jobs_finished_total{status="failed"} 1"#,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers() {
    let site = Site::start().await;
    for path in [
        "/-/health",
        "/users/sign_in",
        "/api/v4/version",
        "/api/v4/nothing",
        "/nobody/nothing",
        "/x/y.git/info/refs?service=git-upload-pack",
    ] {
        let answer = site.get(path).await;
        let headers = answer.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(headers.contains_key("referrer-policy"), "{path}");
        assert!(headers.contains_key("x-request-id"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_face_has_its_own_errors() {
    let site = Site::start().await;
    let token = ("private-token", ROOT_TOKEN);
    for (method, path, header, status, kind, text) in [
        (
            Method::GET,
            "/api/v4/nothing",
            token,
            404,
            "application/json",
            r#"{"error":"404 Not Found"}"#,
        ),
        (
            Method::DELETE,
            "/api/v4/version",
            token,
            405,
            "application/json",
            r#"{"error":"405 Not Allowed"}"#,
        ),
        (
            Method::GET,
            "/api/v4/version",
            ("a", "b"),
            401,
            "application/json",
            r#"{"message":"401 Unauthorized"}"#,
        ),
        (
            Method::GET,
            "/nobody/nothing",
            token,
            404,
            "text/html",
            "404",
        ),
        (
            Method::POST,
            "/nobody/nothing.git/git-upload-pack",
            ("a", "b"),
            401,
            "text/plain",
            "401 Unauthorized\n",
        ),
        (
            Method::GET,
            "/a%00/%2e%2e/b",
            token,
            404,
            "text/html",
            "404",
        ),
        (Method::GET, "//", token, 404, "text/html", "404"),
    ] {
        let request = site.request(method, path).header(header.0, header.1);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let found = answer.headers()["content-type"].to_str().unwrap();
        assert!(found.starts_with(kind), "{path}: {found}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(text), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_when_asked() {
    let site = Site::start().await;
    // A connection that is kept open and says nothing more.
    assert_eq!(site.get("/-/health").await.status(), 200);
    let closing = site.app.closing().clone();
    tokio::time::timeout(Duration::from_secs(10), site.stop())
        .await
        .expect("it ends at once");
    assert!(closing.is_cancelled());
}
