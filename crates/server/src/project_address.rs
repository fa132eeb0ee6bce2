//! Addresses below a group or project, whose paths have any number of names.
//!
//! `/group/subgroup/project/-/pipelines/7` is split into the path of the project and the
//! address inside of it, `/-/pipelines/7`, which an ordinary router can tell apart.

use axum::extract::{FromRequestParts, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// The path in an address of a page: `group/subgroup/project`. Handlers of
/// [`crate::pages::project_routes`] take it as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for ProjectPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let path = parts.extensions.get::<Self>().cloned();
        path.ok_or_else(ApiError::no_route)
    }
}

/// Splits the raw path of an address into the decoded path of a group or project and the raw
/// address inside of it. Inside begins with `/-/` or `/badges/`, or is `/`.
fn split(raw: &str) -> Option<(String, &str)> {
    let raw_path = raw.strip_prefix('/')?;
    let at = |marker: &str| raw_path.find(marker);
    let cut = at("/-/").or_else(|| at("/badges/"));
    let (path, inside) = match cut {
        Some(cut) => raw_path.split_at(cut),
        None => (raw_path.trim_end_matches('/'), "/"),
    };
    let path = percent_decode_str(path).decode_utf8().ok()?;
    // A slash that was encoded is none between names.
    let names = path.split('/').count()
        == raw_path[..cut.unwrap_or(raw_path.len())]
            .trim_end_matches('/')
            .split('/')
            .count();
    let mut groups = path.split('/').rev().skip(1);
    // Below a project's repository there are only git's own addresses.
    let repository = groups.any(|name| name.ends_with(".git"));
    let sound = names && !path.is_empty() && path.split('/').all(|name| !name.is_empty());
    let sound = sound && !repository;
    sound.then(|| (path.into_owned(), inside))
}

/// The request as the routes of projects see it.
pub(crate) fn enter(mut request: Request) -> Result<Request, ApiError> {
    let uri = request.uri();
    let (path, inside) = split(uri.path()).ok_or_else(ApiError::no_route)?;
    let inner = match uri.query() {
        Some(query) => format!("{inside}?{query}"),
        None => inside.to_owned(),
    };
    let inner: PathAndQuery = inner.parse().map_err(|_| ApiError::no_route())?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(inner);
    let uri = Uri::from_parts(parts).map_err(|_| ApiError::no_route())?;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(ProjectPath(path));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (raw, expected) in [
            ("/group/project", Some(("group/project", "/"))),
            ("/group/project/", Some(("group/project", "/"))),
            ("/group", Some(("group", "/"))),
            ("/a/b/c/-/jobs/7/raw", Some(("a/b/c", "/-/jobs/7/raw"))),
            ("/a/b/-/tree/x/-/y", Some(("a/b", "/-/tree/x/-/y"))),
            (
                "/a/b/badges/f%2Fx/pipeline.svg",
                Some(("a/b", "/badges/f%2Fx/pipeline.svg")),
            ),
            ("/a/b/-/badges/x", Some(("a/b", "/-/badges/x"))),
            ("/a%2eb/c", Some(("a.b/c", "/"))),
            ("/", None),
            ("//", None),
            ("/a//b", None),
            ("/a%2Fb/c", None),
            ("/a/%ff", None),
            ("/a/b.git/info/refs", None),
            ("/a/b%2Egit/HEAD", None),
            ("/a/b.git", Some(("a/b.git", "/"))),
            // Addresses of the instance itself are routes of their own; this is none.
            ("/-/x", Some(("-/x", "/"))),
        ] {
            let expected = expected.map(|(path, inside)| (path.to_owned(), inside));
            assert_eq!(split(raw), expected, "{raw}");
        }
    }
}
