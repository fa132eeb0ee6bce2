//! The statuses of a commit: its jobs, and what other systems say.

use std::collections::HashSet;

use serde::Serialize;
use shipway_coordinator::StatusReport;
use shipway_pipeline::{PipelineId, Status};
use shipway_store::{CommitStatusRow, JobRow, PipelineRow};

use super::call::{Answer, ProjectCall, created};
use super::commits::{find, pipelines};
use super::job::created_at;
use super::paging::{Paging, WHOLE};
use super::routes::Routes;
use super::time::iso;
use super::user::{UserBasic, Users};
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/projects/{id}/repository/commits/{sha}/statuses",
            Action::ReadPipelines,
            list,
        )
        .post(
            "/projects/{id}/statuses/{sha}",
            Action::RunPipelines,
            report,
        )
}

/// The stage of what other systems say.
const EXTERNAL: &str = "external";

/// GitLab's `CommitStatus`.
#[derive(Debug, Serialize)]
struct CommitStatus {
    id: i64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    status: &'static str,
    name: String,
    target_url: Option<String>,
    description: Option<String>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    allow_failure: bool,
    coverage: Option<f64>,
    pipeline_id: i64,
    author: UserBasic,
}

impl CommitStatus {
    async fn of_job(
        call: &ProjectCall,
        users: &mut Users,
        sha: &str,
        (pipeline, job): (PipelineRow, JobRow),
    ) -> Result<Self, ApiError> {
        Ok(Self {
            id: job.id.0,
            sha: sha.to_owned(),
            status: job.status.as_str(),
            target_url: Some(call.project_url(&format!("-/jobs/{}", job.id))),
            description: None,
            created_at: iso(created_at(&job, &pipeline)),
            started_at: job.started_at.map(iso),
            finished_at: job.finished_at.map(iso),
            allow_failure: job.allow_failure,
            coverage: job.coverage,
            pipeline_id: pipeline.id.0,
            author: users.get(&call.app, pipeline.user_id).await?,
            ref_name: pipeline.ref_name,
            name: job.name,
        })
    }

    async fn external(
        call: &ProjectCall,
        users: &mut Users,
        row: CommitStatusRow,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.id.0,
            status: row.status.as_str(),
            created_at: iso(row.created_at),
            started_at: row.started_at.map(iso),
            finished_at: row.finished_at.map(iso),
            allow_failure: false,
            coverage: row.coverage,
            pipeline_id: row.pipeline_id.0,
            author: users.get(&call.app, row.user_id).await?,
            sha: row.sha,
            ref_name: row.ref_name,
            name: row.name,
            target_url: row.target_url,
            description: row.description,
        })
    }
}

/// A status that is listed.
enum Listed {
    Job(Box<(PipelineRow, JobRow)>),
    External(Box<CommitStatusRow>),
}

impl Listed {
    fn key(&self) -> (PipelineId, i64) {
        match self {
            Self::Job(both) => (both.0.id, both.1.id.0),
            Self::External(row) => (row.pipeline_id, row.id.0),
        }
    }
}

