//! What jobs find of the snapshot, one after the other in one slot.

use std::sync::Arc;

use shipway_protocol::JobState;

use super::Bench;
use crate::control::control;
use crate::testing::RecordingSource;
use crate::{Runner, Sources};

#[tokio::test]
async fn each_job_finds_the_snapshot_as_it_is_whatever_the_one_before_did() {
    let mut bench = Bench::new(&[]);
    bench.snapshot(&[("tracked", "content"), ("deep/file", "more")]);
    let runner = Runner::new(bench.config.clone());
    let same = "test $(cat tracked deep/file) = contentmore && test $(find . | wc -l) = 4";
    let jobs: [(&str, &str, &str); 6] = [
        (
            "",
            "printf changed > tracked; mkdir build; touch build/out",
            "Copied 2 files",
        ),
        (
            "",
            same,
            "Kept 1 files of the job before, copied 1 and removed 1",
        ),
        (
            "",
            "rm -r deep",
            "Kept 2 files of the job before, copied 0 and removed 0",
        ),
        // A directory is missing: all is copied.
        ("", same, "Copied 2 files"),
        (
            "none",
            "test -z \"$(ls -A)\"",
            "Skipping Git repository setup",
        ),
        ("", same, "Copied 2 files"),
    ];
    for (number, (strategy, script, line)) in jobs.into_iter().enumerate() {
        let mut job = Bench::new(&[script]);
        job.variable("GIT_STRATEGY", strategy);
        let source = RecordingSource::default();
        let (_canceller, control) = control();
        let sources = bench.sources.clone();
        let outcome = runner
            .run_job(job.payload.clone(), sources, &source, 0, control)
            .await;
        let log = source.log();
        assert_eq!(outcome.state, JobState::Success, "{number}: {log}");
        assert!(log.contains(line), "{number}: {log}");
    }
    drop(runner);
    assert_eq!(
        std::fs::read_dir(&bench.config.builds_dir).unwrap().count(),
        0
    );
    let Sources::Directory { snapshot, .. } = bench.sources else {
        unreachable!("the sources are a snapshot");
    };
    assert_eq!(Arc::strong_count(&snapshot), 1);
}
