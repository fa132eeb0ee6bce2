//! The pages for people: made by the server, whole without scripts. `shell.rs` is what stands
//! around every page, `visit.rs` who asks for it and of what; every other file is a page or a
//! few of one subject, or makes a part of pages (`status.rs`, `when.rs`, `log_view.rs`, …).

mod artifacts;
mod artifacts_by_ref;
mod assets;
mod badges;
mod coverage_history;
mod environments;
mod errors;
mod events;
mod exposed_artifacts;
mod fields;
mod html;
mod icon;
mod job;
mod job_log;
mod jobs;
mod line_coverage;
mod lint;
mod log_view;
mod members;
mod merge_requests;
mod paging;
mod permalinks;
mod pipeline;
mod pipelines;
mod project;
mod project_new;
mod projects;
mod refs;
mod releases;
mod runner;
mod runner_new;
mod runners;
mod schedules;
mod settings;
mod shell;
mod sign_in;
mod source_archive;
mod status;
mod tags;
mod test_changes;
mod test_report;
mod tokens;
mod triggers;
mod users;
mod variables;
mod visit;
mod waiting;
mod when;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::error::ApiError;

pub(crate) use errors::errors;

/// The pages of the instance: `/users/sign_in`, …
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(sign_in::routes())
        .route("/", get(projects::index))
        .route("/-/assets/{digest}/{name}", get(assets::serve))
        .route("/projects", post(project_new::create))
        .route("/projects/new", get(project_new::form))
        .route(tokens::PATH, get(tokens::list).post(tokens::create))
        .route(
            &format!("{}/{{id}}/revoke", tokens::PATH),
            post(tokens::revoke),
        )
        .merge(admin())
}

/// The pages of administrators.
fn admin() -> Router<App> {
    Router::new()
        .route("/admin", get(runners::admin))
        .route("/admin/users", get(users::list).post(users::create))
        .route("/admin/users/{id}/block", post(users::block))
        .route("/admin/users/{id}/unblock", post(users::unblock))
        .route("/admin/users/{id}/password", post(users::password))
        .merge(on_all_levels("/admin"))
}

/// Runners and variables, which the instance, groups and projects have.
fn on_all_levels(base: &str) -> Router<App> {
    let at = |path: &str| format!("{base}{path}");
    Router::new()
        .route(&at("/runners"), get(runners::list).post(runner_new::create))
        .route(
            &at("/runners/reset_registration_token"),
            post(runner_new::reset),
        )
        .route(&at("/runners/{id}"), post(runner::update))
        .route(&at("/runners/{id}/edit"), get(runner::edit))
        .route(&at("/runners/{id}/pause"), post(runner::pause))
        .route(&at("/runners/{id}/resume"), post(runner::resume))
        .route(&at("/runners/{id}/delete"), post(runner::delete))
        .route(
            &at("/variables"),
            get(variables::list).post(variables::create),
        )
        .route(
            &at("/variables/{id}"),
            get(variables::edit).post(variables::update),
        )
        .route(&at("/variables/{id}/delete"), post(variables::delete))
}

