//! Secrets, which nobody can read who has only the database.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::error::Error;

use crate::support::server::{group, project, user};
use crate::support::{job, opened, pipeline, store};
use shipway_pipeline::PipelineId;
use shipway_store::{
    Level, NewPipeline, NewSchedule, NewVariable, Options, ProjectId, RegistrationTokenRow,
    ScheduleId, SecretError, SecretKeys, SigningKeyRow, Store, StoreError, UserId, VariableId,
    VariableType, Visibility,
};
use tempfile::TempDir;

const SECRET: &[u8] = b"geheim-4711";

fn keys(keys: &[u8]) -> SecretKeys {
    SecretKeys::new(keys.iter().map(|byte| [*byte; 32]))
}

async fn open(directory: &TempDir, given: &[u8]) -> Result<Store, StoreError> {
    let options = Options {
        keys: keys(given),
        ..Options::default()
    };
    opened(directory, options).await
}

fn variable(key: &str) -> NewVariable {
    NewVariable {
        level: Level::Project,
        level_id: 1,
        key: key.to_owned(),
        value: SECRET.to_vec(),
        variable_type: VariableType::EnvVar,
        protected: false,
        masked: true,
        hidden: false,
        raw: true,
        environment_scope: "*".to_owned(),
        description: None,
    }
}

fn schedule(project_id: ProjectId, owner_id: UserId) -> NewSchedule {
    NewSchedule {
        project_id,
        description: "nightly".to_owned(),
        ref_name: "main".to_owned(),
        cron: "0 1 * * *".to_owned(),
        timezone: "UTC".to_owned(),
        active: true,
        owner_id,
        next_run_at: Some(5),
        variables: SECRET.to_vec(),
        last_pipeline_id: None,
        created_at: 1,
    }
}

type Filled = (VariableId, ScheduleId, PipelineId);

/// Stores one secret of each kind.
async fn fill(store: &Store) -> Filled {
    let namespace = group(store, "group", None).await;
    let project = project(store, namespace, "group/app", Visibility::Private).await;
    let owner = user(store, "ada").await;
    let mut transaction = store.begin().await.unwrap();
    let token = RegistrationTokenRow {
        level: Level::Instance,
        level_id: 0,
        digest: vec![1; 32],
        token: SECRET.to_vec(),
        created_at: 1,
    };
    transaction.set_registration_token(&token).await.unwrap();
    let key = SigningKeyRow {
        name: "id_tokens".to_owned(),
        private_key: SECRET.to_vec(),
        created_at: 1,
        retired_at: None,
    };
    transaction.insert_signing_key(&key).await.unwrap();
    // The first of its name stays.
    let later = SigningKeyRow {
        private_key: b"later".to_vec(),
        ..key
    };
    transaction.insert_signing_key(&later).await.unwrap();
    let variable = transaction.insert_variable(&variable("KEY")).await.unwrap();
    assert_eq!(variable.value, SECRET);
    let schedule = schedule(project, owner);
    let schedule = transaction.insert_schedule(&schedule).await.unwrap();
    assert_eq!(schedule.variables, SECRET);
    let new = NewPipeline {
        variables: SECRET.to_vec(),
        ..pipeline("group/app")
    };
    let of_pipeline = transaction.insert_pipeline(&new).await.unwrap();
    let found = transaction.pipeline_variables(of_pipeline.id).await;
    assert_eq!(found.unwrap(), SECRET);
    let of_job = transaction.insert_job(of_pipeline.id, &job("deploy")).await;
    let set = transaction.set_job_variables(of_job.unwrap(), SECRET.to_vec());
    set.await.unwrap();
    transaction.commit().await.unwrap();
    (variable.id, schedule.id, of_pipeline.id)
}

