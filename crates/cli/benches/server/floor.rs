//! The least that the same requests can cost: a handler of the same library answers at once.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{patch, post, put};
use tempfile::NamedTempFile;

/// The handler, in a process of its own.
#[derive(Debug)]
pub(crate) struct Floor {
    process: Child,
    address: SocketAddr,
    _answer: NamedTempFile,
}

impl Floor {
    /// `answer` is what is answered to every request for a job.
    pub(crate) async fn start(answer: &[u8]) -> Self {
        let file = NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), answer).expect("temporary file");
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .arg("--floor")
            .arg(file.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        Self {
            address: line.trim().parse().expect("an address"),
            process,
            _answer: file,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Answers until it is killed; says first where.
pub(crate) async fn serve(answer: &Path) {
    let job = Bytes::from(std::fs::read(answer).expect("the answer"));
    let ask = move |_: Bytes| {
        let job = job.clone();
        async move {
            (
                StatusCode::CREATED,
                [(CONTENT_TYPE, "application/json")],
                job,
            )
        }
    };
    let router = Router::new()
        .route("/api/v4/jobs/request", post(ask))
        .route("/api/v4/jobs/{id}", put(async |_: Bytes| "200"))
        .route(
            "/api/v4/jobs/{id}/trace",
            patch(async |_: Bytes| (StatusCode::ACCEPTED, "202")),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    axum::serve(listener, router).await.expect("served");
}
