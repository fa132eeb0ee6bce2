//! The page of a pipeline: its jobs by stage, why each waits, and what can be done.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use shipway_coordinator::{ProjectSettings, TestTotals};
use shipway_pipeline::{Candidate, PipelineId, Status, Wanted};
use shipway_store::{JobRow, PipelineRow, StageRow};

use super::fields::Fields;
use super::html::{Html, sentence};
use super::pipelines::{duration, ref_icon, ref_url, short_sha, title};
use super::shell::{Link, Place, Shell};
use super::tags::tags;
use super::visit::{ProjectVisit, crumb};
use super::waiting::{self, Waits};
use super::{events, exposed_artifacts, page, status, when};
use crate::app::App;
use crate::error::ApiError;
use crate::permission::Action;
use crate::related::Related;

/// Notes about jobs that failed or are stuck, at most.
const TROUBLES: usize = 5;

#[derive(Debug, Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    shell: Shell,
    url: String,
    id: i64,
    title: String,
    status: Html,
    ref_name: String,
    ref_icon: &'static str,
    ref_url: String,
    sha: String,
    full_sha: String,
    source: String,
    user: Option<String>,
    created: Html,
    duration: Option<Html>,
    coverage: Option<String>,
    tests: Option<String>,
    faults: Vec<String>,
    troubles: Vec<Trouble>,
    related: Vec<Neighbour>,
    exposed: Vec<Link>,
    stages: Vec<Column>,
    empty: &'static str,
    may_retry: bool,
    may_cancel: bool,
    may_delete: bool,
    may_lint: bool,
    retry_url: String,
    cancel_url: String,
    play_url: String,
    delete_url: String,
}

/// The pipeline that started this one, or one that a job of it started.
#[derive(Debug)]
struct Neighbour {
    /// `Started by` or `Started`.
    what: &'static str,
    name: String,
    url: String,
    status: Html,
}

impl Neighbour {
    fn new(what: &'static str, related: &Related) -> Self {
        let (project, pipeline) = (&related.project, &related.pipeline);
        Self {
            what,
            name: format!("{} #{}", project.full_path, pipeline.id),
            url: format!("/{}/-/pipelines/{}", project.full_path, pipeline.id),
            status: status::badge(pipeline.status, false),
        }
    }
}

/// A stage with its jobs.
#[derive(Debug)]
struct Column {
    name: String,
    status: Html,
    may_play: bool,
    jobs: Vec<Item>,
}

/// A job of a stage.
#[derive(Debug)]
struct Item {
    id: i64,
    name: String,
    url: String,
    class: &'static str,
    dot: Html,
    duration: Option<Html>,
    why: Option<Html>,
    needs: String,
    extra: String,
    may_play: bool,
    may_cancel: bool,
    may_retry: bool,
}

/// A job that needs somebody's attention.
#[derive(Debug)]
struct Trouble {
    name: String,
    url: String,
    text: Html,
    class: &'static str,
    icon: &'static str,
}

/// The pipeline of the project; those of others do not exist here.
pub(super) async fn pipeline_of(
    visit: &ProjectVisit,
    id: PipelineId,
) -> Result<PipelineRow, ApiError> {
    let row = visit.app.store().pipeline(id).await?;
    let row = row.filter(|row| row.project_id == Some(visit.project.id));
    row.ok_or_else(|| ApiError::not_found("Pipeline"))
}

