//! From a project on the disk to the plan of its pipeline.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use shipway_config::{Diagnostic, Limits, LoadContext, Loaded};
use shipway_coordinator::{Occasion, context};
use shipway_git::Facts;
use shipway_pipeline::{Context, Host, Plan, PlanError, Source};

use crate::args::{ContextArgs, ProjectArgs};
use crate::commit_files::CommitFiles;
use crate::config_files::{self, Checked, History, ProjectFiles};
use crate::error::Fault;
use crate::includes::Includes;
use crate::output::color_on_stderr;
use crate::project::Project;
use crate::values::variable;

/// Jobs that are named where none is left.
const MOST_SKIPPED: usize = 10;

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

/// A configuration read for a pipeline, and what is needed to make its plan.
pub(crate) struct Read {
    /// What the pipeline is for.
    pub(crate) context: Context,
    /// The configuration and its files.
    pub(crate) checked: Checked,
    /// The project's files.
    pub(crate) files: ProjectFiles,
}

/// Which files a pipeline is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tree<'a> {
    /// Those of the work tree, edits included.
    Work,
    /// Those of the commit, in this directory.
    Directory(&'a Path),
    /// Those of the commit, in the repository.
    Commit,
}

impl Tree<'_> {
    /// The commit of a ref that was named, else the work tree.
    fn of(reference: Option<&str>) -> Self {
        match reference {
            Some(_) => Self::Commit,
            None => Self::Work,
        }
    }

    /// What a person calls it.
    fn name(self, project: &Project, facts: &Facts) -> String {
        match self {
            Self::Work => project.root.display().to_string(),
            Self::Directory(_) | Self::Commit => format!("the commit {}", facts.ref_name),
        }
    }
}

/// What a configuration is read for.
fn load_context(context: &Context, args: &ContextArgs) -> LoadContext {
    LoadContext {
        variables: context.known_to_includes(),
        inputs: (args.inputs.iter())
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect(),
    }
}

/// Reads the configuration and prints what is wrong with it.
fn read(
    tree: Tree<'_>,
    project: &Project,
    facts: &Facts,
    occasion: &Occasion,
    args: &ContextArgs,
) -> Result<Read, Fault> {
    let place = tree.name(project, facts);
    let context = context(facts, occasion);
    let files =
        files(tree, project, facts, occasion).with_includes(Includes::of(project, &args.includes)?);
    let load = load_context(&context, args);
    let loaded = config_files::load_for(&files, &project.file, &place, &load)?;
    let checked = config_files::report(loaded, color_on_stderr())?;
    Ok(Read {
        context,
        checked,
        files,
    })
}

/// The same from the options of a command that shows a pipeline.
pub(crate) fn read_from(project: &ProjectArgs, context: &ContextArgs) -> Result<Read, Fault> {
    let project = Project::find(project)?;
    let reference = context.reference.as_deref();
    let facts = project.facts(reference)?;
    let occasion = occasion(context, &project)?;
    let tree = Tree::of(reference);
    read(tree, &project, &facts, &occasion, context)
}

/// Reads the configuration and makes the plan, from the options of a command that shows it.
///
/// The plan is never dropped: the process ends with the command, and to give the memory back
/// piece by piece before that takes a twelfth of the time of a big one.
pub(crate) fn plan_from(
    project: &ProjectArgs,
    context: &ContextArgs,
) -> Result<ManuallyDrop<Planned>, Fault> {
    planned(read_from(project, context)?).map(ManuallyDrop::new)
}

/// Reads the configuration and makes the plan.
pub(crate) fn plan(
    tree: Tree<'_>,
    project: &Project,
    facts: &Facts,
    occasion: &Occasion,
    args: &ContextArgs,
) -> Result<Planned, Fault> {
    planned(read(tree, project, facts, occasion, args)?)
}

fn planned(read: Read) -> Result<Planned, Fault> {
    let Read {
        context,
        checked,
        files,
    } = read;
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
    tree: Tree<'_>,
    project: &Project,
    facts: &Facts,
    occasion: &Occasion,
) -> ProjectFiles {
    let limits = Limits::default();
    let history = history(tree, project, facts, occasion);
    let files = match (tree, &facts.sha) {
        (Tree::Directory(directory), _) => ProjectFiles::new(directory, &limits),
        (Tree::Commit, Some(sha)) => {
            let commit = CommitFiles {
                repository: project.repository.clone(),
                commit: sha.clone(),
                folder: history.folder.clone(),
            };
            ProjectFiles::at(commit, &limits)
        }
        (Tree::Work | Tree::Commit, _) => ProjectFiles::new(&project.root, &limits),
    };
    files.with_history(history)
}

