//! Pipeline schedules.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::{Value, json};
use shipway_config::InputValues;
use shipway_coordinator::{CronError, ScheduleValues, ScheduleVariable, next_run};
use shipway_pipeline::PipelineId;
use shipway_store::{NewSchedule, PipelineFilter, ScheduleId, ScheduleRow, UserRow, VariableType};

use super::call::{Answer, ProjectCall, created, no_content, ok};
use super::paging::{Paging, WHOLE};
use super::params::Params;
use super::pipeline::PipelineListed;
use super::routes::Routes;
use super::time::iso;
use super::user::{UserBasic, Users};
use super::variables::check_key;
use crate::clock::now;
use crate::error::ApiError;
use crate::limits::too_many_schedules;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadPipelines;
    let manage = Action::ManageSchedules;
    routes
        .get("/projects/{id}/pipeline_schedules", read, list)
        .post("/projects/{id}/pipeline_schedules", manage, create)
        .get(
            "/projects/{id}/pipeline_schedules/{schedule_id}",
            read,
            show,
        )
        .put(
            "/projects/{id}/pipeline_schedules/{schedule_id}",
            manage,
            update,
        )
        .delete(
            "/projects/{id}/pipeline_schedules/{schedule_id}",
            manage,
            delete,
        )
        .post(
            "/projects/{id}/pipeline_schedules/{schedule_id}/play",
            manage,
            play,
        )
        .post(
            "/projects/{id}/pipeline_schedules/{schedule_id}/take_ownership",
            manage,
            take_ownership,
        )
        .get(
            "/projects/{id}/pipeline_schedules/{schedule_id}/pipelines",
            read,
            pipelines,
        )
        .post(
            "/projects/{id}/pipeline_schedules/{schedule_id}/variables",
            manage,
            create_variable,
        )
        .get(
            "/projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}",
            manage,
            show_variable,
        )
        .put(
            "/projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}",
            manage,
            update_variable,
        )
        .delete(
            "/projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}",
            manage,
            delete_variable,
        )
}

/// GitLab's `PipelineSchedule`.
#[derive(Debug, Serialize)]
struct Schedule {
    id: i64,
    description: String,
    #[serde(rename = "ref")]
    ref_name: String,
    cron: String,
    cron_timezone: String,
    next_run_at: Option<String>,
    active: bool,
    created_at: String,
    updated_at: String,
    owner: UserBasic,
}

/// With what single answers have.
#[derive(Debug, Serialize)]
struct ScheduleDetails {
    #[serde(flatten)]
    schedule: Schedule,
    last_pipeline: Option<LastPipeline>,
    /// For the owner and maintainers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Vec<Variable>>,
    /// For the owner and maintainers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<Input>>,
}

/// The value of an input.
#[derive(Debug, Serialize)]
struct Input {
    name: String,
    value: Value,
}

#[derive(Debug, Serialize)]
struct LastPipeline {
    id: i64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    status: &'static str,
    web_url: String,
}

#[derive(Debug, Serialize)]
struct Variable {
    variable_type: &'static str,
    key: String,
    value: String,
    raw: bool,
}

impl From<&ScheduleVariable> for Variable {
    fn from(variable: &ScheduleVariable) -> Self {
        Self {
            variable_type: kind(variable.file).as_str(),
            key: variable.key.clone(),
            value: variable.value.clone(),
            raw: variable.raw,
        }
    }
}

fn kind(file: bool) -> VariableType {
    match file {
        true => VariableType::File,
        false => VariableType::EnvVar,
    }
}

async fn entity(
    call: &ProjectCall,
    row: &ScheduleRow,
    users: &mut Users,
) -> Result<Schedule, ApiError> {
    Ok(Schedule {
        id: row.id.0,
        description: row.description.clone(),
        ref_name: row.ref_name.clone(),
        cron: row.cron.clone(),
        cron_timezone: row.timezone.clone(),
        next_run_at: row.next_run_at.filter(|_| row.active).map(iso),
        active: row.active,
        created_at: iso(row.created_at),
        updated_at: iso(row.created_at),
        owner: users.get(&call.app, Some(row.owner_id)).await?,
    })
}

