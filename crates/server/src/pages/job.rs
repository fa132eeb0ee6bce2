//! The page of a job: its log, why it waits or failed, what it left behind, what can be done.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;
use shipway_config::variables::Variable;
use shipway_coordinator::Given;
use shipway_pipeline::{JobId, Status};
use shipway_store::{ArtifactRow, JobRow, PipelineRow};

use super::fields::{Fields, editor_rows, is_variable_name};
use super::html::{Html, sentence};
use super::job_log::{self, Window};
use super::pipeline::{
    Context, Doings, doings, job_duration, pipeline_of, tests_text, totals, wanted,
};
use super::pipelines::{ref_icon, ref_url, short_sha};
use super::shell::{Link, Place, Shell};
use super::tags::tags;
use super::visit::{ProjectVisit, crumb};
use super::{events, page, status, when};
use crate::app::App;
use crate::erase::is_erasable;
use crate::error::ApiError;
use crate::permission::Action;

#[derive(Debug, Template)]
#[template(path = "job.html")]
struct JobPage {
    shell: Shell,
    name: String,
    status: Html,
    why: Option<Html>,
    why_class: &'static str,
    why_icon: &'static str,
    why_link: Option<Link>,
    retried: bool,
    newest: Option<Link>,
    may_play: bool,
    may_retry: bool,
    may_cancel: bool,
    may_force: bool,
    may_erase: bool,
    give: Option<Give>,
    play_url: String,
    retry_url: String,
    cancel_url: String,
    erase_url: String,
    raw_url: String,
    stream: Option<String>,
    log_state: &'static str,
    has_log: bool,
    no_log: String,
    log: Html,
    next: u64,
    first_line: u64,
    total_lines: u64,
    earlier: Option<String>,
    later: Option<String>,
    duration: Option<Html>,
    queued: Option<String>,
    finished: Option<Html>,
    runner: Option<String>,
    tags: Vec<String>,
    coverage: Option<String>,
    tests: Option<String>,
    environment: Option<String>,
    attempt: i64,
    pipeline_id: i64,
    pipeline_url: String,
    ref_icon: &'static str,
    ref_name: String,
    ref_url: String,
    sha: String,
    artifacts: Option<Artifacts>,
    stage: String,
    siblings: Vec<Sibling>,
}

/// What a person may give the job before it runs.
#[derive(Debug)]
struct Give {
    url: String,
    label: &'static str,
    variables: Option<Vec<(usize, String, String)>>,
    inputs: Vec<GivenInput>,
}

/// An input of the job with its value.
#[derive(Debug)]
struct GivenInput {
    name: String,
    value: String,
    options: Vec<String>,
    description: String,
}

/// What a job left behind.
#[derive(Debug)]
struct Artifacts {
    gone: bool,
    note: String,
    browse: String,
    download: String,
    keep: String,
    may_keep: bool,
    may_read: bool,
}

/// Another job of the stage, or another attempt.
#[derive(Debug)]
struct Sibling {
    name: String,
    url: String,
    dot: Html,
    current: bool,
    retried: bool,
    attempt: i64,
}

/// The job of the project, with its pipeline; those of others do not exist here.
pub(super) async fn job_of(
    visit: &ProjectVisit,
    id: i64,
) -> Result<(JobRow, PipelineRow), ApiError> {
    let row = visit.app.store().job(JobId(id)).await?;
    let row = row.filter(|row| row.project_id == Some(visit.project.id));
    let row = row.ok_or_else(|| ApiError::not_found("Job"))?;
    let pipeline = pipeline_of(visit, row.pipeline_id).await?;
    Ok((row, pipeline))
}

/// That they may read the job's log.
pub(super) fn require_log(visit: &ProjectVisit, job: &JobRow) -> Result<(), ApiError> {
    visit.require(Action::ReadJobs)?;
    if job.debug_trace {
        visit.require(Action::ReadDebugLog)?;
    }
    Ok(())
}

