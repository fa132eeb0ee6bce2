//! A server with a project and its repository, and a client that plays a runner.

use std::net::SocketAddr;
use std::path::PathBuf;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shipway_coordinator::{PipelineRequest, Started};
use shipway_pipeline::{JobId, Source, Status};
use shipway_server::identity::token;
use shipway_server::{App, ExternalUrl, Settings, serve};
use shipway_store::{
    JobRow, Level, NewProject, NewRunner, PipelineRow, ProjectRow, RegistrationTokenRow, RunnerRow,
    UserRow,
};
use shipway_testing::repository::{Repository, git};
use shipway_testing::rows;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A push cancels nothing of earlier ones.
const SETTINGS: &str = r#"{"auto_cancel_pending_pipelines": false}"#;

pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) project: ProjectRow,
    user: UserRow,
    directory: TempDir,
    bare: PathBuf,
    client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

/// What a call was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the form of a refusal, too.
    pub(crate) fn refused(&self, status: u16) -> &Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        let body = self.json();
        assert!(
            body.get("message").or(body.get("error")).is_some(),
            "{body}"
        );
        self
    }

    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::limited(&[]).await
    }

    /// One on which these limits are set.
    pub(crate) async fn limited(limits: &[&str]) -> Self {
        // A second caller finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen: SocketAddr = listener.local_addr().unwrap();
        let mut settings = Settings {
            external_url: ExternalUrl::of(listen),
            ..Settings::new(directory.path().join("data"), listen)
        };
        for limit in limits {
            settings.limits.set(limit).unwrap();
        }
        let app = App::open(settings).await.unwrap();
        let (user, mut project) = rows::dev_and_app(app.store()).await;
        project.settings = SETTINGS.to_owned();
        let mut transaction = app.store().begin().await.unwrap();
        transaction.update_project(&project).await.unwrap();
        transaction.commit().await.unwrap();
        let number = u64::try_from(project.id.0).unwrap();
        let bare = app.repositories().create(number, "main").await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = async {
            let _ = stopped.await;
        };
        tokio::spawn(serve(app.clone(), listener, ended));
        Self {
            url: format!("http://{listen}"),
            bare: bare.path().to_owned(),
            app,
            project,
            user,
            directory,
            client: reqwest::Client::new(),
            _stop: stop,
        }
    }

    /// Everything that the server keeps, as text.
    pub(crate) async fn everything(&self) -> String {
        shipway_testing::state::of(&self.directory.path().join("data")).await
    }

    /// A call below `/api/v4/`.
    pub(crate) fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}/api/v4/{path}", self.url))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.call(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        answer(self.call(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str, body: Value) -> Answer {
        answer(self.call(Method::DELETE, path).json(&body)).await
    }

    /// A runner of the instance that takes everything.
    pub(crate) async fn runner(&self) -> (RunnerRow, String) {
        self.runner_with(|_| {}).await
    }

    pub(crate) async fn runner_with(&self, change: impl Fn(&mut NewRunner)) -> (RunnerRow, String) {
        let secret = token::new("glrt-");
        let mut new = new_runner(&secret);
        change(&mut new);
        let mut transaction = self.app.store().begin().await.unwrap();
        let row = transaction.insert_runner(&new).await.unwrap();
        transaction.commit().await.unwrap();
        (row, secret)
    }

    pub(crate) async fn update_runner(&self, row: &RunnerRow) {
        let mut transaction = self.app.store().begin().await.unwrap();
        transaction.update_runner(row).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn registration_token(&self, level: Level, id: i64) -> String {
        let secret = token::new("GR1348941");
        let row = RegistrationTokenRow {
            level,
            level_id: id,
            digest: token::digest(&secret),
            token: b"sealed".to_vec(),
            created_at: 1,
        };
        let mut transaction = self.app.store().begin().await.unwrap();
        transaction.set_registration_token(&row).await.unwrap();
        transaction.commit().await.unwrap();
        secret
    }

    /// Asks for a job, as a runner that can do everything.
    pub(crate) async fn request(&self, token: &str) -> Answer {
        self.request_after(token, None).await
    }

    pub(crate) async fn request_after(&self, token: &str, last: Option<&str>) -> Answer {
        let mut body = json!({ "token": token, "system_id": "s_0123456789ab", "info": info() });
        if let Some(last) = last {
            body["last_update"] = last.into();
        }
        self.post("jobs/request", body).await
    }

    /// Takes a job; its id, its token and the whole payload.
    pub(crate) async fn take(&self, token: &str) -> (i64, String, Value) {
        let job = self.request(token).await.is(201).json();
        let secret = job["token"].as_str().unwrap().to_owned();
        (job["id"].as_i64().unwrap(), secret, job)
    }

    /// A piece of log.
    pub(crate) async fn patch(&self, job: i64, token: &str, range: &str, bytes: &[u8]) -> Answer {
        let path = format!("jobs/{job}/trace?debug_trace=false");
        let mut call = self.call(Method::PATCH, &path);
        if !range.is_empty() {
            call = call.header("Content-Range", range);
        }
        if !token.is_empty() {
            call = call.header("JOB-TOKEN", token);
        }
        answer(
            call.header("Content-Type", "text/plain")
                .body(bytes.to_vec()),
        )
        .await
    }

    pub(crate) async fn update(&self, job: i64, token: &str, state: &str) -> Answer {
        let body = json!({ "token": token, "state": state, "output": {}, "info": info() });
        self.put(&format!("jobs/{job}"), body).await
    }

    /// Commits a configuration, with the pipeline that it makes.
    pub(crate) async fn push(&self, configuration: &str) -> PipelineRow {
        let sha = self.commit(&[(".gitlab-ci.yml", configuration)]);
        let request = PipelineRequest {
            project: self.project.clone(),
            user: Some(self.user.clone()),
            reference: "refs/heads/main".to_owned(),
            sha,
            before_sha: None,
            source: Source::Push,
            about: Vec::new(),
            variables: Vec::new(),
            inputs: shipway_config::InputValues::new(),
            skip: false,
        };
        match self
            .app
            .coordinator()
            .start_pipeline(&request)
            .await
            .unwrap()
        {
            Started::Pipeline(row) => *row,
            Started::None(reason) => panic!("no pipeline: {reason}"),
        }
    }

    /// A project beside the first one, with the same repository's commits.
    pub(crate) async fn another_project(&mut self, path: &str) -> ProjectRow {
        let new = NewProject {
            settings: SETTINGS.to_owned(),
            ..rows::project(self.project.namespace_id, path)
        };
        let mut transaction = self.app.store().begin().await.unwrap();
        let row = transaction.insert_project(&new).await.unwrap();
        transaction.commit().await.unwrap();
        let number = u64::try_from(row.id.0).unwrap();
        let bare = self
            .app
            .repositories()
            .create(number, "main")
            .await
            .unwrap();
        self.bare = bare.path().to_owned();
        row
    }

    fn commit(&self, files: &[(&str, &str)]) -> String {
        let work = Repository::at(&self.directory.path().join("work"));
        let sha = work.commit("Change", files);
        work.publish(&self.bare, &["refs/heads/main"]);
        sha
    }

    pub(crate) async fn set_project(&mut self, change: impl Fn(&mut ProjectRow)) {
        change(&mut self.project);
        let mut transaction = self.app.store().begin().await.unwrap();
        transaction.update_project(&self.project).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn job(&self, id: i64) -> JobRow {
        self.app.store().job(JobId(id)).await.unwrap().unwrap()
    }

    pub(crate) async fn job_named(&self, pipeline: &PipelineRow, name: &str) -> JobRow {
        let jobs = self.app.store().jobs(pipeline.id).await.unwrap();
        let mut found = jobs.into_iter().rev().filter(|job| job.name == name);
        found.next().unwrap()
    }

    pub(crate) async fn status(&self, id: i64) -> Status {
        self.job(id).await.status
    }

    pub(crate) fn log(&self, job: &JobRow) -> Vec<u8> {
        let logs = self.app.store().logs();
        logs.read(job.pipeline_id, job.id, 0, usize::MAX).unwrap()
    }

    /// Whether the project's repository has a ref of this full name.
    pub(crate) fn has_ref(&self, name: &str) -> bool {
        !git(&self.bare, &["for-each-ref", name]).is_empty()
    }
}

pub(crate) async fn answer(call: reqwest::RequestBuilder) -> Answer {
    let response = call.send().await.unwrap();
    let status: StatusCode = response.status();
    Answer {
        status: status.as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await.unwrap().to_vec(),
    }
}

/// What a runner says of itself.
pub(crate) fn info() -> Value {
    json!({
        "name": "gitlab-runner", "version": "19.4.0", "revision": "d79f3e7b",
        "platform": "linux", "architecture": "amd64", "executor": "shell", "shell": "bash",
        "config": { "gpus": "" },
        "features": {
            "variables": true, "artifacts": true, "cache": true, "refspecs": true,
            "upload_multiple_artifacts": true, "upload_raw_artifacts": true,
            "fallback_cache_keys": true, "artifacts_exclude": true, "return_exit_code": true,
            "cancelable": true, "cancel_gracefully": true, "two_phase_job_commit": true,
            "invented_tomorrow": true
        }
    })
}

/// A runner of the instance that takes everything.
pub(crate) fn new_runner(secret: &str) -> NewRunner {
    rows::runner(token::digest(secret))
}
