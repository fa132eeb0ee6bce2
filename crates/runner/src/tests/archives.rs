//! Jobs with artifacts and caches.

use std::fs::File;
use std::io::Read;

use shipway_protocol::{
    ArtifactFormat, ArtifactSpec, ArtifactsFile, CacheSpec, Dependency, FailureReason, When,
};

use super::Bench;
use crate::testing::RecordingSource;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn archive(paths: &[&str]) -> ArtifactSpec {
    ArtifactSpec {
        paths: texts(paths),
        artifact_type: "archive".into(),
        ..ArtifactSpec::default()
    }
}

fn cache(key: &str, paths: &[&str]) -> CacheSpec {
    CacheSpec {
        key: key.into(),
        paths: texts(paths),
        ..CacheSpec::default()
    }
}

fn names(zip: &[u8]) -> Vec<String> {
    zip::ZipArchive::new(std::io::Cursor::new(zip))
        .unwrap()
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect()
}

#[tokio::test]
async fn artifacts_are_uploaded_with_their_report() {
    let mut bench = Bench::new(&[
        "mkdir -p out/d",
        "echo 1 > out/d/a.txt",
        "echo '<t/>' > report.xml",
    ]);
    bench.variable("NAME", "b/c");
    bench.payload.artifacts = vec![
        ArtifactSpec {
            name: Some("pkg-$NAME".into()),
            ..archive(&["out", "$NAME/none"])
        },
        ArtifactSpec {
            name: Some("junit.xml".into()),
            artifact_type: "junit".into(),
            artifact_format: ArtifactFormat::Gzip,
            when: When::Always,
            ..archive(&["*.xml"])
        },
    ];
    let log = bench.succeed().await;
    let uploads = bench.source.uploads();
    assert_eq!(uploads.len(), 2, "{log}");
    assert_eq!(uploads[0].file_name, "c.zip");
    assert_eq!(
        names(&uploads[0].content),
        ["out/", "out/d/", "out/d/a.txt"]
    );
    assert_eq!(
        (
            uploads[1].file_name.as_str(),
            uploads[1].artifact_type.as_str()
        ),
        ("junit.xml.gz", "junit")
    );
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&uploads[1].content[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "<t/>\n");
    for line in [
        "Uploading artifacts for successful job\n",
        "out: found 3 matching artifact files and directories\n",
        "WARNING: b/c/none: no matching files. Ensure that the artifact path is relative to the working directory (",
        "Uploading artifacts as \"archive\" to coordinator... 201 Created\n",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!(std::fs::read_dir(bench.path("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_failed_job_uploads_what_is_for_failures() {
    let mut bench = Bench::new(&["touch a b c", "exit 3"]);
    for (path, when) in [
        ("a", When::OnSuccess),
        ("b", When::OnFailure),
        ("c", When::Always),
    ] {
        bench.payload.artifacts.push(ArtifactSpec {
            when,
            ..archive(&[path])
        });
    }
    assert_eq!(bench.run().await.exit_code, Some(3));
    let uploads = bench.source.uploads();
    let all: Vec<_> = uploads
        .iter()
        .flat_map(|upload| names(&upload.content))
        .collect();
    assert_eq!(all, ["b", "c"]);
}

#[tokio::test]
async fn nothing_to_upload_is_no_failure_and_no_request() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.artifacts = vec![archive(&["none", "../outside", "/etc/passwd"])];
    let log = bench.succeed().await;
    assert!(bench.source.uploads().is_empty());
    assert!(log.contains("ERROR: No files to upload\n"), "{log}");
    for path in ["../outside", "/etc/passwd"] {
        let line =
            format!("WARNING: {path}: artifact path is not a subpath of project directory: ");
        assert!(log.contains(&line), "{log}");
    }
}

#[tokio::test]
async fn a_link_out_of_the_project_gives_nothing_away() {
    let mut bench = Bench::new(&["ln -s /etc etc", "ln -s /etc/passwd passwd"]);
    bench.payload.artifacts = vec![archive(&["etc/passwd", "etc/*", "passwd"])];
    let log = bench.succeed().await;
    assert!(
        log.contains("etc is a symbolic link; what is behind it is not read"),
        "{log}"
    );
    let uploads = bench.source.uploads();
    assert_eq!(names(&uploads[0].content), ["passwd"]);
    let content = String::from_utf8_lossy(&uploads[0].content).into_owned();
    assert!(!content.contains("root:"));
}

#[tokio::test]
async fn untracked_files_are_those_git_does_not_track() {
    let mut bench = Bench::new(&[
        "git init -q . && git add tracked",
        "git config core.fsmonitor \"touch $CI_PROJECT_DIR/hacked; false\"",
        "echo ignored > .gitignore; touch new ignored",
    ]);
    bench.snapshot(&[("tracked", "")]);
    bench.payload.artifacts = vec![ArtifactSpec {
        untracked: true,
        ..archive(&[])
    }];
    let log = bench.succeed().await;
    let uploads = bench.source.uploads();
    assert_eq!(
        names(&uploads[0].content),
        [".gitignore", "ignored", "new"],
        "{log}"
    );
}

#[tokio::test]
async fn artifacts_of_other_jobs_arrive_before_the_script() {
    let mut first = Bench::new(&["mkdir out; echo built > out/result; chmod 755 out/result"]);
    first.payload.artifacts = vec![archive(&["out"])];
    first.succeed().await;
    let mut bench = Bench::new(&["cat out/result", "test -x out/result"]);
    let path = bench.path("build.zip");
    std::fs::write(&path, &first.source.uploads()[0].content).unwrap();
    bench.source.archives.push(("build".into(), path));
    bench.payload.dependencies = vec![
        Dependency {
            name: "empty".into(),
            ..Dependency::default()
        },
        Dependency {
            id: 5,
            name: "build".into(),
            artifacts_file: Some(ArtifactsFile::default()),
            ..Dependency::default()
        },
    ];
    let log = bench.succeed().await;
    assert!(
        log.contains("Downloading artifacts for build (5)...\n"),
        "{log}"
    );
    assert!(log.contains("\nbuilt\n"), "{log}");
}

#[tokio::test]
async fn artifacts_that_cannot_be_had_stop_the_job_before_its_script() {
    let mut bench = Bench::new(&["echo never-printed"]);
    bench.after_script(&["echo never-printed"]);
    bench.payload.dependencies = vec![Dependency {
        name: "gone".into(),
        artifacts_file: Some(ArtifactsFile::default()),
        ..Dependency::default()
    }];
    let outcome = bench.run().await;
    assert_eq!(
        (outcome.failure_reason, outcome.exit_code),
        (Some(FailureReason::ScriptFailure), Some(1))
    );
    let log = bench.log();
    assert!(
        log.contains("download of gone refused: 404 Not Found"),
        "{log}"
    );
    assert!(!log.contains("never-printed"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_download_is_repeated_as_often_as_asked() {
    let mut bench = Bench::new(&["true"]);
    bench.variable("ARTIFACT_DOWNLOAD_ATTEMPTS", "3");
    bench.payload.dependencies = vec![Dependency {
        name: "gone".into(),
        artifacts_file: Some(ArtifactsFile::default()),
        ..Dependency::default()
    }];
    assert_eq!(bench.run().await.exit_code, Some(1));
    let log = bench.log();
    assert_eq!(log.matches("404 Not Found").count(), 3, "{log}");
    assert!(log.contains("WARNING: Retrying in 5s...\n"), "{log}");
    assert!(log.contains("WARNING: Retrying in 10s...\n"), "{log}");
}

#[tokio::test]
async fn a_zip_bomb_is_stopped_at_the_limit() {
    let mut bench = Bench::new(&["true"]);
    let path = bench.path("bomb.zip");
    let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
    writer
        .start_file("zeros", zip::write::SimpleFileOptions::default())
        .unwrap();
    std::io::copy(&mut std::io::repeat(0).take(10 << 20), &mut writer).unwrap();
    writer.finish().unwrap();
    bench.source.archives.push(("bomb".into(), path));
    bench.config.extract_limits.bytes = 1 << 20;
    bench.payload.dependencies = vec![Dependency {
        name: "bomb".into(),
        artifacts_file: Some(ArtifactsFile::default()),
        ..Dependency::default()
    }];
    bench.run().await;
    let log = bench.log();
    assert!(
        log.contains("more than the limit of 1048576 bytes (extract_limits.bytes)"),
        "{log}"
    );
}

#[tokio::test]
async fn a_cache_lives_from_job_to_job() {
    let mut bench = Bench::new(&["cat dir/count || true", "mkdir -p dir; echo x >> dir/count"]);
    bench.payload.cache = vec![cache("$CI_SERVER-key", &["dir"])];
    let log = bench.succeed().await;
    for line in [
        "Checking cache for yes-key...\n",
        "Failed to extract cache\n",
        "Creating cache yes-key...\n",
        "Created cache\n",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    bench.source = RecordingSource::default();
    let log = bench.succeed().await;
    assert!(log.contains("Successfully extracted cache\n"), "{log}");
    assert!(log.contains("|| true\nx\n"), "{log}");
    bench.payload.steps[0].script = vec!["true".into()];
    bench.source = RecordingSource::default();
    let log = bench.succeed().await;
    assert!(log.contains("Archive is up to date!\n"), "{log}");
}

#[tokio::test]
async fn keys_fall_back_in_order_and_policies_hold() {
    let mut bench = Bench::new(&["cat file || echo file-missing", "echo $CI_JOB_NAME > file"]);
    bench.payload.cache = vec![CacheSpec {
        policy: "push".into(),
        ..cache("main", &["file"])
    }];
    let log = bench.succeed().await;
    assert!(
        log.contains("Not downloading cache main due to policy\n"),
        "{log}"
    );
    bench.source = RecordingSource::default();
    bench.payload.cache = vec![CacheSpec {
        policy: "$POLICY".into(),
        fallback_keys: texts(&["other", "main"]),
        ..cache("../feature", &["file"])
    }];
    bench.variable("POLICY", "pull");
    bench.variable("CACHE_FALLBACK_KEY", "x-protected. ");
    let log = bench.succeed().await;
    assert!(!log.contains("\nfile-missing\n"), "{log}");
    let order: Vec<_> = ["feature", "other", "main"]
        .map(|key| log.find(&format!("Checking cache for {key}...")).unwrap())
        .into();
    assert!(order.is_sorted(), "{log}");
    for line in [
        "WARNING: cache key \"../feature\" sanitized to \"feature\"\n",
        "WARNING: CACHE_FALLBACK_KEY \"x-protected. \" not allowed to end in \"-protected\"\n",
        "Not uploading cache feature due to policy\n",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[tokio::test]
async fn an_unknown_policy_fails_the_job() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.cache = vec![CacheSpec {
        policy: "sometimes".into(),
        ..cache("k", &["f"])
    }];
    assert_eq!(bench.run().await.exit_code, Some(1));
    assert!(
        bench
            .log()
            .contains("ERROR: unknown cache policy sometimes")
    );
}

#[tokio::test]
async fn a_cache_that_cannot_be_kept_is_a_warning() {
    let mut bench = Bench::new(&["echo x > file"]);
    super::write(&bench.path("not-a-directory"), "");
    bench.config.cache_dir = bench.path("not-a-directory");
    bench.payload.cache = vec![cache("k", &["file"])];
    let log = bench.succeed().await;
    assert!(log.contains("WARNING: cannot write to "), "{log}");
    assert!(log.contains("Failed to create cache\n"), "{log}");
}

#[tokio::test]
async fn archives_are_as_small_as_asked_for() {
    let script = "mkdir -p out && seq 1 20000 > out/numbers";
    let mut sizes = Vec::new();
    for level in ["fastest", "fast", "slowest"] {
        let mut bench = Bench::new(&[script]);
        for name in ["ARTIFACT_COMPRESSION_LEVEL", "CACHE_COMPRESSION_LEVEL"] {
            bench.variable(name, level);
        }
        bench.payload.artifacts = vec![archive(&["out"])];
        bench.payload.cache = vec![cache("k", &["out"])];
        bench.succeed().await;
        let cache = bench.path("cache/group/project/k/cache.zip");
        sizes.push([
            bench.source.uploads()[0].content.len(),
            std::fs::read(cache).unwrap().len(),
        ]);
    }
    for kind in [0, 1] {
        let [stored, fast, slowest] = [sizes[0][kind], sizes[1][kind], sizes[2][kind]];
        assert!(stored > 108_000, "{sizes:?}");
        assert!(stored > fast && fast > slowest, "{sizes:?}");
    }
}
