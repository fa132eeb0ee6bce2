//! `shipway why JOB`: why a job is in the pipeline, is not, or waits.

use std::io::Write;

use serde::Serialize;
use shipway_config::Job;
use shipway_coordinator::Coordinator;
use shipway_pipeline::{
    Difference, Explanation, Flip, Level, RuleTrace, Tried, VariableUse, Waiting, explain, waiting,
};

use super::block_on;
use super::log::find_run;
use crate::args::Format;
use crate::config_files::Checked;
use crate::error::Fault;
use crate::explain_args::WhyArgs;
use crate::output;
use crate::pipeline;
use crate::project::Project;
use crate::state;
use crate::style::{self, paint};

/// The output of `why --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    /// Where the job was written: `file:line:column`.
    place: String,
    /// The places of the job's rules, in their order.
    rule_places: Vec<String>,
    /// The places of the rules of `workflow`, in their order.
    workflow_places: Vec<String>,
    /// The places of the variables' values, in their order; `null` for those of no file.
    variable_places: Vec<Option<String>>,
}

/// Runs the command.
pub(crate) fn why(args: &WhyArgs) -> Result<u8, Fault> {
    if let Some(run) = &args.run {
        return of_run(args, run);
    }
    let read = pipeline::read_from(&args.project, &args.context)?;
    let checked = &read.checked;
    let jobs = &checked.config.jobs;
    let found = jobs.get(&args.job);
    // The key of a parallel job means its first instance: all have the same rules.
    let job = found.or_else(|| jobs.values().find(|job| job.key == args.job));
    let job = job.ok_or_else(|| no_job(&args.job, jobs.keys().map(String::as_str)))?;
    let explanation =
        explain(&checked.config, &read.context, &read.files, job).map_err(|cause| {
            let place = checked.place(&["jobs", &job.key, "rules"]);
            Fault::usage_text(format!("{place}: {cause}"))
        })?;
    match args.format {
        Format::Json => output::print_json(&report(&explanation, checked, job))?,
        Format::Text => output::print(|out| print(out, &explanation, checked, job))?,
    }
    Ok(0)
}

/// A name that no job has, with one that is like it.
pub(super) fn no_job<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let fault = Fault::usage_text(format!("no job is called `{name}`"));
    match shipway_config::suggest(name, known) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("`shipway list` names the jobs"),
    }
}

fn of_run(args: &WhyArgs, run: &str) -> Result<u8, Fault> {
    let project = Project::find(&args.project)?;
    let (run, state) = block_on(async {
        let store = state::open_existing(&project.state_dir).await?;
        let coordinator = Coordinator::new(store);
        let run = find_run(&coordinator, run).await?;
        let state = coordinator.state(run).await.map_err(Fault::other)?;
        Ok((run, state))
    })?;
    let names = state.jobs.iter().map(|job| job.name.as_str());
    let job = state
        .job(&args.job)
        .ok_or_else(|| no_job(&args.job, names))?;
    let found = waiting(&state, job);
    match args.format {
        Format::Json => output::print_json(&found)?,
        Format::Text => output::print(|out| {
            writeln!(out, "{} of run {run}:", paint(style::BOLD, &args.job))?;
            print_waiting(out, &found)
        })?,
    }
    Ok(0)
}

fn print_waiting(out: &mut dyn Write, found: &Waiting) -> std::io::Result<()> {
    let status = format!("{} {}", style::symbol(found.status), found.status);
    let status = paint(style::of(found.status), status);
    writeln!(out, "  {status}: {}", found.meaning)?;
    for blocker in &found.because {
        let status = format!("{} {}", style::symbol(blocker.status), blocker.status);
        let status = paint(style::of(blocker.status), status);
        writeln!(out, "    {}  {status}", blocker.job)?;
    }
    Ok(())
}

fn report<'a>(explanation: &'a Explanation, checked: &Checked, job: &Job) -> Report<'a> {
    let places = |rules: &[RuleTrace], start: &[&str]| -> Vec<String> {
        let of = |rule: &RuleTrace| rule_place(checked, start, rule.rule);
        rules.iter().map(of).collect()
    };
    let variables = explanation.variables.iter();
    Report {
        explanation,
        place: checked.place(&["jobs", &job.key]),
        rule_places: places(&explanation.rules, &["jobs", &job.key, "rules"]),
        workflow_places: places(&explanation.workflow, &["workflow", "rules"]),
        variable_places: variables
            .map(|one| level_place(checked, &job.key, &one.name, one.level?))
            .collect(),
    }
}

fn rule_place(checked: &Checked, start: &[&str], rule: usize) -> String {
    let index = (rule - 1).to_string();
    let path: Vec<&str> = (start.iter().copied()).chain([index.as_str()]).collect();
    checked.place(&path)
}

/// Where the value of a variable was written, for one of the file.
pub(super) fn level_place(
    checked: &Checked,
    key: &str,
    name: &str,
    level: Level,
) -> Option<String> {
    let index = |rule: usize| (rule - 1).to_string();
    Some(match level {
        Level::Predefined | Level::Outer => return None,
        Level::Pipeline => checked.place(&["variables", name]),
        Level::Job => {
            let path = ["jobs", key, "variables", name];
            // A variable of a matrix has its place in `parallel`.
            match checked.config.origin(&path) {
                Some(_) => checked.place(&path),
                None => checked.place(&["jobs", key, "parallel"]),
            }
        }
        Level::JobRule { rule } => {
            checked.place(&["jobs", key, "rules", &index(rule), "variables", name])
        }
        Level::WorkflowRule { rule } => {
            checked.place(&["workflow", "rules", &index(rule), "variables", name])
        }
    })
}

