//! Jobs that share a workspace.

use shipway_protocol::JobState;

use super::{Bench, eventually, payload, plain};
use crate::control::control;
use crate::directory::Slots;
use crate::runner::Runner;
use crate::testing::RecordingSource;

fn bench(value: &str) -> Bench {
    let mut bench = Bench::new(&[]);
    bench.snapshot(&[("source", "one\n")]);
    bench.variable("SHIPWAY_STICKY", value);
    bench
}

/// Runs a job of the bench's pipeline with this script; its outcome's state and its log.
async fn run(bench: &Bench, runner: &Runner, slot: u32, script: &[&str]) -> (JobState, String) {
    let source = RecordingSource::default();
    let mut job = payload(script);
    job.job_info.pipeline_id = bench.payload.job_info.pipeline_id;
    job.variables.clone_from(&bench.payload.variables);
    let (_canceller, control) = control();
    let sources = bench.sources.clone();
    let outcome = runner.run_job(job, sources, &source, slot, control).await;
    (outcome.state, plain(&source.log()))
}

#[tokio::test]
async fn what_one_job_built_is_there_for_the_next() {
    for value in ["pipeline", "project"] {
        let mut bench = bench(value);
        bench.payload.job_info.pipeline_id = 7;
        let runner = Runner::new(bench.config.clone());
        let build = ["echo built > out", "echo changed >> source", "pwd"];
        let (state, first) = run(&bench, &runner, 0, &build).await;
        assert_eq!(state, JobState::Success, "{first}");
        assert!(first.contains("Copied 1 files"), "{first}");
        // Another slot, as where several jobs run at once.
        let (state, second) = run(&bench, &runner, 1, &["cat out source", "pwd"]).await;
        assert_eq!(state, JobState::Success, "{second}");
        assert!(second.contains("built\none\nchanged\n"), "{second}");
        assert!(second.contains("as job `test` left it"), "{second}");
        let place = |log: &str| {
            let found = log.lines().find(|line| line.starts_with('/'));
            found.unwrap().to_owned()
        };
        assert_eq!(place(&first), place(&second));
        bench.variable("GIT_STRATEGY", "clone");
        let (_, third) = run(&bench, &runner, 0, &["ls; cat source"]).await;
        assert!(third.contains("source\none\n"), "{third}");
        drop(runner);
        let left = std::fs::read_dir(&bench.config.builds_dir).unwrap().count();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn jobs_of_other_pipelines_and_without_the_variable_share_nothing() {
    let mut bench = bench("pipeline");
    let runner = Runner::new(bench.config.clone());
    bench.payload.job_info.pipeline_id = 1;
    run(&bench, &runner, 0, &["touch out"]).await;
    bench.payload.job_info.pipeline_id = 2;
    let (state, log) = run(&bench, &runner, 0, &["test ! -e out"]).await;
    assert_eq!(state, JobState::Success, "{log}");
    bench.payload.job_info.pipeline_id = 1;
    bench.variable("SHIPWAY_STICKY", "");
    let (state, log) = run(&bench, &runner, 0, &["test ! -e out"]).await;
    assert_eq!(state, JobState::Success, "{log}");
    bench.variable("SHIPWAY_STICKY", "pipelines");
    let (state, log) = run(&bench, &runner, 0, &["true"]).await;
    assert_eq!(state, JobState::Failed);
    assert!(
        log.contains("SHIPWAY_STICKY is `pipelines`; it is pipeline,"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_the_workspace_and_can_be_cancelled_meanwhile() {
    let bench = bench("pipeline");
    let runner = Runner::new(bench.config.clone());
    let others = Slots::new(&bench.config.builds_dir, false);
    let held = others.claim_workspace("pipeline-0", "group/project");
    let held = held.unwrap().unwrap();
    let sources = [RecordingSource::default(), RecordingSource::default()];
    let waits = |source: &RecordingSource| {
        plain(&source.log()).contains("Waiting for the workspace of the pipeline")
    };
    let start = |slot: u32, control| {
        let mut job = payload(&["true"]);
        job.variables.clone_from(&bench.payload.variables);
        let from = bench.sources.clone();
        runner.run_job(job, from, &sources[slot as usize], slot, control)
    };
    let (_nobody, waiting) = control();
    let (canceller, control) = control();
    let follower = start(0, waiting);
    let canceled = start(1, control);
    let conduct = async {
        eventually("both wait", || sources.iter().all(waits)).await;
        canceller.cancel();
        eventually("the end", || sources[1].updates().len() == 1).await;
        others.release(held).unwrap();
        drop(others);
    };
    let (follower, canceled, ()) = tokio::join!(follower, canceled, conduct);
    assert_eq!(follower.state, JobState::Success, "{}", sources[0].log());
    assert!(canceled.canceled, "{canceled:?}");
}
