//! A small coordinator: one queue, one log, everything it is told.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Value, json};

/// What it has and was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) queue: Vec<Value>,
    /// `METHOD path` and the body where it is JSON.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) log: Vec<u8>,
    pub(crate) archives: Vec<Vec<u8>>,
    /// It knows no runner.
    pub(crate) forgetful: bool,
}

pub(crate) struct Coordinator {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
    _runtime: tokio::runtime::Runtime,
}

impl Coordinator {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&told));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            told,
            _runtime: runtime,
        }
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.told().log).into_owned()
    }

    /// The bodies of calls to this path.
    pub(crate) fn bodies(&self, call: &str) -> Vec<Value> {
        let told = self.told();
        let calls = told.calls.iter().filter(|(name, _)| name == call);
        calls.map(|(_, body)| body.clone()).collect()
    }

    /// The body that reported the job's end, once there is one.
    pub(crate) fn end(&self) -> Option<Value> {
        let mut updates = self.bodies("PUT jobs/7").into_iter();
        updates.find(|body| body["state"] != "running")
    }
}

async fn answer(
    State(told): State<Arc<Mutex<Told>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().strip_prefix("/api/v4/").unwrap_or_default();
    let call = format!("{method} {path}");
    let mut told = told.lock().unwrap();
    let text = serde_json::from_slice(&body).unwrap_or(Value::Null);
    told.calls.push((call.clone(), text));
    let (status, answer) = match call.as_str() {
        _ if told.forgetful => (403, json!({"message": "403 Forbidden"})),
        "POST runners/verify" => (
            200,
            json!({"id": 34, "token": "x", "token_expires_at": null}),
        ),
        "POST runners" => (201, json!({"id": 35, "token": "legacy-auth-token-1"})),
        "DELETE runners" | "DELETE runners/managers" => (204, Value::Null),
        "POST jobs/request" => match told.queue.pop() {
            Some(job) => (201, job),
            None => (204, Value::Null),
        },
        "PATCH jobs/7/trace" => {
            let range = headers["Content-Range"].to_str().unwrap();
            let first: usize = range.split('-').next().unwrap().parse().unwrap();
            assert_eq!(first, told.log.len());
            told.log.extend_from_slice(&body);
            (202, Value::Null)
        }
        "PUT jobs/7" => (200, Value::Null),
        "POST jobs/7/artifacts" => {
            told.archives.push(body.to_vec());
            (201, json!({}))
        }
        _ => (404, json!({"message": "404 Not Found"})),
    };
    let answer = match answer {
        Value::Null => Body::empty(),
        answer => Body::from(answer.to_string()),
    };
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .header("Job-Status", "running")
        .header("X-GitLab-Trace-Update-Interval", "1")
        .body(answer)
        .unwrap()
}
