//! Our own runner on our own server: registered, polled, cloned, run, reported.

use std::time::Duration;

use serde_json::json;
use shipway_pipeline::Status;
use shipway_runner::remote::{Settings, Shutdown, Surroundings};
use shipway_store::{Level, PipelineRow};
use tokio::sync::watch;

use crate::support::Site;

const PIPELINE: &str = r#"
stages: [build, test]
build:
  stage: build
  script:
    - test -f .gitlab-ci.yml
    - mkdir out && echo "made by $CI_JOB_NAME" > out/result.txt
    - echo "VERSION=1.$CI_PIPELINE_IID" > build.env
  artifacts:
    paths: [out]
    reports: {dotenv: build.env}
test:
  stage: test
  script:
    - grep "made by build" out/result.txt
    - echo "version $VERSION"
    - echo "TOTAL 100%"
  coverage: '/TOTAL (\d+)%/'
"#;

struct Working {
    shutdown: watch::Sender<Shutdown>,
    task: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Working {
    async fn end(self) {
        self.shutdown.send(Shutdown::Stop).unwrap();
        tokio::time::timeout(Duration::from_secs(30), self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Starts a runner with a shell, registered by the project's token.
async fn runner(site: &Site) -> Working {
    let secret = site
        .registration_token(Level::Project, site.project.id.0)
        .await;
    let body = json!({ "token": secret, "description": "own", "run_untagged": true });
    let registered = site.post("runners", body).await.is(201).json();
    let directory = tempfile::tempdir().unwrap();
    let settings = json!({
        "concurrent": 2,
        "check_interval": 1,
        "runners": [{
            "name": "own", "url": site.url, "token": registered["token"],
            "id": registered["id"], "executor": "shell",
        }],
    });
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let surroundings = Surroundings {
        working_directory: directory.path().canonicalize().unwrap(),
        environment: std::env::vars_os().collect(),
        system_id: "s_ownrunner001".to_owned(),
    };
    let manager = settings.manager(&surroundings).unwrap();
    let (shutdown, asked) = watch::channel(Shutdown::None);
    Working {
        shutdown,
        task: tokio::spawn(manager.run(asked)),
        _directory: directory,
    }
}

async fn settled(site: &Site, pipeline: &PipelineRow) -> Status {
    for _ in 0..600 {
        let row = site
            .app
            .store()
            .pipeline(pipeline.id)
            .await
            .unwrap()
            .unwrap();
        if row.status.is_completed() {
            return row.status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the pipeline does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_from_push_to_coverage() {
    let site = Site::new().await;
    let working = runner(&site).await;
    let pipeline = site.push(PIPELINE).await;
    let status = settled(&site, &pipeline).await;
    let build = site.job_named(&pipeline, "build").await;
    let test = site.job_named(&pipeline, "test").await;
    let log = |job| String::from_utf8(site.log(job)).unwrap();
    assert_eq!(status, Status::Success, "{}\n{}", log(&build), log(&test));
    assert!(log(&test).contains("version 1.1"), "{}", log(&test));
    assert_eq!(test.coverage, Some(100.0));
    assert_eq!(test.runner.as_deref(), Some("own"));
    assert!(test.acknowledged_at.is_some());
    working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_reported_with_its_exit_code() {
    let site = Site::new().await;
    let working = runner(&site).await;
    let pipeline = site.push("build: {script: [exit 7]}").await;
    assert_eq!(settled(&site, &pipeline).await, Status::Failed);
    let job = site.job_named(&pipeline, "build").await;
    assert_eq!(job.exit_code, Some(7));
    assert_eq!(job.failure_reason.as_deref(), Some("script_failure"));
    working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_ends() {
    let site = Site::new().await;
    let working = runner(&site).await;
    let pipeline = site.push("build: {script: [echo begun; sleep 300]}").await;
    for _ in 0..600 {
        let job = site.job_named(&pipeline, "build").await;
        // Somebody watches, so that the runner reports often.
        site.app.dispatch().watch(job.id);
        if site.log(&job).windows(5).any(|text| text == b"begun") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    site.app
        .coordinator()
        .cancel_pipeline(pipeline.id)
        .await
        .unwrap();
    assert_eq!(settled(&site, &pipeline).await, Status::Canceled);
    working.end().await;
}
