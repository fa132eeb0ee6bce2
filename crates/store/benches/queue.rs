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
    Claim, Durability, JobUpdate, NamespaceKind, NewJob, NewNamespace, NewPipeline, NewProject,
    NewRunner, NewStage, Options, RunnerId, RunnerKind, Store, Visibility,
};

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
    let runner = NewRunner {
        token_digest: vec![0],
        token_prefix: String::new(),
        token_expires_at: None,
        kind: RunnerKind::Instance,
        owner_id: None,
        description: "bench".to_owned(),
        maintenance_note: None,
        tags: "[]".to_owned(),
        run_untagged: true,
        locked: false,
        protected_only: false,
        paused: false,
        maximum_timeout: None,
        version: None,
        revision: None,
        platform: None,
        architecture: None,
        executor: None,
        ip: None,
        contacted_at: None,
        created_at: 1,
    };
    let row = transaction.insert_runner(&runner).await.unwrap();
    transaction.commit().await.unwrap();
    row.id
}

/// A pipeline of pending jobs in a project of its own.
async fn pending(store: &Store, count: usize) -> (PipelineId, Vec<JobId>) {
    let path = format!("bench-{}", store.pipelines(1000).await.unwrap().len());
    let mut transaction = store.begin().await.unwrap();
    let namespace = NewNamespace {
        full_path: path.clone(),
        name: path.clone(),
        kind: NamespaceKind::Group,
        owner_id: None,
        parent_id: None,
    };
    let namespace = transaction.insert_namespace(&namespace).await.unwrap();
    let project = NewProject {
        namespace_id: namespace.id,
        full_path: format!("{path}/app"),
        name: "app".to_owned(),
        description: String::new(),
        visibility: Visibility::Private,
        default_branch: None,
        settings: "{}".to_owned(),
        created_at: 1,
    };
    let project = transaction.insert_project(&project).await.unwrap();
    let pipeline = NewPipeline {
        project: project.full_path,
        ref_name: "main".to_owned(),
        ref_kind: "branch".to_owned(),
        sha: None,
        source: "push".to_owned(),
        status: Status::Running,
        name: None,
        created_at: 1,
        yaml_errors: None,
        context: "{}".to_owned(),
        variables: Vec::new(),
        project_id: Some(project.id),
        user_id: None,
        protected: false,
    };
    let pipeline = transaction.insert_pipeline(&pipeline).await.unwrap();
    let stage = NewStage {
        position: 0,
        name: "test".to_owned(),
        status: Status::Running,
    };
    let stages = transaction.insert_stages(pipeline.id, std::slice::from_ref(&stage));
    stages.await.unwrap();
    let job = |number| NewJob {
        stage: 0,
        name: format!("job {number}"),
        status: Status::Pending,
        when: "on_success".to_owned(),
        allow_failure: false,
        scheduling: "stage".to_owned(),
        needs: "[]".to_owned(),
        // About what a small job has.
        spec: format!("{{\"script\":[\"{}\"]}}", "x".repeat(1000)),
        tags: "[]".to_owned(),
        attempt: 1,
        triggered: false,
        environment: None,
        reason: "no rules".to_owned(),
    };
    let jobs: Vec<_> = (0..count).map(job).collect();
    let ids = transaction.insert_jobs(pipeline.id, &jobs).await.unwrap();
    transaction.commit().await.unwrap();
    (pipeline.id, ids)
}
