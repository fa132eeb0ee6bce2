//! `shipway run`: the coordinator and the runner in one process, joined without HTTP.

mod display;
mod interrupt;
mod progress;
mod report;
mod sandbox;
mod source;
mod summary;
mod typed;
mod worker;

use std::io::{self, IsTerminal};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shipway_coordinator::{Coordinator, NewRun, PipelineView};
use shipway_git::Facts;
use shipway_pipeline::{Context, Plan, SelectError, Selection, Status};
use shipway_runner::{ExecutorChoice, ExtractLimits, Runner, RunnerConfig, Sources};
use shipway_store::Store;

use crate::args::{Executor, RunArgs};
use crate::config_files::ProjectFiles;
use crate::error::Fault;
use crate::output;
use crate::pipeline::{self, Planned, Tree};
use crate::project::{self, Project};
use crate::state;
use crate::style::{self, paint};
use display::Display;
use progress::Mode;
use sandbox::Sandbox;
use worker::Worker;

/// Exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> Result<u8, Fault> {
    let project = Project::find(&args.project)?;
    let own_state = args.project.state_dir.is_some();
    let builds = project::builds_dir(&project.root, &project.state_dir, own_state);
    // Two threads: jobs wait far more than they work, and to wake another thread costs; but one
    // alone makes what is done for a job wait for what is done for the others.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Fault::other)?;
    let open = || runtime.block_on(state::open(&project.state_dir));
    let (prepared, store) = std::thread::scope(|scope| {
        let preparing = scope.spawn(|| prepare(args, &project, &builds));
        // Meanwhile; but one that is not there yet is only made for something to run.
        let store = project.state_dir.is_dir().then(open);
        let prepared = preparing.join();
        (prepared.unwrap_or_else(|panic| resume_unwind(panic)), store)
    });
    let prepared = prepared?;
    let store = store.unwrap_or_else(open)?;
    runtime.block_on(execute(args, &project, &builds, prepared, store))
}

/// What a run needs before its first job.
struct Prepared {
    facts: Facts,
    plan: Plan,
    context: Context,
    snapshot: Sandbox,
    /// The files of the snapshot, for child pipelines.
    files: ProjectFiles,
}

fn prepare(args: &RunArgs, project: &Project, builds: &Path) -> Result<Prepared, Fault> {
    let occasion = pipeline::occasion(&args.context, project)?;
    let reference = args.context.reference.as_deref();
    let (facts, planned, snapshot) = if args.committed || reference.is_some() {
        // A commit's configuration is the commit's, so its files come first.
        let facts = project.facts(reference)?;
        let snapshot = Sandbox::take(args, project, builds)?;
        let planned = pipeline::plan(
            Tree::Directory(snapshot.path()),
            project,
            &facts,
            &occasion,
            &args.context,
        )?;
        (facts, planned, snapshot)
    } else {
        // The copy does not depend on what the configuration says; it goes on beside it.
        std::thread::scope(|scope| {
            let copying = scope.spawn(|| Sandbox::take(args, project, builds));
            let facts = project.facts(None)?;
            let planned = pipeline::plan(Tree::Work, project, &facts, &occasion, &args.context)?;
            let snapshot = copying
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok((facts, planned, snapshot))
        })?
    };
    let Planned {
        plan,
        context,
        checked,
    } = planned;
    let mut plan = select(args, plan)?;
    pipeline::refuse_unsupported(&plan, &context, &checked)?;
    let files = pipeline::files(Tree::Directory(snapshot.path()), project, &facts, &occasion);
    shipway_coordinator::resolve_cache_keys(&mut plan, &files).map_err(|cause| {
        Fault::usage_text(format!("cannot read a file of `cache:key`: {cause}"))
    })?;
    Ok(Prepared {
        files,
        facts,
        plan,
        context,
        snapshot,
    })
}

