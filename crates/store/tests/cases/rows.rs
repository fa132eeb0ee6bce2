//! Rows go in and come back, one writer at a time.

use std::time::Instant;

use crate::support::{job, pipeline, stage, store, stored};
use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{
    Accessibility, JobUpdate, NewArtifact, NewJob, NewPipeline, PipelineUpdate, StoreError,
};

#[tokio::test]
async fn a_pipeline_comes_back_as_it_was_stored() {
    let (_directory, store) = store().await;
    let new = NewPipeline {
        name: Some("nightly".to_owned()),
        yaml_errors: Some("jobs config should contain at least one visible job".to_owned()),
        sha: None,
        ..pipeline("group/app")
    };
    let mut transaction = store.begin().await.unwrap();
    let row = transaction.insert_pipeline(&new).await.unwrap();
    transaction
        .insert_stages(row.id, &[stage(1, "test"), stage(0, "build")])
        .await
        .unwrap();
    transaction.commit().await.unwrap();

    let found = store.pipeline(row.id).await.unwrap().unwrap();
    assert_eq!(found, row);
    assert_eq!(
        (
            found.iid,
            found.project.as_str(),
            found.sha,
            found.name,
            found.status
        ),
        (1, "group/app", None, new.name, Status::Created)
    );
    assert_eq!(
        (found.context, found.yaml_errors),
        (new.context, new.yaml_errors)
    );
    assert_eq!(
        (found.started_at, found.finished_at, found.coverage),
        (None, None, None)
    );
    let stages: Vec<_> = store.stages(row.id).await.unwrap();
    let names: Vec<_> = stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["build", "test"]);
    assert_eq!(store.pipeline(PipelineId(99)).await.unwrap(), None);
}

#[tokio::test]
async fn every_status_is_stored() {
    let (_directory, store) = store().await;
    let id = stored(&store, Status::Created, &[job("a")]).await;
    let job = store.jobs(id).await.unwrap()[0].id;
    for status in Status::ALL {
        let mut transaction = store.begin().await.unwrap();
        transaction
            .set_pipeline_status(id, status, &PipelineUpdate::default())
            .await
            .unwrap();
        transaction.set_stage_status(id, 0, status).await.unwrap();
        transaction
            .set_job_status(job, status, JobUpdate::default())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(store.pipeline(id).await.unwrap().unwrap().status, status);
        assert_eq!(store.stages(id).await.unwrap()[0].status, status);
        assert_eq!(store.job(job).await.unwrap().unwrap().status, status);
    }
}

#[tokio::test]
async fn pipelines_are_numbered_per_project_and_numbers_are_not_used_again() {
    let (_directory, store) = store().await;
    let mut numbers = Vec::new();
    for project in ["group/a", "group/b", "group/a"] {
        let mut transaction = store.begin().await.unwrap();
        let row = transaction
            .insert_pipeline(&pipeline(project))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        numbers.push((row.id.0, row.iid));
    }
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 2)]);
    let newest: Vec<_> = store
        .pipelines(2)
        .await
        .unwrap()
        .iter()
        .map(|row| row.id.0)
        .collect();
    assert_eq!(newest, [3, 2]);

    let mut transaction = store.begin().await.unwrap();
    transaction.delete_pipeline(PipelineId(3)).await.unwrap();
    let row = transaction
        .insert_pipeline(&pipeline("group/a"))
        .await
        .unwrap();
    assert_eq!((row.id.0, row.iid), (4, 3));
}

