//! `/projects/:id/jobs` and `/job`.

use axum::http::StatusCode;
use shipway_coordinator::{Error, Given};
use shipway_pipeline::{JobId, Status};
use shipway_store::{JobRow, Page};

use super::call::{Answer, Call, ProjectCall, created, ok};
use super::job::Jobs;
use super::paging::{Keyset, Paging};
use super::pipelines::given_variables;
use super::routes::{Job, Routes, Who};
use super::serve_file::serve_log;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let run = Action::RunPipelines;
    routes
        .get("/job", Who::EverybodyOrJob, own)
        .get("/projects/{id}/jobs", Job(Action::ReadPipelines), list)
        .get("/projects/{id}/jobs/{job_id}", Action::ReadPipelines, show)
        .get(
            "/projects/{id}/jobs/{job_id}/trace",
            Action::ReadJobs,
            trace,
        )
        .post("/projects/{id}/jobs/{job_id}/cancel", run, cancel)
        .post("/projects/{id}/jobs/{job_id}/retry", run, retry)
        .post("/projects/{id}/jobs/{job_id}/play", run, play)
        .post(
            "/projects/{id}/jobs/{job_id}/erase",
            Action::EraseJobs,
            erase,
        )
}

/// The job in the address.
pub(super) async fn find(call: &ProjectCall) -> Result<JobRow, ApiError> {
    find_by(call, call.path.number("job_id")?).await
}

async fn find_by(call: &ProjectCall, id: i64) -> Result<JobRow, ApiError> {
    let row = call.store().job(JobId(id)).await?;
    row.filter(|row| row.project_id == Some(call.project.id))
        .ok_or_else(|| ApiError::not_found("Job"))
}

/// Its present row as an entity.
pub(super) async fn fresh(call: &ProjectCall, id: JobId) -> Result<super::job::Job, ApiError> {
    let row = find_by(call, id.0).await?;
    Jobs::of(call).entity(&row).await
}

/// The statuses in the parameter `scope`; none for all.
pub(super) fn scope(call: &Call) -> Result<Vec<Status>, ApiError> {
    let names = call.params.list("scope")?.unwrap_or_default();
    let statuses: Result<Vec<Status>, _> = (names.iter())
        .filter(|name| !name.is_empty())
        .map(|name| name.parse())
        .collect();
    statuses.map_err(|_| ApiError::parameter("Scope contains invalid value(s)"))
}

/// Jobs of several statuses are looked through up to here; GitLab's limit.
const FURTHEST: i64 = 50_000;

/// By their ids, each once: a status may be asked for twice.
fn in_order(rows: &mut Vec<JobRow>, ascending: bool) {
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    if !ascending {
        rows.reverse();
    }
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let keyset = Keyset::of(&call)?;
    let scope = scope(&call)?;
    let project = call.project.id;
    if let Some(keyset) = keyset {
        let Keyset {
            beyond,
            ascending,
            size,
        } = keyset;
        let wanted = match scope.as_slice() {
            [] => vec![None],
            several => several.iter().copied().map(Some).collect(),
        };
        let mut rows = Vec::new();
        for status in wanted {
            let found = call
                .store()
                .jobs_beyond(project, status, beyond, ascending, size);
            rows.extend(found.await?);
        }
        in_order(&mut rows, ascending);
        let size = usize::try_from(size).unwrap_or_default();
        rows.truncate(size);
        let entities = Jobs::of(&call).entities(&rows).await?;
        let last = rows.last().filter(|_| rows.len() == size);
        return keyset.answer(&call, entities, last.map(|row| row.id.0));
    }
    let rows = match scope.as_slice() {
        [] => {
            call.store()
                .jobs_of_project(project, None, paging.page())
                .await?
                .rows
        }
        [one] => {
            let found = call
                .store()
                .jobs_of_project(project, Some(*one), paging.page());
            found.await?.rows
        }
        several => {
            let Page { limit, offset } = paging.page();
            if offset > FURTHEST {
                return Err(ApiError::error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    format!(
                        "Offset pagination has a maximum allowed offset of {FURTHEST} for jobs of \
                         several statuses. Remaining records can be retrieved using keyset \
                         pagination."
                    ),
                ));
            }
            let newest = Page::first(offset + limit);
            let mut rows = Vec::new();
            for status in several {
                let found = call.store().jobs_of_project(project, Some(*status), newest);
                rows.extend(found.await?.rows);
            }
            in_order(&mut rows, false);
            paging.cut(rows).0
        }
    };
    let entities = Jobs::of(&call).entities(&rows).await?;
    // GitLab counts none of these either.
    paging.answer(&call, entities, None)
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(Jobs::of(&call).entity(&row).await?)
}

