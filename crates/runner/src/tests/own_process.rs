//! A runner in a process of its own: killed at every stage, or looked at for its memory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use shipway_protocol::{
    ArtifactSpec, CacheSpec, Dependency, JobState, JobUpdate, TraceAck, Variable,
};

use super::docker::{containers, in_image};
use super::{Bench, eventually, is_running, plain};
use crate::config::RunnerConfig;
use crate::control::control;
use crate::runner::{Runner, Sources};
use crate::source::{JobSource, SourceError};
use crate::testing::RecordingSource;

/// Where that process works, and which of the jobs it runs.
const DIRECTORY: &str = "SHIPWAY_TEST_RUNNER_DIRECTORY";
const JOB: &str = "SHIPWAY_TEST_RUNNER_JOB";

/// One line: a gigabyte, and where nothing is optimized what takes as long.
const LINE: u64 = if cfg!(debug_assertions) {
    200_000_000
} else {
    1_000_000_000
};
/// What a runner with such a log may take, the test's own code included.
const MEMORY_KIB: u64 = 64 * 1024;

/// A coordinator that keeps a log in a file, or only its length.
struct LogFile {
    file: Option<Mutex<std::fs::File>>,
    length: Mutex<u64>,
}

impl JobSource for LogFile {
    async fn append_trace(&self, _: i64, _: u64, bytes: &[u8]) -> Result<TraceAck, SourceError> {
        if let Some(file) = &self.file {
            file.lock().unwrap().write_all(bytes).unwrap();
        }
        let mut length = self.length.lock().unwrap();
        *length += bytes.len() as u64;
        Ok(TraceAck { stored: *length })
    }

    async fn update_job(&self, _: i64, _: JobUpdate) -> Result<(), SourceError> {
        Ok(())
    }

    async fn upload_artifact(
        &self,
        _: i64,
        _: &ArtifactSpec,
        _: &str,
        _: &Path,
    ) -> Result<(), SourceError> {
        // The kill comes while it is sent.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        Ok(())
    }

    async fn download_artifact(&self, _: i64, _: &Dependency, _: &Path) -> Result<(), SourceError> {
        Ok(())
    }
}

/// The job of this name in this directory.
fn bench(job: &str, config: RunnerConfig) -> Bench {
    let (name, word) = job.split_once(' ').unwrap_or((job, ""));
    let script = match name {
        "line" => format!("head -c {LINE} /dev/zero | tr '\\0' x"),
        "hangs" | "container" => format!("sleep {word}"),
        _ => "echo built > out; seq 1 200000 > big".to_owned(),
    };
    let mut bench = Bench::new(&[&script]);
    bench.config = config;
    bench.after_script(&["sleep 0.1"]);
    if name == "stages" {
        bench.payload.cache = vec![CacheSpec {
            key: "k".into(),
            paths: vec!["big".into()],
            ..CacheSpec::default()
        }];
        bench.payload.artifacts = vec![ArtifactSpec {
            paths: vec!["out".into()],
            ..ArtifactSpec::default()
        }];
    }
    if name == "container" {
        in_image(&mut bench);
    }
    bench.payload.variables.push(Variable {
        key: "SECRET".into(),
        value: "not-to-be-seen".into(),
        masked: true,
        ..Variable::default()
    });
    bench
}

fn config(directory: &Path) -> RunnerConfig {
    let mut config = Bench::new(&[]).config;
    let path = |name: &str| directory.join(name);
    (config.builds_dir, config.cache_dir) = (path("builds"), path("cache"));
    config.temp_dir = path("tmp");
    config.output_limit = u64::MAX;
    config
}

/// What that process does; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let job = std::env::var(JOB).unwrap();
    let mut config = config(&directory);
    if job.starts_with("container") {
        config.executor = crate::config::ExecutorChoice::Auto;
    }
    let bench = bench(&job, config);
    let log = (job != "line").then(|| std::fs::File::create(directory.join("log")).unwrap());
    let source = LogFile {
        file: log.map(Mutex::new),
        length: Mutex::new(0),
    };
    let (_canceller, control) = control();
    let runner = Runner::new(bench.config.clone());
    let ran = runner.run_job(bench.payload.clone(), Sources::Empty, &source, 0, control);
    assert_eq!(ran.await.state, JobState::Success);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    let length = *source.length.lock().unwrap();
    std::fs::write(directory.join("figures"), format!("{peak} {length}")).unwrap();
}

/// The process, killed when this goes.
struct Process(Child);

impl Process {
    fn start(directory: &Path, job: &str) -> Self {
        std::fs::create_dir_all(directory.join("tmp")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::own_process::the_process"])
            .env(DIRECTORY, directory)
            .env(JOB, job)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn log(directory: &Path) -> String {
    let bytes = std::fs::read(directory.join("log")).unwrap_or_default();
    plain(&String::from_utf8_lossy(&bytes))
}

fn builds(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory.join("builds"));
    entries.into_iter().flatten().count()
}

/// The number of seconds by which a test knows its own `sleep`.
fn long_sleep(number: u32) -> String {
    format!("1{:07}{number}", std::process::id())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_killed_in_any_stage_leaves_nothing_after_the_next_start() {
    for (job, heading) in [
        ("stages", "Preparing environment"),
        ("stages", "Getting source"),
        ("stages", "Checking cache"),
        ("stages", "Executing \"step_script\""),
        ("stages", "Running after script"),
        ("stages", "Creating cache"),
        ("stages", "Uploading artifacts"),
        ("hangs", "Executing \"step_script\""),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let word = long_sleep(1);
        let job = format!("{job} {word}");
        let process = Process::start(directory.path(), &job);
        let hangs = job.starts_with("hangs");
        eventually(heading, || {
            log(directory.path()).contains(heading) && (!hangs || is_running(&word))
        })
        .await;
        drop(process);
        assert!(
            !directory.path().join("figures").exists(),
            "it ended before"
        );
        let mut next = bench("stages", config(directory.path()));
        let swept = Runner::new(next.config.clone()).sweep().await;
        assert_eq!(builds(directory.path()), 0, "{heading}: {swept:?}");
        eventually("its processes end", || !is_running(&word)).await;
        next.source = RecordingSource::default();
        next.succeed().await;
        let left = std::fs::read_dir(&next.config.temp_dir).unwrap().count();
        assert!(left <= 1, "{heading}: {left} temporary files");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_of_a_killed_runner_is_removed_at_the_next_start() {
    let name = "the_container_of_a_killed_runner_is_removed_at_the_next_start";
    let Some(mut like) = super::docker::bench(name, &[]).await else {
        return;
    };
    let job = format!("container {}", long_sleep(2));
    let process = Process::start(like.directory.path(), &job);
    let heading = "Executing \"step_script\"";
    eventually(heading, || log(like.directory.path()).contains(heading)).await;
    while containers(&like).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(process);
    like.config.builds_dir = like.path("builds");
    let swept = Runner::new(like.config.clone()).sweep().await;
    assert_eq!(swept.containers, 1);
    assert_eq!(containers(&like).await, 0);
    assert_eq!(builds(like.directory.path()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_much_larger_than_the_memory_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "line");
    let waiting = tokio::task::spawn_blocking(move || process.0.wait());
    assert!(waiting.await.unwrap().unwrap().success());
    let figures = std::fs::read_to_string(directory.path().join("figures")).unwrap();
    let (peak, length) = figures.split_once(' ').unwrap();
    assert!(
        length.parse::<u64>().unwrap() > LINE,
        "{length} bytes of log"
    );
    assert!(peak.parse::<u64>().unwrap() < MEMORY_KIB, "{peak} KiB");
}
