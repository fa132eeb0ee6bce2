//! A project as it is after some days of work.

use std::io::Write as _;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{
    Accessibility, DeploymentStatus, JobUpdate, Level, MemberSource, NewArtifact, NewDeployment,
    NewEnvironment, NewJob, NewPipeline, NewRelease, NewReleaseLink, NewRunner, NewStage,
    NewVariable, PipelineUpdate, ProjectRow, RunnerKind, VariableType,
};
use shipway_testing::rows;

use crate::site::{ROOT_TOKEN, Site};

/// The path of the project.
pub(crate) const SHOP: &str = "team/shop";

const CONFIGURATION: &str = "\
stages: [build, test, deploy]
build:
  stage: build
  tags: [arm]
  script: make
test:
  stage: test
  needs: [build]
  script: pytest
deploy:
  stage: deploy
  when: manual
  script: ./deploy
  environment: {name: production, url: 'https://shop.example.com'}
";

const SECOND: i64 = 1_000_000;

/// The project and some of its numbers.
pub(crate) struct World {
    pub(crate) project: ProjectRow,
    /// A pipeline that passed.
    pub(crate) passed: PipelineId,
    /// A job that failed, with a long log.
    pub(crate) failed_job: JobId,
    /// A job with artifacts.
    pub(crate) artifacts_job: JobId,
    /// A job that runs.
    pub(crate) running_job: JobId,
    /// The pipeline that the coordinator made of the push.
    pub(crate) pushed: PipelineId,
}

pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

/// Makes all that: `ann` is a Maintainer, `dev` a Developer, `guest` and `stranger` what their
/// names say.
pub(crate) async fn world(site: &Site) -> World {
    let group = site.group("team").await;
    let work = site.work("shop");
    std::fs::write(work.path.join(".gitlab-ci.yml"), CONFIGURATION).unwrap();
    work.commit("app.py");
    let url = site.clone_url("root", ROOT_TOKEN, SHOP);
    work.ok(&["push", "--quiet", &url, "main"]);
    let project = site.project(SHOP).await;
    for (name, level) in [("ann", 40), ("dev", 30), ("guest", 10)] {
        let user = site.user(name).await;
        site.member(MemberSource::Project, project.id.0, &user, level)
            .await;
    }
    site.user("stranger").await;
    let owner = site.user("owner").await;
    site.member(MemberSource::Namespace, group.0, &owner, 50)
        .await;
    let newest = site
        .store()
        .newest_pipeline(project.id, "main")
        .await
        .unwrap();
    let pushed = newest.expect("the push made a pipeline").id;
    runners(site, &project).await;
    releases(site, &project).await;
    variables(site, &project).await;
    let history = history(site, &project).await;
    World {
        passed: history.0,
        failed_job: history.1,
        artifacts_job: history.2,
        running_job: history.3,
        project,
        pushed,
    }
}

async fn runners(site: &Site, project: &ProjectRow) {
    let mut transaction = site.store().begin().await.unwrap();
    for (name, kind, owner, tags, paused, contacted) in [
        (
            "build-1",
            RunnerKind::Instance,
            None,
            r#"["docker","linux"]"#,
            false,
            Some(now()),
        ),
        (
            "arm-lab",
            RunnerKind::Project,
            Some(project.id.0),
            r#"["arm"]"#,
            true,
            Some(now() - 600 * SECOND),
        ),
    ] {
        let row = NewRunner {
            token_prefix: "glrt-abcdefgh".to_owned(),
            kind,
            owner_id: owner,
            description: name.to_owned(),
            tags: tags.to_owned(),
            paused,
            version: Some("18.5.0".to_owned()),
            platform: Some("linux".to_owned()),
            architecture: Some("amd64".to_owned()),
            executor: Some("docker".to_owned()),
            contacted_at: contacted,
            created_at: now(),
            ..rows::runner(name.as_bytes().to_vec())
        };
        let row = transaction.insert_runner(&row).await.unwrap();
        if kind == RunnerKind::Project {
            transaction.assign_runner(row.id, project.id).await.unwrap();
        }
    }
    transaction.commit().await.unwrap();
}