/// `GET /-/pipelines/{id}`.
pub(super) async fn show(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ReadPipelines)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    let store = visit.app.store();
    let stages = store.stages(row.id).await?;
    let jobs = store.jobs(row.id).await?;
    let runners = visit.app.coordinator().candidates(visit.project.id).await?;
    let user = match row.user_id {
        Some(id) => store.user(id).await?,
        None => None,
    };
    let above = visit.app.upstream(&visit.identity, row.id).await?;
    let below = visit.app.downstream(&visit.identity, row.id).await?;
    let above = above.iter().map(|one| Neighbour::new("Started by", one));
    let below = below.iter().map(|one| Neighbour::new("Started", one));
    let may_run = visit.allows(Action::RunPipelines);
    let context = Context {
        url: &visit.url,
        now: visit.now,
        may_run,
        runners: &runners,
        wanted: wanted(&visit).await?,
    };
    let board = board(&context, &stages, &jobs);
    let mut shell = visit.shell(Place::Pipelines, &title(&row));
    shell.title = format!(
        "{} #{id} · {}",
        status::look(row.status, false).word,
        visit.project.full_path
    );
    shell
        .crumbs
        .push(crumb("Pipelines", format!("{}/-/pipelines", visit.url)));
    events::follow_pipeline(&mut shell, &visit.url, row.id, !row.status.is_stopped());
    let own = format!("{}/-/pipelines/{id}", visit.url);
    page(&PipelinePage {
        shell,
        url: visit.url.clone(),
        id,
        title: title(&row),
        status: status::badge(row.status, false),
        ref_url: ref_url(&visit.url, &row.ref_name),
        ref_icon: ref_icon(&row),
        sha: short_sha(&row),
        full_sha: row.sha.clone().unwrap_or_default(),
        source: row.source.clone(),
        user: user.map(|user| user.username),
        created: when::time(row.created_at, visit.now),
        duration: duration(&row, visit.now),
        coverage: row.coverage.map(status::percent),
        tests: tests_of(&jobs),
        faults: (row.yaml_errors.iter())
            .flat_map(|errors| errors.lines().map(str::to_owned))
            .collect(),
        troubles: board.troubles,
        related: above.chain(below).collect(),
        exposed: exposed_artifacts::links(&visit, &[row.id]).await?,
        stages: board.columns,
        empty: match row.status {
            Status::Skipped => "Its commit or its push asked for that, with [skip ci] or ci.skip.",
            _ => "Review the rules of its configuration.",
        },
        may_retry: may_run
            && jobs
                .iter()
                .any(|job| !job.retried && is_retryable_failure(job)),
        may_cancel: may_run && row.status.is_cancelable(),
        may_delete: row.status.is_stopped() && visit.allows(Action::DeletePipelines),
        may_lint: visit.allows(Action::Lint),
        retry_url: format!("{own}/retry"),
        cancel_url: format!("{own}/cancel"),
        play_url: format!("{own}/play"),
        delete_url: format!("{own}/delete"),
        ref_name: row.ref_name,
    })
}

fn is_retryable_failure(job: &JobRow) -> bool {
    matches!(job.status, Status::Failed | Status::Canceled)
}

/// What the jobs of a pipeline are shown by.
pub(super) struct Context<'a> {
    pub(super) url: &'a str,
    pub(super) now: i64,
    pub(super) may_run: bool,
    pub(super) runners: &'a [Candidate],
    /// What every job of the project asks of a runner.
    pub(super) wanted: Wanted,
}

/// What every job of the project asks of a runner.
pub(super) async fn wanted(visit: &ProjectVisit) -> Result<Wanted, ApiError> {
    let store = visit.app.store();
    let groups = store
        .namespace_with_ancestors(visit.project.namespace_id)
        .await?;
    let settings = ProjectSettings::of(&visit.project);
    Ok(Wanted {
        project: visit.project.id.0,
        groups: groups.iter().map(|group| group.id.0).collect(),
        no_instance_runners: !settings.shared_runners_enabled,
        no_group_runners: !settings.group_runners_enabled,
        ..Wanted::default()
    })
}

struct Board {
    columns: Vec<Column>,
    troubles: Vec<Trouble>,
}

/// The newest attempts by stage.
fn board(context: &Context<'_>, stages: &[StageRow], jobs: &[JobRow]) -> Board {
    let mut troubles = Vec::new();
    let current: Vec<&JobRow> = jobs.iter().filter(|job| !job.retried).collect();
    let column = |stage: &StageRow| {
        let of_stage = current.iter().filter(|job| job.stage == stage.position);
        let items = of_stage.map(|job| {
            let why = context.why(job, &current);
            if let Some(trouble) = trouble(context, job, why.as_deref())
                && troubles.len() < TROUBLES
            {
                troubles.push(trouble);
            }
            item(context, job, why)
        });
        Column {
            name: stage.name.clone(),
            status: status::dot(stage.status, false),
            may_play: context.may_run
                && (current.iter())
                    .any(|job| job.stage == stage.position && job.status == Status::Manual),
            jobs: items.collect(),
        }
    };
    let columns = stages.iter().map(column).collect();
    Board { columns, troubles }
}