#[tokio::test]
async fn ten_thousand_jobs_go_in_at_once_and_keep_their_order() {
    let (_directory, store) = store().await;
    let jobs: Vec<NewJob> = (0..10_000)
        .map(|number| job(&format!("job {number}")))
        .collect();
    let mut transaction = store.begin().await.unwrap();
    let pipeline = transaction
        .insert_pipeline(&pipeline("group/app"))
        .await
        .unwrap()
        .id;
    let start = Instant::now();
    let ids = transaction.insert_jobs(pipeline, &jobs).await.unwrap();
    println!("10000 jobs inserted in {:?}", start.elapsed());
    let start = Instant::now();
    let skipped = transaction
        .set_job_statuses(&ids[5000..], Status::Skipped)
        .await
        .unwrap();
    println!("5000 jobs updated in {:?}", start.elapsed());
    transaction.commit().await.unwrap();

    let rows = store.jobs(pipeline).await.unwrap();
    assert_eq!((ids.len(), rows.len(), skipped), (10_000, 10_000, 5000));
    for ((id, new), row) in ids.iter().zip(&jobs).zip(&rows) {
        assert_eq!((row.id, row.name.as_str()), (*id, new.name.as_str()));
    }
    assert_eq!(rows[4999].status, Status::Created);
    assert_eq!(rows[5000].status, Status::Skipped);
}