/// One that is out and one that will be.
async fn releases(site: &Site, project: &ProjectRow) {
    let mut transaction = site.store().begin().await.unwrap();
    let author = site.store().user_by_username("ann").await.unwrap().unwrap();
    for (tag, name, days) in [("v1.0", "First shop", -3), ("v2.0", "Next shop", 4)] {
        let new = NewRelease {
            project_id: project.id,
            tag: tag.to_owned(),
            sha: "3f2c9e1b5a7d4c60918273645546372819a0b1c2".to_owned(),
            name: name.to_owned(),
            description: "## What is new\n\n- A cart that adds up\n- Faster pages".to_owned(),
            author_id: Some(author.id),
            created_at: now() - 4 * 86_400 * SECOND,
            released_at: now() + days * 86_400 * SECOND,
        };
        let row = transaction.insert_release(&new).await.unwrap();
        let link = NewReleaseLink {
            release_id: row.id,
            name: "shop.whl".to_owned(),
            url: "https://files.example.com/shop.whl".to_owned(),
            file_path: (days < 0).then(|| "/shop.whl".to_owned()),
            link_type: "package".to_owned(),
        };
        transaction.insert_release_link(&link).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn variables(site: &Site, project: &ProjectRow) {
    let mut transaction = site.store().begin().await.unwrap();
    for (key, value, hidden, scope) in [
        ("DEPLOY_HOST", "shop.example.com", false, "production"),
        ("DEPLOY_KEY", "hidden-secret-value", true, "*"),
    ] {
        let new = NewVariable {
            level: Level::Project,
            level_id: project.id.0,
            key: key.to_owned(),
            value: value.as_bytes().to_vec(),
            variable_type: VariableType::EnvVar,
            protected: true,
            masked: hidden,
            hidden,
            raw: false,
            environment_scope: scope.to_owned(),
            description: Some("for the deployment".to_owned()),
        };
        transaction.insert_variable(&new).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// A pipeline to be stored as if it had run.
pub(crate) fn pipeline(project: &ProjectRow, status: Status, ref_name: &str) -> NewPipeline {
    NewPipeline {
        ref_name: ref_name.to_owned(),
        sha: Some("3f2c9e1b5a7d4c60918273645546372819a0b1c2".to_owned()),
        status,
        created_at: now() - 3700 * SECOND,
        project_id: Some(project.id),
        protected: true,
        ..rows::pipeline(&project.full_path)
    }
}

/// A job to be stored.
pub(crate) fn job(name: &str, stage: i64, status: Status) -> NewJob {
    NewJob {
        stage,
        status,
        ..rows::job(name)
    }
}

fn stages(names: &[(&str, Status)]) -> Vec<NewStage> {
    let stage = |(position, (name, status)): (usize, &(&str, Status))| NewStage {
        position: i64::try_from(position).unwrap(),
        name: (*name).to_owned(),
        status: *status,
    };
    names.iter().enumerate().map(stage).collect()
}

async fn history(site: &Site, project: &ProjectRow) -> (PipelineId, JobId, JobId, JobId) {
    use Status::{Created, Failed, Manual, Running, Skipped, Success};
    let store = site.store();
    let mut transaction = store.begin().await.unwrap();
    let passed = transaction
        .insert_pipeline(&pipeline(project, Success, "main"))
        .await
        .unwrap()
        .id;
    let steps = stages(&[("build", Success), ("test", Success), ("deploy", Success)]);
    transaction.insert_stages(passed, &steps).await.unwrap();
    let jobs = [
        job("build", 0, Success),
        job("unit tests", 1, Success),
        job("deploy", 2, Success),
    ];
    let green = transaction.insert_jobs(passed, &jobs).await.unwrap();
    let failed = transaction
        .insert_pipeline(&pipeline(project, Failed, "feature/cart"))
        .await
        .unwrap()
        .id;
    let steps = stages(&[("build", Success), ("test", Failed), ("deploy", Skipped)]);
    transaction.insert_stages(failed, &steps).await.unwrap();
    let mut lint = job("lint", 1, Failed);
    lint.allow_failure = true;
    let jobs = [
        job("build", 0, Success),
        job("unit tests: [3.12]", 1, Failed),
        job("unit tests: [3.13]", 1, Success),
        lint,
        job("deploy", 2, Skipped),
    ];
    let red = transaction.insert_jobs(failed, &jobs).await.unwrap();
    let running = transaction
        .insert_pipeline(&pipeline(project, Running, "main"))
        .await
        .unwrap()
        .id;
    let steps = stages(&[("build", Success), ("test", Running), ("deploy", Created)]);
    transaction.insert_stages(running, &steps).await.unwrap();
    let mut deploy = job("deploy", 2, Manual);
    deploy.when = "manual".to_owned();
    deploy.needs = r#"[{"job":"unit tests"}]"#.to_owned();
    let jobs = [
        job("build", 0, Success),
        job("unit tests", 1, Running),
        deploy,
        job("notify", 2, Created),
    ];
    let blue = transaction.insert_jobs(running, &jobs).await.unwrap();
    for (index, id) in green.iter().chain(&red).chain(&blue).enumerate() {
        let row = transaction.job(*id).await.unwrap();
        let started = now() - (3600 - 30 * i64::try_from(index).unwrap()) * SECOND;
        let ran = !matches!(row.status, Manual | Created | Skipped);
        let over = ran && row.status != Running;
        let tested = row.name.starts_with("unit");
        let update = JobUpdate {
            queued_at: ran.then_some(started - 2 * SECOND),
            started_at: ran.then_some(if over { started } else { now() - 42 * SECOND }),
            finished_at: over.then_some(started + 83 * SECOND),
            runner: ran.then(|| "build-1".to_owned()),
            coverage: (tested && over).then_some(93.25),
            tests: (tested && over).then(|| {
                r#"{"total":48,"success":46,"failed":2,"error":0,"skipped":0,"time":3.1}"#
                    .to_owned()
            }),
            failure_reason: (row.status == Failed).then(|| "script_failure".to_owned()),
            exit_code: (row.status == Failed).then_some(1),
            ..JobUpdate::default()
        };
        transaction.update_job(*id, &update).await.unwrap();
    }
    for (id, status) in [(passed, Success), (failed, Failed)] {
        let update = PipelineUpdate {
            started_at: Some(now() - 3600 * SECOND),
            finished_at: Some(now() - 3420 * SECOND),
            coverage: Some(93.25),
        };
        transaction
            .set_pipeline_status(id, status, &update)
            .await
            .unwrap();
    }
    let merge_request = shipway_store::NewMergeRequest {
        project_id: project.id,
        title: "A cart".to_owned(),
        description: "Things are put into it.".to_owned(),
        source_branch: "feature/cart".to_owned(),
        target_branch: "main".to_owned(),
        sha: "3f2c9e1b5a7d4c60918273645546372819a0b1c2".to_owned(),
        author_id: None,
        created_at: now(),
    };
    transaction
        .insert_merge_request(&merge_request)
        .await
        .unwrap();
    let environment = NewEnvironment {
        project_id: project.id,
        name: "production".to_owned(),
        slug: "production".to_owned(),
        state: shipway_store::EnvironmentState::Available,
        external_url: Some("https://shop.example.com".to_owned()),
        tier: "production".to_owned(),
        created_at: now(),
        auto_stop_at: None,
    };
    let environment = transaction.ensure_environment(&environment).await.unwrap();
    let deployment = NewDeployment {
        project_id: project.id,
        environment_id: environment.id,
        job_id: green[2],
        sha: "3f2c9e1b5a7d4c60918273645546372819a0b1c2".to_owned(),
        ref_name: "main".to_owned(),
        status: DeploymentStatus::Success,
        created_at: now() - 3400 * SECOND,
    };
    transaction.insert_deployment(&deployment).await.unwrap();
    transaction.commit().await.unwrap();
    store
        .logs()
        .append(failed, red[1], 0, log().as_bytes())
        .unwrap();
    store
        .logs()
        .append(
            running,
            blue[1],
            0,
            log()
                .split_once("section_end:1760000108")
                .unwrap()
                .0
                .as_bytes(),
        )
        .unwrap();
    artifacts(site, passed, green[1]).await;
    (passed, red[1], green[1], blue[1])
}

/// A log as runners write them.
pub(crate) fn log() -> String {
    let begin = |at: u32, name: &str, head: &str| {
        format!("section_start:{at}:{name}\r\x1b[0K\x1b[36;1m{head}\x1b[0;m\n")
    };
    let end = |at: u32, name: &str| format!("section_end:{at}:{name}\r\x1b[0K\n");
    let mut log =
        String::from("\x1b[0KRunning with shipway-runner 0.1.0\n\x1b[0K  on build-1 glrt-abcd\n");
    log += &begin(
        1_760_000_100,
        "prepare_executor",
        "Preparing the \"docker\" executor",
    );
    log += "\x1b[0KUsing Docker executor with image python:3.12 ...\n\x1b[0KPulling docker image python:3.12 ...\n";
    log += &end(1_760_000_108, "prepare_executor");
    log += &begin(
        1_760_000_108,
        "get_sources",
        "Getting source from Git repository",
    );
    log += "\x1b[32;1mChecking out 3f2c9e1b as detached HEAD (ref is feature/cart)...\x1b[0;m\n";
    log += &end(1_760_000_110, "get_sources");
    log += &begin(
        1_760_000_110,
        "step_script",
        "Executing \"step_script\" stage of the job script",
    );
    log += "\x1b[32;1m$ pip install -e .[test]\x1b[0;m\nDownloading flask-3.1.0.whl  12%\rDownloading flask-3.1.0.whl 100%\n";
    log += "\x1b[32;1m$ pytest --cov\x1b[0;m\n\x1b[1m============ test session starts ============\x1b[0m\n";
    log += "collected 48 items\n\ntests/test_cart.py \x1b[32m....\x1b[0m\x1b[31mF\x1b[0m\x1b[33ms\x1b[0m\n";
    log += "\x1b[1m\x1b[31mE       assert 3 == 4\x1b[0m\n\x1b[38;5;208mtests/test_cart.py\x1b[0m:17: AssertionError\n";
    log += "TOTAL                 412     28    93%\n\x1b[31m=== \x1b[31m\x1b[1m2 failed\x1b[0m, \x1b[32m46 passed\x1b[0m\x1b[31m in 3.10s ===\x1b[0m\n";
    log += &end(1_760_000_171, "step_script");
    log += "\x1b[31;1mERROR: Job failed: exit code 1\x1b[0;m\n";
    log
}

/// An archive as a job leaves it, an HTML report among it.
async fn artifacts(site: &Site, pipeline: PipelineId, job: JobId) {
    let path = site.root.join("artifacts.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        (
            "htmlcov/index.html",
            "<!doctype html><link rel=\"stylesheet\" href=\"style.css\"><script>document.title='ran'</script><h1>Coverage report: <span>93%</span></h1><table><tr><th>File<th>Coverage<tr><td><a href=\"cart_py.html\">cart.py</a><td>88%<tr><td>shop.py<td>97%</table>",
        ),
        (
            "htmlcov/style.css",
            "body{font-family:sans-serif;max-width:60rem;margin:2rem auto}h1{color:#375}table{width:100%}td,th{text-align:left;border-bottom:1px solid #ccc;padding:.4rem}",
        ),
        ("htmlcov/cart_py.html", "<h1>cart.py</h1>"),
        ("coverage.xml", "<coverage line-rate=\"0.93\"/>"),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let blobs = site.store().blobs();
    let blob = blobs
        .put_file(pipeline, job, "artifacts.zip", &path, 1 << 30)
        .await
        .unwrap();
    let new = NewArtifact {
        job_id: job,
        file_type: "archive".to_owned(),
        format: "zip".to_owned(),
        file_name: "artifacts.zip".to_owned(),
        size: i64::try_from(blob.size).unwrap(),
        expires_at: Some(now() + 7 * 86_400 * SECOND),
        path: blob.path,
        digest: Some(blob.digest.to_vec()),
        accessibility: Accessibility::Public,
    };
    let mut transaction = site.store().begin().await.unwrap();
    transaction.insert_artifact(&new).await.unwrap();
    transaction.commit().await.unwrap();
}
