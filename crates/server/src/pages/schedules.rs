//! Schedules of a project.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;
use shipway_coordinator::{ScheduleValues, ScheduleVariable, next_run};
use shipway_store::{NewSchedule, ScheduleId, ScheduleRow};

use super::fields::{Fields, editor_rows, is_variable_name};
use super::html::{Html, escape};
use super::shell::{Place, Shell};
use super::visit::{ProjectVisit, crumb};
use super::{page, refs, refused, status, users, when};
use crate::error::ApiError;
use crate::limits::too_many_schedules;
use crate::permission::Action;

#[derive(Debug, Template)]
#[template(path = "schedules.html")]
struct SchedulesPage {
    shell: Shell,
    base: String,
    may_manage: bool,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    description: String,
    cron: String,
    timezone: String,
    ref_name: String,
    next: Html,
    last: Html,
    owner: String,
    may_change: bool,
    play_url: String,
    edit_url: String,
    delete_url: String,
}

#[derive(Debug, Template)]
#[template(path = "schedule_edit.html")]
struct EditPage {
    shell: Shell,
    is_new: bool,
    action: String,
    back: String,
    refs: Vec<String>,
    form: Form,
}

/// What the form says.
#[derive(Debug, Clone)]
struct Form {
    description: String,
    cron: String,
    timezone: String,
    ref_name: String,
    active: bool,
    given: Vec<(String, String)>,
    variables: Vec<(usize, String, String)>,
    given_inputs: Vec<(String, String)>,
    inputs: Vec<(usize, String, String)>,
}

impl Form {
    fn read(fields: &Fields) -> Self {
        let given = fields.variables();
        let given_inputs = fields.inputs();
        Self {
            description: fields.trimmed("description").to_owned(),
            cron: fields.trimmed("cron").to_owned(),
            timezone: match fields.trimmed("cron_timezone") {
                "" => "UTC".to_owned(),
                zone => zone.to_owned(),
            },
            ref_name: fields.trimmed("ref").to_owned(),
            active: fields.checked("active"),
            variables: editor_rows(&given),
            given,
            inputs: editor_rows(&given_inputs),
            given_inputs,
        }
    }

    fn of(row: &ScheduleRow) -> Self {
        let values = ScheduleValues::of(row);
        let given: Vec<(String, String)> = (values.variables.into_iter())
            .map(|variable| (variable.key, variable.value))
            .collect();
        let given_inputs: Vec<(String, String)> = (values.inputs.into_iter())
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                value => (name, value.to_string()),
            })
            .collect();
        Self {
            description: row.description.clone(),
            cron: row.cron.clone(),
            timezone: row.timezone.clone(),
            ref_name: row.ref_name.clone(),
            active: row.active,
            variables: editor_rows(&given),
            given,
            inputs: editor_rows(&given_inputs),
            given_inputs,
        }
    }

    /// When it runs next; else what is wrong.
    fn judge(&self, now: i64) -> Result<i64, String> {
        if self.description.is_empty() {
            return Err("A schedule needs a name.".to_owned());
        }
        if let Some((key, _)) = self.given.iter().find(|(key, _)| !is_variable_name(key)) {
            return Err(format!(
                "{key} cannot be the key of a variable: use letters, digits and `_` only."
            ));
        }
        next_run(&self.cron, &self.timezone, now).map_err(|error| format!("{error}."))
    }

    /// As the row keeps them; what a variable is besides its value stays.
    fn values(&self, known: &[ScheduleVariable]) -> Vec<u8> {
        let variable = |(key, value): &(String, String)| {
            let known = known.iter().find(|known| known.key == *key);
            ScheduleVariable {
                key: key.clone(),
                value: value.clone(),
                file: known.is_some_and(|known| known.file),
                raw: known.is_some_and(|known| known.raw),
            }
        };
        let values = ScheduleValues {
            variables: self.given.iter().map(variable).collect(),
            inputs: (self.given_inputs.iter())
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect(),
        };
        values.to_json()
    }
}

/// Where the list is, below the project.
const BASE: &str = "/-/pipeline_schedules";

