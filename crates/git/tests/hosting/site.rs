//! A server of one test, and clients of it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as CommandOutput, Stdio};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use shipway_git::hosting::{
    BareRepository, Change, Encoding, Endpoint, Limits, Output, Push, PushRules, RefUpdate,
    Repositories, advertise, receive_pack, upload_pack,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::io::StreamReader;

/// The project that every site has, at `group/project`.
pub(crate) const PROJECT: u64 = 17;

/// Rules as a server would have them, and a record of what happened.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) pushes: Mutex<Vec<Push>>,
}

impl PushRules for Rules {
    /// Nobody pushes to `protected`, `main` and `steady…` only move forward, tags stay.
    fn pre_receive(&self, update: &RefUpdate, change: Change) -> Result<(), String> {
        match (update.branch(), update.tag(), change) {
            (Some("protected"), ..) => Err("Nobody may push to `protected`.".to_owned()),
            (Some(name), _, Change::Force) if name == "main" || name.starts_with("steady") => {
                Err(format!("`{}` only moves forward.", update.name))
            }
            (_, Some(_), Change::FastForward | Change::Force) => {
                Err("Tags cannot be moved.".to_owned())
            }
            _ => Ok(()),
        }
    }

    async fn post_receive(&self, push: Push) -> Vec<String> {
        self.pushes.lock().expect("lock").push(push);
        vec!["Pipeline: http://ci.example.com/group/project/-/pipelines/1".to_owned()]
    }
}

/// A server with one repository, and a directory for clients.
pub(crate) struct Site {
    pub(crate) runtime: Runtime,
    pub(crate) repositories: Repositories,
    pub(crate) rules: Arc<Rules>,
    pub(crate) root: PathBuf,
    address: SocketAddr,
    _directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let directory = tempfile::tempdir().expect("temp dir");
        let root = directory.path().canonicalize().expect("temp dir");
        std::fs::create_dir(root.join("home")).expect("home");
        let runtime = Runtime::new().expect("runtime");
        let repositories = Repositories::open(&root.join("repositories")).expect("repositories");
        runtime
            .block_on(repositories.create(PROJECT, "main"))
            .expect("repository");
        let rules = Arc::new(Rules::default());
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("listener");
        let address = listener.local_addr().expect("address");
        let state = (repositories.clone(), rules.clone(), limits);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let state = state.clone();
                let service = service_fn(move |request| {
                    let (repositories, rules, limits) = state.clone();
                    async move { answer(request, repositories, rules, limits).await }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self {
            runtime,
            repositories,
            rules,
            root,
            address,
            _directory: directory,
        }
    }

    /// A site whose `main` has two commits, and a clone of it in `work`.
    pub(crate) fn with_commits() -> (Self, PathBuf) {
        let site = Self::new();
        let work = site.work();
        site.commit(&work, "one");
        site.commit(&work, "two");
        site.ok(&work, &["push", "--quiet", "origin", "main"]);
        site.rules.pushes.lock().expect("lock").clear();
        (site, work)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/group/project.git", self.address)
    }

    pub(crate) fn repository(&self) -> BareRepository {
        self.runtime
            .block_on(self.repositories.get(PROJECT))
            .expect("repository")
    }

    /// An empty work tree with the site as `origin`.
    pub(crate) fn work(&self) -> PathBuf {
        let work = self.root.join("work");
        std::fs::create_dir(&work).expect("work");
        self.ok(&work, &["init", "--quiet", "--initial-branch=main"]);
        self.ok(&work, &["remote", "add", "origin", &self.url()]);
        // Large files are noise here, which only costs time to compress.
        self.ok(&work, &["config", "core.compression", "0"]);
        work
    }

    /// Commits a file of the same name and returns the commit's id.
    pub(crate) fn commit(&self, work: &Path, name: &str) -> String {
        std::fs::write(work.join(name), name).expect("write");
        self.ok(work, &["add", "--all"]);
        self.ok(work, &["commit", "--quiet", "--message", name]);
        self.ok(work, &["rev-parse", "HEAD"])
    }

    /// A call of git as a person would make it.
    pub(crate) fn command(&self, directory: &Path, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Ann Example")
            .env("GIT_AUTHOR_EMAIL", "ann@example.com")
            .env("GIT_AUTHOR_DATE", "2024-02-29T12:00:00+0100")
            .env("GIT_COMMITTER_NAME", "Ann Example")
            .env("GIT_COMMITTER_EMAIL", "ann@example.com")
            .env("GIT_COMMITTER_DATE", "2024-02-29T11:00:00+0000")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, directory: &Path, args: &[&str]) -> CommandOutput {
        self.command(directory, args).output().expect("git")
    }

    /// Runs git, which must succeed, and returns its output without the last line break.
    pub(crate) fn ok(&self, directory: &Path, args: &[&str]) -> String {
        let output = self.run(directory, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim_end().to_owned()
    }

    /// Runs git, which must succeed, and returns what it says beside its output.
    pub(crate) fn said(&self, directory: &Path, args: &[&str]) -> String {
        let output = self.run(directory, args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {args:?}: {errors}");
        errors
    }

    /// Runs git, which must fail, and returns its complaint.
    pub(crate) fn refused(&self, directory: &Path, args: &[&str]) -> String {
        let output = self.run(directory, args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "git {args:?} succeeded: {errors}");
        errors
    }

    /// The server's refs, `<id> <name>` in order.
    pub(crate) fn refs(&self) -> Vec<String> {
        let path = self.repository().path().to_owned();
        let listed = self.ok(
            &path,
            &["for-each-ref", "--format=%(objectname) %(refname)"],
        );
        listed.lines().map(str::to_owned).collect()
    }

    /// The server's files except for refs: objects, packs, locks, quarantines.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut pending = vec![self.repository().path().to_owned()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).expect("directory") {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    pending.push(path.clone());
                }
                files.push(path);
            }
        }
        files.sort();
        files
    }

    pub(crate) fn pushes(&self) -> Vec<Push> {
        self.rules.pushes.lock().expect("lock").clone()
    }
}

