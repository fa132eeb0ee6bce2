//! `/projects/:id/pipelines/:pipeline_id/coverage_report`: which lines the tests ran. GitLab has
//! the same for merge requests only, in this form.

use serde_json::json;

use super::call::{Answer, ProjectCall, ok};
use super::pipelines::find;
use super::routes::Routes;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let path = "/projects/{id}/pipelines/{pipeline_id}/coverage_report";
    routes.get(path, Action::ReadJobs, show)
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let coverage = (call.app.coordinator())
        .line_coverage(&call.project, row.id)
        .await?;
    let path = call.params.text("path")?;
    let mut files = coverage.files;
    if let Some(path) = path {
        files.retain(|known, _| *known == path);
    }
    ok(json!({ "files": files, "errors": coverage.faults }))
}
