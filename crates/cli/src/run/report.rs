//! The report for other programs: `run --report FILE`.

use std::path::PathBuf;

use serde::Serialize;
use shipway_coordinator::{JobView, PipelineView, TestTotals};
use shipway_pipeline::Status;

use crate::error::Fault;

/// A run in stable field names (the output contract of the design).
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Number of the run in `shipway history`.
    id: i64,
    status: Status,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    sha: &'a str,
    duration_s: f64,
    coverage: Option<f64>,
    jobs: Vec<JobReport<'a>>,
    /// The child pipelines, theirs among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downstream: Vec<Downstream<'a>>,
}

#[derive(Debug, Serialize)]
struct Downstream<'a> {
    /// Names of the jobs above, the topmost first.
    trigger_job: &'a str,
    #[serde(flatten)]
    pipeline: Report<'a>,
}

#[derive(Debug, Serialize)]
struct JobReport<'a> {
    name: &'a str,
    stage: &'a str,
    status: Status,
    allow_failure: bool,
    failure_reason: Option<&'a str>,
    exit_code: Option<i32>,
    /// ISO 8601, UTC.
    started_at: Option<String>,
    duration_s: Option<f64>,
    coverage: Option<f64>,
    tests: Option<TestTotals>,
    /// Path of the plain log.
    log: PathBuf,
    /// Paths of the archive and the reports.
    artifacts: Vec<PathBuf>,
}

/// Writes the report.
pub(super) fn write(
    path: &std::path::Path,
    pipeline: &PipelineView,
    children: &[(String, PipelineView)],
) -> Result<(), Fault> {
    let mut whole = report(pipeline);
    whole.downstream = (children.iter())
        .map(|(name, child)| Downstream {
            trigger_job: name,
            pipeline: report(child),
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&whole).map_err(Fault::other)?;
    text.push('\n');
    std::fs::write(path, text).map_err(|cause| {
        Fault::usage_text(format!(
            "cannot write the report {}: {cause}",
            path.display()
        ))
    })
}

fn report(pipeline: &PipelineView) -> Report<'_> {
    Report {
        id: pipeline.id.0,
        status: pipeline.status,
        ref_name: &pipeline.ref_name,
        sha: &pipeline.sha,
        duration_s: pipeline.duration.as_secs_f64(),
        coverage: pipeline.coverage,
        jobs: (pipeline.jobs.iter())
            .map(|job| job_report(job, &pipeline.stages[job.stage].0))
            .collect(),
        downstream: Vec::new(),
    }
}

fn job_report<'a>(job: &'a JobView, stage: &'a str) -> JobReport<'a> {
    JobReport {
        name: &job.name,
        stage,
        status: job.status,
        allow_failure: job.allow_failure,
        failure_reason: job.failure_reason.as_deref(),
        // Runners report no code with a success; there it can only have been 0.
        exit_code: job
            .exit_code
            .or((job.status == Status::Success).then_some(0)),
        started_at: (job.started_at)
            .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
            .map(|time| time.to_string()),
        duration_s: job.duration().map(|duration| duration.as_secs_f64()),
        coverage: job.coverage,
        tests: job.tests,
        log: job.log.clone(),
        artifacts: (job.artifacts.iter())
            .map(|artifact| artifact.path.clone())
            .collect(),
    }
}
