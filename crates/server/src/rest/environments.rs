//! `/projects/:id/environments`.

use serde::Serialize;
use shipway_store::{EnvironmentId, EnvironmentRow, EnvironmentState};

use super::call::{Answer, ProjectCall, ok};
use super::deployments::{Deployment, entities};
use super::paging::{Paging, WHOLE};
use super::project::{ProjectSimple, Projects};
use super::routes::{Job, Routes};
use super::time::iso;
use crate::error::ApiError;
use crate::permission::Action;

/// The shortest text that is searched for.
const SHORTEST_SEARCH: usize = 3;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadEnvironments);
    routes
        .get("/projects/{id}/environments", read, list)
        .get("/projects/{id}/environments/{environment_id}", read, show)
        .post(
            "/projects/{id}/environments/{environment_id}/stop",
            Action::RunPipelines,
            stop,
        )
}

/// What deployments show of their environment.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EnvironmentBasic {
    id: i64,
    name: String,
    slug: String,
    external_url: Option<String>,
    created_at: String,
    /// Changes are not dated: the time it was made.
    updated_at: String,
    state: &'static str,
    tier: String,
}

impl EnvironmentBasic {
    pub(super) fn new(row: &EnvironmentRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name.clone(),
            slug: row.slug.clone(),
            external_url: row.external_url.clone(),
            created_at: iso(row.created_at),
            updated_at: iso(row.created_at),
            state: row.state.as_str(),
            tier: row.tier.clone(),
        }
    }
}

/// GitLab's `Environment`.
#[derive(Debug, Serialize)]
struct Environment {
    #[serde(flatten)]
    basic: EnvironmentBasic,
    description: Option<String>,
    auto_stop_at: Option<String>,
    project: ProjectSimple,
    /// Of a single environment only.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_deployment: Option<Option<Deployment>>,
    cluster_agent: Option<()>,
    kubernetes_namespace: Option<()>,
    flux_resource_path: Option<()>,
}

impl Environment {
    async fn read(call: &ProjectCall, row: &EnvironmentRow) -> Result<Self, ApiError> {
        Ok(Self {
            basic: EnvironmentBasic::new(row),
            description: None,
            auto_stop_at: row.auto_stop_at.map(iso),
            project: Projects::default().simple(&call.app, &call.project).await?,
            last_deployment: None,
            cluster_agent: None,
            kubernetes_namespace: None,
            flux_resource_path: None,
        })
    }
}

async fn find(call: &ProjectCall) -> Result<EnvironmentRow, ApiError> {
    let id = EnvironmentId(call.path.number("environment_id")?);
    let row = call.store().environment(id).await?;
    row.filter(|row| row.project_id == call.project.id)
        .ok_or_else(|| ApiError::not_found("Environment"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let (name, search) = (call.params.text("name")?, call.params.text("search")?);
    let state: Option<EnvironmentState> = call.params.name("states")?;
    if name.is_some() && search.is_some() {
        return Err(ApiError::parameter("name, search are mutually exclusive"));
    }
    let search = search.map(|text| text.to_lowercase());
    if search
        .as_ref()
        .is_some_and(|text| text.chars().count() < SHORTEST_SEARCH)
    {
        let fault = format!("Search query is less than {SHORTEST_SEARCH} characters");
        return Err(ApiError::bad_request(fault));
    }
    let mut rows = call
        .store()
        .environments(call.project.id, WHOLE)
        .await?
        .rows;
    rows.retain(|row| {
        name.as_ref().is_none_or(|name| row.name == *name)
            && (search.as_ref()).is_none_or(|text| row.name.to_lowercase().contains(text))
            && state.is_none_or(|state| row.state == state)
    });
    let (rows, total) = paging.cut(rows);
    let mut environments = Vec::new();
    for row in &rows {
        environments.push(Environment::read(&call, row).await?);
    }
    paging.answer(&call, environments, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    answer(&call, &row).await
}

async fn answer(call: &ProjectCall, row: &EnvironmentRow) -> Answer {
    let last = call.store().last_successful_deployment(row.id).await?;
    let last = entities(call, Vec::from_iter(last)).await?.pop();
    ok(Environment {
        last_deployment: Some(last),
        ..Environment::read(call, row).await?
    })
}

/// Plays the jobs that stop the environment, whose success stops it; where there is none, or
/// with `force`, it is stopped at once.
async fn stop(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let force = call.params.boolean("force")?.unwrap_or(false);
    (call.app.coordinator())
        .stop_environment(row.id, call.user_id(), force)
        .await?;
    answer(&call, &find(&call).await?).await
}
