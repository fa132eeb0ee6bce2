//! `shipway log RUN JOB`: the log of a job of a past run.

use std::fs::File;
use std::io::{self, Read, Write};

use shipway_coordinator::Coordinator;
use shipway_pipeline::PipelineId;

use super::block_on;
use crate::args::LogArgs;
use crate::error::Fault;
use crate::log_text::{Line, Lines, visible};
use crate::output;
use crate::project::Project;
use crate::state;
use crate::style::{self, paint};

/// Bytes that are read at once.
const BLOCK: usize = 64 * 1024;

/// Runs the command.
pub(crate) fn log(args: &LogArgs) -> Result<u8, Fault> {
    let project = Project::find(&args.project)?;
    let path = block_on(async {
        let store = state::open_existing(&project.state_dir).await?;
        let coordinator = Coordinator::new(store);
        let run = find_run(&coordinator, &args.run).await?;
        let view = coordinator.view(run).await.map_err(Fault::other)?;
        let names: Vec<_> = view.jobs.iter().map(|job| job.name.clone()).collect();
        let job = view.jobs.into_iter().find(|job| job.name == args.job);
        let job = job.ok_or_else(|| {
            Fault::usage_text(format!("run {run} has no job `{}`", args.job))
                .hint(format!("its jobs are {}", names.join(", ")))
        })?;
        if job.started_at.is_none() {
            return Err(Fault::usage_text(format!(
                "job `{}` of run {run} did not run: it is {}",
                job.name, job.status
            )));
        }
        Ok(job.log)
    })?;
    let mut file = File::open(&path)
        .map_err(|cause| Fault::usage_text(format!("cannot read {}: {cause}", path.display())))?;
    output::print(|out| {
        if args.raw {
            io::copy(&mut file, out).map(|_| ())
        } else {
            print(out, &mut file)
        }
    })?;
    Ok(0)
}

/// The run of a number or of `last`.
pub(super) async fn find_run(coordinator: &Coordinator, run: &str) -> Result<PipelineId, Fault> {
    let store = coordinator.store();
    if run == "last" {
        let newest = store.pipelines(1).await.map_err(Fault::other)?;
        let newest = newest.first().map(|row| row.id);
        return newest.ok_or_else(|| Fault::usage_text("there are no runs yet"));
    }
    let fault = || {
        Fault::usage_text(format!("there is no run `{run}`"))
            .hint("`shipway history` lists the runs; `last` is the newest")
    };
    let id = PipelineId(run.parse().map_err(|_| fault())?);
    let row = store.pipeline(id).await.map_err(Fault::other)?;
    row.map(|row| row.id).ok_or_else(fault)
}

fn print(out: &mut dyn Write, log: &mut impl Read) -> io::Result<()> {
    let mut lines = Lines::default();
    let mut block = vec![0; BLOCK];
    loop {
        let length = log.read(&mut block)?;
        let mut result = Ok(());
        let mut write = |line: Line| {
            if result.is_ok() {
                result = match line {
                    Line::Heading(text) => {
                        writeln!(out, "{}", paint(style::BOLD, visible(&text)))
                    }
                    Line::Text(text) => writeln!(out, "{text}\x1b[0m"),
                };
            }
        };
        if length == 0 {
            lines.finish(&mut write);
            return result;
        }
        lines.push(&block[..length], &mut write);
        result?;
    }
}
