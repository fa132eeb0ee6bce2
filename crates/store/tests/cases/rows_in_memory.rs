//! What callers keep in memory of a row is what is stored.

use crate::support::server::{group, project, runner};
use crate::support::{job, pipeline, store};
use shipway_pipeline::Status;
use shipway_store::{Claim, JobUpdate, NewJob, NewPipeline, RunnerKind, Visibility};

#[tokio::test]
async fn a_job_is_changed_in_memory_as_it_is_in_the_database() {
    let (_directory, store) = store().await;
    let runner = runner(&store, RunnerKind::Instance, None).await;
    let namespace = group(&store, "group", None).await;
    let project = project(&store, namespace, "group/app", Visibility::Private).await;
    let new = NewPipeline {
        project_id: Some(project),
        protected: true,
        ..pipeline("group/app")
    };
    let jobs = [
        NewJob {
            status: Status::Pending,
            environment: Some("{}".to_owned()),
            ..job("a")
        },
        job("b"),
    ];
    let mut transaction = store.begin().await.unwrap();
    let row = transaction.insert_pipeline(&new).await.unwrap();
    let ids = transaction.insert_jobs(row.id, &jobs).await.unwrap();
    transaction.commit().await.unwrap();
    let mut kept: Vec<_> = (jobs.into_iter().zip(ids))
        .map(|(job, id)| job.stored(id, &row))
        .collect();
    assert_eq!(kept, store.jobs(row.id).await.unwrap());

    let claim = |acknowledged| JobUpdate {
        status: Some(Status::Running),
        started_at: Some(5),
        claim: Some(Claim {
            runner,
            system_id: Some("s_1".to_owned()),
            description: "build host".to_owned(),
            token_digest: vec![1; 32],
            at: 6,
            acknowledged,
        }),
        ..JobUpdate::default()
    };
    let all = JobUpdate {
        status: Some(Status::Failed),
        failure_reason: Some("script_failure".to_owned()),
        exit_code: Some(3),
        queued_at: Some(1),
        started_at: Some(2),
        finished_at: Some(3),
        scheduled_at: Some(4),
        allow_failure: Some(true),
        triggered: Some(true),
        when: Some("manual".to_owned()),
        coverage: Some(12.5),
        tests: Some("[]".to_owned()),
        runner: Some("here".to_owned()),
        trace_bytes: Some(7),
        environment: Some("{\"name\":\"x\"}".to_owned()),
        claim: None,
        unclaim: false,
    };
    let unclaim = JobUpdate {
        status: Some(Status::Pending),
        queued_at: Some(9),
        unclaim: true,
        ..JobUpdate::default()
    };
    for update in [
        JobUpdate::default(),
        claim(false),
        unclaim.clone(),
        claim(true),
        unclaim,
        all,
    ] {
        let mut transaction = store.begin().await.unwrap();
        transaction.update_job(kept[0].id, &update).await.unwrap();
        transaction.commit().await.unwrap();
        kept[0].update(&update);
        assert_eq!(kept, store.jobs(row.id).await.unwrap(), "{update:?}");
    }
}
