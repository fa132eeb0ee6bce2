//! A server of one test, and clients of it.

use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::{Client, Method, RequestBuilder, Response};
use shipway_server::identity::{Scope, Scopes};
use shipway_server::users::{NewAccount, NewToken, create_token, create_user};
use shipway_server::{App, ExternalUrl, RootWishes, Settings, first_start, serve};
use shipway_store::{MemberRow, MemberSource, NamespaceId, ProjectRow, Store, UserRow, Visibility};
use shipway_testing::repository::git_command;
use shipway_testing::rows;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ROOT_TOKEN: &str = "glpat-root-0123456789abcdef";

/// A running server with the administrator `root`.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) root: PathBuf,
    pub(crate) client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
    _directory: TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// As [`Site::start`], with other settings.
    pub(crate) async fn start_with(choose: impl FnOnce(&mut Settings)) -> Self {
        // Fails when another test of this process did it.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings::new(root.join("data"), address);
        if let Some(url) = crate::database().await {
            settings.database = url;
        }
        choose(&mut settings);
        let app = App::open(settings).await.unwrap();
        let wishes = RootWishes {
            password: Some(PASSWORD.to_owned()),
            token: Some(ROOT_TOKEN.to_owned()),
        };
        first_start(&app, &wishes).await.unwrap().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            stopped.await.ok();
        };
        let serving = tokio::spawn(serve(app.clone(), listener, shutdown));
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            app,
            url: ExternalUrl::of(address).to_string(),
            root,
            client,
            stop: Some(stop),
            serving,
            _directory: directory,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.app.store()
    }

    /// Asks the server to end and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The status of a GET with a header.
    pub(crate) async fn status(&self, path: &str, header: (&str, &str)) -> u16 {
        let request = self.request(Method::GET, path).header(header.0, header.1);
        request.send().await.unwrap().status().as_u16()
    }

    /// A user with [`PASSWORD`].
    pub(crate) async fn user(&self, name: &str) -> UserRow {
        let account = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Some(PASSWORD.to_owned()),
            ..NewAccount::default()
        };
        create_user(&self.app, &account).await.unwrap()
    }

    pub(crate) async fn token(&self, user: &UserRow, scopes: &[Scope]) -> String {
        let new = NewToken {
            name: "test".to_owned(),
            scopes: Scopes::of(scopes),
            expires_at: None,
            secret: None,
        };
        create_token(&self.app, user.id, &new).await.unwrap().1
    }

    pub(crate) async fn group(&self, path: &str) -> NamespaceId {
        let mut transaction = self.store().begin().await.unwrap();
        let row = transaction
            .insert_namespace(&rows::group(path))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        row.id
    }

    pub(crate) async fn member(&self, source: MemberSource, id: i64, user: &UserRow, level: i64) {
        let row = MemberRow {
            source,
            source_id: id,
            user_id: user.id,
            access_level: level,
            created_at: None,
        };
        let mut transaction = self.store().begin().await.unwrap();
        transaction.set_member(&row).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn project(&self, path: &str) -> ProjectRow {
        self.store().project_by_path(path).await.unwrap().unwrap()
    }

    pub(crate) async fn make_visible(&self, path: &str, visibility: Visibility) {
        let mut row = self.project(path).await;
        row.visibility = visibility;
        let mut transaction = self.store().begin().await.unwrap();
        transaction.update_project(&row).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The address of a project with somebody's name and password or token in it.
    pub(crate) fn clone_url(&self, user: &str, secret: &str, path: &str) -> String {
        let secret = secret.replace(' ', "%20");
        let (scheme, rest) = self.url.split_once("://").unwrap();
        format!("{scheme}://{user}:{secret}@{rest}/{path}.git")
    }

    /// A work tree with one commit on `main`.
    pub(crate) fn work(&self, name: &str) -> Work {
        let path = self.root.join(name);
        std::fs::create_dir(&path).unwrap();
        let work = Work { path };
        work.ok(&["init", "--quiet", "--initial-branch=main"]);
        work.commit("first");
        work
    }

    /// A project with one commit on `main`, pushed by `root`.
    pub(crate) async fn pushed(&self, path: &str) -> Work {
        let work = self.work(&path.replace('/', "-"));
        work.ok(&[
            "push",
            "--quiet",
            &self.clone_url("root", ROOT_TOKEN, path),
            "main",
        ]);
        work
    }
}

/// A directory with git as a person would use it.
pub(crate) struct Work {
    pub(crate) path: PathBuf,
}

impl Work {
    pub(crate) fn at(&self, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(crate) fn commit(&self, name: &str) -> String {
        std::fs::write(self.path.join(name), name).unwrap();
        self.ok(&["add", "--all"]);
        self.ok(&["commit", "--quiet", "--message", name]);
        self.ok(&["rev-parse", "HEAD"])
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        git_command(&self.path, args).output().unwrap()
    }

    /// Runs git, which must succeed; what it prints.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {errors}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Runs git, which must succeed; what it says beside its output.
    pub(crate) fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {args:?}: {errors}");
        errors
    }

    /// Runs git, which must fail; its complaint.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "git {args:?} succeeded: {errors}");
        errors
    }
}
