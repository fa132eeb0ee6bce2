//! The loop of a local run: hands jobs to the runner, shows what happens, listens for Ctrl-C.

use std::collections::HashMap;
use std::future::pending;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use shipway_coordinator::{Coordinator, JobView, Notice};
use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_runner::{Canceller, Runner, Sources, control};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::display::Display;
use super::source::InProcess;
use crate::error::Fault;
use crate::style::{self, paint};

/// What the runner is called in a local run.
const RUNNER: &str = "this machine";

/// Everything the loop needs.
pub(super) struct Worker {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) runner: Arc<Runner>,
    pub(super) sources: Sources,
    pub(super) parallel: u32,
    pub(super) pipeline: PipelineId,
    /// Ask about manual jobs when nothing else is left to do.
    pub(super) ask: bool,
}

impl Worker {
    /// Runs the pipeline to its end; whether somebody interrupted it.
    pub(super) async fn run(
        &self,
        display: &mut Display,
        mut notices: broadcast::Receiver<Notice>,
        mut interrupts: mpsc::UnboundedReceiver<()>,
    ) -> Result<bool, Fault> {
        let mut tasks = JoinSet::new();
        let mut running: HashMap<JobId, Running> = HashMap::new();
        let mut interrupted = 0_u32;
        let mut declined = Vec::new();
        let mut until_due = None;
        // Whether what can be started may have changed. Most notices are about logs.
        let mut changed = true;
        loop {
            if changed || tasks.is_empty() {
                let due = match interrupted {
                    0 => self.coordinator.start_due(self.pipeline).await,
                    _ => Ok(None),
                };
                until_due = due.map_err(Fault::other)?.map(|time| Instant::now() + time);
                self.fill(&mut tasks, &mut running).await?;
            }
            changed = true;
            if tasks.is_empty() && until_due.is_none() {
                self.drain(display, &mut notices)?;
                if interrupted > 0 {
                    break;
                }
                match self.next_manual(display, &mut declined).await? {
                    Some(job) => self.coordinator.play(job).await.map_err(Fault::other)?,
                    None => break,
                }
                continue;
            }
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    let job = ended.map_err(Fault::other)?;
                    running.remove(&job);
                }
                notice = notices.recv() => match notice {
                    Ok(notice) => {
                        changed = !matches!(notice, Notice::Trace { .. });
                        pass_on(&notice, &running);
                        self.show(display, &notice)?;
                    }
                    // Logs are read from their files, so what was missed comes with the rest.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                Some(()) = interrupts.recv() => {
                    interrupted += 1;
                    self.interrupt(interrupted, display, &running).await?;
                }
                () = sleep_until(until_due) => {}
            }
        }
        self.drain(display, &mut notices)?;
        Ok(interrupted > 0)
    }

    /// Starts jobs while there are free slots and pending jobs.
    async fn fill(
        &self,
        tasks: &mut JoinSet<JobId>,
        running: &mut HashMap<JobId, Running>,
    ) -> Result<(), Fault> {
        while tasks.len() < self.parallel as usize {
            let taken = self.coordinator.take_job(self.pipeline, RUNNER).await;
            let Some(payload) = taken.map_err(Fault::other)? else {
                return Ok(());
            };
            let job = JobId(payload.id);
            let slot = lowest_free(running);
            let (canceller, control) = control();
            running.insert(job, Running { slot, canceller });
            let runner = Arc::clone(&self.runner);
            let sources = self.sources.clone();
            let source = InProcess(Arc::clone(&self.coordinator));
            tasks.spawn(async move {
                runner
                    .run_job(payload, sources, &source, slot, control)
                    .await;
                job
            });
        }
        Ok(())
    }

    async fn interrupt(
        &self,
        times: u32,
        display: &mut Display,
        running: &HashMap<JobId, Running>,
    ) -> Result<(), Fault> {
        if times == 1 {
            let text = "Canceling; the jobs may clean up. Press Ctrl-C again to end them now.";
            display.note(paint(style::WARNING, text))?;
            self.coordinator.stop_handing_out();
            let canceled = self.coordinator.cancel_pipeline(self.pipeline).await;
            canceled.map_err(Fault::other)?;
            running.values().for_each(|job| job.canceller.cancel());
        } else {
            running.values().for_each(|job| job.canceller.abort());
        }
        Ok(())
    }

    /// Shows everything that has happened so far.
    fn drain(
        &self,
        display: &mut Display,
        notices: &mut broadcast::Receiver<Notice>,
    ) -> Result<(), Fault> {
        loop {
            match notices.try_recv() {
                Ok(notice) => self.show(display, &notice)?,
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return Ok(()),
            }
        }
    }

    fn show(&self, display: &mut Display, notice: &Notice) -> Result<(), Fault> {
        match notice {
            Notice::Job(job) if job.pipeline == self.pipeline => {
                let log = self.coordinator.store().logs().path(job.pipeline, job.id);
                display.job(job, log)
            }
            Notice::Trace { job, .. } => display.log(*job),
            _ => Ok(()),
        }
    }

    /// The manual job to set off next, as the person at the terminal decides.
    async fn next_manual(
        &self,
        display: &mut Display,
        declined: &mut Vec<JobId>,
    ) -> Result<Option<JobId>, Fault> {
        if !self.ask {
            return Ok(None);
        }
        let view = self.coordinator.view(self.pipeline).await;
        let view = view.map_err(Fault::other)?;
        for job in view.jobs {
            if job.status != Status::Manual || declined.contains(&job.id) {
                continue;
            }
            let id = job.id;
            if display.ask(Box::new(move || question(&job))).await? {
                return Ok(Some(id));
            }
            declined.push(id);
        }
        Ok(None)
    }
}

/// A job on its way.
struct Running {
    slot: u32,
    canceller: Canceller,
}

/// Tells the runner of a job that the pipeline cancels.
fn pass_on(notice: &Notice, running: &HashMap<JobId, Running>) {
    if let Notice::Job(job) = notice
        && job.status == Status::Canceling
        && let Some(running) = running.get(&job.id)
    {
        running.canceller.cancel();
    }
}

/// The lowest number no running job has, so that jobs that follow each other find the same
/// path, and what they cache with absolute paths in it stays good.
fn lowest_free(running: &HashMap<JobId, Running>) -> u32 {
    let taken = |slot: &u32| running.values().any(|job| job.slot == *slot);
    (0..).find(|slot| !taken(slot)).unwrap_or_default()
}

fn question(job: &JobView) -> io::Result<bool> {
    let mut err = anstream::stderr();
    write!(
        err,
        "Job {} is manual. Run it now? [y/N] ",
        paint(style::BOLD, &job.name)
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => pending().await,
    }
}
