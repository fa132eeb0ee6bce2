//! A disk that fills while a job runs: a small file system in memory, which only root can mount.

use std::path::{Path, PathBuf};
use std::process::Command;

use shipway_protocol::{ArtifactSpec, ArtifactsFile, CacheSpec, Dependency, JobState};

use super::{Bench, skipped};

/// More than fits, and nothing that becomes smaller in an archive.
const SCRIPT: [&str; 1] = ["head -c 8000000 /dev/urandom > big"];

struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Four megabytes below the bench's directory; the test is skipped where that cannot be.
    fn mount(bench: &Bench, test: &str) -> Option<Self> {
        let path = bench.path("small");
        std::fs::create_dir(&path).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&path)
            .output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(path));
        }
        let reason = "no file system can be mounted here";
        skipped(&format!("tests::full_disk::{test}"), reason);
        None
    }

    /// How many files are left on it.
    fn files(&self) -> usize {
        count(&self.0)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn count(path: &Path) -> usize {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => count(&entry.path()),
        false => 1,
    };
    entries.map(of).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_does_not_fit_is_a_warning() {
    let mut bench = Bench::new(&SCRIPT);
    let Some(disk) = SmallDisk::mount(&bench, "a_cache_that_does_not_fit_is_a_warning") else {
        return;
    };
    bench.config.cache_dir = disk.0.join("cache");
    bench.payload.cache = vec![CacheSpec {
        key: "k".into(),
        paths: vec!["big".into()],
        ..CacheSpec::default()
    }];
    let log = bench.succeed().await;
    assert!(log.contains("No space left on device"), "{log}");
    assert!(log.contains("Failed to create cache"), "{log}");
    assert_eq!(disk.files(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_that_do_not_fit_fail_the_job() {
    let mut bench = Bench::new(&SCRIPT);
    let Some(disk) = SmallDisk::mount(&bench, "artifacts_that_do_not_fit_fail_the_job") else {
        return;
    };
    bench.config.temp_dir = disk.0.clone();
    bench.payload.artifacts = vec![ArtifactSpec {
        paths: vec!["big".into()],
        ..ArtifactSpec::default()
    }];
    let outcome = bench.run().await;
    let log = bench.log();
    assert_eq!(outcome.state, JobState::Failed, "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    assert!(bench.source.uploads().is_empty());
    assert_eq!(disk.files(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_that_cannot_be_unpacked_stop_the_job() {
    let mut bench = Bench::new(&["echo never-run"]);
    let name = "artifacts_that_cannot_be_unpacked_stop_the_job";
    let Some(disk) = SmallDisk::mount(&bench, name) else {
        return;
    };
    let path = bench.path("big.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("zeros", options).unwrap();
    let mut zeros = std::io::Read::take(std::io::repeat(0), 8_000_000);
    std::io::copy(&mut zeros, &mut writer).unwrap();
    writer.finish().unwrap();
    bench.source.archives.push(("build".into(), path));
    bench.config.builds_dir = disk.0.join("builds");
    bench.payload.dependencies = vec![Dependency {
        name: "build".into(),
        artifacts_file: Some(ArtifactsFile::default()),
        ..Dependency::default()
    }];
    let outcome = bench.run().await;
    let log = bench.log();
    assert_eq!(outcome.state, JobState::Failed, "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    assert!(!log.contains("\nnever-run"), "{log}");
    assert_eq!(disk.files(), 0);
}
