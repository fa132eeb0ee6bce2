//! The server that is measured: a process, its project, its runners.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shipway_server::identity::token;
use shipway_store::{NewRunner, Options, Store};
use shipway_testing::repository::{Repository, git_command};
use shipway_testing::rows;
use tempfile::TempDir;

use crate::http::Connection;

const TOKEN: &str = "glpat-measured-by-the-benchmark-1";

/// A job that the embedded runner leaves to the simulated ones.
const TAG: &str = "bench";

/// How long memory may settle after the start.
const REST: Duration = Duration::from_secs(2);

/// `shipway serve`, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    database: String,
    directory: TempDir,
    pushes: Cell<usize>,
}

/// A pipeline of jobs that do not wait for each other.
pub(crate) fn wide(jobs: usize) -> String {
    let head = format!("default: {{tags: [{TAG}]}}\n");
    let jobs = (0..jobs).map(|n| format!("job{n}:\n  script: [make, make test]\n"));
    head + &jobs.collect::<String>()
}

/// A pipeline of jobs of which each needs the one before.
pub(crate) fn chain(jobs: usize) -> String {
    let needs = |n: usize| match n {
        0 => "[]".to_owned(),
        n => format!("[job{}]", n - 1),
    };
    let head = format!("default: {{tags: [{TAG}]}}\n");
    let jobs = (0..jobs).map(|n| format!("job{n}: {{needs: {}, script: [make]}}\n", needs(n)));
    head + &jobs.collect::<String>()
}

impl Server {
    /// Starts the server on an empty database; SQLite unless there is a URL.
    pub(crate) async fn start(program: &Path, place: &Path, database: Option<&str>) -> Self {
        let directory = tempfile::tempdir_in(place).expect("temporary directory");
        // Nobody takes the port between this and the start, as a rule.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let database = database.unwrap_or("sqlite:").to_owned();
        let log = std::fs::File::create(directory.path().join("log")).expect("a log");
        let process = Command::new(program)
            .args(["serve", "--runner", "shell", "--database", &database])
            .args(["--listen", &address.to_string(), "--data"])
            .arg(directory.path().join("data"))
            .env("SHIPWAY_ROOT_TOKEN", TOKEN)
            .env("SHIPWAY_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("shipway serve");
        let server = Self {
            process,
            address,
            database,
            directory,
            pushes: Cell::new(0),
        };
        server.until_ready().await;
        tokio::time::sleep(REST).await;
        server.prepare();
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn until_ready(&self) {
        let start = Instant::now();
        while std::net::TcpStream::connect(self.address).is_err() {
            let log = self.directory.path().join("log");
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "shipway serve does not listen:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Megabytes of memory that the process has.
    pub(crate) fn memory(&self) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("the process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: f64 = (line.and_then(|line| line.split_whitespace().next()))
            .and_then(|number| number.parse().ok())
            .expect("its memory");
        kilobytes * 1024.0 / 1e6
    }

    /// So many runners of the instance, put into the database; their tokens.
    pub(crate) async fn runners(&self, count: usize) -> Vec<String> {
        let data = self.directory.path().join("data");
        let store = Store::open_url(&self.database, &data, Options::default()).await;
        let store = store.expect("the database");
        let tokens: Vec<String> = (0..count).map(|_| token::new("glrt-")).collect();
        let mut transaction = store.begin().await.expect("the database");
        for token in &tokens {
            let row = transaction.insert_runner(&new_runner(token)).await;
            row.expect("a runner");
        }
        transaction.commit().await.expect("the database");
        store.close().await;
        tokens
    }

    /// Waits until so many runners are held.
    pub(crate) async fn until_waiting(&self, count: usize) {
        let mut connection = Connection::open(self.address).await;
        for _ in 0..600 {
            let answer = connection.call("GET", "/-/metrics", "", b"").await.is(200);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix(WAITING));
            let waiting = line.and_then(|number| number.trim().parse::<usize>().ok());
            if waiting.expect("a figure of the runners that wait") >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} runners do not get to wait");
    }

    /// The repository that is pushed from.
    fn prepare(&self) {
        let remote = format!("http://root:{TOKEN}@{}/root/bench.git", self.address);
        (self.work()).git(&["remote", "add", "origin", &remote]);
    }

    fn work(&self) -> Repository {
        Repository::at(&self.directory.path().join("work"))
    }

    /// Pushes a configuration; from the start of git until it is told that all is done. Each
    /// push is of another branch, so that none cancels the pipelines of those before.
    pub(crate) async fn push(&self, configuration: &str) -> Duration {
        let work = self.work();
        work.commit("Measure", &[(".gitlab-ci.yml", configuration)]);
        self.pushes.set(self.pushes.get() + 1);
        let target = format!("HEAD:refs/heads/{}", self.branch());
        let start = Instant::now();
        // The runtime goes on meanwhile: runners get their jobs.
        let push = git_command(work.path(), &["push", "--quiet", "origin", &target]);
        let output = tokio::process::Command::from(push).output().await;
        assert!(output.expect("git").status.success(), "git push");
        start.elapsed()
    }

    /// Makes a pipeline of what was pushed last; until the answer. None where the server does
    /// not know the call.
    pub(crate) async fn create_pipeline(&self) -> Option<Duration> {
        let mut connection = Connection::open(self.address).await;
        let headers = format!("PRIVATE-TOKEN: {TOKEN}\r\n");
        let start = Instant::now();
        let branch = self.branch();
        let path = format!("/api/v4/projects/root%2Fbench/pipeline?ref={branch}");
        let answer = connection.call("POST", &path, &headers, b"").await;
        (answer.status != 404).then(|| {
            answer.is(201);
            start.elapsed()
        })
    }

    fn branch(&self) -> String {
        format!("push{}", self.pushes.get())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = std::fs::read_to_string(self.directory.path().join("log"));
        if let Ok(log) = log
            && !log.is_empty()
        {
            eprintln!("The server says:\n{log}");
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The figure at `/-/metrics` that counts who waits, besides this question.
const WAITING: &str = "shipway_http_requests_in_flight";

fn new_runner(token: &str) -> NewRunner {
    NewRunner {
        tags: format!("[\"{TAG}\"]"),
        run_untagged: false,
        ..rows::runner(token::digest(token))
    }
}
