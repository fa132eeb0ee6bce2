//! Artifacts (K.5).

use std::io::Write;

use reqwest::Method;
use serde_json::json;
use shipway_pipeline::JobId;

use crate::support::{Answer, Site, answer};

const TWO_STAGES: &str = "
build: {stage: build, script: [make], artifacts: {paths: [out]}}
test: {stage: test, script: [make]}
";

/// As the official runner sends it: everything in the query, and no `Content-Length`.
pub(crate) async fn upload(
    site: &Site,
    job: i64,
    token: &str,
    query: &str,
    bytes: &[u8],
) -> Answer {
    let mut body = b"--limit\r\nContent-Disposition: form-data; name=\"file\"; \
        filename=\"artifacts.zip\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        .to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--limit--\r\n");
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        body.chunks(8192).map(|chunk| Ok(chunk.to_vec())).collect();
    let stream = futures_util::stream::iter(chunks);
    let path = format!("jobs/{job}/artifacts{query}");
    let mut call = site
        .call(Method::POST, &path)
        .header("Content-Type", "multipart/form-data; boundary=limit");
    if !token.is_empty() {
        call = call.header("JOB-TOKEN", token);
    }
    answer(call.body(reqwest::Body::wrap_stream(stream))).await
}

pub(crate) async fn download(site: &Site, job: i64, token: &str) -> Answer {
    let path = format!("jobs/{job}/artifacts?direct_download=true");
    answer(site.call(Method::GET, &path).header("JOB-TOKEN", token)).await
}

