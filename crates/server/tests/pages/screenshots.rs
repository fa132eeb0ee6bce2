//! Serves the world of these tests for somebody to look at.

use crate::merge_requests::review;
use crate::site::{PASSWORD, Site};
use crate::world::{SHOP, world};

/// Where to write what is served, and when to end: `tests/screenshots.py` sets it.
const VARIABLE: &str = "SHIPWAY_SCREENSHOTS";

/// With `SHIPWAY_SCREENSHOTS` set to a directory: writes the pages there are into `pages.json`,
/// and serves them until that file is removed. Without it there is nothing to look at.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_for_a_photographer() {
    let Some(directory) = std::env::var_os(VARIABLE) else {
        return;
    };
    let site = Site::start().await;
    let world = world(&site).await;
    let shop = |below: String| format!("/{SHOP}{below}");
    let job = |id: shipway_pipeline::JobId| shop(format!("/-/jobs/{id}"));
    let runners = site
        .store()
        .runners_for_project(world.project.id)
        .await
        .unwrap();
    let own = runners
        .iter()
        .find(|runner| runner.description == "arm-lab")
        .unwrap();
    let pages = [
        ("sign-in", "/users/sign_in".to_owned()),
        ("projects", "/".to_owned()),
        ("project-new", "/projects/new".to_owned()),
        ("project", shop(String::new())),
        ("pipelines", shop("/-/pipelines".to_owned())),
        (
            "pipelines-none",
            shop("/-/pipelines?ref=nothing".to_owned()),
        ),
        ("pipeline-new", shop("/-/pipelines/new".to_owned())),
        (
            "pipeline-stuck",
            shop(format!("/-/pipelines/{}", world.pushed)),
        ),
        (
            "pipeline-failed",
            shop(format!("/-/pipelines/{}", world.passed.0 + 1)),
        ),
        (
            "pipeline-tests",
            shop(format!("/-/pipelines/{}/test_report", world.passed)),
        ),
        (
            "pipeline-coverage",
            shop(format!("/-/pipelines/{}/coverage", world.passed)),
        ),
        ("coverage-history", shop("/-/graphs/main/charts".to_owned())),
        ("merge-requests", shop("/-/merge_requests".to_owned())),
        ("merge-request", review(&site).await),
        ("job-failed", job(world.failed_job)),
        ("job-running", job(world.running_job)),
        ("job-artifacts", job(world.artifacts_job)),
        ("jobs", shop("/-/jobs".to_owned())),
        (
            "artifacts",
            format!("{}/artifacts/browse/htmlcov", job(world.artifacts_job)),
        ),
        (
            "artifact-report",
            format!(
                "{}/artifacts/file/htmlcov/index.html",
                job(world.artifacts_job)
            ),
        ),
        ("environments", shop("/-/environments".to_owned())),
        ("releases", shop("/-/releases".to_owned())),
        ("release", shop("/-/releases/v1.0".to_owned())),
        ("schedules", shop("/-/pipeline_schedules".to_owned())),
        ("schedule-new", shop("/-/pipeline_schedules/new".to_owned())),
        ("lint", shop("/-/ci/lint".to_owned())),
        ("runners", shop("/-/runners".to_owned())),
        ("runner-edit", shop(format!("/-/runners/{}/edit", own.id))),
        ("variables", shop("/-/variables".to_owned())),
        ("triggers", shop("/-/triggers".to_owned())),
        ("members", shop("/-/project_members".to_owned())),
        ("settings", shop("/-/settings/ci_cd".to_owned())),
        ("group", "/groups/team".to_owned()),
        ("admin-runners", "/admin/runners".to_owned()),
        ("admin-users", "/admin/users".to_owned()),
        (
            "tokens",
            "/-/user_settings/personal_access_tokens".to_owned(),
        ),
        ("not-found", "/nothing/here".to_owned()),
    ];
    let list =
        serde_json::json!({ "url": site.url, "password": PASSWORD, "pages": pages.as_slice() });
    let file = std::path::Path::new(&directory).join("pages.json");
    let new = file.with_extension("new");
    std::fs::write(&new, list.to_string()).unwrap();
    std::fs::rename(&new, &file).unwrap();
    while file.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    site.stop().await;
}