type Body = BoxBody<Bytes, io::Error>;

async fn answer(
    request: Request<Incoming>,
    repositories: Repositories,
    rules: Arc<Rules>,
    limits: Limits,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        let value = head.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let protocol = header("git-protocol");
    let protocol = protocol.as_deref();
    let Some(encoding) = Encoding::parse(header("content-encoding").as_deref()) else {
        return Ok(fault(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding"));
    };
    let Some(endpoint) = Endpoint::parse(head.uri.path(), head.uri.query()) else {
        return Ok(fault(StatusCode::NOT_FOUND, "path"));
    };
    let (Endpoint::InfoRefs(path, service) | Endpoint::Rpc(path, service)) = &endpoint;
    assert_eq!(path.as_str(), "group/project");
    let repository = repositories.get(PROJECT).await.expect("repository");
    let body = BodyStream::new(body)
        .try_filter_map(async |frame| Ok(frame.into_data().ok()))
        .map_err(io::Error::other);
    let body = StreamReader::new(Box::pin(body));
    let (kind, output) = match (&endpoint, service.name()) {
        (Endpoint::InfoRefs(..), _) => {
            let output = advertise(&repository, *service, protocol, &limits).await;
            (service.advertisement_type(), output.expect("advertise"))
        }
        (_, "git-upload-pack") => {
            let output = upload_pack(&repository, body, encoding, protocol, &limits).await;
            (service.result_type(), output.expect("upload-pack"))
        }
        _ => {
            let output = receive_pack(&repository, body, encoding, protocol, &limits, rules).await;
            match output {
                Ok(output) => (service.result_type(), output),
                Err(error) => return Ok(fault(StatusCode::BAD_REQUEST, &error.to_string())),
            }
        }
    };
    let response = Response::builder().header("content-type", kind);
    Ok(response.body(streamed(output)).expect("response"))
}

fn streamed(output: Output) -> Body {
    let frames = output.map(|piece| piece.map(Frame::data));
    BodyExt::boxed(StreamBody::new(frames))
}

fn fault(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let body = body.map_err(|never| match never {}).boxed();
    let response = Response::builder().status(status);
    response.body(body).expect("response")
}