impl Context<'_> {
    /// Why the job waits or did not run; `jobs` are the newest attempts of its pipeline.
    pub(super) fn why(&self, job: &JobRow, jobs: &[&JobRow]) -> Option<String> {
        let status_of = |name: &str| {
            let found = jobs.iter().find(|other| other.name == name);
            found.map(|other| other.status)
        };
        let names = needs(job);
        let needs = (names.iter().flatten())
            .map(|name| (name.as_str(), status_of(name)))
            .collect();
        let earlier = (jobs.iter())
            .filter(|other| other.stage < job.stage && !other.status.is_completed())
            .filter(|other| other.status != Status::Manual || !other.allow_failure)
            .map(|other| (other.name.as_str(), other.status))
            .collect();
        let group = resource_group(job);
        let waits = Waits {
            status: job.status,
            when: &job.when,
            needs: names.as_ref().map(|_| needs),
            earlier,
            scheduled_at: job.scheduled_at,
            resource_group: group.as_deref(),
            wanted: Wanted {
                tags: tags(&job.tags),
                protected: job.protected,
                ..self.wanted.clone()
            },
        };
        waiting::why(&waits, self.runners, self.now)
    }
}

/// The names of the jobs that a job needs; none for one that waits for the stages before.
fn needs(job: &JobRow) -> Option<Vec<String>> {
    let value: serde_json::Value = serde_json::from_str(&job.needs).ok()?;
    let names = value.as_array()?.iter();
    Some(
        names
            .filter_map(|need| need.get("job").unwrap_or(need).as_str())
            .map(str::to_owned)
            .collect(),
    )
}

fn resource_group(job: &JobRow) -> Option<String> {
    let spec: serde_json::Value = serde_json::from_str(&job.spec).ok()?;
    Some(spec.get("resource_group")?.as_str()?.to_owned())
}

/// What the tests of a job came to.
pub(super) fn totals(job: &JobRow) -> Option<TestTotals> {
    serde_json::from_str(job.tests.as_deref()?).ok()
}

/// `1204 tests passed`, or how many of them did not.
pub(super) fn tests_text(totals: &TestTotals) -> String {
    let bad = totals.failed + totals.error;
    let skipped = match totals.skipped {
        0 => String::new(),
        count => format!(", {count} skipped"),
    };
    let plural = if totals.total == 1 { "" } else { "s" };
    match bad {
        0 => format!("{} test{plural} passed{skipped}", totals.success),
        _ => format!("{bad} of {} test{plural} failed{skipped}", totals.total),
    }
}

fn tests_of(jobs: &[JobRow]) -> Option<String> {
    let mut all = jobs.iter().filter(|job| !job.retried).filter_map(totals);
    let mut sum = all.next()?;
    for totals in all {
        sum += totals;
    }
    (sum.total > 0).then(|| tests_text(&sum))
}

/// How long a job runs or ran.
pub(super) fn job_duration(job: &JobRow, now: i64) -> Option<Html> {
    let started = job.started_at?;
    match job.finished_at {
        Some(finished) => Some(Html::trusted(when::duration(finished - started))),
        None if job.status.is_executing() => Some(when::running(started, now)),
        None => None,
    }
}

/// What somebody who may run pipelines can do with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doings {
    pub(super) play: bool,
    pub(super) cancel: bool,
    pub(super) retry: bool,
}

pub(super) fn doings(job: &JobRow, may_run: bool) -> Doings {
    let current = may_run && !job.retried;
    Doings {
        play: current && matches!(job.status, Status::Manual | Status::Scheduled),
        cancel: current && job.status.is_cancelable(),
        retry: current
            && matches!(
                job.status,
                Status::Success | Status::Failed | Status::Canceled
            ),
    }
}

