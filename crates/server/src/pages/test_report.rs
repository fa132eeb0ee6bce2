//! The tests of a pipeline: what failed comes first, with what it said, a file that shows more,
//! and how often it failed before.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_coordinator::{RECENT_DAYS, TestCase, TestStatus};
use shipway_pipeline::PipelineId;

use super::html::path;
use super::page;
use super::pipeline::{pipeline_of, tests_text, totals};
use super::shell::{Place, Shell};
use super::visit::{ProjectVisit, crumb};
use crate::error::ApiError;
use crate::permission::Action;

/// Tests of a job that are listed.
const LISTED: usize = 500;

/// Jobs whose tests are listed.
const MOST_JOBS: usize = 100;

#[derive(Debug, Template)]
#[template(path = "test_report.html")]
struct TestPage {
    shell: Shell,
    pipeline_url: String,
    id: i64,
    suites: Vec<Suite>,
}

/// The tests of a job.
#[derive(Debug)]
struct Suite {
    name: String,
    url: String,
    totals: String,
    tests: Vec<Test>,
    note: Option<String>,
}

/// A file of the artifacts that shows more.
#[derive(Debug)]
struct Attachment {
    name: String,
    url: String,
}

#[derive(Debug)]
struct Test {
    name: String,
    class: String,
    status: &'static str,
    label: &'static str,
    seconds: String,
    file: Option<String>,
    output: Option<String>,
    attachment: Option<Attachment>,
    recent: Option<String>,
}

/// `GET /-/pipelines/{id}/test_report`.
pub(super) async fn show(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let row = pipeline_of(&visit, PipelineId(id)).await?;
    let jobs = visit.app.store().jobs(row.id).await?;
    let mut suites = Vec::new();
    let with_tests = (jobs.iter())
        .filter(|job| !job.retried)
        .filter_map(|job| Some((job, totals(job)?)));
    for (job, totals) in with_tests.take(MOST_JOBS) {
        let url = format!("{}/-/jobs/{}", visit.url, job.id);
        let (mut tests, mut note) = (Vec::new(), None);
        match visit.app.coordinator().test_cases(job.id).await? {
            Err(fault) => note = Some(fault),
            Ok(found) => {
                let mut cases = found.cases;
                // What needs somebody comes first; else it is the report's order.
                cases.sort_by_key(|case| std::cmp::Reverse(case.status));
                let recent = (visit.app.coordinator())
                    .recent_failures(
                        &visit.project,
                        &job.name,
                        cases.iter().filter(|one| fails(one)),
                    )
                    .await?;
                if cases.len() > LISTED || !found.complete {
                    note = Some(format!("Only {LISTED} tests are listed."));
                } else if cases.is_empty() {
                    note = Some("The report is gone; its totals are kept.".to_owned());
                }
                let branch = visit.project.default_branch.as_deref().unwrap_or_default();
                tests = (cases.into_iter().take(LISTED))
                    .map(|case| {
                        let count = recent.of(&job.name, &case);
                        test(case, &url, count, branch)
                    })
                    .collect();
            }
        }
        suites.push(Suite {
            name: job.name.clone(),
            url,
            totals: tests_text(&totals),
            tests,
            note,
        });
    }
    let pipeline_url = format!("{}/-/pipelines/{id}", visit.url);
    let mut shell = visit.shell(Place::Pipelines, "Tests");
    let crumbs = &mut shell.crumbs;
    crumbs.push(crumb("Pipelines", format!("{}/-/pipelines", visit.url)));
    crumbs.push(crumb(format!("#{id}"), pipeline_url.clone()));
    page(&TestPage {
        shell,
        pipeline_url,
        id,
        suites,
    })
}

fn fails(case: &TestCase) -> bool {
    matches!(case.status, TestStatus::Failed | TestStatus::Error)
}

fn test(case: TestCase, job_url: &str, count: u64, branch: &str) -> Test {
    let times = match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let recent = (fails(&case) && count > 0)
        .then(|| format!("Failed {times} in {branch} in the last {RECENT_DAYS} days"));
    let attachment = case.attachment.map(|name| {
        let below = path(name.trim_start_matches('/'));
        let below = below.trim_start_matches('/');
        Attachment {
            url: format!("{job_url}/artifacts/file/{below}"),
            name,
        }
    });
    Test {
        name: case.name,
        class: case.classname,
        status: case.status.as_str(),
        label: match case.status {
            TestStatus::Success => "on",
            TestStatus::Skipped => "",
            TestStatus::Error | TestStatus::Failed => "off",
        },
        seconds: format!("{:.2} s", case.time),
        file: case.file,
        output: case.output,
        attachment,
        recent,
    }
}
