//! Against the coordinator that another project tests its own runner with.

use std::time::Duration;

use gitlab_runner_mock::{
    GitlabRunnerMock, MockJob, MockJobBuilder, MockJobStepName, MockJobStepWhen,
};

use super::Bench;
use crate::tests::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_jobs_run_and_their_logs_arrive() {
    let mock = GitlabRunnerMock::start().await;
    mock.set_update_interval(1);
    let mut builder = mock.job_builder("tell".into());
    builder.add_variable("GIT_STRATEGY".into(), "none".into(), true, false);
    builder.add_variable("SECRET".into(), "very-secret".into(), false, true);
    let script = ["echo greet-$CI_JOB_ID", "echo $SECRET", "false"];
    builder.add_step(
        MockJobStepName::Script,
        script.map(str::to_owned).to_vec(),
        3600,
        MockJobStepWhen::OnSuccess,
        false,
    );
    let job = builder.build();
    mock.enqueue_job(job.clone());
    let bench = Bench::start(mock.uri().as_str(), mock.runner_token());
    eventually("the result", || job.finished()).await;
    bench.finish().await;
    assert_eq!(job.state(), gitlab_runner_mock::MockJobState::Failed);
    let log = String::from_utf8(job.log()).unwrap();
    assert!(log.contains(&format!("\ngreet-{}\n", job.id())), "{log}");
    assert!(
        log.contains("[MASKED]") && !log.contains("very-secret"),
        "{log}"
    );
}

/// A job of the mock's with this script, which takes its sources from nowhere.
fn builder(mock: &GitlabRunnerMock, name: &str, script: &[&str]) -> MockJobBuilder {
    mock.set_update_interval(1);
    let mut builder = mock.job_builder(name.into());
    builder.add_variable("GIT_STRATEGY".into(), "none".into(), true, false);
    builder.add_step(
        MockJobStepName::Script,
        script.iter().map(ToString::to_string).collect(),
        3600,
        MockJobStepWhen::OnSuccess,
        false,
    );
    builder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_the_artifacts() {
    let mock = GitlabRunnerMock::start().await;
    let mut builder = builder(&mock, "build", &["echo built > out.txt"]);
    builder.add_artifact_paths(vec!["out.txt".into()]);
    let job = builder.build();
    mock.enqueue_job(job.clone());
    let bench = Bench::start(mock.uri().as_str(), mock.runner_token());
    eventually("the result", || job.finished()).await;
    bench.finish().await;
    let log = String::from_utf8(job.log()).unwrap();
    assert_eq!(
        job.state(),
        gitlab_runner_mock::MockJobState::Success,
        "{log}"
    );
    let uploaded: Vec<_> = job.uploaded_artifacts().collect();
    assert_eq!(uploaded.len(), 1, "{log}");
    let zip = std::io::Cursor::new(uploaded[0].data.to_vec());
    let mut zip = zip::ZipArchive::new(zip).unwrap();
    let mut content = String::new();
    let mut file = zip.by_name("out.txt").unwrap();
    std::io::Read::read_to_string(&mut file, &mut content).unwrap();
    assert_eq!(content, "built\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_it_cancels_is_stopped() {
    let mock = GitlabRunnerMock::start().await;
    let job = builder(&mock, "long", &["echo is-ready", "sleep 1000"]).build();
    mock.enqueue_job(job.clone());
    // A silent job hears of it with a sign of life.
    let bench = Bench::with(mock.uri().as_str(), mock.runner_token(), |runner| {
        runner.pace.heartbeat = Duration::from_millis(200);
    });
    let ready = || String::from_utf8_lossy(&job.log()).contains("\nis-ready");
    eventually("the script", ready).await;
    job.cancel();
    // Were the script not stopped, the manager would wait for it.
    bench.finish().await;
    assert_eq!(job.state(), gitlab_runner_mock::MockJobState::Cancelled);
}

/// Gives the mock an archive for one of its jobs: it knows the type of an archive from a form's
/// field alone, and a runner tells it in the address.
async fn give_archive(mock: &GitlabRunnerMock, job: &MockJob, name: &str, content: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(name, options).unwrap();
    std::io::Write::write_all(&mut zip, content).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let mut body = Vec::new();
    for (field, value) in [
        ("artifact_type\"", &b"archive"[..]),
        ("artifact_format\"", b"zip"),
        ("file\"; filename=\"artifacts.zip\"", &zip),
    ] {
        let head = format!("--cut\r\nContent-Disposition: form-data; name=\"{field}\r\n\r\n");
        body.extend([head.as_bytes(), value, b"\r\n"].concat());
    }
    body.extend(b"--cut--\r\n");
    let path = format!("api/v4/jobs/{}/artifacts", job.id());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::Client::new()
        .post(mock.uri().join(&path).unwrap().as_str())
        .header("JOB-TOKEN", job.token())
        .header("Content-Type", "multipart/form-data; boundary=cut")
        .body(body)
        .send();
    assert!(answer.await.unwrap().status().is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_of_its_earlier_jobs_arrive_also_after_a_failure() {
    let mock = GitlabRunnerMock::start().await;
    let earlier = mock.add_dummy_job("build".into());
    give_archive(&mock, &earlier, "given.txt", b"from-before\n").await;
    let mut later = builder(&mock, "test", &["cat given.txt"]);
    later.add_variable("ARTIFACT_DOWNLOAD_ATTEMPTS".into(), "3".into(), true, false);
    later.dependency(earlier);
    let later = later.build();
    mock.set_inject_artifact_download_failures(1);
    mock.enqueue_job(later.clone());
    let bench = Bench::start(mock.uri().as_str(), mock.runner_token());
    eventually("the result", || later.finished()).await;
    bench.finish().await;
    let log = String::from_utf8(later.log()).unwrap();
    let expected = gitlab_runner_mock::MockJobState::Success;
    assert_eq!(later.state(), expected, "{log}");
    assert!(log.contains("\nfrom-before\n"), "{log}");
}
