//! Giving disk back.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use crate::support::{job, store, stored};
use shipway_pipeline::{PipelineId, Status};
use shipway_store::{Accessibility, NewArtifact, Store};
use tempfile::TempDir;

const LOG_BYTES: usize = 10_000;
const ARTIFACT_BYTES: usize = 20_000;

/// A pipeline with one job, its log and its artifact.
async fn full(directory: &TempDir, store: &Store, status: Status) -> PipelineId {
    let pipeline = stored(store, status, &[job("a")]).await;
    let job = store.jobs(pipeline).await.unwrap()[0].id;
    store
        .logs()
        .append(pipeline, job, 0, &vec![b'l'; LOG_BYTES])
        .unwrap();
    let source = directory.path().join("upload");
    std::fs::write(&source, vec![b'a'; ARTIFACT_BYTES]).unwrap();
    let put = (store.blobs()).put_file(pipeline, job, "a.zip", &source, ARTIFACT_BYTES as u64);
    let blob = put.await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let artifact = NewArtifact {
        job_id: job,
        file_type: "archive".to_owned(),
        format: "zip".to_owned(),
        file_name: "a.zip".to_owned(),
        size: blob.size as i64,
        expires_at: None,
        path: blob.path,
        digest: Some(blob.digest.to_vec()),
        accessibility: Accessibility::Public,
    };
    transaction.insert_artifact(&artifact).await.unwrap();
    transaction.commit().await.unwrap();
    pipeline
}

async fn ids(store: &Store) -> Vec<i64> {
    let mut ids: Vec<_> = store
        .pipelines(100)
        .await
        .unwrap()
        .iter()
        .map(|row| row.id.0)
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn use_is_told_by_kind() {
    let (directory, store) = store().await;
    let empty = store.usage().await.unwrap();
    assert_eq!((empty.logs, empty.artifacts), (0, 0));
    // The disk of a server is not ours to measure.
    assert!(empty.database > 0 || crate::support::is_postgres());
    full(&directory, &store, Status::Success).await;
    let usage = store.usage().await.unwrap();
    assert_eq!(
        (usage.logs, usage.artifacts),
        (LOG_BYTES as u64, ARTIFACT_BYTES as u64)
    );
    assert_eq!(usage.total(), usage.database + usage.logs + usage.artifacts);
}

#[tokio::test]
async fn the_oldest_go_first_until_the_rest_fits() {
    let (directory, store) = store().await;
    for _ in 0..4 {
        full(&directory, &store, Status::Success).await;
    }
    let usage = store.usage().await.unwrap();
    let enough = store.prune(usage.total()).await.unwrap();
    assert_eq!((enough.pipelines, enough.orphans), (vec![], 0));
    assert_eq!(ids(&store).await, [1, 2, 3, 4]);

    let pruned = store.prune(usage.total() - 40_000).await.unwrap();
    assert_eq!(pruned.pipelines, [PipelineId(1), PipelineId(2)]);
    assert!(pruned.freed >= 60_000, "{pruned:?}");
    assert_eq!(pruned.remaining, store.usage().await.unwrap().total());
    assert_eq!(ids(&store).await, [3, 4]);
    let left = store.usage().await.unwrap();
    assert_eq!(
        (left.logs, left.artifacts),
        (2 * LOG_BYTES as u64, 2 * ARTIFACT_BYTES as u64)
    );
    assert!(!store.directory().join("logs/1").exists());
    assert!(!store.directory().join("artifacts/2").exists());
}

#[tokio::test]
async fn running_and_held_pipelines_are_never_touched() {
    let (directory, store) = store().await;
    let mut kept = Vec::new();
    for status in Status::ALL {
        let id = full(&directory, &store, status).await;
        if !(status.is_completed() || status == Status::Manual) {
            kept.push(id.0);
        }
    }
    let held = full(&directory, &store, Status::Success).await;
    kept.push(held.0);
    let hold = store.hold(held).unwrap();
    let pruned = store.prune(0).await.unwrap();
    assert_eq!(pruned.pipelines.len(), 5);
    assert_eq!(ids(&store).await, kept);
    assert!(pruned.remaining > 0);
    for id in kept {
        assert!(store.directory().join(format!("logs/{id}")).exists());
        assert_eq!(
            store
                .artifacts_of_pipeline(PipelineId(id))
                .await
                .unwrap()
                .len(),
            1
        );
    }
    drop(hold);
    assert_eq!(store.prune(0).await.unwrap().pipelines, [held]);
}

#[tokio::test]
async fn files_that_no_row_names_are_swept() {
    let (directory, store) = store().await;
    let over = full(&directory, &store, Status::Failed).await;
    let running = full(&directory, &store, Status::Running).await;
    let state = store.directory();
    let put = |path: String| {
        let path = state.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "leftover").unwrap();
        path
    };
    let gone = [
        put("logs/77/1.log".to_owned()),
        put("artifacts/77/1/x.zip".to_owned()),
        put("artifacts/78/1/x.zip".to_owned()),
        put(format!("artifacts/{over}/1/without-row.zip")),
        put(format!("artifacts/{over}/1/.partial-9-0")),
    ];
    let kept = [
        put(format!("artifacts/{running}/2/row-to-come.zip")),
        put("artifacts/README".to_owned()),
    ];
    let pruned = store.prune(u64::MAX).await.unwrap();
    assert_eq!((pruned.orphans, pruned.pipelines), (5, vec![]));
    for path in gone {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in kept {
        assert!(path.exists(), "{}", path.display());
    }
    assert!(state.join(format!("artifacts/{over}/1/a.zip")).exists());
    assert!(state.join(format!("logs/{over}/1.log")).exists());
}

#[tokio::test]
async fn an_empty_store_has_nothing_to_prune() {
    let (_directory, store) = store().await;
    let pruned = store.prune(0).await.unwrap();
    assert_eq!(
        (pruned.pipelines, pruned.orphans, pruned.freed),
        (vec![], 0, 0)
    );
}
