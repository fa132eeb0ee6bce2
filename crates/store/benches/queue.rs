//! How many jobs per second pass through the store: claimed, 1 KiB of log, finished, with
//! everything durable on the disk.
//!
//! `cargo bench -p shipway-store --bench queue [-- URL [JOBS]]`: the database is `sqlite:` in a
//! temporary directory unless a URL names another, which should be empty; PostgreSQL needs
//! `--features postgres`. `TMPDIR` chooses the disk.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails ends")]
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Instant;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{
    Claim, Durability, JobUpdate, NewJob, NewPipeline, NewStage, Options, RunnerId, Store,
};
use shipway_testing::rows;

/// Tasks at the same time.
const TASKS: [usize; 2] = [1, 32];

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut given = arguments.iter().filter(|word| *word != "--bench");
    let url = given.next().map_or("sqlite:", String::as_str);
    let jobs: usize = given.next().map_or(1000, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        durability: Durability::Machine,
        ..Options::default()
    };
    let store = Store::open_url(url, directory.path(), options).await;
    let store = store.unwrap();
    let runner = runner(&store).await;
    for tasks in TASKS {
        let (pipeline, ids) = pending(&store, jobs).await;
        let start = Instant::now();
        let work: Vec<_> = (0..tasks)
            .map(|task| {
                let store = store.clone();
                let share: Vec<JobId> = ids.iter().skip(task).step_by(tasks).copied().collect();
                tokio::spawn(async move {
                    for job in share {
                        run(&store, runner, pipeline, job).await;
                    }
                })
            })
            .collect();
        for task in work {
            task.await.unwrap();
        }
        let rate = jobs as f64 / start.elapsed().as_secs_f64();
        println!("{tasks:>3} at a time: {rate:.0} jobs per second ({jobs} jobs)");
    }
}

/// What a coordinator does of a job at least: three acknowledged writes.
async fn run(store: &Store, runner: RunnerId, pipeline: PipelineId, job: JobId) {
    let claim = Claim {
        runner,
        system_id: Some("s_1".to_owned()),
        description: "bench".to_owned(),
        token_digest: job.0.to_le_bytes().to_vec(),
        at: 2,
        acknowledged: true,
    };
    let mut transaction = store.begin().await.unwrap();
    assert!(transaction.claim(job, &claim).await.unwrap().is_some());
    transaction.commit().await.unwrap();

    let logs = store.logs().clone();
    let append = move || logs.append(pipeline, job, 0, &[b'l'; 1024]);
    tokio::task::spawn_blocking(append).await.unwrap().unwrap();

    let update = JobUpdate {
        finished_at: Some(3),
        trace_bytes: Some(1024),
        ..JobUpdate::default()
    };
    let mut transaction = store.begin().await.unwrap();
    let done = transaction.set_job_status(job, Status::Success, update);
    done.await.unwrap();
    transaction.commit().await.unwrap();
}

async fn runner(store: &Store) -> RunnerId {
    let mut transaction = store.begin().await.unwrap();
    let runner = rows::runner(vec![0]);
    let row = transaction.insert_runner(&runner).await.unwrap();
    transaction.commit().await.unwrap();
    row.id
}

/// A pipeline of pending jobs in a project of its own.
async fn pending(store: &Store, count: usize) -> (PipelineId, Vec<JobId>) {
    let path = format!("bench-{}", store.pipelines(1000).await.unwrap().len());
    let mut transaction = store.begin().await.unwrap();
    let namespace = transaction
        .insert_namespace(&rows::group(&path))
        .await
        .unwrap();
    let project = rows::project(namespace.id, &format!("{path}/app"));
    let project = transaction.insert_project(&project).await.unwrap();
    let pipeline = NewPipeline {
        status: Status::Running,
        project_id: Some(project.id),
        ..rows::pipeline(&project.full_path)
    };
    let pipeline = transaction.insert_pipeline(&pipeline).await.unwrap();
    let stage = NewStage {
        status: Status::Running,
        ..rows::stage(0, "test")
    };
    let stages = transaction.insert_stages(pipeline.id, std::slice::from_ref(&stage));
    stages.await.unwrap();
    let job = |number| NewJob {
        status: Status::Pending,
        // About what a small job has.
        spec: format!("{{\"script\":[\"{}\"]}}", "x".repeat(1000)),
        ..rows::job(&format!("job {number}"))
    };
    let jobs: Vec<_> = (0..count).map(job).collect();
    let ids = transaction.insert_jobs(pipeline.id, &jobs).await.unwrap();
    transaction.commit().await.unwrap();
    (pipeline.id, ids)
}
