//! For whoever keeps the server running: health and figures.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::json;
use shipway_coordinator::{JobNotice, Notice, online_since};
use shipway_pipeline::Status;
use shipway_store::{Figures, Page};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::error::ApiError;

/// The type that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds that jobs wait for a runner: from at once to an hour.
const QUEUE_BUCKETS: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0];

/// Seconds; a long poll of a runner is at the end.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// Health at GitLab's addresses, and figures for Prometheus.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/-/health", get(|| async { "Shipway OK" }))
        .route("/-/liveness", get(liveness))
        .route("/-/readiness", get(readiness))
        .route("/-/metrics", get(metrics))
}

/// The process answers.
async fn liveness() -> Response {
    axum::Json(json!({ "status": "ok" })).into_response()
}

/// Requests can be served: the database answers and the server is not about to end.
async fn readiness(State(app): State<App>) -> Response {
    let database = match app.store().users(Page::first(1)).await {
        Ok(_) => "ok",
        Err(error) => {
            tracing::error!(%error, "not ready");
            "failed"
        }
    };
    let closing = app.closing().is_cancelled();
    let ready = database == "ok" && !closing;
    let body = json!({
        "status": if ready { "ok" } else { "failed" },
        "db_check": [{ "status": database }],
        "closing": closing,
    });
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let figures = app.store().figures(online_since()).await?;
    app.metrics().set(&figures, app.dispatch().waiting());
    let text = app
        .metrics()
        .encode()
        .map_err(|error| ApiError::internal(&error))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// The server's figures.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
    jobs: Family<StatusLabel, Gauge>,
    finished: Family<StatusLabel, Counter>,
    queue: Histogram,
    runners: Family<StateLabel, Gauge>,
    runners_waiting: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("shipway");
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let in_flight = Gauge::default();
        registry.register("http_requests", "Answered requests", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time until an answer began",
            durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests without an answer yet",
            in_flight.clone(),
        );
        let jobs = Family::<StatusLabel, Gauge>::default();
        let finished = Family::<StatusLabel, Counter>::default();
        let queue = Histogram::new(QUEUE_BUCKETS);
        let runners = Family::<StateLabel, Gauge>::default();
        let runners_waiting = Gauge::default();
        registry.register(
            "jobs",
            "Jobs that wait for a runner or are with one",
            jobs.clone(),
        );
        registry.register(
            "jobs_finished",
            "Jobs that ended in this process",
            finished.clone(),
        );
        registry.register(
            "job_queue_duration_seconds",
            "Time that a job waited for the runner that it was handed to",
            queue.clone(),
        );
        registry.register(
            "runners",
            "Runners; online are those heard of lately that are not paused",
            runners.clone(),
        );
        registry.register(
            "runners_waiting",
            "Requests of runners that are held until there is a job",
            runners_waiting.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            in_flight,
            jobs,
            finished,
            queue,
            runners,
            runners_waiting,
        }
    }
}

impl Metrics {
    /// What is counted when somebody looks.
    fn set(&self, figures: &Figures, waiting: usize) {
        for (status, number) in [("pending", figures.pending), ("running", figures.running)] {
            self.jobs.get_or_create(&StatusLabel { status }).set(number);
        }
        let offline = figures.runners - figures.online;
        for (state, number) in [("online", figures.online), ("offline", offline)] {
            self.runners
                .get_or_create(&StateLabel { state })
                .set(number);
        }
        self.runners_waiting
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    fn note(&self, job: &JobNotice) {
        match job.status {
            Status::Running => {
                let waited = job.waited.unwrap_or_default();
                self.queue.observe(waited.as_secs_f64());
            }
            status if status.is_completed() => {
                let status = status.as_str();
                self.finished.get_or_create(&StatusLabel { status }).inc();
            }
            _ => {}
        }
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts what happens to jobs in this process, as long as it lasts.
pub(crate) async fn follow(app: App, mut notices: broadcast::Receiver<Notice>) {
    loop {
        match notices.recv().await {
            Ok(Notice::Job(job)) => app.metrics().note(&job),
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "figures of jobs are incomplete");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Counts every request by its route, not its address: those are without number.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = method_name(request.method());
    let route = (request.extensions().get::<MatchedPath>())
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let metrics = app.metrics();
    let start = Instant::now();
    metrics.in_flight.inc();
    let _done = Leaving(&metrics.in_flight);
    let response = next.run(request).await;
    let labels = RouteLabels {
        method,
        route: route.clone(),
    };
    (metrics.durations.get_or_create(&labels)).observe(start.elapsed().as_secs_f64());
    let labels = RequestLabels {
        method,
        route,
        status: response.status().as_u16(),
    };
    metrics.requests.get_or_create(&labels).inc();
    response
}

/// Also when the client goes away before it has an answer.
struct Leaving<'a>(&'a Gauge);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A client can invent methods without number.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