/// Where a value came from, in words.
pub(super) fn level_words(checked: &Checked, key: &str, name: &str, level: Level) -> String {
    let place = level_place(checked, key, name, level).unwrap_or_default();
    match level {
        Level::Predefined => "predefined".to_owned(),
        Level::Outer => "--var or --var-file".to_owned(),
        Level::Pipeline => format!("variables, {place}"),
        Level::Job => format!("job, {place}"),
        Level::JobRule { rule } => format!("rule {rule} of the job, {place}"),
        Level::WorkflowRule { rule } => format!("rule {rule} of workflow, {place}"),
    }
}

fn print(
    out: &mut dyn Write,
    explanation: &Explanation,
    checked: &Checked,
    job: &Job,
) -> std::io::Result<()> {
    let verdict = match &explanation.when {
        Some(when) => paint(
            style::of(shipway_pipeline::Status::Success),
            format!("is in the pipeline, when: {when}"),
        ),
        None => paint(style::ERROR, "is not in the pipeline"),
    };
    let place = checked.place(&["jobs", &job.key]);
    writeln!(
        out,
        "{} {verdict}: {}  {}",
        paint(style::BOLD, &explanation.job),
        explanation.reason,
        paint(style::DIM, place)
    )?;
    let groups = [
        ("workflow", &explanation.workflow, vec!["workflow", "rules"]),
        (
            "rules",
            &explanation.rules,
            vec!["jobs", job.key.as_str(), "rules"],
        ),
    ];
    for (title, rules, start) in groups {
        if rules.is_empty() {
            continue;
        }
        writeln!(out, "\n{}", paint(style::BOLD, title))?;
        for rule in rules {
            print_rule(out, rule, &rule_place(checked, &start, rule.rule))?;
        }
    }
    if !explanation.policies.is_empty() {
        writeln!(out, "\n{}", paint(style::BOLD, "only and except"))?;
        for line in &explanation.policies {
            writeln!(out, "  {line}")?;
        }
    }
    if !explanation.variables.is_empty() {
        writeln!(out, "\n{}", paint(style::BOLD, "variables"))?;
        for variable in &explanation.variables {
            let words = match variable.level {
                None => "not defined anywhere".to_owned(),
                Some(level) => level_words(checked, &job.key, &variable.name, level),
            };
            let value = value_text(variable);
            writeln!(
                out,
                "  ${} = {value}  {}",
                variable.name,
                paint(style::DIM, words)
            )?;
        }
    }
    print_flips(out, explanation)
}

fn value_text(variable: &VariableUse) -> String {
    match &variable.value {
        _ if variable.masked => "[MASKED]".to_owned(),
        Some(value) => format!("{value:?}"),
        None => "null".to_owned(),
    }
}

fn print_rule(out: &mut dyn Write, rule: &RuleTrace, place: &str) -> std::io::Result<()> {
    let (symbol, words, color) = match rule.outcome {
        Tried::Matched => ('✓', "matched", style::of(shipway_pipeline::Status::Success)),
        Tried::Failed => ('✗', "did not match", style::ERROR),
        Tried::NotTried => ('·', "was not tried", style::DIM),
    };
    let when = rule.when.as_ref();
    let when = when.map_or_else(String::new, |when| format!(", when: {when}"));
    let title = paint(color, format!("{symbol} rule {} {words}", rule.rule));
    writeln!(out, "  {title}{when}  {}", paint(style::DIM, place))?;
    if rule.parts.is_empty() {
        writeln!(out, "      it has no condition")?;
    }
    for part in &rule.parts {
        let holds = match rule.outcome {
            Tried::NotTried => String::new(),
            Tried::Matched | Tried::Failed => format!("  → {}", part.holds),
        };
        writeln!(out, "      {}: {}{holds}", part.clause, part.text)?;
        // What was not tried had no values to speak of; JSON has what they would be.
        if rule.outcome == Tried::NotTried {
            continue;
        }
        // The first line would repeat the expression.
        for value in part.values.iter().skip(1) {
            let pad = "  ".repeat(value.depth);
            writeln!(out, "      {pad}{}  → {}", value.text, value.value)?;
        }
    }
    Ok(())
}

fn print_flips(out: &mut dyn Write, explanation: &Explanation) -> std::io::Result<()> {
    let verb = if explanation.included {
        "would not be"
    } else {
        "would be"
    };
    if explanation.flips.is_empty() {
        return Ok(());
    }
    let title = format!("It {verb} in the pipeline if");
    writeln!(out, "\n{}", paint(style::BOLD, title))?;
    for flip in &explanation.flips {
        let words: Vec<String> = flip.changes.iter().map(ToString::to_string).collect();
        let advice = advice(flip, &explanation.job);
        writeln!(
            out,
            "  {}{}",
            words.join(" and "),
            paint(style::HINT, advice)
        )?;
    }
    Ok(())
}

/// The command that shows the change, where options can make it.
fn advice(flip: &Flip, job: &str) -> String {
    let mut options = Vec::new();
    for change in &flip.changes {
        options.push(match change {
            Difference::Source { name } => format!("--source {name}"),
            Difference::Variable { name, value } => {
                format!("--var {}", quoted(&format!("{name}={value}")))
            }
            _ => return String::new(),
        });
    }
    format!("   shipway why {} {}", quoted(job), options.join(" "))
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-=./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
