//! Refusals as pages.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::render;
use super::shell::{Link, Shell};
use super::visit::frame;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::Identity;

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage {
    shell: Shell,
    status: u16,
    heading: &'static str,
    text: String,
    link: Option<Link>,
}

/// Turns a refusal into a page. Whoever is not signed in, and might see more then, is sent to
/// sign in.
pub(crate) async fn errors(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let response = next.run(Request::from_parts(parts.clone(), body)).await;
    let Some(error) = response.extensions().get::<ApiError>().cloned() else {
        return response;
    };
    let uri = parts.uri.clone();
    if error.asks_to_sign_in() && parts.method == Method::GET && uri.path() != super::sign_in::PATH
    {
        let here = uri.path_and_query().map_or("/", |path| path.as_str());
        let here = utf8_percent_encode(here, NON_ALPHANUMERIC);
        let base = app.settings().external_url.path();
        let target = format!("{base}{}?return_to={here}", super::sign_in::PATH);
        return Redirect::to(&target).into_response();
    }
    // Who asks is shown, whatever was refused: as for a page that is only read.
    parts.method = Method::GET;
    let identity = Identity::from_request_parts(&mut parts, &app).await;
    let identity = identity.unwrap_or_else(|_| Identity::anonymous());
    let Ok(mut answer) = error_page(&app, &identity, &error) else {
        return response;
    };
    if let Some(wait) = response.headers().get(axum::http::header::RETRY_AFTER) {
        (answer.headers_mut()).insert(axum::http::header::RETRY_AFTER, wait.clone());
    }
    answer
}

fn error_page(app: &App, identity: &Identity, error: &ApiError) -> Result<Response, ApiError> {
    let status = error.status();
    let (heading, advice) = advice(status);
    let text = match said(error.text()) {
        "" => advice.to_owned(),
        said => format!("{said}."),
    };
    let shell = frame(app, identity, heading);
    let link = (identity.is_anonymous()).then(|| Link {
        text: "Sign in".to_owned(),
        url: format!("{}{}", shell.root, super::sign_in::PATH),
    });
    render(
        status,
        &ErrorPage {
            shell,
            status: status.as_u16(),
            heading,
            text,
            link,
        },
    )
}

/// What an error says beyond its status: the number and what everybody knows are taken off.
fn said(text: &str) -> &str {
    let plain = text
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    let said = match plain.split_once(" - ") {
        Some((_, reason)) => reason,
        None if plain.ends_with("Not Found") => "",
        None => match plain {
            "Forbidden"
            | "Unauthorized"
            | "Not Allowed"
            | "Internal Server Error"
            | "Service Unavailable"
            | "Request Entity Too Large" => "",
            other => other,
        },
    };
    said.trim_end_matches('.')
}

/// What a status means for somebody who looks at a page, and what to do.
fn advice(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => (
            "There is nothing here",
            "The address is wrong, what was here is gone, or you may not see it. Signed in as somebody else, or with another role, you might.",
        ),
        StatusCode::FORBIDDEN => (
            "You may not do that",
            "You can see this project, but your role does not allow that here. Ask a Maintainer or an Owner of it.",
        ),
        StatusCode::UNAUTHORIZED => ("You are not signed in", "Sign in and try again."),
        StatusCode::TOO_MANY_REQUESTS => ("Too often", "Wait a minute and try again."),
        StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "Send less at a time."),
        StatusCode::METHOD_NOT_ALLOWED => (
            "That is not done here",
            "The address is there, but not for this. Go back and use the page's own buttons.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Not now",
            "The server cannot answer at the moment. Try again in a few seconds.",
        ),
        status if status.is_server_error() => (
            "Something went wrong here",
            "It is the server's fault; its log says more. Try again, and tell an administrator if it stays so.",
        ),
        _ => (
            "That did not work",
            "Go back, load the page again and repeat it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says() {
        let table = [
            ("404 Project Not Found", ""),
            ("403 Forbidden", ""),
            (
                "403 Forbidden - Your account has been blocked.",
                "Your account has been blocked",
            ),
            (
                "400 Bad request - the form is not UTF-8",
                "the form is not UTF-8",
            ),
            (
                "422 The change you requested was rejected: it is old",
                "The change you requested was rejected: it is old",
            ),
            ("ref is missing", "ref is missing"),
        ];
        for (text, expected) in table {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}