/// The pages below the path of a group or project, as addresses inside of it: `/`,
/// `/-/pipelines/{id}`, `/badges/{*rest}`. Handlers take the path as
/// [`crate::project_address::ProjectPath`].
pub(crate) fn project_routes() -> Router<App> {
    Router::new()
        .route("/", get(projects::overview))
        .route("/-/events", get(events::stream))
        .route("/-/pipelines", get(pipelines::list).post(pipelines::create))
        .route("/-/pipelines/new", get(pipelines::form))
        .route("/-/pipelines/{id}", get(pipeline::show))
        .route("/-/pipelines/{id}/test_report", get(test_report::show))
        .route("/-/pipelines/{id}/coverage", get(line_coverage::show))
        .route("/-/graphs/{ref}/charts", get(coverage_history::show))
        .route(
            "/-/ci/daily_build_group_report_results.csv",
            get(coverage_history::csv),
        )
        .route("/-/pipelines/{id}/retry", post(pipeline::retry))
        .route("/-/pipelines/{id}/cancel", post(pipeline::cancel))
        .route("/-/pipelines/{id}/play", post(pipeline::play))
        .route("/-/pipelines/{id}/delete", post(pipeline::delete))
        .route("/-/jobs", get(jobs::list))
        .route("/-/jobs/artifacts/{*rest}", get(artifacts_by_ref::show))
        .route("/-/jobs/{id}", get(job::show))
        .route("/-/jobs/{id}/raw", get(job_log::raw))
        .route("/-/jobs/{id}/events", get(job_log::stream))
        .route("/-/jobs/{id}/play", post(job::play))
        .route("/-/jobs/{id}/retry", post(job::retry))
        .route("/-/jobs/{id}/cancel", post(job::cancel))
        .route("/-/jobs/{id}/erase", post(job::erase))
        .route("/-/jobs/{id}/artifacts/keep", post(artifacts::keep))
        .route("/-/jobs/{id}/artifacts/download", get(artifacts::download))
        .route("/-/jobs/{id}/artifacts/browse", get(artifacts::browse_top))
        .route("/-/jobs/{id}/artifacts/browse/", get(artifacts::browse_top))
        .route(
            "/-/jobs/{id}/artifacts/browse/{*path}",
            get(artifacts::browse),
        )
        .route("/-/jobs/{id}/artifacts/file/{*path}", get(artifacts::file))
        .route("/-/jobs/{id}/artifacts/raw/{*path}", get(artifacts::raw))
        .route("/badges/{*rest}", get(badges::show))
        .route("/-/badges/{*rest}", get(badges::show))
        .route("/-/raw/{*rest}", get(permalinks::raw))
        .route("/-/pipelines/latest", get(permalinks::latest))
        .route("/-/pipelines/{id}/latest", get(permalinks::latest_of))
        .route("/-/releases", get(releases::list))
        .route("/-/releases/permalink/latest", get(releases::latest))
        .route("/-/releases/{tag}", get(releases::show))
        .route(
            "/-/releases/{tag}/downloads/{*path}",
            get(releases::download),
        )
        .route("/-/archive/{name}/{file}", get(source_archive::show))
        .route(
            "/-/merge_requests",
            get(merge_requests::list).post(merge_requests::create),
        )
        .route(
            "/-/merge_requests/{iid}",
            get(merge_requests::show).post(merge_requests::change),
        )
        .route("/-/environments", get(environments::list))
        .route("/-/environments/{id}/stop", post(environments::stop))
        .route("/-/ci/lint", get(lint::form).post(lint::check))
        .route(
            "/-/settings/ci_cd",
            get(settings::show).post(settings::update),
        )
        .route(
            "/-/settings/ci_cd/reset_cache",
            post(settings::clear_caches),
        )
        .merge(on_all_levels("/-"))
        .merge(lists())
}

/// What a project has several of: schedules, trigger tokens, members.
fn lists() -> Router<App> {
    Router::new()
        .route(
            "/-/pipeline_schedules",
            get(schedules::list).post(schedules::create),
        )
        .route("/-/pipeline_schedules/new", get(schedules::new))
        .route("/-/pipeline_schedules/{id}", post(schedules::update))
        .route("/-/pipeline_schedules/{id}/edit", get(schedules::edit))
        .route("/-/pipeline_schedules/{id}/play", post(schedules::play))
        .route("/-/pipeline_schedules/{id}/delete", post(schedules::delete))
        .route("/-/triggers", get(triggers::list).post(triggers::create))
        .route("/-/triggers/{id}/delete", post(triggers::delete))
        .route("/-/project_members", get(members::list).post(members::save))
        .route("/-/project_members/remove", post(members::remove))
        .route("/-/group_members", get(members::list).post(members::save))
        .route("/-/group_members/remove", post(members::remove))
}

/// A page that is as it should be.
fn page(template: &impl Template) -> Result<Response, ApiError> {
    render(StatusCode::OK, template)
}

/// A form that was not taken, with what is wrong.
fn refused(template: &impl Template) -> Result<Response, ApiError> {
    render(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// What is on a page is somebody's own: nobody in between keeps it.
fn render(status: StatusCode, template: &impl Template) -> Result<Response, ApiError> {
    let text = template
        .render()
        .map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((status, headers, text).into_response())
}
