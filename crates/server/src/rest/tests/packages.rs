//! Generic packages, as jobs and people publish and fetch them.

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shipway_store::{PackageFilter, Page, Visibility};
use tower::ServiceExt;

use super::site::{Site, job_secret, secret};
use crate::settings::Settings;

/// SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[tokio::test]
async fn a_file_goes_in_and_comes_out() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let base = format!("/projects/{}/packages", project.id);
    let file = format!("{base}/generic/my.app/1.0%2Frc+1/linux/app.bin");
    let put = async |who: &str, path: &str, content: &[u8]| {
        let body = Some(("application/octet-stream", content.to_vec()));
        site.ask(Some(who), Method::PUT, path, body).await
    };
    let made = put("developer", &file, b"hello").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json(), json!({ "message": "201 Created" }));
    let got = site.get("reporter", &file).await;
    assert_eq!((got.status, got.body), (StatusCode::OK, b"hello".to_vec()));
    assert_eq!(got.headers["x-checksum-sha256"], HELLO);
    assert_eq!(got.headers["content-length"], "5");
    let attached = got.headers["content-disposition"].to_str().unwrap();
    assert!(attached.contains("app.bin"), "{attached}");

    // The newest of one name counts; both are there.
    let path = format!("{file}?select=package_file&status=default");
    let again = put("developer", &path, b"hello again").await.json();
    assert_eq!(again["size"], 11, "{again}");
    assert_eq!(again["file_name"], "linux/app.bin");
    assert_eq!(site.get("reporter", &file).await.body, b"hello again");
    let listed = site.get("reporter", &base).await;
    assert_eq!(listed.headers["x-total"], "1");
    let package = listed.json()[0].clone();
    for (field, value) in [
        ("name", json!("my.app")),
        ("version", json!("1.0/rc+1")),
        ("package_type", json!("generic")),
        ("status", json!("default")),
        ("tags", json!([])),
        ("pipelines", json!([])),
        ("id", again["package_id"].clone()),
    ] {
        assert_eq!(package[field], value, "{field}");
    }
    assert!(package["last_downloaded_at"].is_string(), "{package}");
    for (query, expected) in [
        ("package_name=y.a", 1),
        ("package_name=other", 0),
        ("package_version=1.0%2Frc%2B1", 1),
        ("package_version=1", 0),
        ("package_type=npm", 0),
        ("status=hidden", 0),
        ("order_by=name&sort=desc", 1),
        ("order_by=version", 1),
    ] {
        let listed = site.get("reporter", &format!("{base}?{query}")).await;
        assert_eq!(listed.json().as_array().unwrap().len(), expected, "{query}");
    }

    let one = format!("{base}/{}", package["id"]);
    assert_eq!(site.get("reporter", &one).await.json(), package);
    let files = format!("{one}/package_files");
    let rows = site.get("reporter", &files).await.json();
    assert_eq!(rows[0]["file_sha256"], HELLO, "{rows}");
    assert_eq!(rows[1]["id"], again["id"]);
    let newest = format!("{files}/{}", again["id"]);
    let refused = site
        .ask(Some("developer"), Method::DELETE, &newest, None)
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let gone = site
        .ask(Some("maintainer"), Method::DELETE, &newest, None)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    assert_eq!(site.get("reporter", &file).await.body, b"hello");
    let gone = site
        .ask(Some("maintainer"), Method::DELETE, &one, None)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        site.get("reporter", &file).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(contents(&site).await, 0, "contents are left");
}

/// How many files of packages there are.
async fn contents(site: &Site) -> usize {
    let blobs = site.app.store().blobs();
    blobs.list("packages").await.unwrap().len()
}

