//! Requests that another site makes in a signed-in user's browser.
//!
//! A browser sends the session's cookie along by itself. So whatever changes something and is
//! authenticated by the cookie must come from our own pages: the browser must not say that it
//! comes from elsewhere, and it must carry the session's token, which only our pages know. One
//! guard before all routes sees to that; no handler can forget it.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shipway_store::SessionRow;

use super::credential::{Credential, credential, pairs};
use super::{session, token};
use crate::app::App;
use crate::error::ApiError;
use crate::settings::ExternalUrl;

/// The field of forms.
pub(crate) const FIELD: &str = "authenticity_token";

/// The header of scripts.
const HEADER: &str = "x-csrf-token";

/// Forms of pages in bytes at most; the same as the framework's own limit.
const LONGEST_FORM: usize = 2 * 1024 * 1024;

/// The session of a request that the guard let pass.
#[derive(Debug, Clone)]
pub(super) struct Checked(pub(super) SessionRow);

/// Whether a method changes nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The guard.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_safe(request.method()) {
        return next.run(request).await;
    }
    match check(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn check(app: &App, mut request: Request) -> Result<Request, ApiError> {
    let headers = request.headers();
    let secret = match credential(headers, request.uri().query()) {
        // Something that no browser sends by itself.
        Some(Credential::Token { .. } | Credential::JobToken(_)) => return Ok(request),
        Some(Credential::Session(secret)) => Some(secret),
        None => None,
    };
    // Without a session too: nobody signs a visitor of ours in as somebody else.
    if is_foreign(headers, &app.settings().external_url) {
        return Err(refusal("it comes from another site"));
    }
    let Some(secret) = secret else {
        return Ok(request);
    };
    let Some(session) = session::session(app, &secret).await? else {
        return Ok(request);
    };
    let given = match headers.get(HEADER) {
        Some(value) => value.to_str().ok().map(str::to_owned),
        None => {
            let (remade, given) = from_form(request).await?;
            request = remade;
            given
        }
    };
    if !given.is_some_and(|given| token::same(&given, &session.csrf)) {
        return Err(refusal(
            "its form is too old or not ours; load the page again and repeat it",
        ));
    }
    request.extensions_mut().insert(Checked(session));
    Ok(request)
}

fn refusal(reason: &str) -> ApiError {
    ApiError::message(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("422 The change you requested was rejected: {reason}"),
    )
}

/// Whether the browser says that another site makes the request.
fn is_foreign(headers: &HeaderMap, ours: &ExternalUrl) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return false,
        Some(_) => return true,
        // An older browser, or none.
        None => {}
    }
    let Some(origin) = text(ORIGIN.as_str()) else {
        return false;
    };
    let host = text(HOST.as_str()).unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin != ours.origin() && authority != Some(host)
}

/// The token in a form's body, and the request as it was.
async fn from_form(request: Request) -> Result<(Request, Option<String>), ApiError> {
    let is_form = (request.headers().get(CONTENT_TYPE))
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_FORM).await;
    let body = body.map_err(|_| ApiError::too_large())?;
    let given = std::str::from_utf8(&body).ok().and_then(|text| {
        let found = pairs(text).find(|(name, _)| name == FIELD);
        found.map(|(_, value)| value)
    });
    Ok((Request::from_parts(parts, Body::from(body)), given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_request_comes_from() {
        let ours = ExternalUrl::parse("https://ci.example.com").unwrap();
        let host = ("host", "10.0.0.1:8080");
        for (given, foreign) in [
            (vec![], false),
            (vec![("sec-fetch-site", "same-origin")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("sec-fetch-site", "same-site")], true),
            (vec![("sec-fetch-site", "cross-site")], true),
            (vec![("origin", "https://ci.example.com"), host], false),
            (vec![("origin", "http://ci.example.com"), host], true),
            (vec![("origin", "http://10.0.0.1:8080"), host], false),
            (vec![("origin", "https://evil.example"), host], true),
            (vec![("origin", "null"), host], true),
            (vec![("origin", "null")], true),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://ci.example.com"),
                ],
                true,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &given {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_foreign(&headers, &ours), foreign, "{given:?}");
        }
    }
}
