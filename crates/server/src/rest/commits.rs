//! `/projects/:id/repository/commits`.

use serde::Serialize;
use shipway_git::hosting::{BareRepository, CommitInfo, History};
use shipway_store::{Page, PipelineFilter, PipelineRow};

use super::call::{Answer, ProjectCall, ok};
use super::commit::Commit;
use super::paging::{Paging, WHOLE};
use super::pipeline::PipelineBasic;
use super::routes::{Job, Routes};
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadCode;
    routes
        .get("/projects/{id}/repository/commits", read, list)
        .get("/projects/{id}/repository/commits/{sha}", Job(read), show)
}

/// The earliest time that git reads as a number of seconds: in 1973, before all commits.
const EARLIEST: i64 = 100_000_000;

/// A commit by itself.
#[derive(Debug, Serialize)]
struct CommitDetails {
    #[serde(flatten)]
    commit: Commit,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
    status: Option<&'static str>,
    project_id: i64,
    last_pipeline: Option<PipelineBasic>,
}

/// GitLab's `CommitStats`.
#[derive(Debug, Serialize)]
struct Stats {
    additions: u64,
    deletions: u64,
    total: u64,
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
pub(super) async fn find(call: &ProjectCall) -> Result<CommitInfo, ApiError> {
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
        without: None,
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
pub(super) async fn pipelines(
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
    let stats = match call.params.boolean("stats")?.unwrap_or(true) {
        true => {
            let repository = call.app.coordinator().repository(&call.project).await?;
            let parent = info.parents.first().map(String::as_str);
            let lines = repository.line_stats(parent, &info.id).await?;
            Some(Stats {
                additions: lines.additions,
                deletions: lines.deletions,
                total: lines.additions + lines.deletions,
            })
        }
        false => None,
    };
    ok(CommitDetails {
        stats,
        commit: Commit::new(&call.app, &call.project, &info),
        status: last.map(|row| row.status.as_str()),
        project_id: call.project.id.0,
        last_pipeline: last.map(|row| PipelineBasic::new(&call.app, &call.project, row)),
    })
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