/// Every way to read them gives the secrets.
async fn check(store: &Store, (variable, schedule, pipeline): Filled) {
    let found = store.variable(variable).await.unwrap().unwrap();
    assert_eq!(found.value, SECRET);
    let of_level = store.variables(Level::Project, 1).await.unwrap();
    let of_key = store.variables_by_key(Level::Project, 1, "KEY").await;
    assert_eq!(
        (of_level[0].clone(), of_key.unwrap()),
        (found.clone(), vec![found])
    );
    let found = store.schedule(schedule).await.unwrap().unwrap();
    assert_eq!(found.variables, SECRET);
    let due = store.due_schedules(9, 9).await.unwrap();
    let of_project = store.schedules(found.project_id).await.unwrap();
    assert_eq!((due, of_project), (vec![found.clone()], vec![found]));
    let token = store.registration_token(Level::Instance, 0).await.unwrap();
    let by_digest = store.registration_token_by_digest(&[1; 32]).await.unwrap();
    assert_eq!(token.unwrap().token, SECRET);
    assert_eq!(by_digest.unwrap().token, SECRET);
    let key = store.signing_key("id_tokens").await.unwrap().unwrap();
    assert_eq!(key.private_key, SECRET);
    assert_eq!(store.signing_key("none").await.unwrap(), None);
    let of_pipeline = store.pipeline_variables(pipeline).await.unwrap();
    assert_eq!(of_pipeline, SECRET);
    let of_none = store.pipeline_variables(PipelineId(999)).await.unwrap();
    assert_eq!(of_none, b"");
    let of_job = store.job_variables(pipeline, "deploy").await.unwrap();
    assert_eq!(of_job, SECRET);
    let of_other = store.job_variables(pipeline, "test").await.unwrap();
    assert_eq!(of_other, b"");
}

/// What is stored of the secrets.
async fn stored(directory: &TempDir) -> Vec<Vec<u8>> {
    const SECRETS: &str = "SELECT value FROM variables UNION ALL \
        SELECT variables FROM schedules UNION ALL SELECT token FROM registration_tokens \
        UNION ALL SELECT variables FROM pipeline_variables \
        UNION ALL SELECT variables FROM job_variables \
        UNION ALL SELECT private_key FROM signing_keys";
    #[cfg(feature = "postgres")]
    if let Ok(url) = std::fs::read_to_string(directory.path().join("url")) {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        return sqlx::query_scalar(SECRETS).fetch_all(&pool).await.unwrap();
    }
    let path = directory.path().join("state/shipway.db");
    let options = sqlx_sqlite::SqliteConnectOptions::new().filename(path);
    let pool = sqlx_sqlite::SqlitePool::connect_with(options)
        .await
        .unwrap();
    sqlx::query_scalar(SECRETS).fetch_all(&pool).await.unwrap()
}

async fn are_plain(directory: &TempDir) -> Vec<bool> {
    let stored = stored(directory).await;
    let plain = |secret: &Vec<u8>| secret.windows(SECRET.len()).any(|part| part == SECRET);
    stored.iter().map(plain).collect()
}

