//! The queue of jobs that wait for a server's runners.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use crate::support::server::{group, project, runner};
use crate::support::{job, store, stored, stored_in};
use shipway_pipeline::{JobId, Status};
use shipway_store::{
    Claim, JobUpdate, Page, PipelineFilter, ProjectId, RunnerId, RunnerKind, Store, Visibility,
};

fn claim(runner: RunnerId, number: u8) -> Claim {
    Claim {
        runner,
        system_id: Some("s_1".to_owned()),
        description: "build host".to_owned(),
        token_digest: vec![number; 32],
        at: 100,
        acknowledged: false,
    }
}

/// Makes jobs pending, the first waiting longest.
async fn enqueue(store: &Store, jobs: &[JobId]) {
    let mut transaction = store.begin().await.unwrap();
    for (position, id) in jobs.iter().enumerate() {
        let update = JobUpdate {
            queued_at: Some(position as i64),
            ..JobUpdate::default()
        };
        transaction
            .set_job_status(*id, Status::Pending, update)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

/// A project with one pipeline of jobs.
async fn jobs_of(
    store: &Store,
    path: &str,
    protected: bool,
    count: usize,
) -> (ProjectId, Vec<JobId>) {
    let namespace = group(store, &format!("group-of-{path}"), None).await;
    let id = project(store, namespace, path, Visibility::Private).await;
    let jobs: Vec<_> = (0..count)
        .map(|number| job(&format!("job {number}")))
        .collect();
    let pipeline = stored_in(store, id, path, protected, &jobs).await;
    let rows = store.jobs(pipeline).await.unwrap();
    (id, rows.into_iter().map(|row| row.id).collect())
}

#[tokio::test]
async fn the_queue_is_of_all_projects_and_without_local_runs() {
    let (_directory, store) = store().await;
    let (one, first) = jobs_of(&store, "one", true, 2).await;
    let (two, second) = jobs_of(&store, "two", false, 1).await;
    let local = stored(&store, Status::Running, &[job("local")]).await;
    let local = store.jobs(local).await.unwrap()[0].id;
    enqueue(&store, &[first[1], local, second[0], first[0]]).await;
    let queue = store.queue(10).await.unwrap();
    let order: Vec<_> = queue
        .iter()
        .map(|job| (job.id, job.project_id, job.protected))
        .collect();
    assert_eq!(
        order,
        [
            (first[1], one, true),
            (second[0], two, false),
            (first[0], one, true)
        ]
    );
    assert_eq!(
        (queue[0].name.as_str(), queue[0].tags.as_str()),
        ("job 1", "[]")
    );
    assert_eq!(store.queue(1).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_claim_one_job_one_gets_it() {
    let (_directory, store) = store().await;
    let runner = runner(&store, RunnerKind::Instance, None).await;
    let (_, jobs) = jobs_of(&store, "one", false, 20).await;
    enqueue(&store, &jobs).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let (store, jobs) = (store.clone(), jobs.clone());
            tokio::spawn(async move {
                let mut won = Vec::new();
                for job in jobs {
                    let mut claim = claim(runner, number);
                    claim.token_digest.push(u8::try_from(job.0).unwrap());
                    let mut transaction = store.begin().await.unwrap();
                    if transaction.claim(job, &claim).await.unwrap().is_some() {
                        won.push(job);
                    }
                    transaction.commit().await.unwrap();
                }
                won
            })
        })
        .collect();
    let mut won = Vec::new();
    for task in tasks {
        won.extend(task.await.unwrap());
    }
    won.sort_unstable();
    assert_eq!(won, jobs);
    assert_eq!(store.queue(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_job_is_claimed_acknowledged_and_found_by_its_token() {
    let (_directory, store) = store().await;
    let runner = runner(&store, RunnerKind::Instance, None).await;
    let (project, jobs) = jobs_of(&store, "one", false, 2).await;
    enqueue(&store, &jobs).await;
    let mut transaction = store.begin().await.unwrap();
    for (position, job) in jobs.iter().enumerate() {
        let claim = claim(runner, position as u8);
        let row = transaction.claim(*job, &claim).await.unwrap().unwrap();
        assert_eq!((row.status, row.started_at), (Status::Running, Some(100)));
        assert_eq!(row.runner.as_deref(), Some("build host"));
        assert_eq!((row.runner_id, row.acknowledged_at), (Some(runner), None));
    }
    transaction.commit().await.unwrap();
    let busy = store.busy_projects().await.unwrap();
    assert_eq!((busy[0].project_id, busy[0].jobs), (project, 2));
    let unheard = async |before| -> Vec<_> {
        let rows = store.unacknowledged_jobs(before).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(unheard(100).await, []);
    assert_eq!(unheard(101).await, jobs);

    let mut transaction = store.begin().await.unwrap();
    assert!(transaction.job_contact(jobs[0], 150).await.unwrap());
    assert!(transaction.job_contact(jobs[0], 160).await.unwrap());
    transaction.set_debug_trace(jobs[0]).await.unwrap();
    // One is acknowledged and stays, the other goes back to its place.
    assert_eq!(transaction.unclaim(jobs[0]).await.unwrap(), None);
    let back = transaction.unclaim(jobs[1]).await.unwrap().unwrap();
    assert_eq!((back.status, back.queued_at), (Status::Pending, Some(1)));
    assert_eq!((back.token_digest, back.runner_id), (None, None));
    assert!(!transaction.job_contact(jobs[1], 160).await.unwrap());
    transaction.commit().await.unwrap();
    assert_eq!(unheard(1000).await, []);
    let silent = store.silent_jobs(161).await.unwrap();
    assert_eq!((silent.len(), silent[0].id), (1, jobs[0]));
    assert_eq!(store.silent_jobs(160).await.unwrap(), []);

    let found = store.job_by_token(&[0; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.acknowledged_at, found.contacted_at),
        (Some(150), Some(160))
    );
    assert!(found.debug_trace);
    assert_eq!(store.job_by_token(&[1; 32]).await.unwrap(), None);
    assert_eq!(store.jobs_of_runner(runner, 9).await.unwrap(), [found]);

    // The runner is forgotten, and the job is not.
    let mut transaction = store.begin().await.unwrap();
    transaction.delete_runner(runner).await.unwrap();
    transaction.commit().await.unwrap();
    let found = store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!(
        (found.runner_id, found.runner.as_deref()),
        (None, Some("build host"))
    );
}

#[tokio::test]
async fn pipelines_and_jobs_of_a_project_come_in_pages() {
    let (_directory, store) = store().await;
    let (one, _) = jobs_of(&store, "one", false, 3).await;
    jobs_of(&store, "two", false, 1).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stored_in(&store, one, "one", false, &[]).await);
    }
    let all = PipelineFilter::default();
    let page = Page {
        limit: 2,
        offset: 1,
    };
    let found = store.pipelines_of_project(one, &all, page).await.unwrap();
    let rows: Vec<_> = found.rows.iter().map(|row| row.id).collect();
    assert_eq!((found.total, rows), (4, vec![ids[1], ids[0]]));
    for (filter, expected) in [
        (
            PipelineFilter {
                ref_name: Some("main".to_owned()),
                ..all.clone()
            },
            4,
        ),
        (
            PipelineFilter {
                ref_name: Some("other".to_owned()),
                ..all.clone()
            },
            0,
        ),
        (
            PipelineFilter {
                sha: Some("a".repeat(40)),
                ..all.clone()
            },
            4,
        ),
        (
            PipelineFilter {
                status: Some(Status::Running),
                ..all.clone()
            },
            4,
        ),
        (
            PipelineFilter {
                status: Some(Status::Failed),
                ..all.clone()
            },
            0,
        ),
        (
            PipelineFilter {
                source: Some("web".to_owned()),
                ..all.clone()
            },
            0,
        ),
    ] {
        let found = store
            .pipelines_of_project(one, &filter, Page::first(9))
            .await
            .unwrap();
        assert_eq!(found.total, expected, "{filter:?}");
    }
    let newest = store.newest_pipeline(one, "main").await.unwrap().unwrap();
    assert_eq!(newest.id, ids[2]);
    assert_eq!(store.newest_pipeline(one, "other").await.unwrap(), None);

    let jobs = store
        .jobs_of_project(one, None, Page::first(2))
        .await
        .unwrap();
    assert_eq!((jobs.total, jobs.rows[0].name.as_str()), (3, "job 2"));
    let none = store
        .jobs_of_project(one, Some(Status::Failed), Page::first(2))
        .await
        .unwrap();
    assert_eq!(none.total, 0);
}
