//! Links to the newest artifacts of a branch or tag, as READMEs have them:
//! `/-/jobs/artifacts/REF/(download|browse|file|raw)/…?job=NAME`.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::html::path as encode;
use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// `GET /-/jobs/artifacts/{ref}/{action}/{path}`: leads to the page of the job of this name in
/// the newest successful pipeline of the ref. The ref may have slashes.
pub(super) async fn show(
    visit: ProjectVisit,
    Path(rest): Path<String>,
) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let missing = || ApiError::not_found("Artifacts");
    let name = visit.query("job");
    for (reference, page) in readings(&rest) {
        let coordinator = visit.app.coordinator();
        if coordinator
            .find_ref(&visit.project, reference)
            .await?
            .is_none()
        {
            continue;
        }
        let job = visit
            .app
            .latest_job(&visit.project, reference, name)
            .await?;
        let job = job.ok_or_else(missing)?;
        let target = format!("{}/-/jobs/{}/artifacts/{}", visit.url, job.id, encode(page));
        return Ok((StatusCode::FOUND, [(header::LOCATION, target)]).into_response());
    }
    Err(missing())
}

/// The ways to read it as a ref and the address of a page of artifacts, the shortest ref first.
fn readings(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    rest.match_indices('/').filter_map(|(at, _)| {
        let (reference, page) = (&rest[..at], &rest[at + 1..]);
        let (action, path) = page.split_once('/').unwrap_or((page, ""));
        let known = match action {
            "download" => path.is_empty(),
            "browse" => true,
            "file" | "raw" => !path.is_empty(),
            _ => false,
        };
        (known && !reference.is_empty()).then_some((reference, page))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_may_have_slashes() {
        let table: [(&str, &[(&str, &str)]); 8] = [
            ("main/download", &[("main", "download")]),
            ("main/browse", &[("main", "browse")]),
            ("main/browse/a/b", &[("main", "browse/a/b")]),
            ("feat/x/file/a/b.html", &[("feat/x", "file/a/b.html")]),
            (
                "feat/raw/raw/a",
                &[("feat", "raw/raw/a"), ("feat/raw", "raw/a")],
            ),
            ("main/file", &[]),
            ("main/download/x", &[]),
            ("/download", &[]),
        ];
        for (rest, expected) in table {
            assert_eq!(readings(rest).collect::<Vec<_>>(), expected, "{rest}");
        }
    }
}