#[tokio::test]
async fn a_key_makes_way_for_another_and_is_kept_for_a_while() {
    let (_directory, store) = store().await;
    let key = |name: &str, at: i64| SigningKeyRow {
        name: name.to_owned(),
        private_key: format!("{name} {at}").into_bytes(),
        created_at: at,
        retired_at: None,
    };
    let replace = async |new: SigningKeyRow, before: i64| {
        let mut transaction = store.begin().await.unwrap();
        transaction.replace_signing_key(&new, before).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let found = async || {
        let rows = store.signing_keys("a").await.unwrap();
        let told = rows.into_iter().map(|row| {
            let text = String::from_utf8(row.private_key).unwrap();
            (text, row.created_at, row.retired_at)
        });
        told.collect::<Vec<_>>()
    };
    // Without one it is the first.
    replace(key("a", 1), 0).await;
    replace(key("b", 1), 0).await;
    assert_eq!(found().await, [("a 1".to_owned(), 1, None)]);
    replace(key("a", 5), 0).await;
    replace(key("a", 9), 0).await;
    let (first, second) = (
        ("a 1".to_owned(), 1, Some(5)),
        ("a 5".to_owned(), 5, Some(9)),
    );
    assert_eq!(found().await, [("a 9".to_owned(), 9, None), second, first]);
    let signing = store.signing_key("a").await.unwrap().unwrap();
    assert_eq!(signing.private_key, b"a 9");
    // The first was retired at 5, the second at 9.
    replace(key("a", 20), 8).await;
    let kept: Vec<i64> = found().await.iter().map(|(_, at, _)| *at).collect();
    assert_eq!(kept, [20, 9, 5]);
    assert_eq!(store.signing_keys("b").await.unwrap().len(), 1);
}

#[tokio::test]
async fn with_a_key_no_secret_is_in_the_database() {
    let (directory, plain) = store().await;
    plain.close().await;
    let store = open(&directory, &[1]).await.unwrap();
    let filled = fill(&store).await;
    check(&store, filled).await;
    let (variable, schedule, _) = filled;
    assert_eq!(are_plain(&directory).await, [false; 6]);
    // Nor after a change, which may be of what tells the variable apart.
    let mut row = store.variable(variable).await.unwrap().unwrap();
    row.key = "OTHER".to_owned();
    let mut transaction = store.begin().await.unwrap();
    transaction.update_variable(&row).await.unwrap();
    let due = transaction.schedule(schedule).await.unwrap();
    transaction.update_schedule(&due).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.variable(variable).await.unwrap(), Some(row));
    assert_eq!(are_plain(&directory).await, [false; 6]);
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_told_when_it_is_opened() {
    let (directory, plain) = store().await;
    plain.close().await;
    let right = open(&directory, &[1]).await.unwrap();
    fill(&right).await;
    for given in [&[][..], &[2], &[2, 3]] {
        let error = open(&directory, given).await.expect_err("opened");
        let StoreError::Secret { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(matches!(source, SecretError::NoKey { .. }), "{source:?}");
        let text = error.source().unwrap().to_string();
        assert!(text.contains("file of keys"), "{text}");
    }
}

#[tokio::test]
async fn keys_are_changed_one_after_the_other() {
    let (directory, plain) = store().await;
    let filled = fill(&plain).await;
    check(&plain, filled).await;
    assert_eq!(are_plain(&directory).await, [true; 6]);
    // A first key seals what is there.
    let first = open(&directory, &[1]).await.unwrap();
    check(&first, filled).await;
    assert_eq!(are_plain(&directory).await, [false; 6]);
    let sealed = stored(&directory).await;
    // The old one reads as long as there are secrets of it.
    let both = open(&directory, &[1, 2]).await.unwrap();
    check(&both, filled).await;
    assert_eq!(stored(&directory).await, sealed);
    assert_eq!(both.reseal().await.unwrap(), 6);
    assert_eq!(both.reseal().await.unwrap(), 0);
    let second = open(&directory, &[2]).await.unwrap();
    check(&second, filled).await;
    open(&directory, &[1]).await.expect_err("opened");
}

#[tokio::test]
async fn a_secret_moved_to_another_row_is_not_read() {
    let (directory, plain) = store().await;
    plain.close().await;
    let store = open(&directory, &[1]).await.unwrap();
    let (first, ..) = fill(&store).await;
    let mut transaction = store.begin().await.unwrap();
    let mut other = variable("OTHER");
    other.value = b"mine".to_vec();
    let other = transaction.insert_variable(&other).await.unwrap();
    transaction.commit().await.unwrap();
    const MOVE: &str = "UPDATE variables SET value = (SELECT value FROM variables WHERE id = $1) \
        WHERE id = $2";
    let pool_url = std::fs::read_to_string(directory.path().join("url"));
    match pool_url {
        #[cfg(feature = "postgres")]
        Ok(url) => {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            let moved = sqlx::query(MOVE).bind(first.0).bind(other.id.0);
            moved.execute(&pool).await.unwrap();
        }
        _ => {
            let path = directory.path().join("state/shipway.db");
            let options = sqlx_sqlite::SqliteConnectOptions::new().filename(path);
            let pool = sqlx_sqlite::SqlitePool::connect_with(options)
                .await
                .unwrap();
            let moved = sqlx::query(MOVE).bind(first.0).bind(other.id.0);
            moved.execute(&pool).await.unwrap();
        }
    }
    let error = store.variable(other.id).await.unwrap_err();
    let StoreError::Secret { what, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (what.as_str(), source),
        ("variables project 1 OTHER *", &SecretError::Foreign)
    );
    store.variable(first).await.unwrap();
}
