//! GitLab's REST API, version 4.
//!
//! Begin with `routes`: the table of routes, each with the rule that lets a request in. `call`
//! is what handlers get, `params` (from `request_body`) and `paging` are its parameters and lists. Every other file
//! is one resource: its entity as GitLab writes it, and its routes.

mod access_tokens;
mod artifacts;
mod badges;
mod branches;
mod call;
mod commit;
mod commit_statuses;
mod commits;
mod compare;
mod deployments;
mod environments;
mod files;
mod generic_packages;
mod groups;
mod job;
mod jobs;
mod line_coverage;
mod lint;
mod members;
pub(crate) mod merge_requests;
mod namespace;
mod nested_names;
mod package_files;
mod packages;
mod paging;
mod params;
mod pipeline;
mod pipelines;
mod project;
mod projects;
mod protected_refs;
mod release_links;
mod releases;
mod request_body;
mod resource_groups;
mod routes;
mod runner;
mod runners;
mod schedules;
mod serve_file;
mod source_archives;
mod test_reports;
mod time;
mod tree;
mod triggers;
mod user;
mod users;
mod variables;
mod version;

use axum::Router;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use routes::Routes;

fn all() -> Routes {
    let resources = [
        version::routes,
        users::routes,
        groups::routes,
        projects::routes,
        pipelines::routes,
        jobs::routes,
        artifacts::routes,
        triggers::routes,
        variables::routes,
        runners::routes,
        schedules::routes,
        environments::routes,
        deployments::routes,
        protected_refs::routes,
        resource_groups::routes,
        test_reports::routes,
        access_tokens::routes,
        members::routes,
        branches::routes,
        commits::routes,
        commit_statuses::routes,
        files::routes,
        tree::routes,
        source_archives::routes,
        compare::routes,
        releases::routes,
        release_links::routes,
        packages::routes,
        package_files::routes,
        generic_packages::routes,
        badges::routes,
        line_coverage::routes,
        lint::routes,
        merge_requests::routes,
    ];
    resources
        .into_iter()
        .fold(Routes::default(), |routes, resource| resource(routes))
}

/// The routes of programs; what is not a file is answered within the time of the layer.
pub(crate) fn routes(in_time: TimeoutLayer) -> Router<App> {
    all().into_router(in_time)
}

#[cfg(test)]
mod tests;
