//! The cases that both engines must pass, on PostgreSQL, and what only concerns PostgreSQL.
//!
//! `support::store` opens a database of PostgreSQL for the modules of this file.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "cases/changes.rs"]
mod changes;
#[path = "cases/pruning.rs"]
mod pruning;
#[path = "cases/published.rs"]
mod published;
#[path = "cases/queue.rs"]
mod queue;
#[path = "cases/rows.rs"]
mod rows;
#[path = "cases/rows_in_memory.rs"]
mod rows_in_memory;
#[path = "cases/secrets.rs"]
mod secrets;
#[path = "cases/server_rows.rs"]
mod server_rows;
mod support;
#[path = "cases/variables.rs"]
mod variables;

use std::time::{Duration, Instant};

use shipway_pipeline::Status;
use shipway_store::{
    Change, Claim, Durability, JobUpdate, Options, RunnerKind, SecretKeys, Store, StoreError,
};
use shipway_testing::postgres;
use support::older::{
    OLDER_KEYS, OLDER_PIPELINES, OLDER_STATUSES, beside_older_statuses, check_older_keys,
    check_older_pipelines, check_older_statuses, with_a_key,
};
use support::{job, pipeline, stored};

async fn open(url: &str, directory: &std::path::Path) -> Result<Store, StoreError> {
    Store::open_url(url, directory, Options::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_an_empty_database_at_the_same_time() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let (url, path) = (url.clone(), directory.path().join(number.to_string()));
            tokio::spawn(async move {
                let store = open(&url, &path).await.unwrap();
                stored(&store, Status::Created, &[]).await.0
            })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn changes_of_another_process_are_told_at_once() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let one = open(&url, &directory.path().join("one")).await.unwrap();
    let two = open(&url, &directory.path().join("two")).await.unwrap();
    let mut changes = two.changes();
    // That it listens now.
    assert_eq!(changes.next().await, Change::Everything);
    let start = std::time::Instant::now();
    let mut transaction = one.begin().await.unwrap();
    transaction.notify("queue");
    transaction.commit().await.unwrap();
    assert_eq!(changes.next().await, Change::Topic("queue".to_owned()));
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test]
async fn who_did_it_is_told_once_and_others_alone_where_that_is_asked() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let one = open(&url, &directory.path().join("one")).await.unwrap();
    let two = open(&url, &directory.path().join("two")).await.unwrap();
    let (mut here, mut there) = (one.changes(), two.changes());
    for changes in [&mut here, &mut there] {
        assert_eq!(changes.next().await, Change::Everything);
    }
    for (topic, others) in [("all", false), ("others", true), ("end", false)] {
        let mut transaction = one.begin().await.unwrap();
        match others {
            true => transaction.notify_others(topic),
            false => transaction.notify(topic),
        }
        transaction.commit().await.unwrap();
    }
    for (changes, expected) in [
        (&mut here, ["all", "end"].as_slice()),
        (&mut there, &["all", "others", "end"]),
    ] {
        for topic in expected {
            let told = changes.next().await;
            assert_eq!(told, Change::Topic((*topic).to_owned()));
        }
    }
}

