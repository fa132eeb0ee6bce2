//! Archives that somebody made to do harm, as caches and as artifacts of other jobs.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use shipway_protocol::{ArtifactsFile, CacheSpec, Dependency, JobState};
use zip::write::SimpleFileOptions;

use super::Bench;

/// What each archive holds, and what the log says of it.
const ARCHIVES: [(&str, &str); 5] = [
    ("parent", "../"),
    ("absolute", "/"),
    ("through a link", "link"),
    ("bomb", "extract_limits.bytes"),
    ("many", "extract_limits.entries"),
];

/// Makes the archive; its evil file would come to be in `outside`.
fn make(kind: &str, path: &Path, outside: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default();
    let mut file = |name: &str| {
        zip.start_file(name, options).unwrap();
        zip.write_all(b"evil").unwrap();
    };
    match kind {
        "parent" => file(&format!("{}evil", "../".repeat(3))),
        "absolute" => file(&format!("{}/evil", outside.display())),
        "through a link" => {
            let target = outside.to_string_lossy();
            zip.add_symlink("link", target, options).unwrap();
            zip.start_file("link/evil", options).unwrap();
        }
        "bomb" => {
            zip.start_file("zeros", options).unwrap();
            std::io::copy(&mut std::io::repeat(0).take(10 << 20), &mut zip).unwrap();
        }
        _ => (0..200).for_each(|index| file(&index.to_string())),
    }
    zip.finish().unwrap();
}

/// No evil file, wherever below this directory.
fn is_clean(path: &Path) -> bool {
    std::fs::read_dir(path).unwrap().flatten().all(|entry| {
        entry.file_name() != "evil"
            && (!entry.file_type().unwrap().is_dir() || is_clean(&entry.path()))
    })
}

fn bench(script: &str) -> Bench {
    let mut bench = Bench::new(&[script]);
    bench.config.extract_limits.bytes = 1 << 20;
    bench.config.extract_limits.entries = 100;
    std::fs::create_dir(bench.path("outside")).unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_does_harm_is_not_used() {
    for (kind, text) in ARCHIVES {
        let mut bench = bench("echo has-run; ls");
        let archive = bench.path("cache/group/project/k/cache.zip");
        make(kind, &archive, &bench.path("outside"));
        bench.payload.cache = vec![CacheSpec {
            key: "k".into(),
            paths: vec!["none".into()],
            ..CacheSpec::default()
        }];
        let log = bench.succeed().await;
        assert!(log.contains("\nhas-run\n"), "{kind}: {log}");
        let said = log.lines().find(|line| line.starts_with("WARNING: "));
        assert!(
            said.is_some_and(|line| line.contains(text)),
            "{kind}: {log}"
        );
        assert!(log.contains("Failed to extract cache"), "{kind}: {log}");
        assert!(is_clean(bench.directory.path()), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_that_do_harm_stop_the_job() {
    for (kind, text) in ARCHIVES {
        let mut bench = bench("echo never-run");
        let archive = bench.path("artifacts.zip");
        make(kind, &archive, &bench.path("outside"));
        bench.source.archives.push(("build".into(), archive));
        bench.payload.dependencies = vec![Dependency {
            name: "build".into(),
            artifacts_file: Some(ArtifactsFile::default()),
            ..Dependency::default()
        }];
        let outcome = bench.run().await;
        let log = bench.log();
        assert_eq!(outcome.state, JobState::Failed, "{kind}: {log}");
        assert!(
            log.contains(text) && !log.contains("\nnever-run"),
            "{kind}: {log}"
        );
        assert!(is_clean(bench.directory.path()), "{kind}");
    }
}
