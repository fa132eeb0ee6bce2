//! Caches in a bucket, on a real server of S3's protocol.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shipway_protocol::CacheSpec;
use tempfile::TempDir;

use super::{Bench, eventually, skipped};
use crate::shared_cache::SharedCache;
use crate::testing::RecordingSource;

/// The server and its directory, in which a bucket is a directory.
struct Server {
    directory: TempDir,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the program is: on the path, or where `./test` installs it.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin"));
    let programs = places.into_iter().map(|place| place.join("s3s-fs"));
    programs.into_iter().find(|program| program.is_file())
}

/// A server with the bucket `caches`; without one the test named is skipped.
async fn server(test: &str) -> Option<Server> {
    let Some(program) = program() else {
        let reason = "s3s-fs is not installed";
        skipped(&format!("tests::shared_cache::{test}"), reason);
        return None;
    };
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("caches")).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let child = Command::new(program)
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--access-key", "shipway", "--secret-key", "geheim"])
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the server", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    Some(Server {
        directory,
        port,
        child,
    })
}

/// The bucket of the server on this port.
fn shared(port: u16) -> SharedCache {
    SharedCache {
        prefix: "ci".into(),
        bucket: "caches".into(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        credentials: Some(("shipway".into(), "geheim".into())),
        path_style: true,
        ..SharedCache::default()
    }
}

fn cache(key: &str) -> CacheSpec {
    CacheSpec {
        key: key.into(),
        paths: vec!["deps".into()],
        ..CacheSpec::default()
    }
}

impl Server {
    /// A runner on a machine of its own that shares this server's bucket.
    fn bench(&self, script: &[&str]) -> Bench {
        let mut bench = Bench::new(script);
        bench.config.shared_cache = Some(shared(self.port));
        bench.payload.job_info.project_id = 7;
        bench.payload.cache = vec![cache("deps/x")];
        bench
    }

    fn object(&self) -> PathBuf {
        self.directory.path().join("caches/ci/project/7/deps/x")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_machine_saved_another_has_and_nothing_is_sent_twice() {
    let name = "what_one_machine_saved_another_has_and_nothing_is_sent_twice";
    let Some(server) = server(name).await else {
        return;
    };
    let install =
        "test -e deps/lib && echo had-it || { mkdir deps; head -c 20M /dev/zero > deps/lib; }";
    let mut one = server.bench(&[install]);
    // Stored, it is more than one part of an upload.
    one.variable("CACHE_COMPRESSION_LEVEL", "fastest");
    let log = one.succeed().await;
    assert!(
        log.contains("No cache at s3://caches/ci/project/7/deps/x"),
        "{log}"
    );
    assert!(
        log.contains("Uploaded cache to s3://caches/ci/project/7/deps/x"),
        "{log}"
    );
    let written = |object: &Path| std::fs::metadata(object).unwrap().modified().unwrap();
    let first = written(&server.object());
    assert!(std::fs::metadata(server.object()).unwrap().len() > 16 * 1024 * 1024);

    let mut other = server.bench(&[install]);
    let log = other.succeed().await;
    assert!(
        log.contains("Downloaded cache from") && log.contains("had-it"),
        "{log}"
    );
    assert!(log.contains("Not uploading cache deps/x"), "{log}");
    other.source = RecordingSource::default();
    let log = other.succeed().await;
    assert!(
        log.contains("cache.zip is up to date") && log.contains("had-it"),
        "{log}"
    );
    assert_eq!(written(&server.object()), first);

    let mut changing = server.bench(&["date +%N > deps/new"]);
    changing.config.cache_dir = other.config.cache_dir.clone();
    let log = changing.succeed().await;
    assert!(log.contains("Uploaded cache to"), "{log}");
    one.source = RecordingSource::default();
    let log = one.succeed().await;
    assert!(log.contains("Downloaded cache from"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_away_or_refuses_costs_nothing_but_the_cache() {
    let name = "a_bucket_that_is_away_or_refuses_costs_nothing_but_the_cache";
    let Some(server) = server(name).await else {
        return;
    };
    let script = ["mkdir -p deps; echo x > deps/lib"];
    let mut refused = server.bench(&script);
    let shared = refused.config.shared_cache.as_mut().unwrap();
    shared.credentials = Some(("shipway".into(), "wrong".into()));
    let log = refused.succeed().await;
    assert!(
        log.contains("cache was not uploaded to s3://caches/"),
        "{log}"
    );
    assert!(!log.contains("wrong") && !log.contains("geheim"), "{log}");
    let mut large = server.bench(&script);
    large.config.shared_cache.as_mut().unwrap().upload_limit = 10;
    let log = large.succeed().await;
    assert!(
        log.contains("larger than `MaxUploadedArchiveSize` of 10 bytes"),
        "{log}"
    );
    assert!(!server.object().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_does_not_answer_is_asked_once_and_the_machines_archive_used() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    for port in [silent.local_addr().unwrap().port(), port] {
        let mut bench = Bench::new(&["ls deps || true; mkdir -p deps; echo x > deps/lib"]);
        bench.payload.cache = vec![cache("one"), cache("two")];
        bench.succeed().await;
        bench.config.shared_cache = Some(shared(port));
        bench.source = RecordingSource::default();
        let start = std::time::Instant::now();
        let log = bench.succeed().await;
        assert!(start.elapsed().as_secs() < 12, "{:?}", start.elapsed());
        for (text, times) in [
            ("cache was not downloaded from s3://caches/ci/project/1", 1),
            ("cache was not uploaded to", 1),
            ("Successfully extracted cache", 2),
            ("\nlib\n", 1),
        ] {
            assert_eq!(log.matches(text).count(), times, "{text}: {log}");
        }
    }
}
