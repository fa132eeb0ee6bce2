//! Runners with all that is known of them.

use serde::Serialize;
use shipway_store::{NamespaceId, RunnerKind, RunnerRow};

use super::access::assigned;
use crate::error::ApiError;
use crate::permission::Action;
use crate::rest::call::Call;
use crate::rest::namespace::last_name;
use crate::rest::runner::Runner;
use crate::rest::time::iso;

/// GitLab's `RunnerDetails`.
#[derive(Debug, Serialize)]
pub(super) struct RunnerDetails {
    #[serde(flatten)]
    runner: Runner,
    tag_list: Vec<String>,
    run_untagged: bool,
    locked: bool,
    maximum_timeout: Option<i64>,
    access_level: &'static str,
    version: Option<String>,
    revision: Option<String>,
    platform: Option<String>,
    architecture: Option<String>,
    contacted_at: Option<String>,
    maintenance_note: Option<String>,
    projects: Vec<RunnerProject>,
    groups: Vec<RunnerGroup>,
}

#[derive(Debug, Serialize)]
struct RunnerProject {
    id: i64,
    name: String,
    name_with_namespace: String,
    path: String,
    path_with_namespace: String,
}

#[derive(Debug, Serialize)]
struct RunnerGroup {
    id: i64,
    name: String,
    web_url: String,
}

/// Jobs of a runner that are looked at to know whether it is at work.
const LOOKED_AT: i64 = 20;

pub(super) async fn details(call: &Call, row: &RunnerRow) -> Result<RunnerDetails, ApiError> {
    let mut projects = Vec::new();
    for project in assigned(call, row).await? {
        // Of a runner that serves several projects nobody learns of those unseen.
        if !call
            .app
            .allows(&call.identity, &project, Action::ReadProject)
            .await?
        {
            continue;
        }
        let above = call
            .store()
            .namespace_with_ancestors(project.namespace_id)
            .await?;
        let mut names: Vec<&str> = above.iter().map(|one| one.name.as_str()).collect();
        names.reverse();
        names.push(&project.name);
        projects.push(RunnerProject {
            id: project.id.0,
            name: project.name.clone(),
            name_with_namespace: names.join(" / "),
            path: last_name(&project.full_path).to_owned(),
            path_with_namespace: project.full_path.clone(),
        });
    }
    let group = match (row.kind, row.owner_id) {
        (RunnerKind::Group, Some(id)) => call.store().namespace(NamespaceId(id)).await?,
        _ => None,
    };
    let recent = call.store().jobs_of_runner(row.id, LOOKED_AT).await?;
    let active = recent.iter().any(|job| job.status.is_executing());
    Ok(RunnerDetails {
        runner: Runner::at_work(row, active),
        tag_list: tags(row),
        run_untagged: row.run_untagged,
        locked: row.locked,
        maximum_timeout: row.maximum_timeout,
        access_level: match row.protected_only {
            true => "ref_protected",
            false => "not_protected",
        },
        version: row.version.clone(),
        revision: row.revision.clone(),
        platform: row.platform.clone(),
        architecture: row.architecture.clone(),
        contacted_at: row.contacted_at.map(iso),
        maintenance_note: row.maintenance_note.clone(),
        projects,
        groups: Vec::from_iter(group.map(|group| RunnerGroup {
            id: group.id.0,
            web_url: call.url(&format!("groups/{}", group.full_path)),
            name: group.name,
        })),
    })
}

pub(super) fn tags(row: &RunnerRow) -> Vec<String> {
    serde_json::from_str(&row.tags).unwrap_or_default()
}
