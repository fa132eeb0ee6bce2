//! `/projects/:id/repository/commits`, with the statuses of a commit.

use std::collections::HashSet;

use serde::Serialize;
use shipway_git::hosting::{BareRepository, CommitInfo, History};
use shipway_store::{JobRow, Page, PipelineFilter, PipelineRow};

use super::call::{Answer, ProjectCall, ok};
use super::commit::Commit;
use super::job::created_at;
use super::paging::{Paging, WHOLE};
use super::pipeline::PipelineBasic;
use super::routes::{Job, Routes};
use super::time::iso;
use super::user::{UserBasic, Users};
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadCode;
    routes
        .get("/projects/{id}/repository/commits", read, list)
        .get("/projects/{id}/repository/commits/{sha}", Job(read), show)
        .get(
            "/projects/{id}/repository/commits/{sha}/statuses",
            Action::ReadPipelines,
            statuses,
        )
}

/// The earliest time that git reads as a number of seconds: in 1973, before all commits.
const EARLIEST: i64 = 100_000_000;

/// A commit by itself.
#[derive(Debug, Serialize)]
struct CommitDetails {
    #[serde(flatten)]
    commit: Commit,
    status: Option<&'static str>,
    project_id: i64,
    last_pipeline: Option<PipelineBasic>,
}

/// GitLab's `CommitStatus`.
#[derive(Debug, Serialize)]
struct CommitStatus {
    id: i64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    status: &'static str,
    name: String,
    target_url: String,
    description: Option<String>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    allow_failure: bool,
    coverage: Option<f64>,
    pipeline_id: i64,
    author: UserBasic,
}

/// The id of a commit that is named by a branch, a tag, `HEAD` or an id of seven digits or more.
pub(super) async fn resolve(
    call: &ProjectCall,
    repository: &BareRepository,
    name: &str,
) -> Result<Option<String>, ApiError> {
    let refs = repository.refs().await?;
    let name = match (name, &call.project.default_branch) {
        ("HEAD", Some(default)) => default,
        (name, _) => name,
    };
    let branch = refs.branches.iter().find(|branch| branch.name == name);
    let tag = refs.tags.iter().find(|tag| tag.name == name);
    if let Some(sha) = (branch.map(|one| &one.commit)).or(tag.map(|one| &one.commit)) {
        return Ok(Some(sha.clone()));
    }
    let is_id = (7..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
    match is_id {
        true => Ok(repository.resolve(name).await?),
        false => Ok(None),
    }
}

/// The commit in the address.
async fn find(call: &ProjectCall) -> Result<CommitInfo, ApiError> {
    let missing = || ApiError::not_found("Commit");
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = resolve(call, &repository, call.path.text("sha")).await?;
    let found = repository.commits(&[&sha.ok_or_else(missing)?]).await?;
    found.into_iter().next().ok_or_else(missing)
}

/// Whether a path stays in the repository.
fn is_inside(path: &str) -> bool {
    !path.starts_with('/') && !path.split('/').any(|name| name == "..")
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    for name in ["author", "all", "trailers"] {
        if params.text(name)?.is_some_and(|value| value != "false") {
            return Err(ApiError::bad_request(format!("{name} is not supported")));
        }
    }
    let given = params.text("ref_name")?;
    let second = |at: Option<i64>| at.map(|at| at.div_euclid(1_000_000).max(EARLIEST));
    let (since, until) = (params.time("since")?, params.time("until")?);
    let path = params.text("path")?;
    let Page { limit, offset } = paging.page();
    let wanted = History {
        since: second(since),
        until: second(until),
        skip: offset.unsigned_abs(),
        limit: limit.unsigned_abs(),
        path,
    };
    let inside = wanted.path.as_deref().is_none_or(is_inside);
    let repository = call.app.coordinator().repository(&call.project).await?;
    let name = given.as_deref().or(call.project.default_branch.as_deref());
    let from = match name {
        Some(name) => resolve(&call, &repository, name).await?,
        None => None,
    };
    let commits = match from {
        // Git counts no further.
        Some(sha) if inside && i32::try_from(offset).is_ok() => {
            repository.history(&sha, &wanted).await?
        }
        None if given.is_some() => return Err(ApiError::not_found("Commit")),
        _ => Vec::new(),
    };
    let commits = commits.iter();
    let commits = commits.map(|info| Commit::new(&call.app, &call.project, info));
    // GitLab counts none of these either.
    paging.answer(&call, commits.collect(), None)
}

/// The pipelines of a commit, newest first.
async fn pipelines(
    call: &ProjectCall,
    sha: &str,
    ref_name: Option<String>,
) -> Result<Vec<PipelineRow>, ApiError> {
    let filter = PipelineFilter {
        sha: Some(sha.to_owned()),
        ref_name,
        ..PipelineFilter::default()
    };
    let project = call.project.id;
    let found = call.store().pipelines_of_project(project, &filter, WHOLE);
    Ok(found.await?.rows)
}

async fn show(call: ProjectCall) -> Answer {
    let info = find(&call).await?;
    let pipelines = pipelines(&call, &info.id, None).await?;
    let last = pipelines.first();
    ok(CommitDetails {
        commit: Commit::new(&call.app, &call.project, &info),
        status: last.map(|row| row.status.as_str()),
        project_id: call.project.id.0,
        last_pipeline: last.map(|row| PipelineBasic::new(&call.app, &call.project, row)),
    })
}

/// The jobs of the commit's pipelines; of each name the newest, unless `all` are wanted.
async fn statuses(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    let all = params.boolean("all")?.unwrap_or(false);
    let (name, stage) = (params.text("name")?, params.text("stage")?);
    let pipeline_id = params.number("pipeline_id")?;
    let descending = params.one_of("sort", &["asc", "desc"])? == Some("desc");
    params.one_of("order_by", &["id", "pipeline_id"])?;
    let ref_name = params.text("ref")?;
    let info = find(&call).await?;
    let mut rows: Vec<(PipelineRow, JobRow)> = Vec::new();
    let mut names = HashSet::new();
    for pipeline in pipelines(&call, &info.id, ref_name).await? {
        if pipeline_id.is_some_and(|id| id != pipeline.id.0) {
            continue;
        }
        let stages = call.store().stages(pipeline.id).await?;
        for job in call.store().jobs(pipeline.id).await? {
            let at = usize::try_from(job.stage).unwrap_or_default();
            let of_stage = stages.get(at).map(|stage| &stage.name);
            let fits = name.as_ref().is_none_or(|name| job.name == *name)
                && (stage.as_ref()).is_none_or(|stage| of_stage == Some(stage));
            if fits && (all || (!job.retried && names.insert(job.name.clone()))) {
                rows.push((pipeline.clone(), job));
            }
        }
    }
    rows.sort_by_key(|(pipeline, job)| (pipeline.id, job.id));
    if descending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let mut users = Users::default();
    let mut entities = Vec::new();
    for (pipeline, job) in rows {
        entities.push(CommitStatus {
            id: job.id.0,
            sha: info.id.clone(),
            status: job.status.as_str(),
            target_url: call.project_url(&format!("-/jobs/{}", job.id)),
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
        });
    }
    paging.answer(&call, entities, Some(total))
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn paths_stay_inside() {
        for (path, inside) in [
            ("a/b", true),
            ("a..b", true),
            ("../a", false),
            ("a/../b", false),
            ("/a", false),
        ] {
            assert_eq!(is_inside(path), inside, "{path}");
        }
    }
}
