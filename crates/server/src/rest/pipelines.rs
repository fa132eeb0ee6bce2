//! `/projects/:id/pipelines`.

use serde::Serialize;
use serde_json::json;
use shipway_config::InputValues;
use shipway_config::variables::Variable;
use shipway_coordinator::{PipelineRequest, Started};
use shipway_pipeline::{PipelineId, Source, Status};
use shipway_store::{JobRow, PipelineFilter, PipelineRow, UserRow, VariableType};

use super::call::{Answer, ProjectCall, created, no_content, ok};
use super::job::Jobs;
use super::jobs::scope;
use super::paging::{Paging, WHOLE};
use super::params::Params;
use super::pipeline::{Pipeline, PipelineBasic, PipelineListed, updated_at};
use super::routes::{Job, Routes};
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadPipelines;
    let run = Action::RunPipelines;
    routes
        .get("/projects/{id}/pipelines", read, list)
        .get("/projects/{id}/pipelines/latest", read, latest)
        .post("/projects/{id}/pipeline", run, create)
        .get("/projects/{id}/pipelines/{pipeline_id}", read, show)
        .delete(
            "/projects/{id}/pipelines/{pipeline_id}",
            Action::DeletePipelines,
            delete,
        )
        .post("/projects/{id}/pipelines/{pipeline_id}/retry", run, retry)
        .post("/projects/{id}/pipelines/{pipeline_id}/cancel", run, cancel)
        .get(
            "/projects/{id}/pipelines/{pipeline_id}/jobs",
            Job(read),
            jobs,
        )
        .get(
            "/projects/{id}/pipelines/{pipeline_id}/bridges",
            read,
            bridges,
        )
        .get(
            "/projects/{id}/pipelines/{pipeline_id}/variables",
            run,
            variables,
        )
}

/// The pipeline in the address.
pub(super) async fn find(call: &ProjectCall) -> Result<PipelineRow, ApiError> {
    let id = PipelineId(call.path.number("pipeline_id")?);
    let row = call.store().pipeline(id).await?;
    row.filter(|row| row.project_id == Some(call.project.id))
        .ok_or_else(|| ApiError::not_found("Pipeline"))
}

pub(super) async fn entity(call: &ProjectCall, row: &PipelineRow) -> Result<Pipeline, ApiError> {
    Pipeline::read(&call.app, &call.project, row).await
}

/// Its present row as an entity.
async fn fresh(call: &ProjectCall, id: PipelineId) -> Result<Pipeline, ApiError> {
    let row = call.store().pipeline(id).await?;
    entity(call, &row.ok_or_else(|| ApiError::not_found("Pipeline"))?).await
}

/// What of a listing the database does not choose.
struct Wanted {
    scope: Option<&'static str>,
    username: Option<String>,
    name: Option<String>,
    yaml_errors: Option<bool>,
    updated: (Option<i64>, Option<i64>),
    created: (Option<i64>, Option<i64>),
    order: &'static str,
    ascending: bool,
}