#[tokio::test]
async fn an_update_changes_what_it_sets_and_nothing_else() {
    let (_directory, store) = store().await;
    let new = NewJob {
        environment: Some(r#"{"name":"prod"}"#.to_owned()),
        when: "delayed".to_owned(),
        ..job("deploy")
    };
    let pipeline = stored(&store, Status::Running, std::slice::from_ref(&new)).await;
    let before = store.jobs(pipeline).await.unwrap().remove(0);
    assert_eq!(
        (
            before.attempt,
            before.retried,
            before.triggered,
            before.trace_bytes
        ),
        (1, false, false, 0)
    );
    assert_eq!(
        (&before.when, &before.environment),
        (&new.when, &new.environment)
    );

    let update = JobUpdate {
        failure_reason: Some("script_failure".to_owned()),
        exit_code: Some(-3),
        queued_at: Some(1),
        started_at: Some(2),
        finished_at: Some(3),
        coverage: Some(87.5),
        tests: Some(r#"{"total":2}"#.to_owned()),
        runner: Some("this machine".to_owned()),
        trace_bytes: Some(1 << 40),
        allow_failure: Some(true),
        ..JobUpdate::default()
    };
    let mut transaction = store.begin().await.unwrap();
    transaction
        .set_job_status(before.id, Status::Failed, update)
        .await
        .unwrap();
    transaction.mark_retried(before.id).await.unwrap();
    let retry = NewJob { attempt: 2, ..new };
    let second = transaction.insert_job(pipeline, &retry).await.unwrap();
    transaction.commit().await.unwrap();

    let mut expected = before.clone();
    expected.status = Status::Failed;
    expected.failure_reason = Some("script_failure".to_owned());
    expected.exit_code = Some(-3);
    (
        expected.queued_at,
        expected.started_at,
        expected.finished_at,
    ) = (Some(1), Some(2), Some(3));
    expected.coverage = Some(87.5);
    expected.tests = Some(r#"{"total":2}"#.to_owned());
    expected.runner = Some("this machine".to_owned());
    expected.trace_bytes = 1 << 40;
    expected.allow_failure = true;
    expected.retried = true;
    let rows = store.jobs(pipeline).await.unwrap();
    assert_eq!(rows[0], expected);
    assert_eq!(
        (rows[1].id, rows[1].attempt, rows[1].retried),
        (second, 2, false)
    );
}

#[tokio::test]
async fn rows_that_do_not_exist_are_named() {
    let (_directory, store) = store().await;
    let mut transaction = store.begin().await.unwrap();
    let nobody = JobId(7);
    for (error, what) in [
        (transaction.job(nobody).await.unwrap_err(), "job 7"),
        (
            transaction
                .update_job(nobody, &JobUpdate::default())
                .await
                .unwrap_err(),
            "job 7",
        ),
        (transaction.mark_retried(nobody).await.unwrap_err(), "job 7"),
        (
            transaction.pipeline(PipelineId(8)).await.unwrap_err(),
            "pipeline 8",
        ),
        (
            transaction
                .set_stage_status(PipelineId(8), 2, Status::Failed)
                .await
                .unwrap_err(),
            "stage 2",
        ),
    ] {
        assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
    }
    // A job without a pipeline is refused by the database itself.
    let error = transaction
        .insert_jobs(PipelineId(8), &[job("a")])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Query { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_holds_nobody_up() {
    let (_directory, store) = store().await;
    let mut transaction = store.begin().await.unwrap();
    transaction
        .insert_pipeline(&pipeline("group/app"))
        .await
        .unwrap();
    drop(transaction);
    assert_eq!(store.pipelines(10).await.unwrap(), []);
    let next = stored(&store, Status::Created, &[]).await;
    assert_eq!(store.pipeline(next).await.unwrap().unwrap().iid, 1);
}

#[tokio::test]
async fn artifacts_come_back_by_job_and_by_pipeline() {
    let (_directory, store) = store().await;
    let pipeline = stored(&store, Status::Running, &[job("a"), job("b")]).await;
    let jobs = store.jobs(pipeline).await.unwrap();
    let new = |job: JobId, name: &str| NewArtifact {
        job_id: job,
        file_type: "archive".to_owned(),
        format: "zip".to_owned(),
        file_name: name.to_owned(),
        size: 12,
        expires_at: Some(99),
        path: format!("1/{job}/{name}"),
        digest: (name == "a").then(|| vec![7; 32]),
        accessibility: Accessibility::Public,
    };
    let mut transaction = store.begin().await.unwrap();
    let first = transaction
        .insert_artifact(&new(jobs[0].id, "a.zip"))
        .await
        .unwrap();
    let second = transaction
        .insert_artifact(&new(jobs[1].id, "b.zip"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        (first.file_name.as_str(), first.size, first.expires_at),
        ("a.zip", 12, Some(99))
    );
    assert_eq!(
        store.artifacts_of(jobs[0].id).await.unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(
        store.artifacts_of_pipeline(pipeline).await.unwrap(),
        [first.clone(), second.clone()]
    );

    let mut transaction = store.begin().await.unwrap();
    transaction.delete_artifact(first.id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        store.artifacts_of_pipeline(pipeline).await.unwrap(),
        [second]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_stores_on_one_directory_lose_nothing() {
    let (directory, first) = store().await;
    let second = crate::support::again(&directory).await;
    let pipeline = stored(&first, Status::Running, &[job("a")]).await;
    let job = first.jobs(pipeline).await.unwrap()[0].id;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = if number % 2 == 0 {
                first.clone()
            } else {
                second.clone()
            };
            tokio::spawn(async move {
                for _ in 0..25 {
                    let mut transaction = store.begin().await.unwrap();
                    let bytes = transaction.job(job).await.unwrap().trace_bytes;
                    let update = JobUpdate {
                        trace_bytes: Some(bytes + 1),
                        ..JobUpdate::default()
                    };
                    transaction.update_job(job, &update).await.unwrap();
                    transaction.commit().await.unwrap();
                    store.jobs(pipeline).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(second.job(job).await.unwrap().unwrap().trace_bytes, 200);
}

#[tokio::test]
async fn unfinished_pipelines_are_those_without_an_end() {
    let (_directory, store) = store().await;
    let first = stored(&store, Status::Running, &[]).await;
    let second = stored(&store, Status::Manual, &[]).await;
    let mut transaction = store.begin().await.unwrap();
    let end = PipelineUpdate {
        started_at: Some(1),
        finished_at: Some(2),
        coverage: Some(50.0),
    };
    transaction
        .set_pipeline_status(first, Status::Success, &end)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let unfinished: Vec<_> = store
        .unfinished_pipelines()
        .await
        .unwrap()
        .iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(unfinished, [second]);
    let row = store.pipeline(first).await.unwrap().unwrap();
    assert_eq!(
        (row.started_at, row.finished_at, row.coverage),
        (Some(1), Some(2), Some(50.0))
    );
}
