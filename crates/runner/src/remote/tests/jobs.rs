//! Whole jobs against a coordinator that errs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::coordinator::{Answer, Coordinator};
use super::{Bench, job};
use crate::remote::Shutdown;
use crate::tests::eventually;

async fn ended(coordinator: &Coordinator) -> serde_json::Value {
    let finals = || {
        let calls = coordinator.calls("PUT job");
        calls
            .into_iter()
            .find(|call| call.json()["state"] != "running")
    };
    eventually("a final update", || finals().is_some()).await;
    finals().unwrap().json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_picked_up_run_and_reported() {
    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&["echo hel''lo", "echo $CI_JOB_TOKEN", "exit 7"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    let last = ended(&coordinator).await;
    bench.finish().await;
    assert_eq!(last["state"], "failed");
    assert_eq!(last["failure_reason"], "script_failure");
    assert_eq!(last["exit_code"], 7);
    let log = coordinator.log();
    assert!(
        log.contains("\nhello\n") && log.contains("\n[MASKED]\n"),
        "{log}"
    );
    assert!(!log.contains("job-secret"), "{log}");
    let state = coordinator.state();
    assert_eq!(last["output"]["bytesize"], state.log.len());
    let checksum = format!("crc32:{:08x}", crc32fast::hash(&state.log));
    assert_eq!(last["output"]["checksum"], checksum);
    assert_eq!(last["checksum"], checksum);
    let order: Vec<_> = state.calls.iter().map(|call| call.name).collect();
    let first_put = order.iter().position(|name| *name == "PUT job").unwrap();
    let first_patch = order
        .iter()
        .position(|name| *name == "PATCH trace")
        .unwrap();
    assert!(first_put < first_patch, "{order:?}");
    let patch = &state.calls[first_patch];
    assert_eq!(patch.query, "debug_trace=false");
    assert_eq!(patch.header("JOB-TOKEN"), "glcbt-job-secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_goes_in_pieces_of_a_mebibyte() {
    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&["head -c 3000000 /dev/zero | tr '\\0' x; echo"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    assert_eq!(ended(&coordinator).await["state"], "success");
    bench.finish().await;
    let pieces = coordinator.calls("PATCH trace");
    assert!(pieces.iter().all(|call| call.body.len() <= 1024 * 1024));
    assert!(pieces.len() >= 3 && coordinator.state().log.len() > 3_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_survives_whatever_the_coordinator_answers() {
    for answers in [
        vec![Answer::Cut, Answer::Cut],
        vec![Answer::status(500); 7],
        vec![Answer::header(416, "Range", "0-0"); 3],
        vec![Answer::status(416)],
        vec![Answer::status(200), Answer::status(404)],
        vec![Answer::header(202, "Range", "0-0")],
    ] {
        let coordinator = Coordinator::start().await;
        coordinator.script("PATCH trace", answers.clone());
        coordinator.enqueue(job(&["echo one", "sleep 0.3", "echo two"]));
        let bench = Bench::start(&coordinator.url, "glrt-x");
        let last = ended(&coordinator).await;
        bench.finish().await;
        // A coordinator that confirms what it did not store finds out by asking for more.
        let log = coordinator.log();
        assert_eq!(last["state"], "success", "{answers:?}: {log}");
        assert!(
            log.contains("\none\n") && log.contains("Job succeeded"),
            "{answers:?}: {log}"
        );
        assert_eq!(last["output"]["bytesize"], coordinator.state().log.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_result_is_repeated_until_it_is_taken() {
    for (answers, puts) in [
        (vec![Answer::status(202), Answer::status(202)], 3),
        (vec![Answer::Cut, Answer::status(409)], 3),
        (vec![Answer::status(403)], 1),
        (vec![Answer::status(404)], 1),
    ] {
        let coordinator = Coordinator::start().await;
        // The first one is the pick-up.
        coordinator.script("PUT job", [Answer::With("X", "y".into())]);
        coordinator.script("PUT job", answers.clone());
        coordinator.enqueue(job(&["true"]));
        let bench = Bench::start(&coordinator.url, "glrt-x");
        ended(&coordinator).await;
        bench.finish().await;
        assert_eq!(coordinator.states().len(), puts + 1, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mismatching_log_is_sent_again_from_its_start() {
    let coordinator = Coordinator::start().await;
    coordinator.script(
        "PUT job",
        [Answer::With("X", "y".into()), Answer::status(412)],
    );
    coordinator.enqueue(job(&["echo once"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("the result, twice", || coordinator.states().len() == 3).await;
    bench.finish().await;
    let patches = coordinator.calls("PATCH trace");
    let again = patches
        .iter()
        .filter(|call| call.header("Content-Range").starts_with("0-"));
    assert_eq!(again.count(), 2);
    assert_eq!(coordinator.log().matches("\nonce\n").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canceling_stops_the_script_and_runs_after_script() {
    let coordinator = Coordinator::start().await;
    let mut payload = job(&["echo is-up", "while :; do echo tick; sleep 0.05; done"]);
    let after = json!({"name": "after_script", "script": ["echo after=$CI_JOB_STATUS"]});
    payload["steps"].as_array_mut().unwrap().push(after);
    coordinator.enqueue(payload);
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("output", || coordinator.log().contains("tick")).await;
    coordinator.state().status = "canceling".into();
    let last = ended_soon(&coordinator).await;
    bench.finish().await;
    assert_eq!(last["state"], "failed");
    assert_eq!(last["failure_reason"], "unknown_failure");
    let log = coordinator.log();
    assert!(log.contains("\nafter=canceled\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_job_shows_signs_of_life() {
    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&["sleep 2"]));
    let bench = Bench::with(&coordinator.url, "glrt-x", |runner| {
        runner.pace.heartbeat = Duration::from_millis(100);
    });
    ended(&coordinator).await;
    bench.finish().await;
    let states = coordinator.states();
    assert!(states.len() > 5, "{states:?}");
    let signs = coordinator.calls("PUT job");
    let output = &signs[3].json()["output"];
    assert!(output["bytesize"].as_u64().unwrap() > 0, "{output}");
}

async fn ended_soon(coordinator: &Coordinator) -> serde_json::Value {
    let start = Instant::now();
    let last = ended(coordinator).await;
    assert!(start.elapsed() < Duration::from_secs(20));
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_job_is_aborted_and_not_reported() {
    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&[
        "echo is-up",
        "while :; do echo tick; sleep 0.05; done",
    ]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("output", || coordinator.log().contains("tick")).await;
    coordinator.state().status = "canceled".into();
    bench.finish().await;
    assert_eq!(coordinator.states(), ["running"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_gone_at_its_pick_up_is_dropped() {
    let coordinator = Coordinator::start().await;
    coordinator.script("PUT job", [Answer::status(403)]);
    coordinator.enqueue(job(&["echo never"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("the next request", || {
        coordinator.calls("request").len() > 3
    })
    .await;
    bench.finish().await;
    assert_eq!(coordinator.states(), ["running"]);
    assert!(coordinator.calls("PATCH trace").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_whose_token_is_refused_stops_asking() {
    let coordinator = Coordinator::start().await;
    coordinator.script("request", [403; 9].map(Answer::status));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("three requests", || coordinator.calls("request").len() == 3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(coordinator.calls("request").len(), 3);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_pass_do_not_make_a_runner_unhealthy() {
    let coordinator = Coordinator::start().await;
    coordinator.script("request", [409, 409, 409, 409].map(Answer::status));
    coordinator.enqueue(job(&["true"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    assert_eq!(ended(&coordinator).await["state"], "success");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_request_does_not_hold_up_the_end() {
    let coordinator = Coordinator::start().await;
    coordinator.script("request", [Answer::Slow(Duration::from_secs(50))]);
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("the request", || !coordinator.calls("request").is_empty()).await;
    let start = Instant::now();
    bench.finish().await;
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_is_followed_by_a_request_that_can_be_held() {
    let coordinator = Coordinator::start().await;
    let bench = Bench::slow(&coordinator.url, "glrt-x", Duration::from_secs(3600));
    let requests = || coordinator.calls("request");
    eventually("the second request", || requests().len() == 2).await;
    assert_eq!(requests()[0].json()["last_update"], serde_json::Value::Null);
    assert_eq!(requests()[1].json()["last_update"], "queue-1");
    // A coordinator that does not hold it is asked again only when it is time.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(requests().len(), 2);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finishing_lets_jobs_end_and_stopping_does_not() {
    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&["echo is-up", "sleep 0.5", "echo is-through"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("output", || coordinator.log().contains("is-up")).await;
    bench.finish().await;
    assert!(coordinator.log().contains("is-through"));

    let coordinator = Coordinator::start().await;
    coordinator.enqueue(job(&["echo is-up", "sleep 60"]));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    eventually("output", || coordinator.log().contains("is-up")).await;
    bench.shutdown.send_replace(Shutdown::Stop);
    let last = ended_soon(&coordinator).await;
    assert_eq!(last["failure_reason"], "runner_interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_nobody_understands_is_reported_as_failed() {
    let coordinator = Coordinator::start().await;
    let mut payload = job(&["true"]);
    payload["steps"] = json!("none");
    coordinator.enqueue(payload);
    let bench = Bench::start(&coordinator.url, "glrt-x");
    let last = ended(&coordinator).await;
    bench.finish().await;
    assert_eq!(last["failure_reason"], "runner_system_failure");
    assert!(coordinator.log().contains("does not understand"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_are_uploaded_and_downloaded() {
    let coordinator = Coordinator::start().await;
    let elsewhere = Coordinator::start().await;
    let mut payload = job(&["cat in.txt", "echo report > out.txt"]);
    payload["artifacts"] = json!([{"name": "my \"files\"", "paths": ["out.txt"], "expire_in": "7 days",
        "artifact_type": "archive", "artifact_format": "zip", "when": "on_success"}]);
    payload["dependencies"] = json!([{"id": 3, "name": "build", "token": "dep-token",
        "artifacts_file": {"filename": "artifacts.zip", "size": 1}}]);
    coordinator.enqueue(payload);
    elsewhere.state().archive = zip("in.txt", b"from-build\n");
    let location = format!("{}/elsewhere?signature=s3cret", elsewhere.url);
    coordinator.script(
        "GET artifacts",
        [Answer::header(302, "Location", &location)],
    );
    coordinator.script("POST artifacts", [Answer::status(503)]);
    let bench = Bench::start(&coordinator.url, "glrt-x");
    assert_eq!(
        ended(&coordinator).await["state"],
        "success",
        "{}",
        coordinator.log()
    );
    bench.finish().await;
    assert!(coordinator.log().contains("\nfrom-build\n"));
    let upload = &coordinator.calls("POST artifacts")[1];
    assert_eq!(
        upload.query,
        "artifact_format=zip&artifact_type=archive&expire_in=7+days"
    );
    assert_eq!(upload.header("Transfer-Encoding"), "chunked");
    let body = String::from_utf8_lossy(&upload.body);
    assert!(
        body.contains("name=\"file\"; filename=\"my %22files%22.zip\""),
        "{body}"
    );
    let download = &coordinator.calls("GET artifacts")[0];
    assert_eq!(download.query, "direct_download=true");
    assert_eq!(download.header("JOB-TOKEN"), "dep-token");
    assert_eq!(elsewhere.calls("GET elsewhere")[0].header("JOB-TOKEN"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_too_large_fail_the_job_at_once() {
    let coordinator = Coordinator::start().await;
    let mut payload = job(&["echo report > out.txt"]);
    payload["artifacts"] =
        json!([{"paths": ["out.txt"], "artifact_type": "archive", "artifact_format": "zip"}]);
    coordinator.enqueue(payload);
    coordinator.script("POST artifacts", [413; 3].map(Answer::status));
    let bench = Bench::start(&coordinator.url, "glrt-x");
    assert_eq!(ended(&coordinator).await["state"], "failed");
    bench.finish().await;
    assert_eq!(coordinator.calls("POST artifacts").len(), 1);
    assert!(
        coordinator.log().contains("too large"),
        "{}",
        coordinator.log()
    );
}

fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file(name, zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}
