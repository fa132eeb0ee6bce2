//! Which lines the tests of a pipeline ran: its files, and each line by line.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_coordinator::reports::lines::{self, LineCoverage, Lines};
use shipway_git::hosting::QueryError;
use shipway_pipeline::PipelineId;
use shipway_store::PipelineRow;

use super::html::segment;
use super::page;
use super::pipeline::pipeline_of;
use super::refs::repository;
use super::shell::{Place, Shell};
use super::status;
use super::visit::{ProjectVisit, crumb};
use crate::error::ApiError;
use crate::permission::Action;

/// Files that are listed.
const LISTED: usize = 2_000;

/// Bytes of a file that is shown.
const LARGEST: u64 = 2 * 1024 * 1024;

#[derive(Debug, Template)]
#[template(path = "line_coverage.html")]
struct CoveragePage {
    shell: Shell,
    own: String,
    pipeline_url: String,
    id: i64,
    files: Vec<File>,
    faults: Vec<String>,
    more: Option<String>,
    shown: Option<Shown>,
}

#[derive(Debug)]
struct File {
    path: String,
    url: String,
    percent: String,
    missed: String,
}

/// A file line by line.
#[derive(Debug)]
struct Shown {
    path: String,
    percent: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    /// `ran`, `missed`, or nothing where the line is no code.
    class: &'static str,
    /// How often it ran, in words.
    said: String,
    text: String,
}

/// `GET /-/pipelines/{id}/coverage`; `?path=` shows one file.
pub(super) async fn show(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    let coverage = (visit.app.coordinator())
        .line_coverage(&visit.project, row.id)
        .await?;
    let pipeline_url = format!("{}/-/pipelines/{id}", visit.url);
    let own = format!("{pipeline_url}/coverage");
    let mut shell = visit.shell(Place::Pipelines, "Coverage");
    let crumbs = &mut shell.crumbs;
    crumbs.push(crumb("Pipelines", format!("{}/-/pipelines", visit.url)));
    crumbs.push(crumb(format!("#{id}"), pipeline_url.clone()));
    let shown = match visit.query("path") {
        "" => None,
        path => {
            shell.crumbs.push(crumb("Coverage", own.clone()));
            Some(shown(&visit, &row, &coverage, path).await?)
        }
    };
    let files = match shown {
        Some(_) => Vec::new(),
        None => files(&coverage, &own),
    };
    let left = coverage.files.len().saturating_sub(LISTED);
    page(&CoveragePage {
        shell,
        own,
        pipeline_url,
        id,
        files,
        faults: coverage.faults,
        more: (left > 0).then(|| format!("{left} more are not listed; the API has them.")),
        shown,
    })
}

fn files(coverage: &LineCoverage, own: &str) -> Vec<File> {
    let files = coverage.files.iter().take(LISTED);
    files
        .map(|(path, lines)| {
            let missed = lines.values().filter(|hits| **hits == 0).count();
            File {
                path: path.clone(),
                url: format!("{own}?path={}", segment(path)),
                percent: percent(lines),
                missed: format!("{missed} of {}", lines.len()),
            }
        })
        .collect()
}

fn percent(lines: &Lines) -> String {
    lines::percent(lines)
        .map(status::percent)
        .unwrap_or_default()
}

/// The file of the pipeline's commit with what is known of its lines; where the commit has no
/// such file, the lines alone.
async fn shown(
    visit: &ProjectVisit,
    row: &PipelineRow,
    coverage: &LineCoverage,
    path: &str,
) -> Result<Shown, ApiError> {
    let missing = || ApiError::not_found("File");
    let lines = coverage.files.get(path).ok_or_else(missing)?;
    // Whoever sees the reports need not see the code.
    let source = match (visit.allows(Action::ReadCode), &row.sha) {
        (true, Some(sha)) => source(visit, sha, path).await?,
        _ => None,
    };
    let text = source.unwrap_or_default();
    let texts: Vec<&str> = text.lines().collect();
    let numbers: Vec<usize> = match texts.len() {
        // A report may name any line; those of a file that is not there are listed only.
        0 => (lines.keys())
            .filter_map(|line| usize::try_from(*line).ok())
            .collect(),
        count => (1..=count).collect(),
    };
    let line = |number: usize| {
        let hits = u32::try_from(number).ok().and_then(|line| lines.get(&line));
        Line {
            number,
            class: match hits {
                None => "",
                Some(0) => "missed",
                Some(_) => "ran",
            },
            said: match hits {
                None => String::new(),
                Some(0) => "not run".to_owned(),
                Some(1) => "ran".to_owned(),
                Some(hits) => format!("{hits}×"),
            },
            text: texts
                .get(number - 1)
                .map_or_else(String::new, |text| (*text).to_owned()),
        }
    };
    Ok(Shown {
        path: path.to_owned(),
        percent: percent(lines),
        lines: (numbers.into_iter())
            .filter(|number| *number > 0)
            .map(line)
            .collect(),
    })
}

async fn source(visit: &ProjectVisit, sha: &str, path: &str) -> Result<Option<String>, ApiError> {
    let Some(repository) = repository(visit).await? else {
        return Ok(None);
    };
    match repository.read_file(sha, path, LARGEST).await {
        Ok(content) => Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(QueryError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
