//! A server without HTTP: a store, a repository, a project, and commits to it.

#![allow(dead_code, reason = "each file of tests uses a part")]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use shipway_coordinator::{
    Coordinator, Hosting, Offers, PipelineRequest, ProjectSettings, ServerAddress, ServerLimits,
    Signer, Signing, Started,
};
use shipway_git::hosting::Repositories;
use shipway_pipeline::{JobId, Source, Status};
use shipway_store::{
    JobRow, MemberRow, MemberSource, NewProject, PipelineRow, ProjectRow, RunnerRow, Store,
    UserRow, Visibility,
};
use shipway_testing::repository::Repository;
use shipway_testing::rows::{self, dev_and_app};
use tempfile::TempDir;

/// Claims as they are, in place of a signed token.
#[derive(Debug)]
struct Unsigned;

impl Signer for Unsigned {
    fn sign<'a>(&'a self, claims: &'a serde_json::Value) -> Signing<'a> {
        Box::pin(async move { Ok(claims.to_string()) })
    }
}

/// A project on a server of its own.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) project: ProjectRow,
    pub(crate) user: UserRow,
    bare: PathBuf,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::offering(Offers::default()).await
    }

    /// One that offers this to `include` besides projects.
    pub(crate) async fn offering(offers: Offers) -> Self {
        Self::with(offers, ServerLimits::default()).await
    }

    /// One on which these limits hold.
    pub(crate) async fn limited(limits: ServerLimits) -> Self {
        Self::with(Offers::default(), limits).await
    }

    async fn with(offers: Offers, limits: ServerLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).await.unwrap();
        let repositories = Repositories::open(&directory.path().join("repositories")).unwrap();
        let (user, project) = dev_and_app(&store).await;
        let number = u64::try_from(project.id.0).unwrap();
        let bare = repositories.create(number, "main").await.unwrap();
        let bare = bare.path().to_owned();
        let address = ServerAddress::parse("https://ci.example.org").unwrap();
        let hosting = Hosting {
            repositories,
            address,
            offers,
            limits,
            signer: Arc::new(Unsigned),
        };
        Self {
            coordinator: Arc::new(Coordinator::for_server(store, hosting)),
            directory,
            project,
            user,
            bare,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.coordinator.store()
    }

    /// A second server on the same database and repositories.
    pub(crate) async fn another(&self) -> Coordinator {
        let top = self.directory.path();
        let hosting = Hosting {
            repositories: Repositories::open(&top.join("repositories")).unwrap(),
            address: ServerAddress::parse("https://ci.example.org").unwrap(),
            offers: Offers::default(),
            limits: ServerLimits::default(),
            signer: Arc::new(Unsigned),
        };
        let store = Store::open(&top.join("state")).await.unwrap();
        Coordinator::for_server(store, hosting)
    }

    /// A runner of the instance that takes every job.
    pub(crate) async fn runner(&self) -> RunnerRow {
        let new = rows::runner(vec![1; 32]);
        let mut transaction = self.store().begin().await.unwrap();
        let row = transaction.insert_runner(&new).await.unwrap();
        transaction.commit().await.unwrap();
        row
    }

    pub(crate) async fn set(&mut self, settings: &ProjectSettings) {
        self.project.settings = settings.to_json();
        let mut transaction = self.store().begin().await.unwrap();
        transaction.update_project(&self.project).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Commits these files on top of main, and returns the commit.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let work = Repository::at(&self.directory.path().join("work"));
        let sha = work.commit(message, files);
        work.publish(&self.bare, &["refs/heads/main"]);
        sha
    }

    /// Another project with a commit of these files on main, and with the role of the site's
    /// user in it.
    pub(crate) async fn add_project(
        &self,
        path: &str,
        visibility: Visibility,
        level: Option<i64>,
        files: &[(&str, &str)],
    ) -> ProjectRow {
        let mut transaction = self.store().begin().await.unwrap();
        let new = NewProject {
            namespace_id: self.project.namespace_id,
            full_path: path.to_owned(),
            name: "Other".to_owned(),
            description: String::new(),
            visibility,
            default_branch: Some("main".to_owned()),
            settings: "{}".to_owned(),
            created_at: 1,
        };
        let project = transaction.insert_project(&new).await.unwrap();
        if let Some(access_level) = level {
            let member = MemberRow {
                source: MemberSource::Project,
                source_id: project.id.0,
                user_id: self.user.id,
                access_level,
                created_at: Some(1),
            };
            transaction.set_member(&member).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let repositories = Repositories::open(&self.directory.path().join("repositories")).unwrap();
        let number = u64::try_from(project.id.0).unwrap();
        let bare = repositories.create(number, "main").await.unwrap();
        let work = Repository::at(&self.directory.path().join(format!("work-{number}")));
        work.commit("Begin", files);
        work.publish(bare.path(), &["refs/heads/main"]);
        project
    }

    /// Makes a project private.
    pub(crate) async fn hide(&self, project: i64) {
        let id = shipway_store::ProjectId(project);
        let mut row = self.store().project(id).await.unwrap().unwrap();
        row.visibility = Visibility::Private;
        let mut transaction = self.store().begin().await.unwrap();
        transaction.update_project(&row).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Stores an archive of a job at work.
    pub(crate) async fn archive(&self, job: i64) {
        self.store_archive(job, b"an archive").await;
    }

    /// The same of an archive with one file in it.
    #[allow(dead_code, reason = "not every test has artifacts")]
    pub(crate) async fn archive_of(&self, job: i64, name: &str, text: &str) {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
        let packed = writer.finish().unwrap().into_inner();
        self.store_archive(job, &packed).await;
    }

    async fn store_archive(&self, job: i64, content: &[u8]) {
        let file = self.directory.path().join("archive.zip");
        std::fs::write(&file, content).unwrap();
        let spec = shipway_protocol::ArtifactSpec {
            artifact_type: "archive".to_owned(),
            ..shipway_protocol::ArtifactSpec::default()
        };
        let job = shipway_pipeline::JobId(job);
        let stored = self
            .coordinator
            .store_artifact(job, &spec, "archive.zip", &file);
        stored.await.unwrap();
    }

    /// Runs the next job of the pipeline, which leaves this report.
    pub(crate) async fn leave(&self, row: &PipelineRow, kind: &str, text: &str) -> JobId {
        let payload = self.coordinator.take_job(row.id, "runner").await.unwrap();
        let job = JobId(payload.expect("a pending job").id);
        let file = self.directory.path().join("report.gz");
        let packed = std::fs::File::create(&file).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
        let spec = shipway_protocol::ArtifactSpec {
            artifact_type: kind.to_owned(),
            ..shipway_protocol::ArtifactSpec::default()
        };
        let stored = self
            .coordinator
            .store_artifact(job, &spec, "report.gz", &file);
        stored.await.unwrap();
        job
    }

    /// Ends a job well, and lets follow what follows.
    pub(crate) async fn succeed(&self, job: JobId) {
        let update = shipway_protocol::JobUpdate {
            state: shipway_protocol::JobState::Success,
            failure_reason: None,
            exit_code: None,
        };
        self.coordinator.update_job(job, &update).await.unwrap();
        self.coordinator.settle().await.unwrap();
    }

    /// Gives the user a role in the project.
    pub(crate) async fn join(&self, access_level: i64) {
        let mut transaction = self.store().begin().await.unwrap();
        let member = MemberRow {
            source: MemberSource::Project,
            source_id: self.project.id.0,
            user_id: self.user.id,
            access_level,
            created_at: Some(1),
        };
        transaction.set_member(&member).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) fn request(&self, sha: &str) -> PipelineRequest {
        PipelineRequest {
            project: self.project.clone(),
            user: Some(self.user.clone()),
            reference: "refs/heads/main".to_owned(),
            sha: sha.to_owned(),
            before_sha: None,
            source: Source::Push,
            about: Vec::new(),
            variables: Vec::new(),
            inputs: shipway_config::InputValues::new(),
            skip: false,
        }
    }

    /// Pushes a configuration; the pipeline it makes.
    pub(crate) async fn push(&self, configuration: &str) -> PipelineRow {
        let sha = self.commit("Change", &[(".gitlab-ci.yml", configuration)]);
        pipeline(
            self.coordinator
                .start_pipeline(&self.request(&sha))
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn job(&self, pipeline: &PipelineRow, name: &str) -> JobRow {
        let jobs = self.store().jobs(pipeline.id).await.unwrap();
        let mut found = jobs.into_iter().rev().filter(|job| job.name == name);
        found.next().expect("a job of this name")
    }

    pub(crate) async fn status(&self, pipeline: &PipelineRow) -> Status {
        self.store()
            .pipeline(pipeline.id)
            .await
            .unwrap()
            .unwrap()
            .status
    }
}

pub(crate) fn pipeline(started: Started) -> PipelineRow {
    match started {
        Started::Pipeline(row) => *row,
        Started::None(reason) => panic!("no pipeline: {reason}"),
    }
}