/// What `changes` compares with. The latest commit counts as pushed, after its first parent;
/// what is not committed yet belongs to it. A merge request is compared with where it left the
/// default branch; for all else GitLab compares with nothing.
fn history(tree: Tree<'_>, project: &Project, facts: &Facts, occasion: &Occasion) -> History {
    let below = project.root.strip_prefix(project.repository.top()).ok();
    let folder = below
        .filter(|below| !below.as_os_str().is_empty())
        .map(|below| format!("{}/", below.display()))
        .unwrap_or_default();
    let before = match (occasion.source, &facts.tag) {
        (Source::Push, None) => Some(facts.before_sha.clone()),
        // Nothing to compare with is what GitLab knows of a branch of its own too.
        (Source::MergeRequestEvent, None) => {
            let own = facts.sha.as_deref().unwrap_or("HEAD");
            let base = project.repository.merge_base(&facts.default_branch, own);
            base.ok().flatten()
        }
        _ => None,
    };
    History {
        repository: project.repository.clone(),
        folder,
        commit: match tree {
            Tree::Work => None,
            Tree::Directory(_) | Tree::Commit => facts.sha.clone(),
        },
        // A first commit follows zeros.
        before: before.filter(|sha| sha.bytes().any(|byte| byte != b'0')),
    }
}

/// Refuses a plan with keywords that nothing can carry out yet, each with its place.
pub(crate) fn refuse_unsupported(
    plan: &Plan,
    context: &Context,
    checked: &Checked,
) -> Result<(), Fault> {
    let faults: Vec<String> = plan
        .unsupported(Host::Local, context)
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

/// Reads a configuration in its context, so that its includes know their variables, and with
/// `makes_plan` tries to make its pipeline: what stands in its way is told as faults of the file.
pub(crate) fn dry_run(
    project: &Project,
    file: &Path,
    args: &ContextArgs,
    makes_plan: bool,
) -> Result<Loaded, Fault> {
    let facts = project.facts(args.reference.as_deref())?;
    let occasion = occasion(args, project)?;
    let context = context(&facts, &occasion);
    let tree = Tree::of(args.reference.as_deref());
    let files = files(tree, project, &facts, &occasion)
        .with_includes(Includes::of(project, &args.includes)?);
    let load = load_context(&context, args);
    let mut loaded = config_files::load_for(&files, file, &tree.name(project, &facts), &load)?;
    let Some(config) = loaded.config.as_ref().filter(|_| makes_plan) else {
        return Ok(loaded);
    };
    let Err(faults) = shipway_pipeline::create(config, &context, &files) else {
        return Ok(loaded);
    };
    let diagnostics: Vec<Diagnostic> = faults
        .iter()
        .map(|fault| {
            let (job, keyword) = match fault {
                PlanError::MissingNeed { job, .. } => {
                    let key = config.jobs.get(job).map_or(job, |job| &job.key);
                    (Some(key.as_str()), "needs")
                }
                PlanError::Condition { job, .. } => (job.as_deref(), "rules"),
                PlanError::FilteredByWorkflow | PlanError::Empty { .. } => (None, "rules"),
            };
            let path = match job {
                Some(job) => vec!["jobs", job, keyword],
                None => vec!["workflow", keyword],
            };
            let text = fault.to_string();
            let told = match config.origin(&path) {
                Some(span) => Diagnostic::error(text, span),
                None => Diagnostic::error_anywhere(text),
            };
            match job {
                Some(job) => told.job(job).keyword(keyword),
                None => told,
            }
        })
        .collect();
    loaded.diagnostics.extend(config.doubts(&loaded.files));
    loaded.diagnostics.extend(diagnostics);
    loaded.config = None;
    Ok(loaded)
}

/// Says why there is no plan, each fault with its place.
pub(crate) fn refuse(faults: &[PlanError], checked: &Checked) -> Fault {
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
                let names = skipped.iter().take(MOST_SKIPPED);
                lines.extend(names.map(|job| format!("  {}: {}", job.name, job.reason)));
                if let Some(more) = skipped.len().checked_sub(MOST_SKIPPED + 1) {
                    lines.push(format!("  and {} more; `shipway why JOB` says", more + 1));
                }
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
