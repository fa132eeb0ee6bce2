//! A server with a project of each visibility and a user of each role.

use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use shipway_coordinator::{PipelineRequest, Started};
use shipway_pipeline::{JobId, Source, Status};
use shipway_store::{
    Accessibility, MemberRow, MemberSource, NewArtifact, NewNamespace, NewRunner, NewTrigger,
    PipelineRow, ProjectRow, RunnerKind, UserRow, Visibility,
};
use shipway_testing::repository::{Repository, git};
use shipway_testing::rows;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::app::App;
use crate::clock::now;
use crate::identity::{Scope, Scopes, token};
use crate::permission::Role;
use crate::projects::{NewPath, create};
use crate::settings::Settings;
use crate::users::{NewAccount, NewToken, create_token, create_user};

/// Who asks in the tests, with the role that the user has in every project.
pub(super) const PEOPLE: [(&str, Option<Role>); 6] = [
    ("stranger", None),
    ("guest", Some(Role::Guest)),
    ("reporter", Some(Role::Reporter)),
    ("developer", Some(Role::Developer)),
    ("maintainer", Some(Role::Maintainer)),
    ("owner", Some(Role::Owner)),
];

/// The administrator, who is a member of nothing.
pub(super) const ADMIN: &str = "boss";

/// What the projects run.
const CONFIGURATION: &str = "\
stages: [build, test]
compile:
  stage: build
  tags: [linux]
  script: make
  artifacts:
    paths: [out]
deploy:
  stage: test
  when: manual
  script: make deploy
";

pub(super) struct Site {
    directory: TempDir,
    pub(super) app: App,
    router: Router,
}

/// What somebody got.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