/// `GET /-/jobs/{id}`; `?from=` shows the log from that line on.
pub(super) async fn show(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let (job, pipeline) = job_of(&visit, id).await?;
    let store = visit.app.store();
    let stages = store.stages(pipeline.id).await?;
    let jobs = store.jobs(pipeline.id).await?;
    let runners = visit.app.coordinator().candidates(visit.project.id).await?;
    let files = store.artifacts_of(job.id).await?;
    let readable = require_log(&visit, &job).is_ok();
    let window = match readable {
        true => job_log::window(&visit.app, &job, visit.query("from").parse().ok()).await?,
        false => Window::default(),
    };
    let may_run = visit.allows(Action::RunPipelines);
    let context = Context {
        url: &visit.url,
        now: visit.now,
        may_run,
        runners: &runners,
        wanted: wanted(&visit).await?,
    };
    let current: Vec<&JobRow> = jobs.iter().filter(|job| !job.retried).collect();
    let explained = explain(&context, &job, &current, &visit);
    let overlooked = job.allow_failure && job.status == Status::Failed;
    let over = job.status.is_completed();
    let mut shell = visit.shell(Place::Jobs, &job.name);
    let word = status::look(job.status, overlooked).word;
    shell.title = format!("{word}: {} (#{id}) · {}", job.name, visit.project.full_path);
    let pipeline_url = format!("{}/-/pipelines/{}", visit.url, pipeline.id);
    shell.crumbs.push(crumb(
        format!("Pipeline #{}", pipeline.id),
        pipeline_url.clone(),
    ));
    events::follow_pipeline(
        &mut shell,
        &visit.url,
        pipeline.id,
        !job.status.is_stopped(),
    );
    let own = format!("{}/-/jobs/{id}", visit.url);
    let can = doings(&job, may_run);
    let at_end = window.later.is_none();
    let stage = stages.iter().find(|stage| stage.position == job.stage);
    page(&JobPage {
        shell,
        name: job.name.clone(),
        status: status::badge(job.status, overlooked),
        why: explained.text,
        why_class: explained.class,
        why_icon: explained.icon,
        why_link: explained.link,
        retried: job.retried,
        newest: newest(&visit, &job, &current),
        may_play: can.play,
        may_retry: can.retry,
        may_cancel: can.cancel,
        may_force: job.status == Status::Canceling && visit.allows(Action::ForceCancelJobs),
        give: give(&visit, &job, can, &own).await?,
        play_url: format!("{own}/play"),
        retry_url: format!("{own}/retry"),
        cancel_url: format!("{own}/cancel"),
        raw_url: format!("{own}/raw"),
        stream: (!over && at_end && readable).then(|| format!("{own}/events")),
        log_state: if over { "Finished" } else { "Not finished" },
        has_log: window.total > 0,
        no_log: no_log(&job, readable),
        next: window.next,
        first_line: window.first,
        total_lines: window.total,
        earlier: window.earlier,
        later: window.later,
        log: window.markup,
        duration: job_duration(&job, visit.now),
        queued: queued(&job, visit.now),
        finished: job.finished_at.map(|at| when::time(at, visit.now)),
        runner: job.runner.clone(),
        tags: tags(&job.tags),
        coverage: job.coverage.map(status::percent),
        tests: totals(&job)
            .filter(|totals| totals.total > 0)
            .map(|totals| tests_text(&totals)),
        environment: environment(&job),
        attempt: job.attempt,
        pipeline_id: pipeline.id.0,
        pipeline_url,
        ref_icon: ref_icon(&pipeline),
        ref_url: ref_url(&visit.url, &pipeline.ref_name),
        sha: short_sha(&pipeline),
        ref_name: pipeline.ref_name,
        artifacts: artifacts(&visit, &files, &own),
        may_erase: erasable(&visit, &job, &files)?,
        erase_url: format!("{own}/erase"),
        stage: stage.map_or_else(String::new, |stage| stage.name.clone()),
        siblings: siblings(&visit.url, &job, &jobs),
    })
}

struct Explained {
    text: Option<Html>,
    class: &'static str,
    icon: &'static str,
    link: Option<Link>,
}

/// Why it waits, did not run or failed.
fn explain(
    context: &Context<'_>,
    job: &JobRow,
    current: &[&JobRow],
    visit: &ProjectVisit,
) -> Explained {
    if job.status == Status::Failed {
        let text = status::failure(job.failure_reason.as_deref(), job.exit_code);
        let (class, icon) = match job.allow_failure {
            true => ("wait", "warning"),
            false => ("fault", "failed"),
        };
        return Explained {
            text: Some(sentence(&text)),
            class,
            icon,
            link: None,
        };
    }
    let text = context.why(job, current);
    let stuck = text.as_deref().is_some_and(|text| text.contains("stuck"));
    let link = (stuck && visit.allows(Action::ManageRunners)).then(|| Link {
        text: "Look at the runners".to_owned(),
        url: format!("{}/-/runners", visit.url),
    });
    Explained {
        text: text.map(|text| sentence(&text)),
        class: if stuck { "wait" } else { "" },
        icon: if stuck {
            "warning"
        } else {
            status::look(job.status, false).icon
        },
        link,
    }
}