/// `GET /-/pipeline_schedules`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadPipelines)?;
    let store = visit.app.store();
    let base = format!("{}{BASE}", visit.url);
    let mut rows = Vec::new();
    for row in store.schedules(visit.project.id).await? {
        let owner = store.user(row.owner_id).await?;
        let last = match row.last_pipeline_id {
            Some(id) => store.pipeline(shipway_pipeline::PipelineId(id)).await?,
            None => None,
        };
        let last = last.map_or_else(
            || Html::trusted("none yet".to_owned()),
            |pipeline| {
                let badge = status::badge(pipeline.status, false);
                let url = format!("{}/-/pipelines/{}", visit.url, pipeline.id);
                Html::trusted(format!("<a href=\"{}\">{badge}</a>", escape(&url)))
            },
        );
        let own = format!("{base}/{}", row.id);
        rows.push(Row {
            next: match row.next_run_at {
                Some(at) if row.active => when::time(at, visit.now),
                _ => Html::trusted("inactive".to_owned()),
            },
            last,
            owner: users::username(owner.as_ref()),
            may_change: may_change(&visit, &row),
            play_url: format!("{own}/play"),
            edit_url: format!("{own}/edit"),
            delete_url: format!("{own}/delete"),
            description: row.description,
            cron: row.cron,
            timezone: row.timezone,
            ref_name: row.ref_name,
        });
    }
    page(&SchedulesPage {
        shell: visit.shell(Place::Schedules, "Schedules"),
        base,
        may_manage: visit.allows(Action::ManageSchedules),
        rows,
    })
}

/// A schedule runs as its owner: others than the owner change it only with a Maintainer's role.
fn may_change(visit: &ProjectVisit, row: &ScheduleRow) -> bool {
    let owner = visit
        .identity
        .user()
        .is_some_and(|user| user.id == row.owner_id);
    visit.allows(Action::ManageSchedules) && (owner || visit.allows(Action::ManageSettings))
}

async fn own(visit: &ProjectVisit, id: i64) -> Result<ScheduleRow, ApiError> {
    visit.require(Action::ManageSchedules)?;
    let row = visit.app.store().schedule(ScheduleId(id)).await?;
    let row = row.filter(|row| row.project_id == visit.project.id);
    let row = row.ok_or_else(|| ApiError::not_found("Schedule"))?;
    match may_change(visit, &row) {
        true => Ok(row),
        false => Err(ApiError::forbidden_because(
            "Only its owner and Maintainers change a schedule, because it runs as its owner",
        )),
    }
}

async fn edit_page(
    visit: &ProjectVisit,
    id: Option<i64>,
    form: Form,
    fault: Option<String>,
) -> Result<EditPage, ApiError> {
    let back = format!("{}{BASE}", visit.url);
    let mut shell = visit.shell(Place::Schedules, "Schedule");
    shell.crumbs.push(crumb("Schedules", back.clone()));
    shell.fault = fault;
    Ok(EditPage {
        shell,
        is_new: id.is_none(),
        action: match id {
            Some(id) => format!("{back}/{id}"),
            None => back.clone(),
        },
        back,
        refs: refs::names(visit).await?,
        form,
    })
}

/// `GET /-/pipeline_schedules/new`.
pub(super) async fn new(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ManageSchedules)?;
    let form = Form {
        description: String::new(),
        cron: "0 2 * * *".to_owned(),
        timezone: "UTC".to_owned(),
        ref_name: visit.project.default_branch.clone().unwrap_or_default(),
        active: true,
        given: Vec::new(),
        variables: editor_rows(&[]),
        given_inputs: Vec::new(),
        inputs: editor_rows(&[]),
    };
    page(&edit_page(&visit, None, form, None).await?)
}

