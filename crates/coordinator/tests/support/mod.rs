//! A server without HTTP: a store, a repository, a project, and commits to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use shipway_coordinator::{
    Coordinator, Hosting, PipelineRequest, ProjectSettings, ServerAddress, Started,
};
use shipway_git::hosting::Repositories;
use shipway_pipeline::{Source, Status};
use shipway_store::{
    JobRow, NamespaceKind, NewNamespace, NewProject, NewUser, PipelineRow, ProjectRow, Store,
    UserRow, UserState, Visibility,
};
use tempfile::TempDir;

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
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).await.unwrap();
        let repositories = Repositories::open(&directory.path().join("repositories")).unwrap();
        let (user, project) = rows(&store).await;
        let number = u64::try_from(project.id.0).unwrap();
        let bare = repositories.create(number, "main").await.unwrap();
        let bare = bare.path().to_owned();
        let address = ServerAddress::parse("https://ci.example.org").unwrap();
        let hosting = Hosting {
            repositories,
            address,
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
        };
        let store = Store::open(&top.join("state")).await.unwrap();
        Coordinator::for_server(store, hosting)
    }

    pub(crate) async fn set(&mut self, settings: &ProjectSettings) {
        self.project.settings = settings.to_json();
        let mut transaction = self.store().begin().await.unwrap();
        transaction.update_project(&self.project).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Commits these files on top of main, and returns the commit.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let work = self.directory.path().join("work");
        if !work.exists() {
            std::fs::create_dir(&work).unwrap();
            git(&work, &["init", "--quiet", "--initial-branch=main"]);
        }
        for (name, text) in files {
            let path = work.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&work, &["add", "--all"]);
        git(
            &work,
            &["commit", "--quiet", "--allow-empty", "-m", message],
        );
        let from = work.to_str().unwrap();
        git(
            &self.bare,
            &["fetch", "--quiet", from, "+main:refs/heads/main"],
        );
        git(&work, &["rev-parse", "HEAD"])
    }

    pub(crate) fn request(&self, sha: &str) -> PipelineRequest {
        PipelineRequest {
            project: self.project.clone(),
            user: Some(self.user.clone()),
            reference: "refs/heads/main".to_owned(),
            sha: sha.to_owned(),
            before_sha: None,
            source: Source::Push,
            variables: Vec::new(),
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

async fn rows(store: &Store) -> (UserRow, ProjectRow) {
    let mut transaction = store.begin().await.unwrap();
    let user = NewUser {
        username: "dev".to_owned(),
        name: "A Developer".to_owned(),
        email: "dev@example.org".to_owned(),
        password_hash: None,
        admin: false,
        state: UserState::Active,
        created_at: 1,
    };
    let user = transaction.insert_user(&user).await.unwrap();
    let group = NewNamespace {
        full_path: "group".to_owned(),
        name: "Group".to_owned(),
        kind: NamespaceKind::Group,
        owner_id: None,
        parent_id: None,
    };
    let group = transaction.insert_namespace(&group).await.unwrap();
    let project = NewProject {
        namespace_id: group.id,
        full_path: "group/app".to_owned(),
        name: "App".to_owned(),
        description: "An application".to_owned(),
        visibility: Visibility::Internal,
        default_branch: Some("main".to_owned()),
        settings: "{}".to_owned(),
        created_at: 1,
    };
    let project = transaction.insert_project(&project).await.unwrap();
    transaction.commit().await.unwrap();
    (user, project)
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Dev", "-c", "user.email=dev@example.org"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