/// Jobs of the commit's pipelines and what others say; of each name the newest, unless `all`
/// are wanted.
async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    let all = params.boolean("all")?.unwrap_or(false);
    let (name, stage) = (params.text("name")?, params.text("stage")?);
    let pipeline_id = params.number("pipeline_id")?;
    let descending = params.one_of("sort", &["asc", "desc"])? == Some("desc");
    params.one_of("order_by", &["id", "pipeline_id"])?;
    let ref_name = params.text("ref")?;
    let info = find(&call).await?;
    let project = call.project.id;
    let external = call.store().commit_statuses(project, &info.id, WHOLE.limit);
    let external = external.await?;
    let mut rows: Vec<Listed> = Vec::new();
    let mut names = HashSet::new();
    let mut take = |fits: bool, newest: bool, of: &str| {
        fits && name.as_ref().is_none_or(|name| name == of)
            && (all || (newest && names.insert(of.to_owned())))
    };
    for pipeline in pipelines(&call, &info.id, ref_name).await? {
        if pipeline_id.is_some_and(|id| id != pipeline.id.0) {
            continue;
        }
        let of_others = external.iter().filter(|row| row.pipeline_id == pipeline.id);
        for row in of_others {
            let fits = stage.as_ref().is_none_or(|stage| stage == EXTERNAL);
            if take(fits, true, &row.name) {
                rows.push(Listed::External(Box::new(row.clone())));
            }
        }
        let stages = call.store().stages(pipeline.id).await?;
        for job in call.store().jobs(pipeline.id).await? {
            let at = usize::try_from(job.stage).unwrap_or_default();
            let of_stage = stages.get(at).map(|stage| &stage.name);
            let fits = (stage.as_ref()).is_none_or(|stage| of_stage == Some(stage));
            if take(fits, !job.retried, &job.name) {
                rows.push(Listed::Job(Box::new((pipeline.clone(), job))));
            }
        }
    }
    rows.sort_by_key(Listed::key);
    if descending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in rows {
        entities.push(match row {
            Listed::Job(both) => CommitStatus::of_job(&call, &mut users, &info.id, *both).await?,
            Listed::External(row) => CommitStatus::external(&call, &mut users, *row).await?,
        });
    }
    paging.answer(&call, entities, Some(total))
}

/// What a system may say.
const STATES: [&str; 6] = [
    "pending", "running", "success", "failed", "canceled", "skipped",
];

/// Another system says how a commit does.
async fn report(call: ProjectCall) -> Answer {
    let params = &call.params;
    params.required("state")?;
    let state = params.one_of("state", &STATES)?.unwrap_or_default();
    let status: Status = state
        .parse()
        .map_err(|_| ApiError::parameter("state does not have a valid value"))?;
    let name = params.short("name")?.or(params.short("context")?);
    let name = name.filter(|name| !name.is_empty());
    let (target_url, description) = (params.short("target_url")?, params.short("description")?);
    let is_web =
        |url: &String| url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if target_url.as_ref().is_some_and(|url| !is_web(url)) {
        let fault = "is blocked: Only allowed schemes are http, https";
        return Err(ApiError::invalid("target_url", fault));
    }
    let coverage = match params.text("coverage")? {
        Some(text) => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            Some(number.ok_or_else(|| ApiError::parameter("coverage is invalid"))?)
        }
        None => None,
    };
    let wanted = params.number("pipeline_id")?;
    let given = params.text("ref")?;
    let info = find(&call).await?;
    let known = pipelines(&call, &info.id, given.clone()).await?;
    let pipeline = match wanted {
        Some(id) => {
            let found = known.iter().find(|row| row.id.0 == id);
            Some(found.ok_or_else(|| ApiError::not_found("Pipeline"))?)
        }
        None => known.first(),
    };
    let nowhere = || ApiError::not_found("References for commit");
    let coordinator = call.app.coordinator();
    let reference = match (&given, pipeline) {
        // The pipeline has its own.
        (_, Some(row)) => row.ref_name.clone(),
        (Some(name), None) => {
            let found = coordinator.find_ref(&call.project, name).await?;
            found.ok_or_else(nowhere)?.0
        }
        (None, None) => {
            let repository = coordinator.repository(&call.project).await?;
            repository.ref_with(&info.id).await?.ok_or_else(nowhere)?
        }
    };
    let report = StatusReport {
        project: call.project.clone(),
        user: call.acting_user().cloned(),
        sha: info.id,
        reference,
        name: name.unwrap_or_else(|| "default".to_owned()),
        status,
        target_url: target_url.filter(|url| !url.is_empty()),
        description: description.filter(|text| !text.is_empty()),
        coverage,
        pipeline: pipeline.map(|row| row.id),
    };
    let row = coordinator.report_status(&report).await?;
    created(CommitStatus::external(&call, &mut Users::default(), row).await?)
}
