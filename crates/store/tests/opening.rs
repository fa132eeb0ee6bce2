//! Opening a state directory: quick when all is well, clear when it is not.

mod support;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use shipway_pipeline::{PipelineId, Status};
use shipway_store::{Durability, JobUpdate, Options, SecretKeys, Store, StoreError};
use support::older::{
    OLDER_KEYS, OLDER_PIPELINES, OLDER_STATUSES, beside_older_statuses, check_older_keys,
    check_older_pipelines, check_older_statuses, with_a_key,
};
use support::{job, store, stored};

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let (directory, first) = store().await;
    let id = stored(&first, Status::Success, &[job("a")]).await;
    first.close().await;
    drop(first);
    let options = Options {
        durability: Durability::Machine,
        ..Options::default()
    };
    let second = Store::open_with(&directory.path().join("state"), options)
        .await
        .unwrap();
    assert_eq!(second.jobs(id).await.unwrap().len(), 1);
    assert!(second.directory().is_absolute());
}

#[tokio::test]
async fn opening_an_existing_store_takes_a_few_milliseconds() {
    let (directory, first) = store().await;
    first.close().await;
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        Store::open(&directory.path().join("state")).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("opened in {:?} (median of 10)", times[5]);
    // Far above what is seen, so that a busy machine does not fail it.
    assert!(times[0] < Duration::from_millis(100), "{times:?}");
}

#[tokio::test]
async fn all_of_the_store_for_a_small_pipeline_takes_milliseconds() {
    let (directory, first) = store().await;
    first.close().await;
    let start = Instant::now();
    let store = Store::open(&directory.path().join("state")).await.unwrap();
    let id = stored(&store, Status::Running, &[job("a")]).await;
    let job = store.jobs(id).await.unwrap()[0].id;
    for status in [Status::Pending, Status::Running, Status::Success] {
        let mut transaction = store.begin().await.unwrap();
        transaction
            .set_job_status(job, status, JobUpdate::default())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
    let written = start.elapsed();
    store.close().await;
    println!(
        "written in {written:?}, closed in {:?}",
        start.elapsed() - written
    );
    // Far above what is seen, so that a busy machine does not fail it.
    assert!(start.elapsed() < Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_directory_at_the_same_time() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move {
                    let store = Store::open(&path).await.unwrap();
                    stored(&store, Status::Created, &[]).await
                })
            })
            .collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap().0);
        }
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn the_database_may_be_another_file_or_in_another_directory() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let elsewhere = directory.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for (url, file) in [
        ("sqlite:".to_owned(), state.join("shipway.db")),
        ("sqlite:other.db".to_owned(), state.join("other.db")),
        (
            format!("sqlite:{}", elsewhere.display()),
            elsewhere.join("shipway.db"),
        ),
        (
            format!("sqlite:{}/a.db", elsewhere.display()),
            elsewhere.join("a.db"),
        ),
    ] {
        let store = Store::open_url(&url, &state, Options::default()).await;
        store.unwrap().close().await;
        assert!(file.is_file(), "{url}");
    }
    let error = Store::open_url("mysql://me:geheim@host/app", &state, Options::default()).await;
    let error = error.expect_err("opened");
    assert!(matches!(error, StoreError::Url { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("mysql") && !text.contains("geheim"), "{text}");
}

async fn refused(directory: &Path) -> StoreError {
    Store::open(directory).await.expect_err("opened")
}

fn says(error: &StoreError, path: &Path, remedy: &str) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains(remedy), "{text}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let path = file.join("state");
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Directory { .. }), "{error:?}");
    assert!(error.source().is_some());
    says(&error, &path, "--state-dir");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    // A directory in the file's place is refused whoever runs the test.
    let database = directory.path().join("shipway.db");
    std::fs::create_dir(&database).unwrap();
    let error = refused(directory.path()).await;
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    says(&error, &database, "make it and its directory writable");
}

#[tokio::test]
async fn a_damaged_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("shipway.db");
    std::fs::write(&database, "not a database, ".repeat(500)).unwrap();
    let error = refused(directory.path()).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    says(&error, &database, "move it away");
}

