//! Files of artifacts in a folder, and what only a folder has.

#[path = "cases/blobs.rs"]
mod blobs;
mod support;

use std::io::Write;

use shipway_pipeline::{JobId, PipelineId};
use shipway_store::{Durability, Objects, Options, Store};
use support::store;

const PIPELINE: PipelineId = PipelineId(3);
const JOB: JobId = JobId(14);

#[tokio::test]
async fn a_file_from_another_file_system_is_copied_in() {
    let (_directory, store) = store().await;
    // Memory file systems are the other file system that every Linux has; where the temporary
    // directory is one too, this is a move.
    let other = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    std::fs::write(other.path(), "content").unwrap();
    let put = store
        .blobs()
        .put_file(PIPELINE, JOB, "a.txt", other.path(), 7);
    let path = store.blobs().location(&put.await.unwrap().path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "content");
    assert!(!other.path().exists());
    let directory = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(directory.count(), 1);
}

#[tokio::test]
async fn the_folder_may_be_another_and_survive_power_cuts() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("else/where");
    let options = Options {
        durability: Durability::Machine,
        objects: Objects::new(&format!("file:{}", elsewhere.display()), []).unwrap(),
        ..Options::default()
    };
    let state = directory.path().join("state");
    let store = Store::open_with(&state, options).await.unwrap();
    let put = store.blobs().put(PIPELINE, JOB, "a", &b"x"[..], 1);
    put.await.unwrap();
    assert!(elsewhere.join("3/14/a").is_file());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_file() {
    let (_directory, store) = store().await;
    let (sender, receiver) = tokio::io::duplex(64);
    let put = store.blobs().put(PIPELINE, JOB, "a", receiver, 1000);
    // Given up while it waits for more.
    let waited = tokio::time::timeout(std::time::Duration::from_millis(200), put).await;
    waited.unwrap_err();
    drop(sender);
    let directory = store.directory().join("artifacts/3/14");
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0);
}

#[tokio::test]
async fn halves_of_uploads_go_when_nobody_receives_them() {
    let (directory, store) = store().await;
    let received = store.receive().unwrap();
    received.writer().unwrap().write_all(b"half").unwrap();
    let dropped = store.receive().unwrap();
    drop(dropped);
    let incoming = store.directory().join("incoming");
    // What a process leaves that is killed: a file that nobody has locked.
    std::fs::write(incoming.join(".tmpDead01"), "half").unwrap();
    let other = Store::open(&directory.path().join("state")).await.unwrap();
    assert_eq!(other.sweep_uploads().await.unwrap(), 1);
    assert_eq!(std::fs::read_dir(&incoming).unwrap().count(), 1);
    assert_eq!(std::fs::read(received.path()).unwrap(), b"half");
    let put = store
        .blobs()
        .put_file(PIPELINE, JOB, "a", received.path(), 9);
    let path = store.blobs().location(&put.await.unwrap().path).unwrap();
    drop(received);
    assert_eq!(other.sweep_uploads().await.unwrap(), 0);
    assert_eq!(std::fs::read(path).unwrap(), b"half");
}
