//! Badges at GitLab's addresses: `/badges/REF/pipeline.svg` and `coverage.svg`, and
//! `/-/badges/release.svg`.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use shipway_pipeline::Status;
use shipway_store::{JobRow, Page, PipelineFilter, PipelineRow, ReleaseOrder};

use super::visit::ProjectVisit;
use crate::badge::{self, Limits, Style, Wishes};
use crate::error::ApiError;
use crate::permission::Action;

/// Pipelines of a ref that are looked through for one that counts.
const LOOKED_AT: i64 = 100;

/// `GET /badges/{ref}/{name}.svg`. A ref that is not there has a badge that says `unknown`: a
/// broken picture tells nobody anything.
pub(super) async fn show(
    visit: ProjectVisit,
    Path(rest): Path<String>,
) -> Result<Response, ApiError> {
    visit.require(Action::ReadProject)?;
    let wishes = wishes(|name| visit.query(name));
    if rest == "release.svg" {
        return Ok(picture(badge::release(
            newest_release(&visit).await?.as_deref(),
            &wishes,
        )));
    }
    let (ref_name, name) = rest.rsplit_once('/').ok_or_else(ApiError::no_route)?;
    let svg = match name {
        "pipeline.svg" | "build.svg" => {
            let ignored = match visit.query("ignore_skipped") {
                "true" | "1" => Some(Status::Skipped),
                _ => None,
            };
            let newest = newest(&visit, ref_name, |row| Some(row.status) != ignored).await?;
            badge::pipeline(newest.map(|row| row.status), &wishes)
        }
        "coverage.svg" => {
            let number = |name: &str| visit.query(name).parse().ok();
            let limits = Limits::new(
                number("min_good"),
                number("min_acceptable"),
                number("min_medium"),
            );
            badge::coverage(coverage(&visit, ref_name).await?, limits, &wishes)
        }
        _ => return Err(ApiError::no_route()),
    };
    Ok(picture(svg))
}

/// An image that no proxy keeps, and that runs nothing.
fn picture(svg: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (
            header::CACHE_CONTROL,
            "private, no-cache, no-store, max-age=0",
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        ),
    ];
    (headers, svg).into_response()
}

/// The tag of the newest release; `order_by` says newest by which time.
async fn newest_release(visit: &ProjectVisit) -> Result<Option<String>, ApiError> {
    let order = match visit.query("order_by") {
        "created_at" => ReleaseOrder::NewestCreated,
        _ => ReleaseOrder::NewestReleased,
    };
    let store = visit.app.store();
    let found = store.releases(visit.project.id, order, Page::first(1));
    Ok(found.await?.rows.into_iter().next().map(|row| row.tag))
}

/// What the address asks for.
fn wishes<'a>(query: impl Fn(&'a str) -> &'a str) -> Wishes {
    let width = |name| query(name).parse().ok();
    Wishes {
        style: match query("style") {
            "flat-square" => Style::FlatSquare,
            _ => Style::Flat,
        },
        key_text: Some(query("key_text").to_owned()).filter(|text| !text.is_empty()),
        key_width: width("key_width"),
        value_width: width("value_width"),
    }
}

/// The ref's newest pipeline that counts.
async fn newest(
    visit: &ProjectVisit,
    ref_name: &str,
    counts: impl Fn(&PipelineRow) -> bool,
) -> Result<Option<PipelineRow>, ApiError> {
    let filter = PipelineFilter {
        ref_name: Some(ref_name.to_owned()),
        ..PipelineFilter::default()
    };
    let store = visit.app.store();
    let found = store.pipelines_of_project(visit.project.id, &filter, Page::first(LOOKED_AT));
    Ok(found.await?.rows.into_iter().find(counts))
}

/// The coverage of the newest successful pipeline; of one job where `job` names it.
async fn coverage(visit: &ProjectVisit, ref_name: &str) -> Result<Option<f64>, ApiError> {
    let job = visit.query("job");
    if job.is_empty() {
        let passed = newest(visit, ref_name, |row| row.status == Status::Success).await?;
        return Ok(passed.and_then(|row| row.coverage));
    }
    let over = newest(visit, ref_name, |row| row.status == Status::Success).await?;
    let Some(pipeline) = over else {
        return Ok(None);
    };
    let jobs = visit.app.store().jobs(pipeline.id).await?;
    let passed = |row: &&JobRow| row.name == job && row.status == Status::Success && !row.retried;
    Ok(jobs.iter().find(passed).and_then(|row| row.coverage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_asks_for() {
        let given = |name: &str| match name {
            "style" => "flat-square",
            "key_text" => "tests",
            "key_width" => "x",
            "value_width" => "80",
            _ => "",
        };
        let expected = Wishes {
            style: Style::FlatSquare,
            key_text: Some("tests".to_owned()),
            key_width: None,
            value_width: Some(80),
        };
        assert_eq!(wishes(given), expected);
    }
}