impl Site {
    /// Users only.
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        Self::at(directory, Settings::new("", listen)).await
    }

    pub(super) async fn at(directory: TempDir, settings: Settings) -> Self {
        let settings = Settings {
            data: directory.path().join("data"),
            ..settings
        };
        let app = App::open(settings).await.unwrap();
        let site = Self {
            directory,
            router: crate::router(app.clone()),
            app,
        };
        for (name, admin) in PEOPLE
            .iter()
            .map(|(name, _)| (*name, false))
            .chain([(ADMIN, true)])
        {
            let account = NewAccount {
                username: name.to_owned(),
                name: name.to_uppercase(),
                email: format!("{name}@example.com"),
                password: None,
                admin,
            };
            let user = create_user(&site.app, &account).await.unwrap();
            let token = NewToken {
                name: "test".to_owned(),
                scopes: Scopes::of([Scope::Api]),
                expires_at: None,
                secret: Some(secret(name)),
            };
            create_token(&site.app, user.id, &token).await.unwrap();
        }
        site
    }

    pub(super) async fn user(&self, name: &str) -> UserRow {
        let found = self.app.store().user_by_username(name).await.unwrap();
        found.unwrap()
    }

    /// `group/NAME` with everybody of [`PEOPLE`] in it.
    pub(super) async fn project(&self, name: &str, visibility: Visibility) -> ProjectRow {
        let store = self.app.store();
        let group = match store.namespace_by_path("group").await.unwrap() {
            Some(group) => group,
            None => {
                let new = NewNamespace {
                    name: "Group".to_owned(),
                    ..rows::group("group")
                };
                let mut transaction = store.begin().await.unwrap();
                let group = transaction.insert_namespace(&new).await.unwrap();
                transaction.commit().await.unwrap();
                group
            }
        };
        let new = NewPath {
            path: name.to_owned(),
            name: String::new(),
            description: String::new(),
            visibility,
        };
        let mut row = create(&self.app, &group, &new).await.unwrap();
        let mut members = Vec::new();
        for (name, role) in PEOPLE {
            if let Some(role) = role {
                members.push((self.user(name).await.id, role as i64));
            }
        }
        row.default_branch = Some("main".to_owned());
        let mut transaction = store.begin().await.unwrap();
        transaction.update_project(&row).await.unwrap();
        for (user_id, access_level) in members {
            let member = MemberRow {
                source: MemberSource::Project,
                source_id: row.id.0,
                user_id,
                access_level,
                created_at: None,
            };
            transaction.set_member(&member).await.unwrap();
        }
        transaction.commit().await.unwrap();
        row
    }

    /// Commits the configuration and returns the commit.
    pub(super) async fn commit(&self, project: &ProjectRow) -> String {
        let bare = self.app.coordinator().repository(project).await.unwrap();
        let work = self.directory.path().join(format!("work-{}", project.id));
        let work = Repository::at(&work);
        let files = [
            (".gitlab-ci.yml", CONFIGURATION),
            ("dir/a b.txt", "content\n"),
        ];
        // What a test wrote since is left as it is.
        let is_first = !work.path().join(files[0].0).exists();
        let new = if is_first { &files[..] } else { &[] };
        let sha = work.commit("Subject\n\nBody", new);
        work.git(&["tag", "--force", "v1.0/rc"]);
        work.publish(bare.path(), &["refs/heads/main", "refs/heads/feat/x"]);
        let from = work.path().to_str().unwrap();
        git(
            bare.path(),
            &["fetch", "--quiet", from, "+refs/tags/*:refs/tags/*"],
        );
        sha
    }

    /// Writes a file that the next commit has; after the first commit.
    pub(super) fn write(&self, project: &ProjectRow, name: &str, content: &str) {
        let work = self.directory.path().join(format!("work-{}", project.id));
        std::fs::write(work.join(name), content).unwrap();
    }

    /// A pipeline of the project's newest commit, by the developer.
    pub(super) async fn pipeline(&self, project: &ProjectRow) -> PipelineRow {
        let request = PipelineRequest {
            project: project.clone(),
            user: Some(self.user("developer").await),
            reference: "refs/heads/main".to_owned(),
            sha: self.commit(project).await,
            before_sha: None,
            source: Source::Push,
            about: Vec::new(),
            variables: vec![shipway_config::variables::Variable::new("OWN", "value")],
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
            Started::None(reason) => panic!("{reason}"),
        }
    }

    /// The id of a job, by its name.
    pub(super) async fn job(&self, pipeline: &PipelineRow, name: &str) -> JobId {
        let jobs = self.app.store().jobs(pipeline.id).await.unwrap();
        jobs.iter().find(|job| job.name == name).unwrap().id
    }

    /// Lets a runner take a job; returns the job's token.
    pub(super) async fn claim(&self, pipeline: &PipelineRow, id: JobId) -> String {
        let mut transaction = self.app.store().begin().await.unwrap();
        let runner = transaction.insert_runner(&runner(None)).await.unwrap();
        let claim = shipway_store::Claim {
            runner: runner.id,
            system_id: None,
            description: "runner".to_owned(),
            token_digest: token::digest(&job_secret(id)),
            at: now(),
            acknowledged: true,
        };
        transaction.claim(id, &claim).await.unwrap().unwrap();
        transaction.next_version(pipeline.id, 0).await.ok();
        transaction.commit().await.unwrap();
        self.app.coordinator().release(pipeline.id);
        job_secret(id)
    }

    /// Runs a job to its end, with a log and an archive.
    pub(super) async fn finish(&self, pipeline: &PipelineRow, name: &str, status: Status) -> JobId {
        use shipway_protocol::{JobState, JobUpdate};
        let id = self.job(pipeline, name).await;
        let coordinator = self.app.coordinator();
        self.claim(pipeline, id).await;
        coordinator
            .append_trace(id, 0, b"line one\nline two\n")
            .await
            .unwrap();
        let archive = self.directory.path().join(format!("{id}.zip"));
        write_archive(&archive);
        let blobs = self.app.store().blobs();
        let blob = blobs.put_file(pipeline.id, id, "artifacts.zip", &archive, 1 << 20);
        let blob = blob.await.unwrap();
        let mut transaction = self.app.store().begin().await.unwrap();
        let artifact = NewArtifact {
            job_id: id,
            file_type: "archive".to_owned(),
            format: "zip".to_owned(),
            file_name: "artifacts.zip".to_owned(),
            size: i64::try_from(blob.size).unwrap(),
            expires_at: None,
            path: blob.path,
            digest: None,
            accessibility: Accessibility::Public,
        };
        transaction.insert_artifact(&artifact).await.unwrap();
        transaction.commit().await.unwrap();
        let update: JobUpdate = serde_json::from_value(serde_json::json!({
            "token": job_secret(id),
            "state": if status == Status::Success { "success" } else { "failed" },
            "failure_reason": if status == Status::Success { Value::Null } else { "script_failure".into() },
        }))
        .unwrap();
        assert!(matches!(update.state, JobState::Success | JobState::Failed));
        coordinator.update_job(id, &update).await.unwrap();
        id
    }

    /// Gives a job a JUnit report, as a runner uploads it.
    pub(super) async fn junit_report(&self, pipeline: &PipelineRow, job: JobId, text: &str) {
        self.report(pipeline, job, "junit", text).await;
    }

    /// Gives a job a report of this type.
    pub(super) async fn report(&self, pipeline: &PipelineRow, job: JobId, kind: &str, text: &str) {
        use std::io::Write;
        let name = format!("{kind}.xml.gz");
        let file = self.directory.path().join(&name);
        let packed = std::fs::File::create(&file).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
        let blobs = self.app.store().blobs();
        let blob = blobs.put_file(pipeline.id, job, &name, &file, 1 << 20);
        let blob = blob.await.unwrap();
        let artifact = NewArtifact {
            job_id: job,
            file_type: kind.to_owned(),
            format: "gzip".to_owned(),
            file_name: name.clone(),
            size: i64::try_from(blob.size).unwrap(),
            expires_at: None,
            path: blob.path,
            digest: None,
            accessibility: Accessibility::Public,
        };
        let mut transaction = self.app.store().begin().await.unwrap();
        transaction.insert_artifact(&artifact).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(super) async fn trigger(&self, project: &ProjectRow, owner: &str) -> String {
        let secret = token::new("glptt-");
        let new = NewTrigger {
            project_id: project.id,
            description: "a trigger".to_owned(),
            token_digest: token::digest(&secret),
            token_prefix: secret.chars().take(10).collect(),
            owner_id: self.user(owner).await.id,
            created_at: now(),
            last_used_at: None,
        };
        let mut transaction = self.app.store().begin().await.unwrap();
        transaction.insert_trigger(&new).await.unwrap();
        transaction.commit().await.unwrap();
        secret
    }

    /// Asks; nobody is anonymous.
    pub(super) async fn ask(
        &self,
        who: Option<&str>,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v4{path}"));
        if let Some(name) = who {
            request = request.header(AUTHORIZATION, format!("Bearer {}", secret(name)));
        }
        let body = match body {
            Some((kind, bytes)) => {
                request = request.header(CONTENT_TYPE, kind);
                Body::from(bytes)
            }
            None => Body::empty(),
        };
        let request = request.body(body).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 1 << 24)
            .await
            .unwrap()
            .to_vec();
        Reply {
            status,
            headers,
            body,
        }
    }

    /// Somebody with a token asks for an address that is none of the API's.
    pub(super) async fn visit(&self, who: &str, path: &str) -> Reply {
        let request = Request::builder().uri(path);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", secret(who)));
        let request = request.body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
        Reply {
            status,
            headers,
            body: body.to_vec(),
        }
    }

    pub(super) async fn get(&self, who: &str, path: &str) -> Reply {
        self.ask(Some(who), Method::GET, path, None).await
    }

    pub(super) async fn post(&self, who: &str, path: &str, body: Value) -> Reply {
        self.json(who, Method::POST, path, body).await
    }

    pub(super) async fn json(&self, who: &str, method: Method, path: &str, body: Value) -> Reply {
        let body = body.to_string().into_bytes();
        self.ask(Some(who), method, path, Some(("application/json", body)))
            .await
    }

    /// Everything that requests could change, as text.
    pub(super) async fn everything(&self) -> String {
        shipway_testing::state::of(&self.directory.path().join("data")).await
    }
}

/// The token of a user.
pub(super) fn secret(name: &str) -> String {
    format!("glpat-of-{name}-0123456789abcdef")
}

/// The token of a job that [`Site::finish`] ran.
pub(super) fn job_secret(job: JobId) -> String {
    format!("job-token-{job}")
}

pub(super) fn runner(project: Option<i64>) -> NewRunner {
    NewRunner {
        kind: match project {
            Some(_) => RunnerKind::Project,
            None => RunnerKind::Instance,
        },
        owner_id: project,
        description: "a runner".to_owned(),
        tags: "[\"linux\"]".to_owned(),
        version: Some("17.0.0".to_owned()),
        platform: Some("linux".to_owned()),
        architecture: Some("amd64".to_owned()),
        executor: Some("shell".to_owned()),
        ip: Some("127.0.0.1".to_owned()),
        contacted_at: Some(now()),
        created_at: now(),
        ..rows::runner(token::digest(&token::new("")))
    }
}

fn write_archive(path: &Path) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("out/a b.txt", options).unwrap();
    zip.write_all(b"from the archive\n").unwrap();
    zip.finish().unwrap();
}
