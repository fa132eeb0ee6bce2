//! `shipway variables JOB`: each value, and where it came from.

use std::io::Write;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use shipway_pipeline::{Level, PlannedJob, VariableValue, variables_of};

use super::why::{level_place, level_words, no_job};
use crate::args::Format;
use crate::config_files::Checked;
use crate::error::Fault;
use crate::explain_args::VariablesArgs;
use crate::output;
use crate::pipeline;
use crate::style::{self, paint};

/// The output of `variables --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    job: &'a str,
    variables: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    variable: &'a VariableValue,
    /// `file:line:column`, for one of the file.
    place: Option<String>,
}

/// Runs the command.
pub(crate) fn variables(args: &VariablesArgs) -> Result<u8, Fault> {
    let planned = pipeline::plan_from(&args.project, &args.context)?;
    let plan = &planned.plan;
    let exact = plan.jobs.iter().find(|job| job.spec.name == args.job);
    let job = exact.or_else(|| plan.jobs.iter().find(|job| job.spec.key == args.job));
    let job = match job {
        Some(job) => job,
        None => return Err(absent(plan, &args.job)),
    };
    let config = &planned.checked.config;
    let mut all = variables_of(config, &planned.context, &plan.variables, job);
    if !args.all {
        all.retain(|one| !one.overridden && one.level != Level::Predefined);
    }
    match args.format {
        Format::Json => output::print_json(&report(&all, &planned.checked, job))?,
        Format::Text => output::print(|out| print(out, &all, &planned.checked, job))?,
    }
    Ok(0)
}

fn absent(plan: &shipway_pipeline::Plan, name: &str) -> Fault {
    if let Some(skipped) = plan.skipped.iter().find(|job| job.name == name) {
        return Fault::usage_text(format!(
            "job `{name}` is not in this pipeline: {}",
            skipped.reason
        ))
        .hint(format!("`shipway why {name}` says more"));
    }
    no_job(name, plan.jobs.iter().map(|job| job.spec.key.as_str()))
}

fn report<'a>(all: &'a [VariableValue], checked: &Checked, job: &'a PlannedJob) -> Report<'a> {
    Report {
        job: &job.spec.name,
        variables: all
            .iter()
            .map(|variable| Entry {
                variable,
                place: level_place(checked, &job.spec.key, &variable.name, variable.level),
            })
            .collect(),
    }
}

fn print(
    out: &mut dyn Write,
    all: &[VariableValue],
    checked: &Checked,
    job: &PlannedJob,
) -> std::io::Result<()> {
    if all.is_empty() {
        return writeln!(
            out,
            "{} has only predefined variables; `--all` lists them.",
            job.spec.name
        );
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    let header = ["Variable", "Value", "From"];
    table.set_header(header.map(|title| paint(style::BOLD, title)));
    for one in all {
        let mut origin = level_words(checked, &job.spec.key, &one.name, one.level);
        if one.overridden {
            origin.push_str(", replaced by a stronger one");
        }
        let value = one.value.as_deref().unwrap_or("[MASKED]");
        table.add_row([one.name.clone(), shown(value), origin]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// A value on one line, without anything that could command a terminal.
fn shown(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
