//! All faces in one router, and what every request passes.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::app::App;
use crate::error::{ApiError, normalize};
use crate::identity::{csrf, token};
use crate::{git, oidc, operations, pages, project_address, proxies, rest, runner_api};

/// People and programs get an answer within this time. Runners poll longer, and packs and
/// artifacts take as long as they take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No script but ours runs in our pages, and nobody frames them. A route that serves what
/// somebody else wrote sets a stricter policy itself.
const POLICY: &str = "default-src 'self'; base-uri 'none'; object-src 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Everything that a server answers.
pub fn router(app: App) -> Router {
    let in_time = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN);
    let project_pages = pages::project_routes()
        .fallback(|| async { ApiError::no_route() })
        .layer(map_response(normalize))
        .with_state(app.clone());
    let pages = pages::routes()
        .fallback(below_a_path)
        .layer(axum::Extension(ProjectPages(project_pages)))
        .layer(map_response(normalize))
        .layer(middleware::from_fn_with_state(app.clone(), pages::errors))
        .layer(middleware::from_fn_with_state(app.clone(), git_first));
    Router::new()
        .merge(operations::routes().layer(in_time))
        .merge(oidc::routes().layer(in_time))
        .merge(api(rest::routes(in_time)))
        .merge(api(runner_api::routes()))
        .route("/api/{*rest}", any(|| async { ApiError::no_route() }))
        .merge(pages)
        .layer(middleware::from_fn_with_state(app.clone(), csrf::guard))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            operations::count,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            proxies::resolve,
        ))
        .layer(map_response(with_security_headers))
        .layer(CatchPanicLayer::custom(report_panic))
        .layer(TraceLayer::new_for_http().make_span_with(span_of))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, RandomId))
        .with_state(app)
}

fn api(routes: Router<App>) -> Router<App> {
    routes.layer(map_response(normalize))
}

/// The routes of projects, entered by [`below_a_path`].
#[derive(Clone)]
struct ProjectPages(Router);

/// Git has no routes but endings of addresses.
async fn git_first(State(app): State<App>, request: Request, next: Next) -> Response {
    match git::endpoint(request.uri()) {
        Some(endpoint) => git::answer(app, endpoint, request).await,
        None => next.run(request).await,
    }
}

/// What has no route of its own: a page of a group or project.
async fn below_a_path(
    axum::Extension(ProjectPages(pages)): axum::Extension<ProjectPages>,
    request: Request,
) -> Response {
    match project_address::enter(request) {
        Ok(request) => match pages.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => error.into_response(),
    }
}

/// Where a route has not set another.
async fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "strict-origin-when-cross-origin"),
    ] {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
    response
}

/// Under which events of the log a request is found. A query may hold a token and is left out.
fn span_of<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    tracing::info_span!("request", %method, path, id)
}

fn report_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = (panic.downcast_ref::<String>().map(String::as_str))
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    tracing::error!(text, "a handler panicked");
    ApiError::internal_silent().into_response()
}

#[derive(Debug, Clone, Copy)]
struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let value = HeaderValue::from_str(&token::new("")).ok()?;
        Some(RequestId::new(value))
    }
}