async fn execute(
    args: &RunArgs,
    project: &Project,
    builds: &Path,
    prepared: Prepared,
    store: Store,
) -> Result<u8, Fault> {
    let Prepared {
        facts,
        plan,
        context,
        snapshot,
        files,
    } = prepared;
    let interrupts = interrupt::listen()?;
    let mode = mode(args);

    let coordinator = Coordinator::new(store).with_files(Arc::new(move || Box::new(files.clone())));
    let coordinator = Arc::new(coordinator);
    let lost = coordinator.recover().await.map_err(Fault::other)?;

    let width = plan.jobs.iter().map(|job| job.spec.name.chars().count());
    let width = width.max().unwrap_or_default();
    let out = anstream::AutoStream::auto(io::stdout());
    let mut display = Display::start(mode, out, plan.jobs.len(), width)?;
    for pipeline in lost {
        let text = format!("Run {pipeline} was left by a process that died; it is canceled now.");
        display.note(paint(style::WARNING, text))?;
    }
    display.note(header(&facts, &plan, &snapshot))?;

    let mut config = runner_config(args, project, builds);
    if let Some(job) = &args.shell_on_failure {
        config.failure_shell = Some(Arc::new(typed::failure_shell(job.clone())?));
    }
    let runner = Runner::new(config);
    runner.sweep().await;
    let notices = coordinator.subscribe();
    let run = NewRun::local(facts.sha.clone(), args.keep_going);
    let pipeline = coordinator.create_pipeline(&plan, &context, &run);
    let pipeline = pipeline.await.map_err(Fault::other)?;

    let worker = Worker {
        coordinator: Arc::clone(&coordinator),
        runner: Arc::new(runner),
        sources: Sources::Directory {
            snapshot: snapshot.tree()?,
            git_objects: snapshot.git_objects(),
        },
        parallel: args.parallel.unwrap_or_else(processors),
        pipeline,
        ask: mode != Mode::Quiet
            && args.shell_on_failure.is_none()
            && io::stdin().is_terminal()
            && io::stderr().is_terminal(),
    };
    let interrupted = worker.run(&mut display, notices, interrupts).await?;
    display.finish()?;
    drop(snapshot);

    let view = coordinator.view(pipeline).await.map_err(Fault::other)?;
    let children = worker.children().await?;
    let mut below = Vec::new();
    for child in &children {
        let view = coordinator.view(child.pipeline).await;
        below.push((child.name.clone(), view.map_err(Fault::other)?));
    }
    output::print(|out| summary::print(out, &view, &below))?;
    if let Some(path) = &args.report {
        report::write(path, &view, &below)?;
    }
    if let Some(directory) = &args.artifacts {
        copy_artifacts(directory, &view)?;
        for (name, view) in &below {
            copy_artifacts(&directory.join(name.replace('/', "-")), view)?;
        }
    }
    for child in &children {
        coordinator.release(child.pipeline);
    }
    coordinator.release(pipeline);
    coordinator.store().close().await;
    Ok(if interrupted {
        INTERRUPTED
    } else {
        u8::from(matches!(view.status, Status::Failed | Status::Canceled))
    })
}

fn mode(args: &RunArgs) -> Mode {
    if args.quiet {
        Mode::Quiet
    } else if args.shell_on_failure.is_some() {
        // A live view would write over what is typed.
        Mode::Lines
    } else if io::stdout().is_terminal() && io::stderr().is_terminal() {
        Mode::Live {
            output: args.verbose,
        }
    } else {
        Mode::Lines
    }
}

fn select(args: &RunArgs, plan: Plan) -> Result<Plan, Fault> {
    let named = args.names.iter().chain(&args.jobs);
    let names: Vec<String> = named.chain(&args.shell_on_failure).cloned().collect();
    if names.is_empty() {
        return Ok(plan);
    }
    let selection = Selection {
        names,
        alone: args.alone,
    };
    plan.select(&selection).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let fault = Fault::usage_text(texts.join("\n"));
        let similar = faults.iter().find_map(|fault| match fault {
            SelectError::Unknown { similar, .. } => similar.as_ref(),
            SelectError::Excluded { .. } => None,
        });
        match similar {
            Some(similar) => fault.hint(format!("did you mean `{similar}`?")),
            None => fault.hint("`shipway list` shows the jobs and why others are left out"),
        }
    })
}

