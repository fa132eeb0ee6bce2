//! A repository behind HTTP and a password, served by git's own CGI program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Serves the repositories below a directory to `gitlab-ci-token` with this password.
pub(crate) async fn serve(root: &Path, password: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let login =
        base64::engine::general_purpose::STANDARD.encode(format!("gitlab-ci-token:{password}"));
    let state = (root.to_owned(), format!("Basic {login}"));
    let router = Router::new().fallback(answer).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://gitlab-ci-token:{password}@{address}")
}

async fn answer(
    State((root, login)): State<(PathBuf, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    if text("Authorization") != login {
        let challenge = [("WWW-Authenticate", "Basic realm=\"git\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text("Content-Type"))
        .env("HTTP_CONTENT_ENCODING", text("Content-Encoding"))
        .env("HTTP_GIT_PROTOCOL", text("Git-Protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&body).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = output.split_at(end.unwrap() + 4);
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(head).trim().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(body.to_vec())).unwrap()
}