fn gzip(texts: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    for text in texts {
        let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        member.write_all(text.as_bytes()).unwrap();
        all.extend(member.finish().unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn k109_to_k112_and_k119_to_k121_an_archive_and_its_way_back() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(TWO_STAGES).await;
    let (build, token, payload) = site.take(&runner).await;
    assert_eq!(payload["artifacts"][0]["paths"], json!(["out"]));
    let bytes: Vec<u8> = (0..100_000).map(|index| (index % 253) as u8).collect();
    let query = "?artifact_format=zip&artifact_type=archive&expire_in=7+days";
    let stored = upload(&site, build, &token, query, &bytes).await.is(201);
    assert_eq!(stored.header("job-status"), Some("running"));
    upload(&site, build, &token, query, &bytes).await.is(201);
    upload(&site, build, &token, query, b"other")
        .await
        .refused(400);
    let rows = site.app.store().artifacts_of(JobId(build)).await.unwrap();
    assert_eq!(rows.len(), 1);
    let week = rows[0].expires_at.unwrap() - jiff::Timestamp::now().as_microsecond();
    assert!(
        (6 * 86400..=7 * 86400).contains(&(week / 1_000_000)),
        "{week}"
    );
    assert_eq!(rows[0].file_name, "artifacts.zip");
    // Nothing of the others is left.
    assert_eq!(site.app.store().blobs().list("").await.unwrap().len(), 1);
    let incoming = site.app.store().directory().join("incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);

    site.update(build, &token, "success").await.is(200);
    upload(&site, build, &token, query, &bytes)
        .await
        .refused(403);
    // The token is worth nothing any more.
    download(&site, build, &token).await.refused(403);
    let (_, token, payload) = site.take(&runner).await;
    let dependency = &payload["dependencies"][0];
    assert_eq!(dependency["id"], build);
    assert_eq!(dependency["token"], token.as_str());
    let file = json!({ "filename": "artifacts.zip", "size": bytes.len() });
    assert_eq!(dependency["artifacts_file"], file);
    for _ in 0..2 {
        let archive = download(&site, build, &token).await.is(200);
        assert_eq!(archive.body, bytes);
    }
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction
        .set_artifact_expiry(JobId(build), Some(1))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    download(&site, build, &token).await.refused(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn types_have_sizes_of_their_own() {
    let site = Site::limited(&["artifact-size=100", "artifact-size.junit=10"]).await;
    let (_, runner) = site.runner().await;
    site.push("a: {script: [make]}").await;
    let (job, token, _) = site.take(&runner).await;
    let junit = "?artifact_type=junit&artifact_format=gzip";
    let refused = upload(&site, job, &token, junit, &[b'x'; 11]).await;
    let text = refused.refused(413).json().to_string();
    assert!(text.contains("artifact-size.junit is 10 bytes"), "{text}");
    let taken = upload(&site, job, &token, "", &[b'x'; 100]).await;
    assert_eq!(taken.status, 201);
    let junit = upload(&site, job, &token, junit, &[b'x'; 10]).await;
    assert_eq!(junit.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn k113_to_k115_what_is_not_taken() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push("a: {script: [make]}\nb: {script: [make]}").await;
    let (job, token, _) = site.take(&runner).await;
    let (_, other, _) = site.take(&runner).await;
    let large = vec![0; usize::try_from(site.app.settings().limits.artifact_size).unwrap() + 1];
    upload(&site, job, &token, "", &large).await.refused(413);
    assert!(site.app.store().blobs().list("").await.unwrap().is_empty());
    let incoming = site.app.store().directory().join("incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
    upload(&site, job, &other, "", b"x").await.refused(403);
    upload(&site, job, "", "", b"x").await.refused(403);
    upload(&site, job + 999, &token, "", b"x")
        .await
        .refused(403);
    for query in [
        "?artifact_type=trace",
        "?artifact_type=junit&artifact_format=zip",
        "?artifact_format=brotli",
        "?expire_in=soon",
        "?accessibility=everybody",
        "?filesize=x",
    ] {
        upload(&site, job, &token, query, b"x").await.refused(400);
    }
    // No file, no form, half a form.
    let path = format!("jobs/{job}/artifacts");
    for (kind, body) in [
        ("multipart/form-data; boundary=limit", "--limit--\r\n"),
        (
            "multipart/form-data; boundary=limit",
            "--limit\r\nContent-Disp",
        ),
        ("multipart/form-data", "x"),
        ("application/json", "{}"),
    ] {
        let call = site.call(Method::POST, &path).header("Content-Type", kind);
        answer(call.header("JOB-TOKEN", &token).body(body))
            .await
            .refused(400);
    }
    assert!(
        site.app
            .store()
            .artifacts_of(JobId(job))
            .await
            .unwrap()
            .is_empty()
    );

    let authorize = async |query: &str, token: &str| {
        let path = format!("jobs/{job}/artifacts/authorize{query}");
        answer(site.call(Method::POST, &path).header("JOB-TOKEN", token)).await
    };
    authorize("?filesize=100", &token).await.is(200);
    authorize("?filesize=999999999999", &token)
        .await
        .refused(413);
    authorize("?filesize=1", &other).await.refused(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn k116_and_k117_reports() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(TWO_STAGES).await;
    let (build, token, _) = site.take(&runner).await;
    let suite =
        |name: &str| format!(r#"<testsuite><testcase name="{name}" time="1"/></testsuite>"#);
    let junit = gzip(&[&suite("one"), &suite("two")]);
    let query = "?artifact_type=junit&artifact_format=gzip";
    upload(&site, build, &token, query, &junit).await.is(201);
    let totals = site.job(build).await.tests.unwrap();
    let totals: serde_json::Value = serde_json::from_str(&totals).unwrap();
    assert_eq!(totals["total"], 2, "{totals}");

    let query = "?artifact_type=dotenv&artifact_format=gzip";
    for wrong in [b"plain".to_vec(), gzip(&["no equals sign\n"])] {
        upload(&site, build, &token, query, &wrong)
            .await
            .refused(400);
    }
    upload(&site, build, &token, query, &gzip(&["VERSION=1.2\n"]))
        .await
        .is(201);
    site.update(build, &token, "success").await.is(200);
    let (_, _, payload) = site.take(&runner).await;
    let variables = payload["variables"].as_array().unwrap();
    let version = variables
        .iter()
        .find(|variable| variable["key"] == "VERSION")
        .unwrap();
    assert_eq!(version["value"], "1.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_the_archives_of_its_own_pipeline_only() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(TWO_STAGES).await;
    let (before, token, _) = site.take(&runner).await;
    upload(&site, before, &token, "", b"archive").await.is(201);
    site.update(before, &token, "failed").await.is(200);
    site.push("alone: {script: [make]}").await;
    let (own, token, _) = site.take(&runner).await;
    download(&site, before, &token).await.refused(403);
    upload(&site, own, &token, "", b"archive").await.is(201);
    download(&site, own, &token).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_an_artifact_is_kept_with_it() {
    use shipway_store::Accessibility;
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    for (access, query, expected) in [
        ("", "", Accessibility::Public),
        (", public: false", "", Accessibility::Private),
        (", access: maintainer", "", Accessibility::Maintainer),
        (", access: none", "", Accessibility::None),
        ("", "?accessibility=private", Accessibility::Private),
        (
            ", access: none",
            "?accessibility=public",
            Accessibility::Public,
        ),
    ] {
        let job = format!("a: {{script: [make], artifacts: {{paths: [out]{access}}}}}");
        site.push(&job).await;
        let (id, token, _) = site.take(&runner).await;
        upload(&site, id, &token, query, b"archive").await.is(201);
        // It is for people; the jobs of the pipeline have it.
        download(&site, id, &token).await.is(200);
        site.update(id, &token, "success").await.is(200);
        let files = site.app.store().artifacts_of(JobId(id)).await.unwrap();
        assert_eq!(files[0].accessibility, expected, "{access} {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k122_a_job_of_another_project_gets_nothing() {
    let mut site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(TWO_STAGES).await;
    let (build, token, _) = site.take(&runner).await;
    upload(&site, build, &token, "", b"archive").await.is(201);
    download(&site, build, &token).await.is(200);
    download(&site, build, "").await.refused(401);
    download(&site, build, "glcbt-64_unknown")
        .await
        .refused(403);
    download(&site, build + 999, &token).await.refused(403);
    let stranger = site.another_project("group/other").await;
    site.project = stranger;
    site.push("other: {script: [make]}").await;
    let (own, token, _) = site.take(&runner).await;
    download(&site, build, &token).await.refused(403);
    // It has no archive itself.
    download(&site, own, &token).await.refused(404);
}