fn newest(visit: &ProjectVisit, job: &JobRow, current: &[&JobRow]) -> Option<Link> {
    let newest = current
        .iter()
        .find(|other| other.name == job.name && other.id != job.id)?;
    Some(Link {
        text: format!("Go to #{}", newest.id),
        url: format!("{}/-/jobs/{}", visit.url, newest.id),
    })
}

/// The form for a job that can be played or tried again: inputs of those that have any,
/// variables of those that wait for a person.
async fn give(
    visit: &ProjectVisit,
    job: &JobRow,
    can: Doings,
    own: &str,
) -> Result<Option<Give>, ApiError> {
    let (url, label) = match can {
        Doings { play: true, .. } => (format!("{own}/play"), "Run with"),
        Doings { retry: true, .. } => (format!("{own}/retry"), "Retry with"),
        _ => return Ok(None),
    };
    // Without its inputs a job can still be given variables.
    let spec: shipway_config::Job = serde_json::from_str(&job.spec).unwrap_or_default();
    let by_person = matches!(job.when.as_str(), "manual" | "delayed");
    let takes_variables = by_person && visit.allows(Action::SetPipelineVariables);
    if spec.inputs.is_empty() && !takes_variables {
        return Ok(None);
    }
    let given = visit.app.coordinator().given(job).await?;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    };
    let inputs = spec.inputs.into_iter().map(|(name, input)| {
        let value = given.inputs.get(&name).or(input.default.as_ref());
        GivenInput {
            value: value.map(text).unwrap_or_default(),
            options: input.options.iter().flatten().map(text).collect(),
            description: input.description.unwrap_or_default(),
            name,
        }
    });
    let variables: Vec<(String, String)> = (given.variables.into_iter())
        .map(|variable| (variable.key, variable.value))
        .collect();
    Ok(Some(Give {
        url,
        label,
        variables: takes_variables.then(|| editor_rows(&variables)),
        inputs: inputs.collect(),
    }))
}

/// What the form gives; `before` is what the job was given for its last attempt. Nothing where
/// the page's plain button was pressed.
fn given(visit: &ProjectVisit, fields: &Fields, before: Given) -> Result<Option<Given>, ApiError> {
    if !fields.checked("given") {
        return Ok(None);
    }
    let variables = fields.variables();
    if let Some((key, _)) = variables.iter().find(|(key, _)| !is_variable_name(key)) {
        return Err(ApiError::bad_request(format!(
            "{key} cannot be the key of a variable: use letters, digits and `_` only"
        )));
    }
    let variable = |(key, value): (String, String)| {
        let known = before.variables.iter().find(|known| known.key == key);
        match known.cloned() {
            Some(known) => Variable { value, ..known },
            None => Variable::new(key, value),
        }
    };
    let variables: Vec<Variable> = match fields.all("key").next() {
        Some(_) => variables.into_iter().map(variable).collect(),
        // The form had no place for them.
        None => before.variables.clone(),
    };
    if variables != before.variables {
        visit.require(Action::SetPipelineVariables)?;
    }
    let inputs = fields.inputs().into_iter();
    Ok(Some(Given {
        variables,
        inputs: inputs.map(|(name, value)| (name, value.into())).collect(),
    }))
}

fn queued(job: &JobRow, now: i64) -> Option<String> {
    let queued = job.queued_at?;
    let until = match job.started_at {
        Some(started) => started,
        None if job.status == Status::Pending => now,
        None => return None,
    };
    Some(when::duration(until - queued))
}

fn no_log(job: &JobRow, readable: bool) -> String {
    if !readable {
        return "The job ran with debug tracing on: its log may show secrets, and only Developers read it.".to_owned();
    }
    match job.status {
        Status::Running => "Nothing was written yet.",
        Status::Canceling => "It is being cancelled.",
        status if status.is_completed() && job.started_at.is_some() => {
            "There is no log: the job wrote nothing, or the log was erased."
        }
        status if status.is_completed() => "The job did not run.",
        _ => "The job has not started yet. What it writes will be seen here.",
    }
    .to_owned()
}

fn environment(job: &JobRow) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(job.environment.as_deref()?).ok()?;
    let name = value.get("name").unwrap_or(&value).as_str()?;
    Some(name.to_owned())
}

