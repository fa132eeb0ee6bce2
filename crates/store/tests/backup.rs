//! Copies of a database in use, and finding out that one is not sound.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use shipway_pipeline::Status;
use shipway_store::Store;
use support::{job, store, stored};

#[tokio::test]
async fn a_copy_has_what_was_committed_and_nothing_else() {
    let (directory, store) = store().await;
    let id = stored(&store, Status::Running, &[job("a")]).await;
    let mut open = store.begin().await.unwrap();
    open.insert_jobs(id, &[job("not committed")]).await.unwrap();
    let copy = directory.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    store.copy_database(&copy.join("shipway.db")).await.unwrap();
    open.commit().await.unwrap();
    assert_eq!(store.jobs(id).await.unwrap().len(), 2);
    let restored = Store::open(&copy).await.unwrap();
    assert_eq!(restored.jobs(id).await.unwrap().len(), 1);
    assert_eq!(restored.check_database().await.unwrap(), [""; 0]);
    // What is there is not overwritten.
    store
        .copy_database(&copy.join("shipway.db"))
        .await
        .unwrap_err();
    assert_eq!(restored.jobs(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_whose_pipeline_is_gone_is_told() {
    let (_directory, store) = store().await;
    let id = stored(&store, Status::Success, &[job("a")]).await;
    assert_eq!(store.check_database().await.unwrap(), [""; 0]);
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(store.directory().join("shipway.db"))
        .foreign_keys(false);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("DELETE FROM pipelines WHERE id = $1")
        .bind(id.0)
        .execute(&pool)
        .await
        .unwrap();
    let faults = store.check_database().await.unwrap();
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("of jobs refers to a row of pipelines")),
        "{faults:?}"
    );
}
