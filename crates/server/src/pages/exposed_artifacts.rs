//! Artifacts that jobs expose: `artifacts:expose_as` puts a link to them on the pages of the
//! pipeline and of the merge request.

use shipway_config::Artifacts;
use shipway_pipeline::PipelineId;
use shipway_store::{ArtifactRow, JobRow};

use super::artifacts;
use super::html::path as encode;
use super::shell::Link;
use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// Jobs that expose something; GitLab's limit for a merge request.
const MOST: usize = 10;

/// The links of a pipeline, or of several, in the order of their jobs.
pub(super) async fn links(
    visit: &ProjectVisit,
    pipelines: &[PipelineId],
) -> Result<Vec<Link>, ApiError> {
    let mut found = Vec::new();
    if !visit.allows(Action::ReadJobs) {
        return Ok(found);
    }
    for pipeline in pipelines {
        let jobs = visit.app.store().jobs(*pipeline).await?;
        let exposing = (jobs.iter()).filter_map(|job| Some((job, exposing(job)?)));
        for (job, (text, paths)) in exposing {
            if found.len() == MOST {
                return Ok(found);
            }
            let Some(archive) = kept(visit, job).await? else {
                continue;
            };
            let Ok(names) = artifacts::names_of(visit, &archive).await else {
                // Its own page says what is wrong with it.
                continue;
            };
            if let Some(below) = target(&paths, &names) {
                let url = format!("{}/-/jobs/{}/artifacts/{below}", visit.url, job.id);
                found.push(Link { text, url });
            }
        }
    }
    Ok(found)
}

/// The text and the paths of a job that exposes something.
fn exposing(job: &JobRow) -> Option<(String, Vec<String>)> {
    /// The part of a job that is of interest.
    #[derive(serde::Deserialize)]
    struct Spec {
        artifacts: Option<Artifacts>,
    }
    if job.retried || !job.spec.contains("\"expose_as\":\"") {
        return None;
    }
    let spec: Spec = serde_json::from_str(&job.spec).ok()?;
    let artifacts = spec.artifacts?;
    Some((artifacts.expose_as?, artifacts.paths))
}

async fn kept(visit: &ProjectVisit, job: &JobRow) -> Result<Option<ArtifactRow>, ApiError> {
    let files = visit.app.store().artifacts_of(job.id).await?;
    let archive = files.into_iter().find(|file| file.file_type == "archive");
    let kept = archive.filter(|file| file.expires_at.is_none_or(|at| at > visit.now));
    Ok(kept.filter(|file| visit.may_read(file)))
}

/// Where the link leads, below the job's `artifacts/`: to the file, to the folder, or to the top
/// where there are several. Paths that are not in the archive as they are written, because of
/// variables in them or a folder without its slash, have no link, as on GitLab.
fn target(paths: &[String], names: &[String]) -> Option<String> {
    let there = |path: &&str| match path.ends_with('/') {
        true => names.iter().any(|name| name.starts_with(path)),
        false => names.iter().any(|name| name == path),
    };
    let plain = |path: &'_ str| path.trim_start_matches("./").to_owned();
    let plain: Vec<String> = paths.iter().map(|path| plain(path)).collect();
    let found: Vec<&str> = (plain.iter().map(String::as_str))
        .filter(|path| !path.is_empty())
        .filter(there)
        .collect();
    match found.as_slice() {
        [] => None,
        [one] => Some(match one.strip_suffix('/') {
            Some(folder) => format!("browse/{}", encode(folder)),
            None => format!("file/{}", encode(one)),
        }),
        _ => Some("browse".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_what_is_in_the_archive() {
        let names = ["report/index.html", "report/a b.css", "notes.txt"];
        let names = names.map(str::to_owned);
        let table: [(&[&str], Option<&str>); 8] = [
            (&["notes.txt"], Some("file/notes.txt")),
            (&["./notes.txt"], Some("file/notes.txt")),
            (&["report/"], Some("browse/report")),
            (&["report/a b.css"], Some("file/report/a%20b.css")),
            (&["report/", "notes.txt"], Some("browse")),
            (&["report/", "gone.txt"], Some("browse/report")),
            // Without its slash, with a variable.
            (&["report"], None),
            (&["$DIRECTORY/index.html"], None),
        ];
        for (paths, expected) in table {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(target(&paths, &names).as_deref(), expected, "{paths:?}");
        }
    }
}
