//! Files of artifacts, wherever they are.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use crate::support::{again, store};
use shipway_pipeline::{JobId, PipelineId};
use shipway_store::{BlobError, Blobs};
use tokio::io::AsyncReadExt;

const PIPELINE: PipelineId = PipelineId(3);
const JOB: JobId = JobId(14);

/// More than one part of an upload to S3, and no round number.
const LARGE: usize = 17 * 1024 * 1024 + 5;

fn large() -> Vec<u8> {
    (0..LARGE).map(|place| (place % 251) as u8).collect()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn read(blobs: &Blobs, path: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut reader = blobs.get(path, range).await.unwrap();
    let mut content = Vec::new();
    reader.read_to_end(&mut content).await.unwrap();
    assert_eq!(content.len() as u64, reader.range.end - reader.range.start);
    content
}

async fn listed(blobs: &Blobs, prefix: &str) -> Vec<(String, u64)> {
    let mut found = blobs.list(prefix).await.unwrap();
    found.sort_unstable();
    found
        .into_iter()
        .map(|file| (file.path, file.size))
        .collect()
}

#[tokio::test]
async fn a_file_is_moved_in_and_can_be_replaced_read_and_removed() {
    let (directory, store) = store().await;
    let blobs = store.blobs();
    let source = directory.path().join("upload");
    for content in ["first", "second!", ""] {
        std::fs::write(&source, content).unwrap();
        let put = blobs.put_file(PIPELINE, JOB, "artifacts.zip", &source, 7);
        let blob = put.await.unwrap();
        assert_eq!(
            (blob.path.as_str(), blob.size),
            ("3/14/artifacts.zip", content.len() as u64)
        );
        assert!(!source.exists());
        assert_eq!(
            read(blobs, &blob.path, 0..u64::MAX).await,
            content.as_bytes()
        );
        let size = blobs.size(&blob.path).await.unwrap();
        assert_eq!(size, content.len() as u64);
    }
    blobs.delete("3/14/artifacts.zip").await.unwrap();
    blobs.delete("3/14/artifacts.zip").await.unwrap();
    let gone = blobs.get("3/14/artifacts.zip", ..).await.unwrap_err();
    assert!(matches!(gone, BlobError::Missing { .. }), "{gone:?}");
    let gone = blobs.get("3/14/artifacts.zip", 2..).await.unwrap_err();
    assert!(matches!(gone, BlobError::Missing { .. }), "{gone:?}");
    let gone = blobs.size("3/14/artifacts.zip").await.unwrap_err();
    assert!(matches!(gone, BlobError::Missing { .. }), "{gone:?}");
    let put = blobs.put_file(PIPELINE, JOB, "a", &source, 7).await;
    let error = put.unwrap_err();
    assert!(matches!(error, BlobError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_is_stored_with_its_size_and_digest() {
    let (_directory, store) = store().await;
    let blobs = store.blobs();
    // Of `sha256sum`.
    for (content, digest) in [
        (
            &b""[..],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            &b"abc"[..],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
    ] {
        let put = blobs.put(PIPELINE, JOB, "a b%c ü.txt", content, 3);
        let blob = put.await.unwrap();
        assert_eq!(hex(&blob.digest), digest);
        assert_eq!(blob.path, "3/14/a b%c ü.txt");
        assert_eq!(read(blobs, &blob.path, 0..9).await, content);
        assert_eq!(
            listed(blobs, "").await,
            [(blob.path.clone(), content.len() as u64)]
        );
    }
}

#[tokio::test]
async fn a_large_stream_comes_back_whole_and_by_range() {
    let (directory, store) = store().await;
    let blobs = store.blobs();
    let content = large();
    let put = blobs.put(PIPELINE, JOB, "large", content.as_slice(), LARGE as u64);
    let blob = put.await.unwrap();
    assert_eq!(blob.size, LARGE as u64);
    for (range, expected) in [
        (0..u64::MAX, &content[..]),
        (0..0, &[]),
        (5..9, &content[5..9]),
        (9_000_000..9_000_100, &content[9_000_000..9_000_100]),
        (LARGE as u64 - 3..LARGE as u64 + 9, &content[LARGE - 3..]),
        (LARGE as u64..LARGE as u64 + 1, &[]),
        (u64::MAX - 1..u64::MAX, &[]),
    ] {
        let found = read(blobs, &blob.path, range.clone()).await;
        assert!(found == expected, "{range:?}: {} bytes", found.len());
    }
    let copy = directory.path().join("copy");
    blobs.fetch(&blob.path, &copy).await.unwrap();
    assert!(std::fs::read(&copy).unwrap() == content);
    // Another process sees it as well.
    let other = again(&directory).await;
    assert_eq!(other.blobs().size(&blob.path).await.unwrap(), LARGE as u64);
}

/// Fails after some bytes, as a connection that is cut.
fn cut(bytes: usize) -> impl tokio::io::AsyncRead + Unpin + Send {
    struct Cut;
    impl tokio::io::AsyncRead for Cut {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("cut off")))
        }
    }
    tokio::io::repeat(b'x').take(bytes as u64).chain(Cut)
}

#[tokio::test]
async fn what_is_too_large_or_breaks_off_is_not_there() {
    let (directory, store) = store().await;
    let blobs = store.blobs();
    let put = blobs.put(PIPELINE, JOB, "a", &b"before"[..], 6);
    put.await.unwrap();
    for size in [7, LARGE] {
        let content = &large()[..size];
        let error = blobs.put(PIPELINE, JOB, "a", content, size as u64 - 1);
        let error = error.await.unwrap_err();
        assert!(
            matches!(&error, BlobError::TooLarge { limit, .. } if *limit == size as u64 - 1),
            "{error:?}"
        );
        let source = directory.path().join("upload");
        std::fs::write(&source, content).unwrap();
        let error = blobs.put_file(PIPELINE, JOB, "a", &source, size as u64 - 1);
        let error = error.await.unwrap_err();
        assert!(matches!(error, BlobError::TooLarge { .. }), "{error:?}");
        assert!(source.exists());
        let error = blobs.put(PIPELINE, JOB, "a", cut(size), u64::MAX).await;
        let error = error.unwrap_err();
        assert!(matches!(error, BlobError::Incoming { .. }), "{error:?}");
    }
    // What was there is there, and nothing else.
    assert_eq!(listed(blobs, "").await, [("3/14/a".to_owned(), 6)]);
    assert_eq!(read(blobs, "3/14/a", 0..9).await, b"before");
}

#[tokio::test]
async fn files_are_listed_by_whole_names() {
    let (_directory, store) = store().await;
    let blobs = store.blobs();
    assert_eq!(listed(blobs, "").await, []);
    for (pipeline, job, name) in [(3, 14, "a"), (3, 14, "b"), (3, 141, "a"), (31, 1, "a")] {
        let put = blobs.put(PipelineId(pipeline), JobId(job), name, &b"x"[..], 1);
        put.await.unwrap();
    }
    for (prefix, expected) in [
        ("", &["3/14/a", "3/14/b", "3/141/a", "31/1/a"][..]),
        ("3", &["3/14/a", "3/14/b", "3/141/a"]),
        ("3/14", &["3/14/a", "3/14/b"]),
        ("4", &[]),
    ] {
        let found = listed(blobs, prefix).await;
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, expected, "{prefix:?}");
    }
}

#[tokio::test]
async fn of_many_who_put_one_name_one_wins_completely() {
    let (_directory, store) = store().await;
    let tasks: Vec<_> = (0..8_u8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let content = vec![number; 100_000];
                let put = store
                    .blobs()
                    .put(PIPELINE, JOB, "a", content.as_slice(), 100_000);
                put.await.map(|blob| blob.size)
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 100_000);
    }
    let found = read(store.blobs(), "3/14/a", 0..u64::MAX).await;
    assert_eq!(found, vec![found[0]; 100_000]);
    assert_eq!(store.blobs().list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let (directory, store) = store().await;
    let blobs = store.blobs();
    let source = directory.path().join("upload");
    std::fs::write(&source, "x").unwrap();
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "/etc/passwd",
        "a\0b",
        ".partial-1",
    ] {
        let put = blobs.put_file(PIPELINE, JOB, name, &source, 1).await;
        let error = put.unwrap_err();
        assert!(
            matches!(error, BlobError::Name { .. }),
            "{name:?}: {error:?}"
        );
    }
    for path in [
        "",
        "../shipway.db",
        "/etc/passwd",
        "1/../../x",
        "./a",
        "a//b",
    ] {
        for error in [
            blobs.get(path, ..).await.expect_err(path),
            blobs.delete(path).await.expect_err(path),
            blobs.size(path).await.expect_err(path),
            blobs.location(path).expect_err(path),
        ] {
            assert!(
                matches!(error, BlobError::Name { .. }),
                "{path:?}: {error:?}"
            );
        }
    }
    assert!(source.exists());
}
