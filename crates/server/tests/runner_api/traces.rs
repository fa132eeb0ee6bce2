//! Logs (K.3).

use reqwest::Method;
use shipway_pipeline::{JobId, Status};

use crate::support::{Site, answer};

const ONE_JOB: &str = "build: {script: [make]}";

#[tokio::test(flavor = "multi_thread")]
async fn k65_to_k73_ranges_and_tokens() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push("a: {script: [make]}\nb: {script: [make]}").await;
    let (job, token, _) = site.take(&runner).await;
    let (_, other, _) = site.take(&runner).await;

    let first = site.patch(job, &token, "0-4", b"hello").await.is(202);
    assert_eq!(first.header("range"), Some("0-5"));
    assert_eq!(first.header("job-status"), Some("running"));
    assert_eq!(first.header("x-gitlab-trace-update-interval"), Some("60"));
    for range in ["0-4", "3-7", "9-12", "0-"] {
        let refused = site.patch(job, &token, range, b"hello").await;
        refused.refused(416);
        assert_eq!(refused.header("range"), Some("0-5"), "{range}");
        assert_eq!(refused.header("job-status"), Some("running"));
    }
    // The second number does not matter.
    let next = site.patch(job, &token, "5-99", b"12345").await.is(202);
    assert_eq!(next.header("range"), Some("0-10"));
    assert_eq!(site.log(&site.job(job).await), b"hello12345");

    site.patch(job, &token, "", b"x").await.refused(400);
    site.patch(job, &token, "bytes 10-11/20", b"x")
        .await
        .refused(400);
    site.patch(job, "", "10-10", b"x").await.refused(403);
    site.patch(job + 1000, &token, "0-0", b"x")
        .await
        .refused(403);
    site.patch(job, &other, "10-10", b"x").await.refused(403);
    let path = "jobs/nonsense/trace";
    answer(site.call(Method::PATCH, path).header("JOB-TOKEN", &token))
        .await
        .refused(403);
    assert_eq!(site.log(&site.job(job).await).len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn k74_to_k76_a_job_that_is_over_takes_no_log() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    site.update(job, &token, "success").await.is(200);
    let refused = site.patch(job, &token, "0-0", b"x").await;
    refused.refused(403);
    assert_eq!(refused.header("job-status"), Some("success"));

    let pipeline = site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    site.app
        .coordinator()
        .cancel_pipeline(pipeline.id)
        .await
        .unwrap();
    let taken = site.patch(job, &token, "0-0", b"x").await.is(202);
    assert_eq!(taken.header("job-status"), Some("canceling"));
    site.update(job, &token, "failed").await.is(200);
    let refused = site.patch(job, &token, "1-1", b"x").await;
    refused.refused(403);
    assert_eq!(refused.header("job-status"), Some("canceled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn k77_and_k80_large_pieces_and_any_bytes() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    let mut bytes: Vec<u8> = (0..1 << 20).map(|index| (index * 7 % 251) as u8).collect();
    bytes[..3].copy_from_slice(&[0xff, 0xfe, 0]);
    site.patch(job, &token, "0-1048575", &bytes).await.is(202);
    assert_eq!(site.log(&site.job(job).await), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn k78_of_parallel_pieces_one_is_stored() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    let pieces = (0..16).map(|_| site.patch(job, &token, "0-3", b"once"));
    let answers = futures_util::future::join_all(pieces).await;
    let stored = answers.iter().filter(|answer| answer.status == 202);
    assert_eq!(stored.count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| [202, 416].contains(&answer.status))
    );
    assert_eq!(site.log(&site.job(job).await), b"once");
}

#[tokio::test(flavor = "multi_thread")]
async fn k79_a_watched_log_comes_in_short_intervals() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    site.app.dispatch().watch(JobId(job));
    let answer = site.patch(job, &token, "0-0", b"x").await.is(202);
    assert_eq!(answer.header("x-gitlab-trace-update-interval"), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn k81_a_log_has_a_limit() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    let row = site.job(job).await;
    // Almost as long as may be, without sending all of it.
    let limit = 100 * 1024 * 1024;
    let logs = site.app.store().logs();
    logs.append(row.pipeline_id, row.id, 0, b"start").unwrap();
    let path = logs.path(row.pipeline_id, row.id);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(limit - 1).unwrap();
    let refused = site.patch(job, &token, "0-1", b"xx").await;
    refused.refused(416);
    site.patch(job, &token, &format!("{}-", limit - 1), b"x")
        .await
        .is(202);
    let refused = site.patch(job, &token, &format!("{limit}-"), b"x").await;
    refused.refused(403);
    assert_eq!(refused.header("job-status"), Some("failed"));
    let row = site.job(job).await;
    assert_eq!(row.status, Status::Failed);
    assert_eq!(row.failure_reason.as_deref(), Some("trace_size_exceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_does_not_show_the_jobs_token_and_may_be_a_debug_log() {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push(ONE_JOB).await;
    let (job, token, _) = site.take(&runner).await;
    let text = format!("token is {token}\n");
    let path = format!("jobs/{job}/trace?debug_trace=true");
    let call = site.call(Method::PATCH, &path).header("JOB-TOKEN", &token);
    let call = call.header("Content-Range", format!("0-{}", text.len() - 1));
    let stored = answer(call.body(text.clone())).await.is(202);
    assert_eq!(
        stored.header("range"),
        Some(format!("0-{}", text.len()).as_str())
    );
    let row = site.job(job).await;
    assert!(row.debug_trace);
    let log = String::from_utf8(site.log(&row)).unwrap();
    assert!(
        log.starts_with("token is [MASKED]") && !log.contains(&token),
        "{log}"
    );
}