async fn details(call: &ProjectCall, row: &ScheduleRow) -> Result<ScheduleDetails, ApiError> {
    let last = match row.last_pipeline_id {
        Some(id) => call.store().pipeline(PipelineId(id)).await?,
        None => None,
    };
    let readable = may_change(call, row).await?;
    let values = readable.then(|| ScheduleValues::of(row));
    let (variables, inputs) = values
        .map(|values| (values.variables, values.inputs))
        .unzip();
    Ok(ScheduleDetails {
        schedule: entity(call, row, &mut Users::default()).await?,
        last_pipeline: last.map(|pipeline| LastPipeline {
            id: pipeline.id.0,
            web_url: call.project_url(&format!("-/pipelines/{}", pipeline.id)),
            sha: pipeline.sha.unwrap_or_default(),
            ref_name: pipeline.ref_name,
            status: pipeline.status.as_str(),
        }),
        variables: variables.map(|all| all.iter().map(Variable::from).collect()),
        inputs: inputs.map(|all| {
            (all.into_iter())
                .map(|(name, value)| Input { name, value })
                .collect()
        }),
    })
}

fn variables_of(row: &ScheduleRow) -> Vec<ScheduleVariable> {
    ScheduleValues::of(row).variables
}

/// The inputs of a call as `{name, value}`, each put over those known before; `destroy` takes
/// one away.
fn given_inputs(params: &Params, mut known: InputValues) -> Result<InputValues, ApiError> {
    for given in params.objects("inputs")? {
        let name = given.required_short("name")?;
        if given.boolean("destroy")?.unwrap_or(false) {
            known.shift_remove(&name);
        } else {
            known.insert(name, given.any("value")?);
        }
    }
    match known.len() > MOST_INPUTS {
        true => Err(ApiError::invalid(
            "inputs",
            format!("exceed the limit of {MOST_INPUTS}"),
        )),
        false => Ok(known),
    }
}

async fn find(call: &ProjectCall) -> Result<ScheduleRow, ApiError> {
    let id = ScheduleId(call.path.number("schedule_id")?);
    let row = call.store().schedule(id).await?;
    row.filter(|row| row.project_id == call.project.id)
        .ok_or_else(|| ApiError::not_found("Pipeline Schedule"))
}

/// Its owner and maintainers may change a schedule, and see its variables.
async fn may_change(call: &ProjectCall, row: &ScheduleRow) -> Result<bool, ApiError> {
    let owner = call
        .identity
        .user()
        .is_some_and(|user| user.id == row.owner_id);
    let allows = |action| call.app.allows(&call.identity, &call.project, action);
    Ok(match owner {
        true => allows(Action::ManageSchedules).await?,
        false => allows(Action::ManageSettings).await?,
    })
}