#[tokio::test]
async fn what_a_lost_connection_was_to_confirm_is_not_confirmed() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        durability: Durability::Machine,
        ..Options::default()
    };
    let store = Store::open_url(&url, directory.path(), options).await;
    let store = store.unwrap();
    let mut before = store.begin().await.unwrap();
    before.insert_pipeline(&pipeline("group/a")).await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
        WHERE application_name = 'shipway: disk' AND datname = current_database()";
    sqlx::raw_sql(cut).execute(&pool).await.unwrap();
    let lost = before.commit().await.expect_err("confirmed");
    assert!(matches!(lost, StoreError::Unconfirmed { .. }), "{lost:?}");
    let mut after = store.begin().await.unwrap();
    after.insert_pipeline(&pipeline("group/a")).await.unwrap();
    after.commit().await.unwrap();
    // It was there all the same: nobody knew.
    assert_eq!(store.pipelines(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_waits_for_a_job_that_another_is_about_to_take() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(&url, directory.path()).await.unwrap();
    let runner = support::server::runner(&store, RunnerKind::Instance, None).await;
    let pipeline = stored(&store, Status::Running, &[job("a")]).await;
    let job = store.jobs(pipeline).await.unwrap()[0].id;
    let claim = |number| Claim {
        runner,
        system_id: None,
        description: "build host".to_owned(),
        token_digest: vec![number; 32],
        at: 1,
        acknowledged: false,
    };
    let (mut one, mut two) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    one.set_job_status(job, Status::Pending, JobUpdate::default())
        .await
        .unwrap();
    one.commit().await.unwrap();
    let mut one = store.begin().await.unwrap();
    assert!(one.claim(job, &claim(1)).await.unwrap().is_some());
    // A machine of the same runner calls meanwhile, and it does not wait either.
    two.runner_contact(&support::server::manager(runner, "s_1"))
        .await
        .unwrap();
    assert_eq!(two.claim(job, &claim(2)).await.unwrap(), None);
    two.commit().await.unwrap();
    drop(one);
    // A dropped transaction is rolled back when its connection is next looked after, which
    // another connection does not wait for.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut three = store.begin().await.unwrap();
        if three.claim(job, &claim(3)).await.unwrap().is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "the job is never free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(&url, directory.path()).await.unwrap();
    stored(&store, Status::Created, &[job("a")]).await;
    let error = store.check_database().await.unwrap_err();
    assert!(matches!(error, StoreError::NoFile { .. }), "{error:?}");
    store.close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE schema_version SET version = 1000")
        .execute(&pool)
        .await
        .unwrap();
    let error = open(&url, directory.path()).await.expect_err("opened");
    assert!(
        matches!(error, StoreError::NewerSchema { found: 1000, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn variables_of_older_pipelines_leave_the_context_and_are_sealed() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let older = concat!(
        include_str!("../src/schema/1_pipelines.sql"),
        include_str!("../src/schema/2_server.sql"),
        include_str!("../src/schema/3_digests.sql"),
        "CREATE TABLE schema_version (version BIGINT NOT NULL);
        INSERT INTO schema_version VALUES (3);",
    );
    let identity = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    let older = (older.replace("INTEGER PRIMARY KEY AUTOINCREMENT", identity))
        .replace(" BLOB", " BYTEA")
        .replace(" DOUBLE", " DOUBLE PRECISION");
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let older = sqlx::raw_sql(sqlx::AssertSqlSafe(older)).execute(&pool);
    older.await.unwrap();
    sqlx::raw_sql(OLDER_PIPELINES).execute(&pool).await.unwrap();
    let options = Options {
        keys: SecretKeys::new([[1; 32]]),
        ..Options::default()
    };
    let store = Store::open_url(&url, directory.path(), options).await;
    check_older_pipelines(&store.unwrap()).await;
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("SELECT variables FROM pipeline_variables")
        .fetch_all(&pool)
        .await
        .unwrap();
    let plain = |stored: &Vec<u8>| stored.windows(6).any(|part| part == b"geheim");
    assert_eq!(stored.iter().map(plain).collect::<Vec<_>>(), [false]);
}

#[tokio::test]
async fn older_statuses_get_numbers_that_no_job_has() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(&url, directory.path()).await.unwrap();
    let project = beside_older_statuses(&store).await;
    store.close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    for statement in [OLDER_STATUSES, "UPDATE schema_version SET version = 8"] {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    }
    let store = open(&url, directory.path()).await.unwrap();
    check_older_statuses(&store, project).await;
}

#[tokio::test]
async fn an_older_key_still_signs() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(&url, directory.path()).await.unwrap();
    with_a_key(&store).await;
    store.close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    for statement in [OLDER_KEYS, "UPDATE schema_version SET version = 14"] {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    }
    let store = open(&url, directory.path()).await.unwrap();
    check_older_keys(&store).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("no");
    let url = format!(
        "postgres://me:geheim@localhost/app?host={}",
        socket.display()
    );
    let error = open(&url, directory.path()).await.expect_err("opened");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("/app") && !text.contains("geheim"), "{text}");

    // A port at which nobody listens, at once and not after the time limit of a pool.
    let start = std::time::Instant::now();
    let error = open("postgres://me:geheim@127.0.0.1:1/app", directory.path()).await;
    let error = error.expect_err("opened");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(5));

    let error = open("postgres://me:geheim@h:port/app", directory.path()).await;
    let error = error.expect_err("opened");
    assert!(matches!(error, StoreError::PostgresUrl), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("geheim"));
}