/// The job whose token it is.
async fn own(call: Call) -> Answer {
    let Some(running) = call.identity.job() else {
        // A user's token is valid, but there is no job.
        return Err(match call.identity.is_anonymous() {
            true => ApiError::unauthorized(),
            false => ApiError::message(axum::http::StatusCode::NOT_FOUND, "404 Not Found"),
        });
    };
    let project = match running.job.project_id {
        Some(id) => call.store().project(id).await?,
        None => None,
    };
    let project = project.ok_or_else(|| ApiError::not_found("Project"))?;
    ok(Jobs::new(&call.app, &project).entity(&running.job).await?)
}

/// That the log or the artifacts of a job may be read.
pub(super) async fn require_log(call: &ProjectCall, row: &JobRow) -> Result<(), ApiError> {
    match row.debug_trace {
        true => {
            let action = Action::ReadDebugLog;
            call.app
                .require(&call.identity, &call.project, action)
                .await
        }
        false => Ok(()),
    }
}

async fn trace(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    require_log(&call, &row).await?;
    serve_log(&call, &row).await
}

async fn cancel(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let coordinator = call.app.coordinator();
    let force = call.params.boolean("force")?.unwrap_or(false);
    let done = match force && row.status == Status::Canceling {
        true => {
            let action = Action::ForceCancelJobs;
            call.app
                .require(&call.identity, &call.project, action)
                .await?;
            coordinator.force_cancel(row.id).await
        }
        false => coordinator.cancel_job(row.id).await,
    };
    match done {
        Ok(()) => {}
        // It is over: there is nothing to cancel.
        Err(Error::Illegal(_) | Error::NoJob(_)) => {}
        Err(error) => return Err(error.into()),
    }
    created(fresh(&call, row.id).await?)
}

async fn retry(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let inputs = call.params.values("job_inputs")?;
    let coordinator = call.app.coordinator();
    let user = call.user_id();
    let done = match inputs.is_empty() {
        true => coordinator.retry_job(row.id, user).await,
        false => {
            let mut given = coordinator.given(&row).await?;
            given.inputs.extend(inputs);
            coordinator.retry_with(row.id, user, &given).await
        }
    };
    match done {
        Ok(newer) => created(fresh(&call, newer).await?),
        Err(Error::Illegal(_) | Error::NoJob(_)) => {
            Err(ApiError::forbidden_because("Job is not retryable"))
        }
        Err(error) => Err(error.into()),
    }
}

async fn play(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let unplayable = || ApiError::bad_request("Unplayable Job");
    let given = Given {
        variables: given_variables(&call.params, "job_variables_attributes")?,
        inputs: call.params.values("job_inputs")?,
    };
    if !given.variables.is_empty() {
        let action = Action::SetPipelineVariables;
        call.app
            .require(&call.identity, &call.project, action)
            .await?;
        if let Some(user) = call.acting_user()
            && !(call.app.coordinator())
                .may_set_variables(&call.project, user)
                .await?
        {
            let reason = "Insufficient permissions to set job variables";
            return Err(ApiError::forbidden_because(reason));
        }
    }
    if !matches!(row.status, Status::Manual | Status::Scheduled) {
        return Err(unplayable());
    }
    let played = (call.app.coordinator()).play_with(row.id, call.user_id(), &given);
    match played.await {
        Ok(()) => ok(fresh(&call, row.id).await?),
        Err(Error::Illegal(_) | Error::NoJob(_)) => Err(unplayable()),
        Err(error) => Err(error.into()),
    }
}

async fn erase(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    if !call.app.erase(&row).await? {
        return Err(ApiError::forbidden_because("Job is not erasable!"));
    }
    created(fresh(&call, row.id).await?)
}