async fn find_changeable(call: &ProjectCall) -> Result<ScheduleRow, ApiError> {
    let row = find(call).await?;
    match may_change(call, &row).await? {
        true => Ok(row),
        false => Err(ApiError::forbidden()),
    }
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let scope = call.params.one_of("scope", &["active", "inactive"])?;
    let mut rows = call.store().schedules(call.project.id).await?;
    rows.retain(|row| scope.is_none_or(|scope| (scope == "active") == row.active));
    let (rows, total) = paging.cut(rows);
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in &rows {
        entities.push(entity(&call, row, &mut users).await?);
    }
    paging.answer(&call, entities, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(details(&call, &row).await?)
}

/// Sets the next run, which tells whether line and time zone are sound.
fn reckon(row: &mut NewSchedule) -> Result<(), ApiError> {
    let next = next_run(&row.cron, &row.timezone, now());
    let next = next.map_err(|error| match error {
        CronError::Syntax { .. } | CronError::Never(_) => {
            ApiError::invalid("cron", "syntax is invalid")
        }
        CronError::TimeZone(_) => ApiError::invalid("cron_timezone", "syntax is invalid"),
    })?;
    row.next_run_at = Some(next);
    Ok(())
}

/// The full name of a ref that exists, as GitLab keeps it.
async fn full_ref(call: &ProjectCall, name: &str) -> Result<String, ApiError> {
    let found = call.app.coordinator().find_ref(&call.project, name).await?;
    let (name, _) = found.ok_or_else(|| ApiError::invalid("ref", "is not found"))?;
    Ok(name)
}

async fn create(call: ProjectCall) -> Answer {
    let params = &call.params;
    let user: &UserRow = call.identity.signed_in()?;
    let description = params.required_short("description")?;
    let name = params.required("ref")?;
    let values = ScheduleValues {
        inputs: given_inputs(params, InputValues::new())?,
        ..ScheduleValues::default()
    };
    let mut new = NewSchedule {
        project_id: call.project.id,
        description,
        ref_name: String::new(),
        cron: params.required_short("cron")?,
        timezone: params
            .short("cron_timezone")?
            .unwrap_or_else(|| "UTC".to_owned()),
        active: params.boolean("active")?.unwrap_or(true),
        owner_id: user.id,
        next_run_at: None,
        variables: values.to_json(),
        last_pipeline_id: None,
        created_at: now(),
    };
    reckon(&mut new)?;
    new.ref_name = full_ref(&call, &name).await?;
    let mut transaction = call.store().begin().await?;
    let there = transaction.count_schedules(call.project.id).await?;
    if let Some(fault) = too_many_schedules(&call.app.settings().limits, there) {
        return Err(ApiError::invalid("base", fault));
    }
    let row = transaction.insert_schedule(&new).await?;
    transaction.commit().await?;
    created(details(&call, &row).await?)
}

async fn update(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let params = &call.params;
    let given = |text: Option<String>, before: &str| text.unwrap_or_else(|| before.to_owned());
    let mut new = NewSchedule {
        project_id: row.project_id,
        description: given(params.short("description")?, &row.description),
        ref_name: row.ref_name.clone(),
        cron: given(params.short("cron")?, &row.cron),
        timezone: given(params.short("cron_timezone")?, &row.timezone),
        active: params.boolean("active")?.unwrap_or(row.active),
        owner_id: row.owner_id,
        next_run_at: None,
        variables: Vec::new(),
        last_pipeline_id: None,
        created_at: row.created_at,
    };
    reckon(&mut new)?;
    if let Some(name) = params.text("ref")? {
        new.ref_name = full_ref(&call, &name).await?;
    }
    let mut transaction = call.store().begin().await?;
    let before = transaction.schedule(row.id).await?;
    let mut values = ScheduleValues::of(&before);
    values.inputs = given_inputs(params, values.inputs)?;
    let row = ScheduleRow {
        description: new.description,
        variables: values.to_json(),
        ref_name: new.ref_name,
        cron: new.cron,
        timezone: new.timezone,
        active: new.active,
        next_run_at: new.next_run_at,
        ..before
    };
    transaction.update_schedule(&row).await?;
    transaction.commit().await?;
    ok(details(&call, &row).await?)
}

async fn delete(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_schedule(row.id).await?;
    transaction.commit().await?;
    no_content()
}

async fn play(call: ProjectCall) -> Answer {
    // GitLab lets every developer do it, as the schedule's owner.
    let row = find(&call).await?;
    call.app.coordinator().run_schedule(&row).await?;
    created(json!({ "message": "201 Created" }))
}

async fn take_ownership(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let user = call.identity.signed_in()?.id;
    if row.owner_id == user {
        return ok(details(&call, &row).await?);
    }
    let maintain = Action::ManageSettings;
    call.app
        .require(&call.identity, &call.project, maintain)
        .await?;
    let mut transaction = call.store().begin().await?;
    let row = ScheduleRow {
        owner_id: user,
        ..transaction.schedule(row.id).await?
    };
    transaction.update_schedule(&row).await?;
    transaction.commit().await?;
    created(details(&call, &row).await?)
}

/// Pipelines by schedules of its ref: which schedule made one is not kept.
async fn pipelines(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let paging = Paging::of(&call)?;
    let descending = call.params.one_of("sort", &["asc", "desc"])? == Some("desc");
    let name = (row.ref_name.strip_prefix("refs/heads/"))
        .or(row.ref_name.strip_prefix("refs/tags/"))
        .unwrap_or(&row.ref_name);
    let filter = PipelineFilter {
        ref_name: Some(name.to_owned()),
        source: Some("schedule".to_owned()),
        status: call.params.name("status")?,
        ..PipelineFilter::default()
    };
    let found = call
        .store()
        .pipelines_of_project(call.project.id, &filter, WHOLE);
    let mut rows = found.await?.rows;
    if !descending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let entities = rows
        .iter()
        .map(|row| PipelineListed::new(&call.app, &call.project, row));
    paging.answer(&call, entities.collect(), Some(total))
}

/// Changes the variables of a schedule in one step.
async fn change(
    call: &ProjectCall,
    row: &ScheduleRow,
    change: impl FnOnce(&mut Vec<ScheduleVariable>) -> Result<ScheduleVariable, ApiError>,
) -> Result<Variable, ApiError> {
    let mut transaction = call.store().begin().await?;
    let mut row = transaction.schedule(row.id).await?;
    let mut values = ScheduleValues::of(&row);
    let variable = change(&mut values.variables)?;
    row.variables = values.to_json();
    transaction.update_schedule(&row).await?;
    transaction.commit().await?;
    Ok(Variable::from(&variable))
}

fn no_variable() -> ApiError {
    ApiError::not_found("Pipeline Schedule Variable")
}

/// Inputs that a schedule may have, as many as a pipeline takes.
const MOST_INPUTS: usize = 20;

/// Variables that a schedule may have.
const MOST_VARIABLES: usize = 200;

async fn create_variable(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let params: &Params = &call.params;
    let key = params.required_short("key")?;
    check_key(&key)?;
    let kind = params
        .name("variable_type")?
        .unwrap_or(VariableType::EnvVar);
    let variable = ScheduleVariable {
        key,
        value: params.required("value")?,
        file: kind == VariableType::File,
        raw: false,
    };
    let entity = change(&call, &row, |variables| {
        if variables.iter().any(|known| known.key == variable.key) {
            let fault = format!("({}) has already been taken", variable.key);
            return Err(ApiError::invalid("key", fault));
        }
        if variables.len() >= MOST_VARIABLES {
            let fault = format!("has {MOST_VARIABLES} variables already, the most there may be");
            return Err(ApiError::invalid("base", fault));
        }
        variables.push(variable.clone());
        Ok(variable)
    });
    created(entity.await?)
}

async fn show_variable(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let key = call.path.text("key");
    let variables = variables_of(&row);
    let found = variables.iter().find(|variable| variable.key == key);
    ok(Variable::from(found.ok_or_else(no_variable)?))
}

async fn update_variable(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let key = call.path.text("key");
    let value = call.params.given("value")?;
    let kind: Option<VariableType> = call.params.name("variable_type")?;
    let entity = change(&call, &row, |variables| {
        let found = variables.iter_mut().find(|variable| variable.key == key);
        let variable = found.ok_or_else(no_variable)?;
        if let Some(value) = value {
            variable.value = value;
        }
        if let Some(kind) = kind {
            variable.file = kind == VariableType::File;
        }
        Ok(variable.clone())
    });
    ok(entity.await?)
}

async fn delete_variable(call: ProjectCall) -> Answer {
    let row = find_changeable(&call).await?;
    let key = call.path.text("key");
    let entity = change(&call, &row, |variables| {
        let at = variables.iter().position(|variable| variable.key == key);
        Ok(variables.remove(at.ok_or_else(no_variable)?))
    });
    let entity = entity.await?;
    // GitLab's status, odd as it is.
    Ok((StatusCode::ACCEPTED, Json(entity)).into_response())
}
