//! Jobs of the Docker executor, on a real engine with an image made here.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{CreateImageOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::TryStreamExt;
use shipway_protocol::{
    ArtifactSpec, CacheSpec, DockerOptions, ExecutorOptions, FailureReason, Image, JobState, User,
};
use tokio::sync::OnceCell;

use super::conformance::suite;
use super::{Bench, eventually, skipped};
use crate::config::{ExecutorChoice, PullPolicy};
use crate::control::control;
use crate::testing::RecordingSource;

pub(super) const IMAGE: &str = "shipway-test/busybox:1";
const BUSYBOX: [&str; 2] = ["/usr/bin/busybox", "/bin/busybox"];

/// A bench for jobs in the test's image. Without an engine the test named is skipped.
pub(super) async fn bench(name: &str, script: &[&str]) -> Option<Bench> {
    static READY: OnceCell<Result<(), String>> = OnceCell::const_new();
    if let Err(reason) = READY.get_or_init(make_image).await {
        skipped(&format!("tests::docker::{name}"), reason);
        return None;
    }
    let mut bench = Bench::new(script);
    in_image(&mut bench);
    Some(bench)
}

/// Makes it a job in the test's image.
pub(super) fn in_image(bench: &mut Bench) {
    bench.config.executor = ExecutorChoice::Auto;
    bench.payload.image = Some(Image {
        name: IMAGE.into(),
        ..Image::default()
    });
}

pub(super) fn engine() -> Result<Docker, String> {
    Docker::connect_with_unix("/var/run/docker.sock", 60, bollard::API_DEFAULT_VERSION)
        .map_err(|_| "no Docker engine".to_owned())
}

async fn make_image() -> Result<(), String> {
    // An image made again would leave the one before it behind without a name.
    if engine()?.inspect_image(IMAGE).await.is_ok() {
        return Ok(());
    }
    import(IMAGE, &["ENV FROM_IMAGE=yes"]).await
}

/// Makes an image of busybox and what these lines of a Dockerfile say.
pub(super) async fn import(image: &str, changes: &[&str]) -> Result<(), String> {
    let engine = engine()?
        .negotiate_version()
        .await
        .map_err(|_| "no Docker engine".to_owned())?;
    import_on(engine, image, changes).await
}

/// The same on another engine.
pub(super) async fn import_on(engine: Docker, image: &str, changes: &[&str]) -> Result<(), String> {
    let busybox = BUSYBOX
        .iter()
        .find_map(|path| std::fs::read(path).ok())
        .ok_or("no busybox")?;
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8], mode: u32, kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_entry_type(kind);
        tar.append_data(&mut header, path, content).unwrap();
    };
    add("bin/busybox", &busybox, 0o755, tar::EntryType::Regular);
    add("tmp/", b"", 0o1777, tar::EntryType::Directory);
    add(
        "etc/passwd",
        b"root:x:0:0::/:/bin/sh\napp:x:1234:1234::/tmp:/bin/sh\n",
        0o644,
        tar::EntryType::Regular,
    );
    for tool in [
        "sh", "cat", "chmod", "chown", "cut", "echo", "env", "head", "id", "ls", "mkdir", "pwd",
        "rm", "sleep", "touch", "tr", "true", "false", "test",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o777);
        header.set_entry_type(tar::EntryType::Symlink);
        tar.append_link(&mut header, format!("bin/{tool}"), "busybox")
            .unwrap();
    }
    let (repository, tag) = image.split_once(':').unwrap();
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(repository)
        .tag(tag)
        .changes(changes.iter().map(|change| (*change).to_owned()).collect())
        .build();
    let body = bollard::body_full(tar.into_inner().unwrap().into());
    engine
        .create_image(Some(options), Some(body), None)
        .try_collect::<Vec<_>>()
        .await
        .map(drop)
        .map_err(|error| format!("the image cannot be made: {error}"))
}

