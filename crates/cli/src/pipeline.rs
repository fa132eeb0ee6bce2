//! From a project on the disk to the plan of its pipeline.

use std::path::{Path, PathBuf};

use shipway_config::{Limits, LoadContext};
use shipway_coordinator::{Occasion, context};
use shipway_git::Facts;
use shipway_pipeline::{Context, Host, Plan, PlanError};

use crate::args::{ContextArgs, IncludeArgs, variable};
use crate::config_files::{self, Checked, History, ProjectFiles};
use crate::error::Fault;
use crate::includes::Includes;
use crate::output::color_on_stderr;
use crate::project::Project;

/// A configuration read in its context.
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// What it was made for.
    pub(crate) context: Context,
    /// What it was made of.
    pub(crate) checked: Checked,
}

/// What makes the pipeline, from the command line.
pub(crate) fn occasion(args: &ContextArgs, project: &Project) -> Result<Occasion, Fault> {
    let mut variables = Vec::new();
    for file in &args.variable_files {
        variables.extend(read_variables(file)?);
    }
    variables.extend(args.variables.iter().cloned());
    Ok(Occasion {
        source: args.source,
        config_path: project.file_name(),
        user: std::env::var("USER").unwrap_or_else(|_| "local".to_owned()),
        variables,
    })
}

/// Reads `KEY=VALUE` lines; blank lines and lines that begin with `#` are passed over.
fn read_variables(path: &Path) -> Result<Vec<(String, String)>, Fault> {
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Fault::usage_text(format!(
            "cannot read variables from {}: {cause}",
            path.display()
        ))
    })?;
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        variables.push(variable(line).map_err(|fault| {
            Fault::usage_text(format!("{}, line {}: {fault}", path.display(), index + 1))
        })?);
    }
    Ok(variables)
}

/// Reads the configuration below `root`, prints what is wrong with it, and makes the plan.
/// A root that is not the project's holds the files of a commit.
pub(crate) fn plan(
    root: &Path,
    project: &Project,
    facts: &Facts,
    occasion: &Occasion,
    includes: &IncludeArgs,
) -> Result<Planned, Fault> {
    let place = if root == project.root {
        root.display().to_string()
    } else {
        format!("the commit {}", facts.ref_name)
    };
    let context = context(facts, occasion);
    let files =
        files(root, project, facts, occasion).with_includes(Includes::of(project, includes)?);
    let load = LoadContext {
        variables: context.known_to_includes(),
        ..LoadContext::default()
    };
    let loaded = config_files::load_for(&files, &project.file, &place, &load)?;
    let checked = config_files::report(loaded, color_on_stderr())?;
    let plan = shipway_pipeline::create(&checked.config, &context, &files)
        .map_err(|faults| refuse(&faults, &checked))?;
    Ok(Planned {
        plan,
        context,
        checked,
    })
}

/// The files that the pipeline is made of.
pub(crate) fn files(
    root: &Path,
    project: &Project,
    facts: &Facts,
    occasion: &Occasion,
) -> ProjectFiles {
    let history = history(root, project, facts, occasion);
    ProjectFiles::new(root, &Limits::default()).with_history(history)
}

/// What `changes` compares with. The latest commit counts as pushed, after its first parent;
/// what is not committed yet belongs to it. Without a push GitLab compares with nothing.
fn history(root: &Path, project: &Project, facts: &Facts, occasion: &Occasion) -> History {
    let below = project.root.strip_prefix(project.repository.top()).ok();
    let folder = below
        .filter(|below| !below.as_os_str().is_empty())
        .map(|below| format!("{}/", below.display()))
        .unwrap_or_default();
    let is_push = occasion.source == shipway_pipeline::Source::Push && facts.tag.is_none();
    let before = facts.before_sha.clone();
    let is_first = before.bytes().all(|byte| byte == b'0');
    History {
        repository: project.repository.clone(),
        folder,
        commit: (root != project.root).then(|| facts.sha.clone()).flatten(),
        before: (is_push && !is_first).then_some(before),
    }
}

/// Refuses a plan with keywords that nothing can carry out yet, each with its place.
pub(crate) fn refuse_unsupported(plan: &Plan, checked: &Checked) -> Result<(), Fault> {
    let faults: Vec<String> = plan
        .unsupported(Host::Local)
        .iter()
        .map(|fault| {
            let keyword = fault.keyword.split(':').next().unwrap_or_default();
            format!("{}: {fault}", checked.place(&["jobs", &fault.key, keyword]))
        })
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Fault::usage_text(faults.join("\n"))
        .hint("name the jobs to run, `shipway run JOB…`, to leave these out"))
}

/// Says why there is no plan, each fault with its place.
fn refuse(faults: &[PlanError], checked: &Checked) -> Fault {
    let mut lines: Vec<String> = Vec::new();
    for fault in faults {
        let place = match fault {
            PlanError::MissingNeed { job, .. } => {
                let key = (checked.config.jobs.get(job)).map_or(job, |job| &job.key);
                checked.place(&["jobs", key, "needs"])
            }
            PlanError::FilteredByWorkflow | PlanError::Condition { job: None, .. } => {
                checked.place(&["workflow", "rules"])
            }
            PlanError::Condition { job: Some(key), .. } => checked.place(&["jobs", key, "rules"]),
            PlanError::Empty { .. } => checked.place(&[]),
        };
        lines.push(format!("{place}: {fault}"));
        match fault {
            PlanError::MissingNeed {
                need,
                reason: Some(reason),
                ..
            } => lines.push(format!("  {need} is left out: {reason}")),
            PlanError::Empty { skipped } => {
                let names = skipped.iter();
                lines.extend(names.map(|job| format!("  {}: {}", job.name, job.reason)));
            }
            _ => {}
        }
    }
    Fault::usage_text(lines.join("\n"))
}

/// Name and command-line fault of a file that is no project's.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path)
        .map_err(|cause| Fault::usage_text(format!("cannot use {}: {cause}", path.display())))
}