fn artifacts(visit: &ProjectVisit, files: &[ArtifactRow], own: &str) -> Option<Artifacts> {
    let now = visit.now;
    let archive = files.iter().find(|file| file.file_type == "archive")?;
    let gone = archive.expires_at.is_some_and(|at| at <= now);
    let size = when::size(u64::try_from(archive.size).unwrap_or_default());
    let may_read = visit.may_read(archive);
    let note = match archive.expires_at {
        _ if !may_read => {
            "You may not read them: `artifacts:access` keeps them to others.".to_owned()
        }
        Some(at) if gone => format!(
            "They were kept until {} and are gone. Run the job again to have them.",
            when::exact(at)
        ),
        Some(at) => format!(
            "{size}; kept until {} ({}).",
            when::exact(at),
            when::relative(at, now)
        ),
        None => format!("{size}; kept until somebody deletes them."),
    };
    Some(Artifacts {
        gone,
        note,
        browse: format!("{own}/artifacts/browse"),
        download: format!("{own}/artifacts/download"),
        keep: format!("{own}/artifacts/keep"),
        may_keep: visit.allows(Action::RunPipelines) && archive.expires_at.is_some(),
        may_read,
    })
}

/// Whether they may erase it, and there is something to erase.
fn erasable(visit: &ProjectVisit, job: &JobRow, files: &[ArtifactRow]) -> Result<bool, ApiError> {
    if !visit.allows(Action::EraseJobs) {
        return Ok(false);
    }
    let length = visit.app.store().logs().length(job.pipeline_id, job.id);
    let length = length.map_err(|error| ApiError::internal(&error))?;
    Ok(is_erasable(job, files, length))
}

/// The jobs of its stage, and the attempts of its own.
fn siblings(url: &str, job: &JobRow, jobs: &[JobRow]) -> Vec<Sibling> {
    let near = jobs.iter().filter(|other| other.stage == job.stage);
    near.filter(|other| !other.retried || other.name == job.name)
        .map(|other| Sibling {
            name: other.name.clone(),
            url: format!("{url}/-/jobs/{}", other.id),
            dot: status::dot(
                other.status,
                other.allow_failure && other.status == Status::Failed,
            ),
            current: other.id == job.id,
            retried: other.retried,
            attempt: other.attempt,
        })
        .collect()
}

/// `POST /-/jobs/{id}/play`.
pub(super) async fn play(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let (job, _) = job_of(&visit, id).await?;
    if !doings(&job, true).play {
        return Ok(visit.to(&format!("/-/jobs/{id}"), "nothing"));
    }
    let given = given(&visit, &fields, Given::default())?.unwrap_or_default();
    app.coordinator()
        .play_with(job.id, visit.user_id(), &given)
        .await?;
    Ok(Redirect::to(&format!("{}/-/jobs/{id}", visit.url)).into_response())
}

/// `POST /-/jobs/{id}/retry`.
pub(super) async fn retry(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let (job, _) = job_of(&visit, id).await?;
    if !doings(&job, true).retry {
        return Ok(visit.to(&format!("/-/jobs/{id}"), "nothing"));
    }
    let coordinator = app.coordinator();
    let before = coordinator.given(&job).await?;
    let user = visit.user_id();
    let newest = match given(&visit, &fields, before)? {
        Some(given) => coordinator.retry_with(job.id, user, &given).await?,
        None => coordinator.retry_job(job.id, user).await?,
    };
    Ok(Redirect::to(&format!("{}/-/jobs/{newest}", visit.url)).into_response())
}

/// `POST /-/jobs/{id}/cancel`.
pub(super) async fn cancel(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let (job, _) = job_of(&visit, id).await?;
    if job.status == Status::Canceling && visit.allows(Action::ForceCancelJobs) {
        app.coordinator().force_cancel(job.id).await?;
        return Ok(visit.to(&format!("/-/jobs/{id}"), "canceled"));
    }
    if !doings(&job, true).cancel {
        return Ok(visit.to(&format!("/-/jobs/{id}"), "nothing"));
    }
    app.coordinator().cancel_job(job.id).await?;
    Ok(visit.to(&format!("/-/jobs/{id}"), "canceled"))
}

/// `POST /-/jobs/{id}/erase`.
pub(super) async fn erase(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::EraseJobs)?;
    let (job, _) = job_of(&visit, id).await?;
    let done = match visit.app.erase(&job).await? {
        true => "erased",
        false => "nothing",
    };
    Ok(visit.to(&format!("/-/jobs/{id}"), done))
}