/// Containers of jobs whose builds directory is below this bench's.
pub(super) async fn containers(bench: &Bench) -> usize {
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let all = engine.list_containers(Some(options)).await.unwrap();
    let below = bench.directory.path().display().to_string();
    all.iter()
        .filter_map(|container| container.labels.as_ref()?.get("shipway.slot"))
        .filter(|slot| slot.starts_with(&below))
        .count()
}

suite!(bench);

macro_rules! bench_or_skip {
    ($name:literal, $script:expr) => {
        match $crate::tests::docker::bench($name, $script).await {
            Some(bench) => bench,
            None => return,
        }
    };
}
pub(super) use bench_or_skip;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_the_image_and_nothing_is_left() {
    let mut bench = bench_or_skip!(
        "the_log_names_the_image_and_nothing_is_left",
        &["echo $FROM_IMAGE-$CI_JOB_IMAGE", "pwd"]
    );
    bench.variable("PLACE", "busybox");
    bench.payload.image.as_mut().unwrap().name = "shipway-test/$PLACE:1".into();
    let log = bench.succeed().await;
    for line in [
        "Preparing the \"docker\" executor\n",
        "Using Docker executor with image shipway-test/busybox:1 ...\n",
        "Using effective pull policy of [if-not-present] for container shipway-test/busybox:1\n",
        "Using locally found image version due to \"if-not-present\" pull policy\n",
        "Using docker image sha256:",
        "\nyes-shipway-test/busybox:1\n",
        "\n/builds/group/project\n",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!(containers(&bench).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colon_in_a_path_is_no_separator() {
    let mut bench = bench_or_skip!("a_colon_in_a_path_is_no_separator", &["echo x > file"]);
    bench.config.builds_dir = bench.path("with:colon");
    bench.succeed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_is_kept_for_after_script() {
    let mut bench = bench_or_skip!(
        "the_container_is_kept_for_after_script",
        &["echo kept > /tmp/file"]
    );
    bench.after_script(&["cat /tmp/file"]);
    assert!(bench.succeed().await.contains("\nkept\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_leaves_no_container() {
    let mut bench = bench_or_skip!(
        "a_cancelled_job_leaves_no_container",
        &["echo is-ready", "sleep 1000"]
    );
    bench.config.kill_grace = Duration::from_secs(60);
    let (canceller, control) = control();
    let start = std::time::Instant::now();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        assert_eq!(containers(&bench).await, 1);
        canceller.cancel();
    });
    assert!(outcome.canceled);
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "SIGTERM reached the script"
    );
    assert_eq!(containers(&bench).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_can_write_and_the_runner_can_remove() {
    let mut bench = bench_or_skip!(
        "another_user_can_write_and_the_runner_can_remove",
        &[
            "id -u",
            "cat dir/file",
            "echo new > dir/file; echo made > dir/made; mkdir -m 700 private; echo x > private/x; chmod 0 private/x",
            "cat $KEY"
        ]
    );
    bench.snapshot(&[("dir/file", "old\n")]);
    bench.variable("KEY", "in-a-file\n").file = true;
    bench.payload.artifacts = vec![ArtifactSpec {
        paths: vec!["dir".into(), "private".into()],
        ..ArtifactSpec::default()
    }];
    bench.payload.cache = vec![CacheSpec {
        key: "k".into(),
        paths: vec!["dir/made".into()],
        ..CacheSpec::default()
    }];
    for user in [User::Number(1234), User::Text("app".into())] {
        bench.source = RecordingSource::default();
        bench.payload.image.as_mut().unwrap().executor_opts = ExecutorOptions {
            docker: Some(DockerOptions {
                user: Some(user),
                platform: None,
            }),
            kubernetes: None,
        };
        let log = bench.succeed().await;
        assert!(log.contains("\n1234\n"), "{log}");
        assert!(log.contains("\nin-a-file\n"), "{log}");
        assert_eq!(bench.source.uploads().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entrypoint_gets_the_shell_as_arguments() {
    let mut bench = bench_or_skip!(
        "an_entrypoint_gets_the_shell_as_arguments",
        &["echo $ADDED"]
    );
    bench.payload.image.as_mut().unwrap().entrypoint = Some(
        ["/bin/env", "ADDED=by-entrypoint"]
            .map(str::to_owned)
            .into(),
    );
    assert!(bench.succeed().await.contains("\nby-entrypoint\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_objects_are_there_and_read_only() {
    let mut bench = bench_or_skip!("git_objects_are_there_and_read_only", &[]);
    let objects = bench.path("objects");
    super::write(&objects.join("pack"), "packed\n");
    let path = bench.snapshot(&[("file", "")]);
    let script = format!(
        "cat {0}/pack; touch {0}/new || echo refused",
        objects.display()
    );
    bench.payload.steps[0].script = vec![script];
    bench.sources = crate::Sources::Directory {
        snapshot: std::sync::Arc::new(shipway_git::Tree::read(&path).unwrap()),
        git_objects: Some(objects),
    };
    let log = bench.succeed().await;
    assert!(log.contains("\npacked\n"), "{log}");
    assert!(log.contains("\nrefused\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_there_has_its_reason() {
    let mut bench = bench_or_skip!("an_image_that_is_not_there_has_its_reason", &["true"]);
    for (name, policies, reason, text) in [
        (
            "shipway-test/none:1",
            &[PullPolicy::Never][..],
            FailureReason::RunnerConfigurationError,
            "failed to pull image \"shipway-test/none:1\" with specified policies [never]",
        ),
        (
            "localhost:1/none:1",
            &[PullPolicy::Always, PullPolicy::Never],
            FailureReason::RunnerConfigurationError,
            "Attempt #2: Trying \"never\" pull policy",
        ),
        (
            "localhost:1/none:1",
            &[PullPolicy::IfNotPresent],
            FailureReason::RunnerExternalDependencyFailure,
            "Check that the registry is reachable from this machine",
        ),
    ] {
        bench.source = RecordingSource::default();
        bench.payload.image.as_mut().unwrap().name = name.into();
        bench.config.pull_policies = policies.to_vec();
        let outcome = bench.run().await;
        let log = bench.log();
        assert_eq!(outcome.failure_reason, Some(reason), "{log}");
        assert!(log.contains(text), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_a_dead_runner_are_swept() {
    let bench = bench_or_skip!(
        "containers_of_a_dead_runner_are_swept",
        &["echo is-ready", "sleep 1000"]
    );
    let runner = crate::Runner::new(bench.config.clone());
    let (_canceller, control) = control();
    let job = runner.run_job(
        bench.payload.clone(),
        bench.sources.clone(),
        &bench.source,
        0,
        control,
    );
    tokio::select! {
        _ = job => panic!("the job ended"),
        () = eventually("ready", || bench.log().contains("\nis-ready\n")) => {}
    }
    assert_eq!(containers(&bench).await, 1);
    let swept = crate::Runner::new(bench.config.clone()).sweep().await;
    assert_eq!((swept.containers, swept.directories), (1, 1));
    assert_eq!(containers(&bench).await, 0);
}

#[tokio::test]
async fn without_an_engine_the_job_says_what_to_do() {
    let mut bench = Bench::new(&["true"]);
    bench.config.executor = ExecutorChoice::Docker;
    bench.config.default_image = Some("any".into());
    bench.config.docker_host = Some("unix:///nowhere.sock".into());
    let outcome = bench.run().await;
    assert_eq!(outcome.state, JobState::Failed);
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    let log = bench.log();
    assert!(
        log.contains(
            "ERROR: Job failed (system failure): no Docker engine answers at unix:///nowhere.sock"
        ),
        "{log}"
    );
    assert!(log.contains("--executor shell"), "{log}");
}

#[tokio::test]
async fn without_an_image_the_job_says_what_to_do() {
    let mut bench = bench_or_skip!("without_an_image_the_job_says_what_to_do", &["true"]);
    bench.config.executor = ExecutorChoice::Docker;
    bench.payload.image = None;
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerConfigurationError)
    );
    assert!(bench.log().contains("add `image:` to the job"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_takes_no_more_than_it_may() {
    // The shell, its children and the fork bomb are within the limit; the machine is not hurt.
    let mut bench = bench_or_skip!(
        "a_container_takes_no_more_than_it_may",
        &[
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true",
            "bomb() { (sleep 5; bomb) & }; i=0; while [ $i -lt 100 ]; do bomb; i=$((i+1)); done 2>&1"
        ]
    );
    bench.config.docker.resources = crate::Resources {
        memory: Some(64 << 20),
        pids: Some(30),
        ..crate::Resources::default()
    };
    let outcome = bench.run().await;
    let log = bench.log();
    assert_eq!(outcome.state, JobState::Failed, "{log}");
    assert!(log.contains("\n67108864\n"), "{log}");
    assert!(log.to_lowercase().contains("fork"), "{log}");
    assert_eq!(containers(&bench).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_runner_does_not_allow_is_refused_by_name() {
    let mut bench = bench_or_skip!(
        "what_the_runner_does_not_allow_is_refused_by_name",
        &["echo never-printed"]
    );
    let service = shipway_protocol::Service {
        name: IMAGE.to_owned(),
        ..shipway_protocol::Service::default()
    };
    let allowed = |images: &[&str], services: &[&str], users: &[&str], limit| crate::Allowed {
        images: images.iter().map(|one| (*one).to_owned()).collect(),
        services: services.iter().map(|one| (*one).to_owned()).collect(),
        users: users.iter().map(|one| (*one).to_owned()).collect(),
        services_limit: limit,
    };
    bench.payload.services = vec![service];
    bench.payload.image.as_mut().unwrap().executor_opts.docker = Some(DockerOptions {
        user: Some(User::Text("app".into())),
        platform: None,
    });
    for (rules, text) in [
        (
            allowed(&["ruby:*"], &[], &[], None),
            "The \"shipway-test/busybox:1\" image is not present on list of allowed images:\n- ruby:*\n",
        ),
        (
            allowed(&["shipway-test/*"], &["pg:*"], &[], None),
            "The \"shipway-test/busybox:1\" service is not present on list of allowed services:\n- pg:*\n",
        ),
        (
            allowed(&[], &[], &["web"], None),
            "The \"app\" user is not present on list of allowed users:\n- web\n",
        ),
        (
            allowed(&[], &[], &[], Some(0)),
            "the job has 1 services and this runner allows 0 (`services_limit`)",
        ),
    ] {
        bench.source = RecordingSource::default();
        bench.config.docker.allowed = rules;
        let outcome = bench.run().await;
        let log = bench.log();
        let reason = outcome.failure_reason;
        assert_eq!(
            reason,
            Some(FailureReason::RunnerConfigurationError),
            "{log}"
        );
        assert!(log.contains(text), "{text}\n{log}");
        assert!(!log.contains("never-printed"), "{log}");
        assert_eq!(containers(&bench).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_may_choose_where_its_project_is() {
    let name = "a_job_may_choose_where_its_project_is";
    let Some(mut bench) = bench(name, &["pwd", "cat source"]).await else {
        return;
    };
    bench.snapshot(&[("source", "from-snapshot\n")]);
    bench.variable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/go/src/tool");
    let log = bench.succeed().await;
    assert!(log.contains("\n/builds/go/src/tool\n"), "{log}");
    assert!(log.contains("\nfrom-snapshot\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_give_a_job_a_first_process_and_a_network() {
    let name = "flags_give_a_job_a_first_process_and_a_network";
    let script = ["cat /proc/1/comm", "cat /etc/hosts /etc/resolv.conf"];
    let Some(mut bench) = bench(name, &script).await else {
        return;
    };
    let plain = bench.succeed().await;
    assert!(!plain.contains("127.0.0.11"), "{plain}");
    bench.source = RecordingSource::default();
    bench.variable("FF_USE_INIT_WITH_DOCKER_EXECUTOR", "true");
    bench.variable("FF_NETWORK_PER_BUILD", "true");
    let log = bench.succeed().await;
    assert!(
        log.contains("comm\ndocker-init\n") || log.contains("comm\ntini\n"),
        "{log}"
    );
    // The name server of networks of one's own.
    assert!(log.contains("127.0.0.11"), "{log}");
}
