//! `/projects/:id/pipelines/:pipeline_id/test_report` and its summary.
//!
//! A suite is a job. Its totals are kept with the job; its cases are read from its reports,
//! and are gone with them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shipway_coordinator::{TestCase, TestStatus, TestTotals};
use shipway_store::JobRow;

use super::call::{Answer, ProjectCall, ok};
use super::pipelines::find;
use super::routes::Routes;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadJobs;
    let report = "/projects/{id}/pipelines/{pipeline_id}/test_report";
    let summary = "/projects/{id}/pipelines/{pipeline_id}/test_report_summary";
    routes
        .get(report, read, show)
        .get(summary, read, show_summary)
}

/// The last attempts that had reports, with their totals.
async fn suites(call: &ProjectCall) -> Result<Vec<(JobRow, TestTotals)>, ApiError> {
    let pipeline = find(call).await?;
    let jobs = call.store().jobs(pipeline.id).await?;
    let last = jobs.into_iter().filter(|job| !job.retried);
    let suites = last.filter_map(|job| {
        let totals = serde_json::from_str(job.tests.as_deref()?).ok()?;
        Some((job, totals))
    });
    Ok(suites.collect())
}

fn sum(suites: &[(JobRow, TestTotals)]) -> TestTotals {
    let mut all = TestTotals::default();
    for (_, totals) in suites {
        all += *totals;
    }
    all
}

fn counts(totals: &TestTotals) -> Value {
    json!({
        "total_time": totals.time,
        "total_count": totals.total,
        "success_count": totals.success,
        "failed_count": totals.failed,
        "skipped_count": totals.skipped,
        "error_count": totals.error,
    })
}

/// The counts with more fields.
fn with(mut counts: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        counts[*name] = value.clone();
    }
    counts
}

/// Cases of one answer; further suites come without theirs.
const MOST_CASES: usize = 20_000;

/// A test; `job` is the path of its job's page.
fn case(case: &TestCase, job: &str, recent: Option<Value>) -> Value {
    let mut entity = json!({
        "status": case.status.as_str(),
        "name": case.name,
        "classname": case.classname,
        "file": case.file,
        "execution_time": case.time,
        "system_output": case.output,
        "stack_trace": null,
        "recent_failures": recent,
    });
    if let Some(attachment) = &case.attachment {
        entity["attachment_url"] = json!(format!("{job}/artifacts/file{}", path(attachment)));
    }
    entity
}

/// A path in an address, with a slash in front.
fn path(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts
        .map(|part| format!("/{}", utf8_percent_encode(part, PART)))
        .collect()
}

/// What stands in an address as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

async fn show(call: ProjectCall) -> Answer {
    let suites = suites(&call).await?;
    let mut entities = Vec::new();
    let mut room = MOST_CASES;
    for (job, totals) in &suites {
        let (mut cases, mut error) = (Vec::new(), None);
        if room > 0 {
            match call.app.coordinator().test_cases(job.id).await? {
                Ok(found) => {
                    let failed = |case: &&TestCase| {
                        matches!(case.status, TestStatus::Failed | TestStatus::Error)
                    };
                    let shown = || found.cases.iter().take(room);
                    let recent = (call.app.coordinator())
                        .recent_failures(&call.project, &job.name, shown().filter(failed))
                        .await?;
                    let branch = call.project.default_branch.as_deref();
                    let own = format!("/{}/-/jobs/{}", call.project.full_path, job.id);
                    cases = shown()
                        .map(|one| {
                            let count = failed(&one).then(|| recent.of(&job.name, one));
                            let recent = (count.filter(|count| *count > 0))
                                .map(|count| json!({ "count": count, "base_branch": branch }));
                            case(one, &own, recent)
                        })
                        .collect();
                    if !found.complete || cases.len() < found.cases.len() {
                        error = Some(format!("only the first {} tests are listed", cases.len()));
                    }
                    room -= cases.len();
                }
                Err(fault) => error = Some(fault),
            }
        } else {
            error = Some(format!("an answer lists {MOST_CASES} tests at most"));
        }
        let fields = [
            ("name", json!(job.name)),
            ("suite_error", json!(error)),
            ("test_cases", Value::Array(cases)),
        ];
        entities.push(with(counts(totals), &fields));
    }
    ok(with(
        counts(&sum(&suites)),
        &[("test_suites", json!(entities))],
    ))
}

async fn show_summary(call: ProjectCall) -> Answer {
    let suites = suites(&call).await?;
    let entities = suites.iter().map(|(job, totals)| {
        let fields = [
            ("name", json!(job.name)),
            ("build_ids", json!([job.id.0])),
            ("suite_error", Value::Null),
        ];
        with(counts(totals), &fields)
    });
    let entities: Vec<Value> = entities.collect();
    let all = sum(&suites);
    ok(json!({
        "total": {
            "time": all.time,
            "count": all.total,
            "success": all.success,
            "failed": all.failed,
            "skipped": all.skipped,
            "error": all.error,
            "suite_error": null,
        },
        "test_suites": entities,
    }))
}
