//! What a pusher is told after the refs have moved.

use shipway_coordinator::PIPELINES_PER_PUSH;
use shipway_git::hosting::Push;
use shipway_pipeline::Status;
use shipway_store::{PipelineRow, ProjectRow, UserRow};

use crate::app::App;
use crate::error::chain;

/// Asks for the pipelines of a push; the lines are shown to the pusher. The refs have moved:
/// nothing that goes wrong here is the push's fault.
pub(super) async fn pushed(
    app: &App,
    project: &ProjectRow,
    user: &UserRow,
    push: &Push,
) -> Vec<String> {
    let mut lines = Vec::new();
    let (url, path) = (&app.settings().external_url, &project.full_path);
    if project.default_branch.is_none() {
        let visibility = project.visibility;
        lines.push(format!("The {visibility} project {path} is at:"));
        lines.push(format!("  {url}/{path}"));
    }
    for option in &push.options.unknown {
        lines.push(format!("The push option {option} is not known."));
    }
    match app.coordinator().pushed(project, Some(user), push).await {
        Ok(pipelines) => {
            for row in &pipelines {
                lines.extend(pipeline(&format!("{url}/{path}"), row));
            }
        }
        Err(error) => {
            let fault = chain(&error);
            tracing::error!(project = project.id.0, fault, "push.pipeline.failed");
            lines.push(
                "The push is stored, but not every pipeline could be created; start it by hand, and see the server's log."
                    .to_owned(),
            );
        }
    }
    if push.updates.len() > PIPELINES_PER_PUSH {
        lines.push(format!(
            "A push gets pipelines for {PIPELINES_PER_PUSH} branches and tags at most."
        ));
    }
    framed(lines)
}

fn pipeline(project: &str, row: &PipelineRow) -> Vec<String> {
    let (id, name) = (row.id, &row.ref_name);
    let said = match row.status {
        Status::Skipped => format!("The pipeline of {name} is skipped:"),
        Status::Failed => format!("The pipeline of {name} has a faulty configuration:"),
        _ => format!("The pipeline of {name}:"),
    };
    let faults = row.yaml_errors.as_deref().unwrap_or_default().lines();
    let faults = faults.map(|fault| format!("  {fault}"));
    [said, format!("  {project}/-/pipelines/{id}")]
        .into_iter()
        .chain(faults)
        .collect()
}

/// With an empty line before and after, where there is something to say.
fn framed(lines: Vec<String>) -> Vec<String> {
    match lines.is_empty() {
        true => lines,
        false => [vec![String::new()], lines, vec![String::new()]].concat(),
    }
}