fn item(context: &Context<'_>, job: &JobRow, why: Option<String>) -> Item {
    let overlooked = job.allow_failure && job.status == Status::Failed;
    let can = doings(job, context.may_run);
    let mut extra = Vec::new();
    extra.extend(
        job.coverage
            .map(|coverage| format!("coverage {}", status::percent(coverage))),
    );
    extra.extend(
        totals(job)
            .filter(|totals| totals.total > 0)
            .map(|totals| tests_text(&totals)),
    );
    if job.attempt > 1 {
        extra.push(format!("attempt {}", job.attempt));
    }
    // What is simply not yet its turn says so by its needs.
    let why = match job.status {
        Status::Failed => Some(status::failure(
            job.failure_reason.as_deref(),
            job.exit_code,
        )),
        _ => why,
    };
    Item {
        id: job.id.0,
        name: job.name.clone(),
        url: format!("{}/-/jobs/{}", context.url, job.id),
        class: if job.status == Status::Failed && !overlooked {
            "failed"
        } else {
            ""
        },
        dot: status::dot(job.status, overlooked),
        duration: job_duration(job, context.now),
        why: why.map(|text| sentence(&text)),
        needs: needs(job).unwrap_or_default().join(", "),
        extra: extra.join(" · "),
        may_play: can.play,
        may_cancel: can.cancel,
        may_retry: can.retry,
    }
}

/// Failed jobs and stuck ones are named above all others.
fn trouble(context: &Context<'_>, job: &JobRow, why: Option<&str>) -> Option<Trouble> {
    let (text, class, icon) = match job.status {
        Status::Failed if !job.allow_failure => {
            let text = status::failure(job.failure_reason.as_deref(), job.exit_code);
            (text, "fault", "failed")
        }
        Status::Pending => {
            let stuck = why.filter(|text| text.contains("stuck"))?;
            (stuck.to_owned(), "wait", "pending")
        }
        _ => return None,
    };
    Some(Trouble {
        name: job.name.clone(),
        url: format!("{}/-/jobs/{}", context.url, job.id),
        text: sentence(&text),
        class,
        icon,
    })
}

/// `POST /-/pipelines/{id}/retry`.
pub(super) async fn retry(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    app.coordinator()
        .retry_pipeline(row.id, visit.user_id())
        .await?;
    Ok(visit.to(&format!("/-/pipelines/{id}"), "retried"))
}

/// `POST /-/pipelines/{id}/cancel`.
pub(super) async fn cancel(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    if row.status.is_completed() {
        return Ok(visit.to(&format!("/-/pipelines/{id}"), "nothing"));
    }
    app.coordinator().cancel_pipeline(row.id).await?;
    Ok(visit.to(&format!("/-/pipelines/{id}"), "canceled"))
}

/// `POST /-/pipelines/{id}/play`: all manual jobs of the stage in the field `stage`.
pub(super) async fn play(
    State(app): State<App>,
    visit: ProjectVisit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    visit.require(Action::RunPipelines)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    let address = format!("/-/pipelines/{id}");
    match app
        .coordinator()
        .play_stage(row.id, visit.user_id(), fields.get("stage"))
        .await?
    {
        0 => Ok(visit.to(&address, "nothing")),
        _ => Ok(Redirect::to(&format!("{}{address}", visit.url)).into_response()),
    }
}

/// `POST /-/pipelines/{id}/delete`.
pub(super) async fn delete(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::DeletePipelines)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    if !row.status.is_stopped() {
        return Err(ApiError::conflict(
            "The pipeline is not over. Cancel it first, then delete it.",
        ));
    }
    let mut transaction = visit.app.store().begin().await?;
    transaction.delete_pipeline(row.id).await?;
    transaction.commit().await?;
    visit.app.coordinator().release(row.id);
    Ok(visit.to("/-/pipelines", "pipeline-deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_in_words() {
        let totals = |total, success, failed, skipped| TestTotals {
            total,
            success,
            failed,
            skipped,
            ..TestTotals::default()
        };
        let table = [
            (totals(1, 1, 0, 0), "1 test passed"),
            (totals(4, 3, 0, 1), "3 tests passed, 1 skipped"),
            (totals(4, 2, 2, 0), "2 of 4 tests failed"),
        ];
        for (totals, expected) in table {
            assert_eq!(tests_text(&totals), expected);
        }
    }
}