#[tokio::test]
async fn jobs_and_programs_with_passwords_publish() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.job(&pipeline, "compile").await;
    site.claim(&pipeline, job).await;
    let router = crate::router(site.app.clone());
    let ask = async |method: Method, name: &str, header: (&str, String)| {
        let uri = format!(
            "/api/v4/projects/{}/packages/generic/a/1/{name}",
            project.id
        );
        let request = Request::builder().method(method).uri(uri);
        let request = request.header(header.0, header.1);
        let answer = router
            .clone()
            .oneshot(request.body(Body::from("x")).unwrap());
        answer.await.unwrap()
    };
    let basic = |user: &str, password: &str| {
        let both = STANDARD.encode(format!("{user}:{password}"));
        ("authorization", format!("Basic {both}"))
    };
    for (name, header, expected) in [
        ("job", ("job-token", job_secret(job)), 201),
        ("basic-job", basic("gitlab-ci-token", &job_secret(job)), 201),
        ("basic-token", basic("developer", &secret("developer")), 201),
        ("reporter", basic("reporter", &secret("reporter")), 403),
        ("wrong", basic("developer", "wrong"), 401),
        ("nobody", ("x-nothing", String::new()), 404),
    ] {
        let answer = ask(Method::PUT, name, header.clone()).await;
        assert_eq!(answer.status().as_u16(), expected, "{name}");
        if expected == 201 {
            let got = ask(Method::GET, name, header).await;
            let body = to_bytes(got.into_body(), 100).await.unwrap();
            assert_eq!(&body[..], b"x", "{name}");
        }
    }
    let store = site.app.store();
    let found = store.packages(project.id, PackageFilter::default(), Page::first(9));
    let found = found.await.unwrap().rows;
    assert_eq!(found[0].pipeline_id, Some(pipeline.id.0));

    // Multipart, as browsers send files.
    let form = "--X\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--X\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhello\r\n--X--\r\n";
    let uri = format!("/api/v4/projects/{}/packages/generic/a/1/form", project.id);
    let request = Request::builder()
        .method(Method::PUT)
        .uri(uri)
        .header(AUTHORIZATION, format!("Bearer {}", secret("developer")))
        .header(CONTENT_TYPE, "multipart/form-data; boundary=X");
    let answer = router
        .clone()
        .oneshot(request.body(Body::from(form)).unwrap());
    assert_eq!(answer.await.unwrap().status(), StatusCode::CREATED);
    let path = format!("/projects/{}/packages/generic/a/1/form", project.id);
    assert_eq!(site.get("developer", &path).await.body, b"hello");
}

#[tokio::test]
async fn what_is_no_package_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings::new("", "127.0.0.1:0".parse().unwrap());
    settings.limits.package_size = 100;
    let site = Site::at(directory, settings).await;
    let project = site.project("project", Visibility::Private).await;
    let base = format!("/projects/{}/packages/generic", project.id);
    let before = site.everything().await;
    let put = async |path: &str, kind: &str, content: Vec<u8>| {
        let body = Some((kind, content));
        let path = format!("{base}/{path}");
        site.ask(Some("developer"), Method::PUT, &path, body).await
    };
    for path in [
        "a%20b/1/f",
        "a/1%200/f",
        "a/..%2F1/f",
        "a/1/f%20g",
        "a/1/..%2Ff",
        "a/1/x/../f",
        "a/1/f?status=great",
        "a/1/f?select=everything",
        "a/1/f?status=%00",
        "a/1/f%00",
    ] {
        let reply = put(path, "", b"x".to_vec()).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text());
    }
    assert_eq!(site.everything().await, before);
    for (kind, content, expected) in [
        ("", vec![b'x'; 101], 413),
        (
            "multipart/form-data; boundary=X",
            b"--X\r\nbroken".to_vec(),
            400,
        ),
        (
            "multipart/form-data; boundary=X",
            b"--X--\r\n".to_vec(),
            400,
        ),
        ("multipart/form-data", b"x".to_vec(), 400),
    ] {
        let reply = put("a/1/f", kind, content).await;
        assert_eq!(reply.status.as_u16(), expected, "{kind}: {}", reply.text());
    }
    assert_eq!(contents(&site).await, 0);
    let path = format!("/projects/{}/packages", project.id);
    assert_eq!(site.get("developer", &path).await.json(), json!([]));
    let most = put("a/1/f", "", vec![b'x'; 100]).await;
    assert_eq!(most.status, StatusCode::CREATED, "{}", most.text());
}