impl Wanted {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let scopes = ["running", "pending", "finished", "branches", "tags"];
        let orders = ["id", "status", "ref", "updated_at", "user_id"];
        Ok(Self {
            scope: params.one_of("scope", &scopes)?,
            username: params.text("username")?,
            name: params.text("name")?,
            yaml_errors: params.boolean("yaml_errors")?,
            updated: (
                params.time("updated_after")?,
                params.time("updated_before")?,
            ),
            created: (
                params.time("created_after")?,
                params.time("created_before")?,
            ),
            order: params.one_of("order_by", &orders)?.unwrap_or("id"),
            ascending: params.one_of("sort", &["asc", "desc"])? == Some("asc"),
        })
    }

    fn is_nothing(&self) -> bool {
        let nothing = (None, None);
        self.scope.is_none()
            && self.username.is_none()
            && self.name.is_none()
            && self.yaml_errors.is_none()
            && (self.updated, self.created) == (nothing, nothing)
            && self.order == "id"
            && !self.ascending
    }

    fn takes(&self, row: &PipelineRow) -> bool {
        let within = |(after, before): (Option<i64>, Option<i64>), at: i64| {
            after.is_none_or(|after| at > after) && before.is_none_or(|before| at < before)
        };
        let scope = match self.scope {
            Some("running") => row.status == Status::Running,
            Some("pending") => row.status == Status::Pending,
            Some("finished") => row.status.is_completed(),
            Some("branches") => row.ref_kind == "branch",
            Some("tags") => row.ref_kind == "tag",
            _ => true,
        };
        scope
            && self
                .name
                .as_ref()
                .is_none_or(|name| row.name.as_ref() == Some(name))
            && (self.yaml_errors).is_none_or(|wrong| row.yaml_errors.is_some() == wrong)
            && within(self.updated, updated_at(row))
            && within(self.created, row.created_at)
    }

    /// Rows come newest first.
    fn sort(&self, rows: &mut [PipelineRow]) {
        match self.order {
            "status" => rows.sort_by_key(|row| std::cmp::Reverse(row.status.as_str())),
            "ref" => rows.sort_by_key(|row| std::cmp::Reverse(row.ref_name.clone())),
            "updated_at" => rows.sort_by_key(|row| std::cmp::Reverse(updated_at(row))),
            "user_id" => rows.sort_by_key(|row| std::cmp::Reverse(row.user_id)),
            _ => {}
        }
        if self.ascending {
            rows.reverse();
        }
    }
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let filter = PipelineFilter {
        ref_name: call.params.text("ref")?,
        sha: call.params.text("sha")?,
        status: call.params.name("status")?,
        source: call.params.text("source")?,
    };
    let wanted = Wanted::of(&call.params)?;
    let (rows, total) = if wanted.is_nothing() {
        let found = call
            .store()
            .pipelines_of_project(call.project.id, &filter, paging.page());
        let found = found.await?;
        (found.rows, found.total)
    } else {
        let found = call
            .store()
            .pipelines_of_project(call.project.id, &filter, WHOLE);
        let mut rows = found.await?.rows;
        if let Some(name) = &wanted.username {
            let user = call.store().user_by_username(name).await?;
            rows.retain(|row| user.is_some() && row.user_id == user.as_ref().map(|one| one.id));
        }
        rows.retain(|row| wanted.takes(row));
        wanted.sort(&mut rows);
        paging.cut(rows)
    };
    let entities = rows
        .iter()
        .map(|row| PipelineListed::new(&call.app, &call.project, row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(entity(&call, &row).await?)
}

/// The pipeline of the newest commit of a ref.
async fn latest(call: ProjectCall) -> Answer {
    let given = call.params.text("ref")?;
    let Some(name) = given.or_else(|| call.project.default_branch.clone()) else {
        return Err(ApiError::forbidden());
    };
    let found = call
        .app
        .coordinator()
        .find_ref(&call.project, &name)
        .await?;
    let Some((_, sha)) = found else {
        return Err(ApiError::forbidden());
    };
    let filter = PipelineFilter {
        ref_name: Some(name),
        sha: Some(sha),
        ..PipelineFilter::default()
    };
    let newest = shipway_store::Page::first(1);
    let found = call
        .store()
        .pipelines_of_project(call.project.id, &filter, newest)
        .await?;
    // GitLab's answer, odd as it is.
    let row = found.rows.first().ok_or_else(ApiError::forbidden)?;
    ok(entity(&call, row).await?)
}

async fn create(call: ProjectCall) -> Answer {
    let name = call.params.required("ref")?;
    let variables = given_variables(&call.params, "variables")?;
    if !variables.is_empty() {
        let action = Action::SetPipelineVariables;
        call.app
            .require(&call.identity, &call.project, action)
            .await?;
    }
    let given = Given {
        variables,
        inputs: call.params.values("inputs")?,
    };
    let by = By::user(call.acting_user().cloned(), Source::Api);
    let row = start(&call, &name, by, given).await?;
    created(entity(&call, &row).await?)
}

/// A list of maps, each with `key` and `value`.
pub(super) fn given_variables(params: &Params, name: &str) -> Result<Vec<Variable>, ApiError> {
    let mut variables = Vec::new();
    for given in params.objects(name)? {
        let kind: VariableType = given.name("variable_type")?.unwrap_or(VariableType::EnvVar);
        let key = given.required_short("key")?;
        super::variables::check_key(&key)?;
        variables.push(Variable {
            file: kind == VariableType::File,
            ..Variable::new(key, given.required("value")?)
        });
    }
    Ok(variables)
}

/// What a pipeline is given by who asks for it.
pub(super) struct Given {
    pub(super) variables: Vec<Variable>,
    pub(super) inputs: InputValues,
}

/// Who asks for a pipeline.
pub(super) struct By {
    pub(super) user: Option<UserRow>,
    pub(super) source: Source,
    /// The job whose token it is: the new pipeline is downstream of its own.
    pub(super) job: Option<JobRow>,
}

impl By {
    pub(super) fn user(user: Option<UserRow>, source: Source) -> Self {
        Self {
            user,
            source,
            job: None,
        }
    }
}

/// A pipeline for a ref; nothing is stored when there is none.
pub(super) async fn start(
    call: &ProjectCall,
    name: &str,
    by: By,
    given: Given,
) -> Result<PipelineRow, ApiError> {
    let coordinator = call.app.coordinator();
    let base = |fault: String| ApiError::invalid("base", fault);
    let found = coordinator.find_ref(&call.project, name).await?;
    let (reference, sha) = found.ok_or_else(|| base("Reference not found".to_owned()))?;
    let request = PipelineRequest {
        project: call.project.clone(),
        user: by.user,
        reference,
        sha,
        before_sha: None,
        source: by.source,
        about: Vec::new(),
        variables: given.variables,
        inputs: given.inputs,
        skip: false,
    };
    let started = match &by.job {
        Some(job) => coordinator.start_pipeline_by_job(&request, job).await?,
        None => coordinator.start_pipeline(&request).await?,
    };
    let row = match started {
        Started::Pipeline(row) => *row,
        Started::None(reason) => return Err(base(reason.to_string())),
    };
    if let Some(errors) = &row.yaml_errors {
        let mut transaction = call.store().begin().await?;
        transaction.delete_pipeline(row.id).await?;
        transaction.commit().await?;
        return Err(base(errors.clone()));
    }
    Ok(row)
}

async fn retry(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    match call
        .app
        .coordinator()
        .retry_pipeline(row.id, call.user_id())
        .await
    {
        // There was nothing to run again.
        Ok(()) | Err(shipway_coordinator::Error::Illegal(_)) => {}
        Err(error) => return Err(error.into()),
    }
    created(fresh(&call, row.id).await?)
}

async fn cancel(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    if !row.status.is_completed() {
        match call.app.coordinator().cancel_pipeline(row.id).await {
            // It ended in the meantime.
            Ok(()) | Err(shipway_coordinator::Error::Illegal(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ok(fresh(&call, row.id).await?)
}

async fn delete(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    if !row.status.is_completed() {
        // Its runners get to know before its rows are gone.
        call.app.coordinator().cancel_pipeline(row.id).await.ok();
    }
    let mut transaction = call.store().begin().await?;
    transaction.delete_pipeline(row.id).await?;
    transaction.commit().await?;
    call.app.coordinator().release(row.id);
    no_content()
}

async fn jobs(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let paging = Paging::of(&call)?;
    let scope = scope(&call)?;
    let retried = call.params.boolean("include_retried")?.unwrap_or(false);
    let mut rows = call.store().jobs(row.id).await?;
    let bridges = call.store().bridge_jobs(row.id).await?;
    rows.retain(|job| retried || !job.retried);
    rows.retain(|job| !bridges.contains(&job.id));
    rows.retain(|job| scope.is_empty() || scope.contains(&job.status));
    rows.sort_by_key(|job| std::cmp::Reverse(job.id));
    let (rows, total) = paging.cut(rows);
    let entities = Jobs::of(&call).entities(&rows).await?;
    paging.answer(&call, entities, Some(total))
}

/// The trigger jobs, each with the pipeline it started, where one may see that.
async fn bridges(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let paging = Paging::of(&call)?;
    let scope = scope(&call)?;
    let bridges = call.store().bridge_jobs(row.id).await?;
    let mut rows = call.store().jobs(row.id).await?;
    rows.retain(|job| bridges.contains(&job.id) && !job.retried);
    rows.retain(|job| scope.is_empty() || scope.contains(&job.status));
    rows.sort_by_key(|job| std::cmp::Reverse(job.id));
    let (rows, total) = paging.cut(rows);
    let downstream = call.app.downstream(&call.identity, row.id).await?;
    let jobs = Jobs::of(&call).entities(&rows).await?;
    let entities: Vec<Bridge> = (jobs.into_iter())
        .map(|job| Bridge {
            downstream_pipeline: (downstream.iter())
                .find(|related| related.job.0 == job.id)
                .map(|related| PipelineBasic::new(&call.app, &related.project, &related.pipeline)),
            job,
        })
        .collect();
    paging.answer(&call, entities, Some(total))
}

/// GitLab's `Bridge`.
#[derive(Debug, Serialize)]
struct Bridge {
    #[serde(flatten)]
    job: super::job::Job,
    downstream_pipeline: Option<PipelineBasic>,
}

/// Its own variables, for maintainers and who started it.
async fn variables(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let starter = call
        .identity
        .user()
        .is_some_and(|user| row.user_id == Some(user.id));
    if !starter {
        let action = Action::ManageVariables;
        call.app
            .require(&call.identity, &call.project, action)
            .await?;
    }
    let variables = call.app.coordinator().own_variables(&row).await?;
    let entities = variables.iter().map(|variable| {
        json!({
            "variable_type": if variable.file { "file" } else { "env_var" },
            "key": variable.key,
            "value": variable.value,
            "raw": variable.raw,
        })
    });
    ok(entities.collect::<Vec<_>>())
}
