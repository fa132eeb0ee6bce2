//! `shipway lint`: every fault of a configuration at once.

use std::path::{Path, PathBuf};

use serde::Serialize;
use shipway_config::{Diagnostic, Files, Limits, LoadContext, Severity};

use crate::args::{Format, LintArgs, ProjectArgs};
use crate::config_files::{self, INPUT, ProjectFiles};
use crate::error::Fault;
use crate::includes::Includes;
use crate::output;
use crate::pipeline;
use crate::project::{DEFAULT_FILE, Project, STATE_DIR};
use crate::style::{self, paint};
use crate::text;

/// The output contract of `lint --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    valid: bool,
    errors: Vec<Entry<'a>>,
    warnings: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    message: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    job: Option<&'a str>,
    keyword: Option<&'a str>,
    hint: Option<&'a str>,
}

/// Runs the command.
pub(crate) fn lint(args: &LintArgs) -> Result<u8, Fault> {
    let (root, file) = locate(args)?;
    let project = Project::find(&project_args(args));
    // A file of no project is judged by itself, unless it is to be made for something.
    let project = match project {
        Err(fault) if args.has_context() => return Err(fault),
        found => found
            .ok()
            .filter(|one| args.has_context() || root == one.root),
    };
    let mut loaded = if let Some(project) = project {
        let whole = root.join(&file);
        let inside = if file == Path::new(INPUT) {
            &file
        } else {
            whole.strip_prefix(&project.root).unwrap_or(&whole)
        };
        pipeline::dry_run(&project, inside, &args.context, args.has_context())?
    } else {
        let files = ProjectFiles::new(&root, &Limits::default());
        let files = files.with_includes(includes(args, &root)?);
        let place = root.display().to_string();
        config_files::load_for(&files, &file, &place, &LoadContext::default())?
    };
    let valid = loaded.config.is_some();
    if let Some(config) = &loaded.config {
        loaded.diagnostics.extend(config.doubts(&loaded.files));
    }
    let of = |severity| {
        let found = loaded.diagnostics.iter();
        found.filter(move |diagnostic| diagnostic.severity == severity)
    };
    match args.format {
        Format::Json => output::print_json(&Report {
            valid,
            errors: of(Severity::Error)
                .map(|one| entry(one, &loaded.files))
                .collect(),
            warnings: of(Severity::Warning)
                .map(|one| entry(one, &loaded.files))
                .collect(),
        })?,
        Format::Text => {
            let warnings = of(Severity::Warning).count();
            let errors = of(Severity::Error).count();
            let name = if file == Path::new(INPUT) {
                "standard input".to_owned()
            } else {
                file.display().to_string()
            };
            output::print(|out| {
                for diagnostic in &loaded.diagnostics {
                    // The stream takes the colour off again where it is not wanted.
                    let text = shipway_config::render(diagnostic, &loaded.files, true);
                    writeln!(out, "{text}\n")?;
                }
                let verdict = if valid {
                    let jobs = loaded.config.as_ref().map_or(0, |config| config.jobs.len());
                    paint(
                        style::of(shipway_pipeline::Status::Success),
                        format!("{name} is valid, {}", text::count(jobs, "job")),
                    )
                } else {
                    paint(
                        style::ERROR,
                        format!("{name} is not valid, {}", text::count(errors, "error")),
                    )
                };
                let warnings = match warnings {
                    0 => String::new(),
                    number => format!(", {}", text::count(number, "warning")),
                };
                writeln!(out, "{verdict}{warnings}")
            })?;
        }
    }
    Ok(if valid { 0 } else { 1 })
}

/// A file outside of any repository can include files of others too.
fn includes(args: &LintArgs, root: &Path) -> Result<Includes, Fault> {
    let project = Project::find(&ProjectArgs {
        directory: root.to_owned(),
        file: None,
        state_dir: None,
    });
    match project {
        Ok(project) => Includes::of(&project, &args.context.includes),
        Err(_) => Includes::new(&args.context.includes, None, &root.join(STATE_DIR)),
    }
}

fn project_args(args: &LintArgs) -> ProjectArgs {
    ProjectArgs {
        directory: args.directory.clone(),
        file: None,
        state_dir: None,
    }
}

/// The root for includes and the file below it. A file outside of any repository can be
/// checked too; its includes are looked for beside it.
fn locate(args: &LintArgs) -> Result<(PathBuf, PathBuf), Fault> {
    let project = Project::find(&project_args(args));
    if args.path.as_deref() == Some(Path::new(INPUT)) {
        let root = project.map_or_else(|_| args.directory.clone(), |project| project.root);
        return Ok((root, INPUT.into()));
    }
    let Some(path) = &args.path else {
        return match project {
            Ok(project) => Ok((project.root, project.file)),
            Err(_) if args.directory.join(DEFAULT_FILE).is_file() => {
                Ok((args.directory.clone(), DEFAULT_FILE.into()))
            }
            Err(fault) => Err(fault),
        };
    };
    let path = crate::pipeline::absolute(&args.directory.join(path))?;
    if let Ok(project) = project
        && let Ok(inside) = path.strip_prefix(&project.root)
    {
        return Ok((project.root.clone(), inside.to_owned()));
    }
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    Ok((parent, name))
}

fn entry<'a>(diagnostic: &'a Diagnostic, files: &'a Files) -> Entry<'a> {
    let span = diagnostic.span.as_ref();
    Entry {
        message: &diagnostic.message,
        file: span.map(|span| files.path(span.file)),
        line: span.map(|span| span.line),
        column: span.map(|span| span.column),
        job: diagnostic.job.as_deref(),
        keyword: diagnostic.keyword.as_deref(),
        hint: diagnostic.hint.as_deref(),
    }
}
