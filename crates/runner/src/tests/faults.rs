//! What breaks while a job runs: each ends in a defined state with nothing left over.

use std::path::Path;
use std::time::Duration;

use shipway_protocol::{ArtifactSpec, CacheSpec, FailureReason, JobState};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::docker::{bench_or_skip, containers};
use super::{Bench, eventually};
use crate::control::control;
use crate::disk::{Budget, Collector};
use crate::runner::Runner;
use crate::testing::RecordingSource;

/// An engine's socket that passes everything on until it is told to break off.
struct Proxy(tokio::task::JoinHandle<()>);

impl Proxy {
    fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        Self(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    let engine = UnixStream::connect("/var/run/docker.sock").await;
                    // Both ends find out by the connection's end.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine.unwrap()).await;
                });
            }
        }))
    }

    fn break_off(self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_stops_fails_the_job_and_what_it_left_is_found_later() {
    let mut bench = bench_or_skip!(
        "an_engine_that_stops_fails_the_job_and_what_it_left_is_found_later",
        &["echo is-ready", "sleep 1000"]
    );
    let socket = bench.path("engine.sock");
    let proxy = Proxy::start(&socket);
    let mut later = bench.config.clone();
    later.ledger_dir = Some(bench.path("ledger"));
    bench.config.docker_host = Some(format!("unix://{}", socket.display()));
    let runner = Runner::new(bench.config.clone());
    let (_canceller, control) = control();
    let job = runner.run_job(
        bench.payload.clone(),
        bench.sources.clone(),
        &bench.source,
        0,
        control,
    );
    let stop = async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        proxy.break_off();
        std::fs::remove_file(&socket).unwrap();
    };
    let ended = async { tokio::join!(job, stop).0 };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    let outcome = ended.expect("the job hangs");
    let log = bench.log();
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(log.contains("ERROR: Job failed (system failure)"), "{log}");
    drop(runner);
    // The engine is back: what it could not be told to remove is found by its label.
    assert_eq!(containers(&bench).await, 1);
    let found = Collector::new([&later], Budget::default())
        .round(false)
        .await;
    assert_eq!(found.removals.len(), 1, "{found:?}");
    assert_eq!(containers(&bench).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entrypoint_that_ignores_the_script_ends_the_job_with_its_code() {
    for (entrypoint, code) in [("exit 9", 9), ("cat >/dev/null; exit 3", 3)] {
        let mut bench = bench_or_skip!(
            "an_entrypoint_that_ignores_the_script_ends_the_job_with_its_code",
            &["echo never-printed"]
        );
        let entrypoint = ["sh", "-c", entrypoint].map(str::to_owned).to_vec();
        bench.payload.image.as_mut().unwrap().entrypoint = Some(entrypoint);
        let outcome = bench.run().await;
        assert!(!bench.log().contains("never-printed"), "{}", bench.log());
        assert_eq!(outcome.exit_code, Some(code), "{}", bench.log());
        assert_eq!(containers(&bench).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_without_end_is_cut_at_the_limit_and_the_job_goes_on() {
    let mut bench = Bench::new(&["head -c 6000000 /dev/zero | tr '\\0' x", "echo > done"]);
    bench.config.output_limit = 100_000;
    bench.payload.artifacts = vec![archive("done")];
    bench.succeed().await;
    let length = bench.source.log_bytes().len();
    assert!((100_000..101_000).contains(&length), "{length}");
    assert!(bench.log().contains("Job's log exceeded limit of 100000 "));
    assert_eq!(bench.source.uploads().len(), 1);
}

fn archive(path: &str) -> ArtifactSpec {
    ArtifactSpec {
        paths: vec![path.into()],
        artifact_type: "archive".into(),
        ..ArtifactSpec::default()
    }
}

fn cache(path: &str) -> CacheSpec {
    CacheSpec {
        key: "k".into(),
        paths: vec![path.into()],
        ..CacheSpec::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_fails_what_needs_it_and_says_so() {
    let mut bench = Bench::new(&["echo built > out"]);
    bench.payload.cache = vec![cache("out")];
    bench.config.cache_dir = "/dev/full/cache".into();
    let log = bench.succeed().await;
    assert!(log.contains("Failed to create cache"), "{log}");
    bench.source = RecordingSource::default();
    bench.config.temp_dir = "/dev/full/tmp".into();
    bench.payload.artifacts = vec![archive("out")];
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(bench.log().contains("/dev/full/tmp"), "{}", bench.log());
    let mut bench = Bench::new(&["sleep 1000"]);
    bench.source = RecordingSource::refusing_traces();
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
}

/// A runner that dies is a future that is dropped: nothing of it runs on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_dies_in_any_stage_leaves_nothing_after_the_next_start() {
    for heading in [
        "Preparing environment",
        "Getting source",
        "Checking cache",
        "Executing \"step_script\"",
        "Running after script",
        "Creating cache",
        "Uploading artifacts",
    ] {
        let mut bench = Bench::new(&["echo built > out; seq 1 200000 > big"]);
        bench.after_script(&["sleep 0.1"]);
        bench.payload.cache = vec![cache("big")];
        bench.payload.artifacts = vec![archive("out")];
        let runner = Runner::new(bench.config.clone());
        let (_canceller, control) = control();
        let job = runner.run_job(
            bench.payload.clone(),
            bench.sources.clone(),
            &bench.source,
            0,
            control,
        );
        tokio::select! {
            outcome = job => assert_eq!(outcome.state, JobState::Success),
            () = eventually(heading, || bench.log().contains(heading)) => {}
        }
        drop(runner);
        let next = Runner::new(bench.config.clone());
        // File work that had begun ends by itself, and then the slot is free.
        let builds = || {
            std::fs::read_dir(&bench.config.builds_dir)
                .into_iter()
                .flatten()
        };
        for _ in 0..200 {
            next.sweep().await;
            if builds().count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(builds().count(), 0, "{heading}");
        // And the next job runs as if nothing had happened.
        bench.source = RecordingSource::default();
        bench.succeed().await;
    }
}
