//! A store in a directory of its own, and rows to put in.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod older;
#[cfg(feature = "s3")]
pub(crate) mod s3;
pub(crate) mod server;

use shipway_pipeline::{PipelineId, Status};
use shipway_store::{NewJob, NewPipeline, Options, PipelineUpdate, ProjectId, Store, StoreError};
#[cfg(feature = "postgres")]
use shipway_testing::postgres;
use shipway_testing::rows;
pub(crate) use shipway_testing::rows::stage;
use tempfile::TempDir;

/// A store in a directory of its own. In `tests/postgres.rs` its rows are in a database of
/// PostgreSQL, in `tests/s3.rs` its artifacts in a bucket, where the servers are installed.
pub(crate) async fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("temp dir");
    #[cfg(feature = "postgres")]
    if is_postgres()
        && let Some(url) = postgres::database().await
    {
        std::fs::write(directory.path().join("url"), url).expect("url");
    }
    #[cfg(feature = "s3")]
    if is_s3()
        && let Some(bucket) = s3::bucket()
    {
        std::fs::write(directory.path().join("bucket"), bucket).expect("bucket");
    }
    let store = again(&directory).await;
    (directory, store)
}

/// Whether this is compiled for `tests/postgres.rs`.
pub(crate) fn is_postgres() -> bool {
    module_path!().starts_with("postgres::")
}

/// Whether this is compiled for `tests/s3.rs`.
#[cfg(feature = "s3")]
pub(crate) fn is_s3() -> bool {
    module_path!().starts_with("s3::")
}

/// A second store on the same directory and database: what a second process has.
pub(crate) async fn again(directory: &TempDir) -> Store {
    opened(directory, options(directory)).await.expect("open")
}

/// As [`again`], with other options.
pub(crate) async fn opened(directory: &TempDir, options: Options) -> Result<Store, StoreError> {
    let url = std::fs::read_to_string(directory.path().join("url"));
    let url = url.unwrap_or_else(|_| "sqlite:".to_owned());
    let state = directory.path().join("state");
    Store::open_url(&url, &state, options).await
}

/// How the stores of this directory are opened.
pub(crate) fn options(directory: &TempDir) -> Options {
    let bucket = std::fs::read_to_string(directory.path().join("bucket"));
    #[cfg(feature = "s3")]
    if let Ok(bucket) = &bucket {
        return Options {
            objects: s3::objects(bucket),
            ..Options::default()
        };
    }
    drop(bucket);
    Options::default()
}

pub(crate) fn pipeline(project: &str) -> NewPipeline {
    NewPipeline {
        context: r#"{"variables":{"A":"ü"}}"#.to_owned(),
        ..rows::pipeline(project)
    }
}

pub(crate) fn job(name: &str) -> NewJob {
    NewJob {
        spec: r#"{"script":["true"]}"#.to_owned(),
        reason: "no rules".to_owned(),
        ..rows::job(name)
    }
}

/// A pipeline with the given status and jobs.
pub(crate) async fn stored(store: &Store, status: Status, jobs: &[NewJob]) -> PipelineId {
    stored_as(store, pipeline("group/app"), status, jobs).await
}

/// A running pipeline of a server's project.
pub(crate) async fn stored_in(
    store: &Store,
    project: ProjectId,
    path: &str,
    protected: bool,
    jobs: &[NewJob],
) -> PipelineId {
    let new = NewPipeline {
        project_id: Some(project),
        protected,
        ..pipeline(path)
    };
    stored_as(store, new, Status::Running, jobs).await
}

async fn stored_as(store: &Store, new: NewPipeline, status: Status, jobs: &[NewJob]) -> PipelineId {
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_pipeline(&new).await.expect("pipeline");
    transaction
        .insert_stages(row.id, &[stage(0, "test")])
        .await
        .expect("stages");
    transaction.insert_jobs(row.id, jobs).await.expect("jobs");
    transaction
        .set_pipeline_status(row.id, status, &PipelineUpdate::default())
        .await
        .expect("status");
    transaction.commit().await.expect("commit");
    row.id
}