#[tokio::test]
async fn damage_inside_the_database_is_found_when_it_is_read() {
    let (directory, store) = store().await;
    let id = stored(&store, Status::Success, &[job("a")]).await;
    store.close().await;
    let database = directory.path().join("state/shipway.db");
    let options = sqlx_sqlite::SqliteConnectOptions::new().filename(&database);
    let pool = sqlx_sqlite::SqlitePool::connect_with(options)
        .await
        .unwrap();
    let page: i64 =
        sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'pipelines'")
            .fetch_one(&pool)
            .await
            .unwrap();
    pool.close().await;
    let mut bytes = std::fs::read(&database).unwrap();
    // The pages that hold version and tables stay, so that opening works.
    let start = (usize::try_from(page).unwrap() - 1) * 4096;
    bytes[start..start + 4096].fill(0xee);
    std::fs::write(&database, bytes).unwrap();
    let store = Store::open(&directory.path().join("state")).await.unwrap();
    let error = store.pipeline(id).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

/// Runs one statement on a store's database from outside.
async fn meddle(store: &Store, statement: &'static str) {
    let options =
        sqlx_sqlite::SqliteConnectOptions::new().filename(store.directory().join("shipway.db"));
    let pool = sqlx_sqlite::SqlitePool::connect_with(options)
        .await
        .expect("meddle");
    sqlx::raw_sql(statement)
        .execute(&pool)
        .await
        .expect("meddle");
    pool.close().await;
}

/// The database that the first version of Shipway made, with one pipeline.
const FIRST_VERSION: &str = concat!(
    include_str!("../src/schema/1_pipelines.sql"),
    "PRAGMA user_version = 1;
    INSERT INTO projects VALUES ('group/app', 7);
    INSERT INTO pipelines (id, iid, project, ref_name, ref_kind, source, status, created_at, \
        context) VALUES (3, 7, 'group/app', 'main', 'branch', 'push', 'success', 1, '{}');
    INSERT INTO jobs (pipeline_id, stage, name, status, run_when, allow_failure, scheduling, \
        needs, spec, tags, attempt, triggered, reason) VALUES (3, 0, 'a', 'success', \
        'on_success', FALSE, 'stage', '[]', '{}', '[]', 1, FALSE, 'no rules');",
);

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let options = sqlx_sqlite::SqliteConnectOptions::new()
        .filename(directory.path().join("shipway.db"))
        .create_if_missing(true);
    let pool = sqlx_sqlite::SqlitePool::connect_with(options)
        .await
        .unwrap();
    sqlx::raw_sql(FIRST_VERSION).execute(&pool).await.unwrap();
    pool.close().await;

    let store = Store::open(directory.path()).await.unwrap();
    let pipeline = store.pipeline(PipelineId(3)).await.unwrap().unwrap();
    assert_eq!(
        (pipeline.iid, pipeline.project_id, pipeline.protected),
        (7, None, false)
    );
    let jobs = store.jobs(pipeline.id).await.unwrap();
    assert_eq!((jobs[0].project_id, jobs[0].debug_trace), (None, false));
    // The numbers go on.
    let next = stored(&store, Status::Created, &[]).await;
    assert_eq!(store.pipeline(next).await.unwrap().unwrap().iid, 8);
}

#[tokio::test]
async fn variables_of_older_pipelines_leave_the_context_and_are_sealed() {
    const OLDER: &str = concat!(
        include_str!("../src/schema/1_pipelines.sql"),
        include_str!("../src/schema/2_server.sql"),
        include_str!("../src/schema/3_digests.sql"),
        "PRAGMA user_version = 3;",
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shipway.db");
    let options = sqlx_sqlite::SqliteConnectOptions::new().filename(&file);
    let connect = options.create_if_missing(true);
    let pool = sqlx_sqlite::SqlitePool::connect_with(connect.clone()).await;
    let pool = pool.unwrap();
    sqlx::raw_sql(OLDER).execute(&pool).await.unwrap();
    sqlx::raw_sql(OLDER_PIPELINES).execute(&pool).await.unwrap();
    pool.close().await;
    let options = Options {
        keys: SecretKeys::new([[1; 32]]),
        ..Options::default()
    };
    let store = Store::open_with(directory.path(), options).await.unwrap();
    check_older_pipelines(&store).await;
    store.close().await;
    let pool = sqlx_sqlite::SqlitePool::connect_with(connect)
        .await
        .unwrap();
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("SELECT variables FROM pipeline_variables")
        .fetch_all(&pool)
        .await
        .unwrap();
    let plain = |stored: &Vec<u8>| stored.windows(6).any(|part| part == b"geheim");
    assert_eq!(stored.iter().map(plain).collect::<Vec<_>>(), [false]);
}

#[tokio::test]
async fn older_statuses_get_numbers_that_no_job_has() {
    let (_directory, store) = store().await;
    let project = beside_older_statuses(&store).await;
    store.close().await;
    meddle(&store, OLDER_STATUSES).await;
    meddle(&store, "PRAGMA user_version = 8").await;
    let store = Store::open(store.directory()).await.unwrap();
    check_older_statuses(&store, project).await;
}

#[tokio::test]
async fn an_older_key_still_signs() {
    let (_directory, store) = store().await;
    with_a_key(&store).await;
    store.close().await;
    meddle(&store, OLDER_KEYS).await;
    meddle(&store, "PRAGMA user_version = 14").await;
    let store = Store::open(store.directory()).await.unwrap();
    check_older_keys(&store).await;
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let (_directory, store) = store().await;
    store.close().await;
    meddle(&store, "PRAGMA user_version = 1000").await;
    let error = refused(store.directory()).await;
    assert!(
        matches!(error, StoreError::NewerSchema { found: 1000, .. }),
        "{error:?}"
    );
    says(
        &error,
        &store.directory().join("shipway.db"),
        "update Shipway",
    );
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_an_error_and_no_panic() {
    let (_directory, store) = store().await;
    let id = stored(&store, Status::Success, &[]).await;
    meddle(&store, "UPDATE pipelines SET status = 'asleep'").await;
    let error = store.pipeline(id).await.unwrap_err();
    assert!(matches!(error, StoreError::Query { .. }), "{error:?}");
    assert!(
        error.source().unwrap().to_string().contains("asleep"),
        "{error:?}"
    );
}

#[tokio::test]
async fn only_one_may_hold_a_pipeline() {
    let (directory, first) = store().await;
    let second = Store::open(&directory.path().join("state")).await.unwrap();
    let (one, two) = (PipelineId(1), PipelineId(2));
    assert!(!first.is_held(one));
    let hold = first.hold(one).unwrap().expect("free");
    assert!(first.is_held(one) && second.is_held(one) && !second.is_held(two));
    assert!(second.hold(one).unwrap().is_none());
    let other = second.hold(two).unwrap();
    assert!(other.is_some());
    drop(hold);
    assert!(!second.is_held(one));
    assert!(second.hold(one).unwrap().is_some());
}
