//! `shipway list`: the jobs that would run, and why the others would not.

use std::io::Write;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use shipway_config::AllowFailure;
use shipway_pipeline::{Plan, PlannedJob};

use crate::args::{Format, ListArgs};
use crate::error::Fault;
use crate::output;
use crate::pipeline;
use crate::style::{self, paint};

/// The output contract of `list --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    jobs: Vec<JobEntry<'a>>,
    stages: &'a [String],
    skipped: Vec<SkippedEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct JobEntry<'a> {
    name: &'a str,
    stage: &'a str,
    when: &'static str,
    allow_failure: bool,
    needs: Option<Vec<&'a str>>,
    tags: &'a [String],
    environment: Option<&'a str>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct SkippedEntry<'a> {
    name: &'a str,
    reason: String,
}

/// Runs the command.
pub(crate) fn list(args: &ListArgs) -> Result<u8, Fault> {
    let planned = pipeline::plan_from(&args.project, &args.context)?;
    match args.format {
        Format::Json => output::print_json(&report(&planned.plan))?,
        Format::Text => output::print(|out| print(out, &planned.plan))?,
    }
    Ok(0)
}

fn report(plan: &Plan) -> Report<'_> {
    Report {
        jobs: plan.jobs.iter().map(entry).collect(),
        stages: &plan.stages,
        skipped: (plan.skipped.iter())
            .map(|job| SkippedEntry {
                name: &job.name,
                reason: job.reason.to_string(),
            })
            .collect(),
    }
}

fn entry(job: &PlannedJob) -> JobEntry<'_> {
    let needs = job.spec.needs.as_ref();
    JobEntry {
        name: &job.spec.name,
        stage: &job.spec.stage,
        when: job.when.as_str(),
        allow_failure: job.allow_failure == AllowFailure::Always(true),
        needs: needs.map(|needs| needs.iter().map(|need| need.job.as_str()).collect()),
        tags: &job.spec.tags,
        environment: (job.spec.environment.as_ref()).map(|environment| environment.name.as_str()),
        reason: job.reason.to_string(),
    }
}

fn print(out: &mut dyn Write, plan: &Plan) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let header = ["Stage", "Job", "When", "Needs", "Tags", "Why"];
    table.set_header(header.map(|title| paint(style::BOLD, title)));
    for stage in 0..plan.stages.len() {
        for (index, job) in plan
            .jobs
            .iter()
            .filter(|job| job.stage == stage)
            .enumerate()
        {
            let entry = entry(job);
            table.add_row([
                if index == 0 { entry.stage } else { "" }.to_owned(),
                entry.name.to_owned(),
                entry.when.to_owned(),
                entry
                    .needs
                    .map(|needs| needs.join(", "))
                    .unwrap_or_default(),
                entry.tags.join(", "),
                entry.reason,
            ]);
        }
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if !plan.skipped.is_empty() {
        writeln!(out, "\n{}", paint(style::BOLD, "Left out"))?;
        for job in &plan.skipped {
            writeln!(out, "  {}: {}", job.name, job.reason)?;
        }
    }
    Ok(())
}
