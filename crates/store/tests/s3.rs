//! Files of artifacts in a bucket, and what only a bucket has.
//!
//! `support::store` puts the artifacts of the modules of this file into a bucket.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "cases/blobs.rs"]
mod blobs;
mod support;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{Accessibility, NewArtifact, Objects, Options, Store, StoreError};
use support::{again, job, s3, store, stored};
use tokio::io::AsyncReadExt;

const JOB: JobId = JobId(14);

#[tokio::test]
async fn what_a_process_that_died_uploaded_is_given_up() {
    let (directory, first) = store().await;
    if !directory.path().join("bucket").exists() {
        return;
    }
    let pipeline = stored(&first, Status::Running, &[job("a")]).await;
    // Two parts and some bytes, and then nothing more.
    let (end, rest) = tokio::io::duplex(64);
    let large = tokio::io::repeat(b'x').take(17 * 1024 * 1024);
    let upload = {
        let first = first.clone();
        let content = large.chain(rest);
        tokio::spawn(async move {
            let put = first.blobs().put(pipeline, JOB, "a", content, u64::MAX);
            put.await.map(drop)
        })
    };
    let notes = || std::fs::read_dir(directory.path().join("state/uploads")).unwrap();
    let mut id = String::new();
    while id.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if !directory.path().join("state/uploads").exists() {
            continue;
        }
        for note in notes() {
            let text = std::fs::read_to_string(note.unwrap().path()).unwrap();
            id = text.lines().nth(1).unwrap_or_default().to_owned();
        }
    }
    let parts = || s3::files(&format!(".upload_id-{id}.part")).len();
    while parts() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Of one that goes on nothing is swept.
    let second = again(&directory).await;
    assert_eq!(second.sweep().await.unwrap(), 0);
    assert_eq!(parts(), 2);
    assert_eq!(second.blobs().list("").await.unwrap(), []);
    upload.abort();
    upload.await.unwrap_err();
    drop(end);
    assert_eq!(second.sweep().await.unwrap(), 1);
    assert_eq!(parts(), 0);
    assert_eq!(second.sweep().await.unwrap(), 0);
    assert_eq!(notes().count(), 0);
}

#[tokio::test]
async fn pruning_and_sweeping_reach_the_bucket() {
    let (directory, store) = store().await;
    if !directory.path().join("bucket").exists() {
        return;
    }
    let mut pipelines = Vec::new();
    for _ in 0..3 {
        let pipeline = stored(&store, Status::Success, &[job("a")]).await;
        let job = store.jobs(pipeline).await.unwrap()[0].id;
        let content = vec![b'a'; 20_000];
        let put = (store.blobs()).put(pipeline, job, "a.zip", content.as_slice(), 20_000);
        let blob = put.await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        let artifact = NewArtifact {
            job_id: job,
            file_type: "archive".to_owned(),
            format: "zip".to_owned(),
            file_name: "a.zip".to_owned(),
            size: 20_000,
            expires_at: None,
            path: blob.path,
            digest: Some(blob.digest.to_vec()),
            accessibility: Accessibility::Public,
        };
        transaction.insert_artifact(&artifact).await.unwrap();
        transaction.commit().await.unwrap();
        pipelines.push(pipeline);
    }
    // Without a row: of a pipeline that is there, and of one that is not.
    for pipeline in [pipelines[2], PipelineId(77)] {
        let put = store.blobs().put(pipeline, JOB, "x", &b"leftover"[..], 8);
        put.await.unwrap();
    }
    let usage = store.usage().await.unwrap();
    assert_eq!(usage.artifacts, 60_016);
    let pruned = store.prune(usage.total() - 40_000).await.unwrap();
    assert_eq!(pruned.orphans, 2);
    assert_eq!(pruned.pipelines, pipelines[..2]);
    let left = store.blobs().list("").await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].path.starts_with(&format!("{}/", pipelines[2])));
    assert!(!store.directory().join("artifacts").exists());
}

#[tokio::test]
async fn a_bucket_that_lets_us_not_in_is_told_when_it_is_opened() {
    let Some(bucket) = s3::bucket() else {
        return;
    };
    let with = |name: &str, value: &str| {
        let mut variables = s3::variables();
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
        variables
    };
    let address = format!("s3://{bucket}");
    for (address, variables) in [
        (address.as_str(), with("AWS_SECRET_ACCESS_KEY", "falsch")),
        ("s3://no-such-bucket", s3::variables()),
        (
            address.as_str(),
            with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            objects: Objects::new(address, variables).unwrap(),
            ..Options::default()
        };
        let start = std::time::Instant::now();
        let error = Store::open_with(directory.path(), options).await;
        let error = error.expect_err("opened");
        assert!(matches!(error, StoreError::Blobs(_)), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(address) && !text.contains("geheim"), "{text}");
        assert!(start.elapsed() < std::time::Duration::from_secs(60));
    }
}
