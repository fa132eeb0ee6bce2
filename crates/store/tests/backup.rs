//! Copies of a store in use, and finding out that one is not sound.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::path::Path;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{
    Accessibility, BackupError, CheckDepth, Fault, JobUpdate, NewArtifact, Options, SecretKeys,
    Store,
};
use support::{job, store, stored};

/// A pipeline that is over, with a log and an artifact, stored as a coordinator does.
async fn filled(store: &Store, log: &[u8], artifact: &[u8]) -> (PipelineId, JobId) {
    let pipeline = stored(store, Status::Success, &[job("a")]).await;
    let job = store.jobs(pipeline).await.unwrap()[0].id;
    store.logs().append(pipeline, job, 0, log).unwrap();
    let size = artifact.len() as u64;
    let put = store.blobs().put(pipeline, job, "a.zip", artifact, size);
    let blob = put.await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let update = JobUpdate {
        trace_bytes: Some(log.len() as i64),
        ..JobUpdate::default()
    };
    transaction.update_job(job, &update).await.unwrap();
    let row = NewArtifact {
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
    transaction.insert_artifact(&row).await.unwrap();
    transaction.commit().await.unwrap();
    (pipeline, job)
}

fn names(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<_> = names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_backup_restores_to_what_was_there() {
    let (directory, store) = store().await;
    let (pipeline, job) = filled(&store, b"line\n", b"zip").await;
    // Reading makes an index, which is not worth a copy.
    store.logs().lines(pipeline, job, 0, 1).unwrap();
    let to = directory.path().join("backup");
    let backup = store.backup(&to).await.unwrap();
    assert_eq!(
        (backup.database, backup.logs, backup.artifacts, backup.bytes),
        (true, 1, Some(1), 8)
    );
    assert_eq!(backup.faults, []);
    assert_eq!(names(&to), ["artifacts", "logs", "shipway.db"]);
    let error = store.backup(&to).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    store.logs().append(pipeline, job, 5, b"more\n").unwrap();

    let into = directory.path().join("new/data");
    Store::restore(&to, &into).await.unwrap();
    assert_eq!(names(&into), ["artifacts", "logs", "shipway.db"]);
    let restored = Store::open(&into).await.unwrap();
    assert_eq!(restored.check(CheckDepth::Contents).await.unwrap(), []);
    assert_eq!(
        restored.jobs(pipeline).await.unwrap(),
        store.jobs(pipeline).await.unwrap()
    );
    assert_eq!(
        restored.logs().read(pipeline, job, 0, 99).unwrap(),
        b"line\n"
    );
    let error = Store::restore(&to, &into).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    let error = Store::restore(directory.path(), &directory.path().join("other")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, BackupError::NoBackup { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_sound_whatever_goes_on_meanwhile() {
    let (directory, store) = store().await;
    let options = Options {
        keys: SecretKeys::new([[1; 32]]),
        ..Options::default()
    };
    store.close().await;
    let state = directory.path().join("state");
    let store = Store::open_with(&state, options.clone()).await.unwrap();
    for _ in 0..20 {
        filled(&store, &[b'l'; 5000], &[b'a'; 9000]).await;
    }
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                filled(&store, &[b'l'; 5000], &[b'a'; 9000]).await;
                if store.pipelines(100).await.unwrap().len() > 15 {
                    let used = store.usage().await.unwrap().total();
                    store.prune(used - 20_000).await.unwrap();
                }
            }
        }
    });
    for number in 0..5 {
        let to = directory.path().join(format!("backup{number}"));
        let backup = store.backup(&to).await.unwrap();
        assert_eq!(backup.faults, []);
        let into = directory.path().join(format!("restored{number}"));
        Store::restore(&to, &into).await.unwrap();
        let restored = Store::open_with(&into, options.clone()).await.unwrap();
        assert_eq!(restored.check(CheckDepth::Contents).await.unwrap(), []);
        assert!(!restored.pipelines(100).await.unwrap().is_empty());
    }
    // Of what is in use as well.
    assert_eq!(store.check(CheckDepth::Contents).await.unwrap(), []);
    assert!(!writer.is_finished());
    writer.abort();
}

#[tokio::test]
async fn what_is_not_as_its_row_says_is_found() {
    let (directory, store) = store().await;
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(filled(&store, b"12345", b"content").await);
    }
    let artifact = |index: usize| {
        let (pipeline, job) = jobs[index];
        let path = format!("artifacts/{pipeline}/{job}/a.zip");
        store.directory().join(path)
    };
    std::fs::remove_file(artifact(0)).unwrap();
    std::fs::write(artifact(1), "conten").unwrap();
    std::fs::write(artifact(2), "CONTENT").unwrap();
    let (pipeline, job) = jobs[3];
    let log = store.logs().path(pipeline, job);
    let log = std::fs::File::options().write(true).open(log).unwrap();
    log.set_len(4).unwrap();

    let shallow = store.check(CheckDepth::Sizes).await.unwrap();
    let deep = store.check(CheckDepth::Contents).await.unwrap();
    let found = |faults: &[Fault]| -> Vec<JobId> {
        let of = |fault: &Fault| match fault {
            Fault::Artifact { job, .. } | Fault::Log { job, .. } => *job,
            Fault::Database(_) | Fault::Package { .. } => panic!("{fault}"),
        };
        faults.iter().map(of).collect()
    };
    let of =
        |indices: &[usize]| -> Vec<JobId> { indices.iter().map(|index| jobs[*index].1).collect() };
    assert_eq!(found(&shallow), of(&[0, 1, 3]));
    assert_eq!(found(&deep), of(&[0, 1, 2, 3]));
    let text = deep[2].to_string();
    assert!(text.contains("another content"), "{text}");
    assert_eq!(
        shallow[2],
        Fault::Log {
            pipeline,
            job,
            stored: 4,
            expected: 5
        }
    );
    // A backup tells of it too; it is no reason to have none.
    let to = directory.path().join("backup");
    let backup = store.backup(&to).await.unwrap();
    assert_eq!(found(&backup.faults), of(&[0, 1, 3]));
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let (directory, store) = store().await;
    filled(&store, b"12345", b"content").await;
    let to = directory.path().join("backup");
    store.backup(&to).await.unwrap();
    for (place, content) in [(0, vec![b'x'; 100]), (4096, vec![0xff; 8192])] {
        let database = to.join("shipway.db");
        let mut bytes = std::fs::read(&database).unwrap();
        bytes[place..place + content.len()].copy_from_slice(&content);
        std::fs::write(&database, bytes).unwrap();
        let into = directory.path().join("data");
        let error = Store::restore(&to, &into).await.unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
        assert_eq!(names(&into), [""; 0]);
    }
}

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
    let options = sqlx_sqlite::SqliteConnectOptions::new()
        .filename(store.directory().join("shipway.db"))
        .foreign_keys(false);
    let pool = sqlx_sqlite::SqlitePool::connect_with(options)
        .await
        .unwrap();
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