/// "Running main at 1a2b3c4d: 212 files, 3 modified, 1 untracked; 5 jobs in 3 stages", with the
/// pipeline's name where `workflow:name` gives it one: "Running Nightly of main at …".
fn header(facts: &Facts, plan: &Plan, snapshot: &Sandbox) -> String {
    let commit = match &facts.sha {
        Some(sha) => format!("{} at {}", facts.ref_name, sha.get(..8).unwrap_or(sha)),
        None => format!("{}, no commit yet", facts.ref_name),
    };
    let name = plan.name.as_deref().map(crate::log_text::visible);
    let name = name.map(|name| format!("{name} of ")).unwrap_or_default();
    format!(
        "{} {name}{commit}: {}; {} in {}",
        paint(style::BOLD, "Running"),
        snapshot.summary(),
        crate::text::count(plan.jobs.len(), "job"),
        crate::text::count(plan.stages.len(), "stage"),
    )
}

fn runner_config(args: &RunArgs, project: &Project, builds: &Path) -> RunnerConfig {
    let mut config = RunnerConfig::new(
        builds.to_owned(),
        project.state_dir.join("cache"),
        builds.join("tmp"),
    );
    config.executor = match args.executor {
        Executor::Auto => ExecutorChoice::Auto,
        Executor::Shell => ExecutorChoice::Shell,
        Executor::Docker => ExecutorChoice::Docker,
    };
    config.shell_environment = shipway_runner::user_environment(std::env::vars_os());
    config.docker_host = std::env::var("DOCKER_HOST")
        .ok()
        .filter(|host| !host.is_empty());
    config.docker_cert_path = shipway_runner::docker_certificates(|name| std::env::var_os(name));
    config.docker_config = docker_config();
    config
}

fn docker_config() -> Option<PathBuf> {
    let directory = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| etcetera::home_dir().ok().map(|home| home.join(".docker")))?;
    Some(directory.join("config.json"))
}

fn processors() -> u32 {
    let number = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(number).unwrap_or(1)
}

/// Copies every job's artifacts into a directory of its name.
fn copy_artifacts(directory: &Path, pipeline: &PipelineView) -> Result<(), Fault> {
    let fault = |path: &Path, cause: io::Error| {
        Fault::usage_text(format!(
            "cannot copy artifacts to {}: {cause}",
            path.display()
        ))
    };
    for job in &pipeline.jobs {
        if job.artifacts.is_empty() {
            continue;
        }
        let into = directory.join(job.name.replace('/', "-"));
        std::fs::create_dir_all(&into).map_err(|cause| fault(&into, cause))?;
        for artifact in &job.artifacts {
            if artifact.kind == "archive" {
                let limits = ExtractLimits::default();
                shipway_runner::unpack(&artifact.path, &into, limits).map_err(Fault::other)?;
            } else {
                let name = artifact.file_name.as_str();
                let to = into.join(name.strip_suffix(".gz").unwrap_or(name));
                copy_report(&artifact.path, &to).map_err(|cause| fault(&to, cause))?;
            }
        }
    }
    Ok(())
}

/// Copies a report, unpacked where it is compressed.
fn copy_report(from: &Path, to: &Path) -> io::Result<()> {
    let source = std::fs::File::open(from)?;
    let mut target = std::fs::File::create(to)?;
    if from.extension().is_some_and(|extension| extension == "gz") {
        io::copy(&mut flate2::read::MultiGzDecoder::new(source), &mut target)?;
    } else {
        io::copy(&mut { source }, &mut target)?;
    }
    Ok(())
}
