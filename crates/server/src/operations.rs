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
use shipway_store::Page;

use crate::app::App;
use crate::error::ApiError;

/// The type that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
        Self {
            registry,
            requests,
            durations,
            in_flight,
        }
    }
}

impl Metrics {
    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
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