/// `POST /-/pipeline_schedules`.
pub(super) async fn create(visit: ProjectVisit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageSchedules)?;
    let owner = visit.identity.signed_in()?.id;
    let form = Form::read(&fields);
    let next = match judged(&visit, &form).await? {
        Ok(next) => next,
        Err(fault) => return refused(&edit_page(&visit, None, form, Some(fault)).await?),
    };
    let mut transaction = visit.app.store().begin().await?;
    let there = transaction.count_schedules(visit.project.id).await?;
    if let Some(fault) = too_many_schedules(&visit.app.settings().limits, there) {
        drop(transaction);
        return refused(&edit_page(&visit, None, form, Some(fault)).await?);
    }
    let new = NewSchedule {
        project_id: visit.project.id,
        variables: form.values(&[]),
        description: form.description,
        ref_name: form.ref_name,
        cron: form.cron,
        timezone: form.timezone,
        active: form.active,
        owner_id: owner,
        next_run_at: Some(next),
        last_pipeline_id: None,
        created_at: visit.now,
    };
    transaction.insert_schedule(&new).await?;
    transaction.commit().await?;
    Ok(visit.to(BASE, "schedule"))
}

/// When it runs next; else what is wrong with the form.
async fn judged(visit: &ProjectVisit, form: &Form) -> Result<Result<i64, String>, ApiError> {
    if refs::resolve(visit, &form.ref_name).await?.is_none() {
        let text = format!(
            "There is no branch or tag {}. Choose one of the list, or push it first.",
            form.ref_name
        );
        return Ok(Err(text));
    }
    Ok(form.judge(visit.now))
}

/// `GET /-/pipeline_schedules/{id}/edit`.
pub(super) async fn edit(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    page(&edit_page(&visit, Some(id), Form::of(&row), None).await?)
}

/// `POST /-/pipeline_schedules/{id}`.
pub(super) async fn update(
    visit: ProjectVisit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    let form = Form::read(&fields);
    let next = match judged(&visit, &form).await? {
        Ok(next) => next,
        Err(fault) => return refused(&edit_page(&visit, Some(id), form, Some(fault)).await?),
    };
    let mut transaction = visit.app.store().begin().await?;
    let mut row = transaction.schedule(row.id).await?;
    row.variables = form.values(&ScheduleValues::of(&row).variables);
    row.description = form.description;
    row.cron = form.cron;
    row.timezone = form.timezone;
    row.ref_name = form.ref_name;
    row.active = form.active;
    row.next_run_at = Some(next);
    transaction.update_schedule(&row).await?;
    transaction.commit().await?;
    Ok(visit.to(BASE, "schedule"))
}

/// `POST /-/pipeline_schedules/{id}/play`.
pub(super) async fn play(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    Ok(match visit.app.coordinator().run_schedule(&row).await? {
        Some(pipeline) => {
            Redirect::to(&format!("{}/-/pipelines/{pipeline}", visit.url)).into_response()
        }
        None => visit.to(BASE, "no-pipeline"),
    })
}

/// `POST /-/pipeline_schedules/{id}/delete`.
pub(super) async fn delete(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    let mut transaction = visit.app.store().begin().await?;
    transaction.delete_schedule(row.id).await?;
    transaction.commit().await?;
    Ok(visit.to(BASE, "schedule-deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_judged() {
        let table = [
            ("description=n&cron=0+2+*+*+*&ref=main", true),
            (
                "description=n&cron=0+2+*+*+*&cron_timezone=Europe/Paris&ref=main",
                true,
            ),
            ("description=&cron=0+2+*+*+*&ref=main", false),
            ("description=n&cron=often&ref=main", false),
            (
                "description=n&cron=0+2+*+*+*&cron_timezone=Nowhere&ref=main",
                false,
            ),
            ("description=n&cron=0+2+*+*+*&key=a+b&value=1", false),
        ];
        for (text, fits) in table {
            let form = Form::read(&Fields::parse(text));
            assert_eq!(form.judge(0).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn what_a_variable_is_besides_stays() {
        let known = [ScheduleVariable {
            key: "A".to_owned(),
            value: "1".to_owned(),
            file: true,
            raw: false,
        }];
        let form = Form::read(&Fields::parse(
            "key=A&value=2&key=B&value=3&input=n&input_value=x&input=&input_value=",
        ));
        let stored: ScheduleValues = serde_json::from_slice(&form.values(&known)).unwrap();
        assert_eq!(stored.inputs.len(), 1);
        assert_eq!(stored.inputs["n"], "x");
        let stored = stored.variables;
        assert!(stored[0].file && stored[0].value == "2" && !stored[1].file);
    }
}
