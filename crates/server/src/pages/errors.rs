//! Refusals as pages.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::App;
use crate::error::ApiError;

/// Turns a refusal into a page. Whoever is not signed in, and might see more then, is sent to
/// sign in.
pub(crate) async fn errors(State(app): State<App>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let Some(error) = response.extensions().get::<ApiError>() else {
        return response;
    };
    if error.asks_to_sign_in() && method == Method::GET && uri.path() != super::sign_in::PATH {
        let here = uri.path_and_query().map_or("/", |path| path.as_str());
        let here = utf8_percent_encode(here, NON_ALPHANUMERIC);
        let base = app.settings().external_url.path();
        let target = format!("{base}{}?return_to={here}", super::sign_in::PATH);
        return Redirect::to(&target).into_response();
    }
    let status = error.status();
    let text = escape(error.text());
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>\
         <h1>{0}</h1><p>{text}</p></html>\n",
        status.as_u16()
    );
    let mut answer = (status, Html(page)).into_response();
    if let Some(wait) = response.headers().get(axum::http::header::RETRY_AFTER) {
        (answer.headers_mut()).insert(axum::http::header::RETRY_AFTER, wait.clone());
    }
    answer
}

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
