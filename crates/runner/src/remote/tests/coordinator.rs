//! A coordinator for tests: right by default, wrong as told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

/// One call, as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// `PATCH trace` and the like.
    pub name: &'static str,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer other than the right one.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// This status with these headers and this body, and nothing is done.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The right answer with one more header.
    With(&'static str, String),
    /// The right thing is done, but the connection breaks before the answer.
    Cut,
    /// The right answer, later.
    Slow(Duration),
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), String::new())
    }

    pub(super) fn header(status: u16, name: &'static str, value: &str) -> Self {
        Self::Status(status, vec![(name, value.to_owned())], String::new())
    }
}

#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub calls: Vec<Call>,
    pub log: Vec<u8>,
    /// The job's status, sent with every answer about it.
    pub status: String,
    pub queue: VecDeque<Value>,
    pub archive: Vec<u8>,
    scripted: HashMap<&'static str, VecDeque<Answer>>,
}

#[derive(Debug, Clone)]
pub(super) struct Coordinator {
    pub url: String,
    state: Arc<Mutex<Recorded>>,
}

impl Coordinator {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Recorded {
            status: "running".to_owned(),
            ..Recorded::default()
        }));
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Recorded> {
        self.state.lock().unwrap()
    }

    /// The next calls of that name are answered so; the later ones rightly.
    pub(super) fn script(&self, name: &'static str, answers: impl IntoIterator<Item = Answer>) {
        let mut state = self.state();
        state.scripted.entry(name).or_default().extend(answers);
    }

    pub(super) fn enqueue(&self, job: Value) {
        self.state().queue.push_back(job);
    }

    pub(super) fn calls(&self, name: &str) -> Vec<Call> {
        let state = self.state();
        let named = state.calls.iter().filter(|call| call.name == name);
        named.cloned().collect()
    }

    /// The states that were reported, in order.
    pub(super) fn states(&self) -> Vec<String> {
        self.calls("PUT job")
            .iter()
            .map(|call| call.json()["state"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) fn log(&self) -> String {
        crate::tests::plain(&String::from_utf8_lossy(&self.state().log))
    }
}

fn name_of(method: &Method, path: &str) -> &'static str {
    let path = path.strip_prefix("/api/v4/").unwrap_or(path);
    match (method.as_str(), path) {
        ("POST", "jobs/request") => "request",
        ("POST", "runners") => "register",
        ("POST", "runners/verify") => "verify",
        ("DELETE", "runners") => "DELETE runners",
        ("DELETE", "runners/managers") => "DELETE managers",
        ("PATCH", path) if path.ends_with("/trace") => "PATCH trace",
        ("POST", path) if path.ends_with("/artifacts") => "POST artifacts",
        ("GET", path) if path.ends_with("/artifacts") => "GET artifacts",
        ("GET", "/elsewhere") => "GET elsewhere",
        ("PUT", _) => "PUT job",
        _ => "unknown",
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Recorded>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = name_of(&method, uri.path());
    let call = Call {
        name,
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    let scripted = {
        let mut state = state.lock().unwrap();
        state.calls.push(call.clone());
        let queue = state.scripted.get_mut(name);
        queue.and_then(VecDeque::pop_front)
    };
    let right = || state.lock().unwrap().answer(&call);
    match scripted {
        None => right(),
        Some(Answer::Status(status, headers, body)) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Some(Answer::With(name, value)) => {
            let mut response = right();
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        }
        Some(Answer::Cut) => {
            right();
            std::panic::resume_unwind(Box::new("the connection breaks"))
        }
        Some(Answer::Slow(time)) => {
            tokio::time::sleep(time).await;
            right()
        }
    }
}

impl Recorded {
    fn answer(&mut self, call: &Call) -> Response {
        let json = |status: u16, value: Value| {
            Response::builder()
                .status(status)
                .header("Content-Type", "application/json")
                .body(Body::from(value.to_string()))
                .unwrap()
        };
        let job = |status: u16, recorded: &Self| {
            Response::builder()
                .status(status)
                .header("Job-Status", &recorded.status)
                .header("Range", format!("0-{}", recorded.log.len()))
                .body(Body::empty())
                .unwrap()
        };
        match call.name {
            "request" => match self.queue.pop_front() {
                Some(payload) => json(201, payload),
                None => Response::builder()
                    .status(StatusCode::NO_CONTENT)
                    .header("X-GitLab-Last-Update", "queue-1")
                    .body(Body::empty())
                    .unwrap(),
            },
            "verify" | "register" => {
                let status = if call.name == "verify" { 200 } else { 201 };
                json(
                    status,
                    json!({"id": 34, "token": "glrt-new", "token_expires_at": null}),
                )
            }
            "DELETE runners" | "DELETE managers" => job(204, self),
            "PATCH trace" => {
                let range: shipway_protocol::ContentRange =
                    call.header("Content-Range").parse().unwrap();
                if matches!(self.status.as_str(), "canceled" | "failed") {
                    return job(403, self);
                }
                if range.first != self.log.len() as u64 {
                    return job(416, self);
                }
                assert_eq!(range.last - range.first + 1, call.body.len() as u64);
                self.log.extend_from_slice(&call.body);
                job(202, self)
            }
            "PUT job" => job(200, self),
            "POST artifacts" => json(201, json!({})),
            "GET artifacts" | "GET elsewhere" => Response::builder()
                .status(200)
                .body(Body::from(self.archive.clone()))
                .unwrap(),
            _ => json(404, json!({"message": "404 Not Found"})),
        }
    }
}
