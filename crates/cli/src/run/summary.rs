//! What a person sees at the end: a table by stage, and what is worth knowing of failures.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use shipway_coordinator::{JobView, PipelineView};
use shipway_pipeline::Status;

use crate::log_text::{Line, Lines, visible};
use crate::style::{self, paint};
use crate::text;

/// Lines of a failed job's log that are shown.
const TAIL_LINES: usize = 20;
/// Bytes of log that are read for them.
const TAIL_BYTES: u64 = 64 * 1024;

/// Stands between the name of a trigger job and that of a job of its pipeline.
pub(super) const CHILD: &str = " › ";

/// How the heading of the script's section begins.
const SCRIPT_HEADING: &str = "Executing";

/// Prints the summary.
///
/// `children` are the child pipelines, each with the names of the jobs above it.
pub(super) fn print(
    out: &mut dyn Write,
    pipeline: &PipelineView,
    children: &[(String, PipelineView)],
) -> io::Result<()> {
    for (name, child) in children {
        for job in child.jobs.iter().filter(|job| job.failed()) {
            let job = JobView {
                name: format!("{name}{CHILD}{}", job.name),
                ..job.clone()
            };
            failure(out, &job)?;
        }
    }
    for job in pipeline.jobs.iter().filter(|job| job.failed()) {
        failure(out, job)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", table(pipeline).trim_fmt())?;
    for (name, child) in children {
        let title = format!("Child pipeline {} of {name}: {}", child.id, child.status);
        writeln!(out)?;
        writeln!(out, "{}", paint(style::of(child.status), title))?;
        writeln!(out, "{}", table(child).trim_fmt())?;
    }
    writeln!(out)?;
    writeln!(out, "{}", verdict(pipeline))?;
    for advice in advice(pipeline) {
        writeln!(out, "{}", paint(style::HINT, advice))?;
    }
    Ok(())
}

fn table(pipeline: &PipelineView) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let header = ["Stage", "Job", "Status", "Duration", "Coverage", "Tests"];
    table.set_header(header.map(|title| paint(style::BOLD, title)));
    let mut previous = None;
    for job in &pipeline.jobs {
        let stage = if previous == Some(job.stage) {
            ""
        } else {
            pipeline.stages[job.stage].0.as_str()
        };
        previous = Some(job.stage);
        let (status, style) = style::job_status(job);
        table.add_row([
            stage.to_owned(),
            name(job),
            paint(style, status),
            job.duration().map(text::duration).unwrap_or_default(),
            job.coverage.map(text::percent).unwrap_or_default(),
            tests(job),
        ]);
    }
    for column in [3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn name(job: &JobView) -> String {
    let mut name = job.name.clone();
    if job.retries > 0 {
        name.push_str(&format!(" (attempt {})", job.retries + 1));
    }
    if !job.tags.is_empty() {
        name.push_str(&paint(style::DIM, format!(" [{}]", job.tags.join(", "))));
    }
    name
}

fn tests(job: &JobView) -> String {
    let Some(tests) = job.tests else {
        return String::new();
    };
    let mut parts = vec![format!("{} passed", tests.success)];
    let more = [
        (tests.failed, "failed"),
        (tests.error, "errors"),
        (tests.skipped, "skipped"),
    ];
    for (number, word) in more {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

fn verdict(pipeline: &PipelineView) -> String {
    let word = match pipeline.status {
        Status::Success => "passed",
        Status::Manual => "waits for a manual job",
        status => status.as_str(),
    };
    let style = style::of(pipeline.status);
    let mut line = format!(
        "{} in {}",
        paint(style, format!("Pipeline {} {word}", pipeline.id)),
        text::duration(pipeline.duration)
    );
    if let Some(coverage) = pipeline.coverage {
        line.push_str(&format!(", coverage {}", text::percent(coverage)));
    }
    line
}

fn failure(out: &mut dyn Write, job: &JobView) -> io::Result<()> {
    let reason = match (job.exit_code, job.failure_reason.as_deref()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(reason)) => reason.replace('_', " "),
        (None, None) => "no reason given".to_owned(),
    };
    writeln!(out)?;
    writeln!(
        out,
        "{} ({reason}), the last lines of its log:",
        paint(style::ERROR, format!("✗ {} failed", job.name)),
    )?;
    for line in tail(&job.log).unwrap_or_default() {
        writeln!(out, "  {line}\x1b[0m")?;
    }
    writeln!(
        out,
        "{}",
        paint(style::DIM, format!("  whole log: {}", job.log.display()))
    )
}

/// The last lines of a log, without headings.
fn tail(log: &Path) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let mut found = Vec::new();
    let mut lines = Lines::default();
    let mut keep = |line| match line {
        Line::Text(text) => found.push(text),
        // What came before the script explains nothing once the script has begun.
        Line::Heading(text) if visible(&text).starts_with(SCRIPT_HEADING) => found.clear(),
        Line::Heading(_) => {}
    };
    lines.push(&bytes, &mut keep);
    lines.finish(&mut keep);
    if skipped > 0 && found.len() > TAIL_LINES {
        // The first line is only a part of one.
        found.remove(0);
    }
    Ok(found.split_off(found.len().saturating_sub(TAIL_LINES)))
}

fn advice(pipeline: &PipelineView) -> Vec<String> {
    let waiting: Vec<_> = (pipeline.jobs.iter())
        .filter(|job| job.status == Status::Manual)
        .map(|job| format!("`{}`", job.name))
        .collect();
    let mut advice = Vec::new();
    if let Some(first) = waiting.first() {
        advice.push(format!(
            "Manual {} not started: {}. Start one by its name: shipway run {}",
            if waiting.len() == 1 { "job" } else { "jobs" },
            waiting.join(", "),
            first.trim_matches('`'),
        ));
    }
    advice
}
