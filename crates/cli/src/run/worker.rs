//! The loop of a local run: hands jobs to the runner, shows what happens, listens for Ctrl-C.

use std::collections::HashMap;
use std::future::pending;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use shipway_coordinator::{Child, Coordinator, JobNotice, JobView, Notice};
use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_protocol::JobPayload;
use shipway_runner::{Canceller, Runner, Sources, control};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::display::Display;
use super::source::InProcess;
use super::summary::CHILD;
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
        let mut children = Vec::new();
        let mut until_due = None;
        // Whether what can be started may have changed. Most notices are about logs.
        let mut changed = true;
        loop {
            if changed || tasks.is_empty() {
                self.settle(display, &mut notices, &mut children).await?;
                until_due = match interrupted {
                    0 => self.start_due(&children).await?,
                    _ => None,
                };
                self.fill(&mut tasks, &mut running, &children).await?;
            }
            changed = true;
            if tasks.is_empty() && until_due.is_none() {
                self.drain(display, &mut notices, &children)?;
                if interrupted > 0 {
                    break;
                }
                match self.next_manual(display, &mut declined, &children).await? {
                    Some(job) => self
                        .coordinator
                        .play(job, None)
                        .await
                        .map_err(Fault::other)?,
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
                        self.show(display, &notice, &children)?;
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
        self.drain(display, &mut notices, &children)?;
        Ok(interrupted > 0)
    }

    /// The child pipelines, and theirs.
    pub(super) async fn children(&self) -> Result<Vec<Child>, Fault> {
        let children = self.coordinator.children(self.pipeline, CHILD).await;
        children.map_err(Fault::other)
    }

    /// Starts the child pipelines whose turn it is, and lets their trigger jobs follow them.
    async fn settle(
        &self,
        display: &mut Display,
        notices: &mut broadcast::Receiver<Notice>,
        children: &mut Vec<Child>,
    ) -> Result<(), Fault> {
        if !self.coordinator.settle().await.map_err(Fault::other)? {
            return Ok(());
        }
        let known = children.len();
        *children = self.children().await?;
        for child in children.iter().skip(known) {
            display.more(child.jobs)?;
        }
        self.drain(display, notices, children)
    }

    /// Starts the delayed jobs whose time has come; when that of the next one comes.
    async fn start_due(&self, children: &[Child]) -> Result<Option<Instant>, Fault> {
        let mut next = None;
        for pipeline in self.family(children) {
            let due = self.coordinator.start_due(pipeline).await;
            let due = due.map_err(Fault::other)?.map(|time| Instant::now() + time);
            next = match (next, due) {
                (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
                (one, other) => one.or(other),
            };
        }
        Ok(next)
    }

    /// All pipelines of the run, the parent first.
    fn family(&self, children: &[Child]) -> impl Iterator<Item = PipelineId> {
        let children: Vec<_> = children.iter().map(|child| child.pipeline).collect();
        std::iter::once(self.pipeline).chain(children)
    }

    /// The next pending job of any of the pipelines.
    async fn take(&self, children: &[Child]) -> Result<Option<JobPayload>, Fault> {
        for pipeline in self.family(children) {
            let taken = self.coordinator.take_job(pipeline, RUNNER).await;
            let taken = taken.map_err(Fault::other)?;
            if taken.is_some() {
                return Ok(taken);
            }
        }
        Ok(None)
    }

    /// Starts jobs while there are free slots and pending jobs.
    async fn fill(
        &self,
        tasks: &mut JoinSet<JobId>,
        running: &mut HashMap<JobId, Running>,
        children: &[Child],
    ) -> Result<(), Fault> {
        while tasks.len() < self.parallel as usize {
            let Some(payload) = self.take(children).await? else {
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
        children: &[Child],
    ) -> Result<(), Fault> {
        loop {
            match notices.try_recv() {
                Ok(notice) => self.show(display, &notice, children)?,
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return Ok(()),
            }
        }
    }

    fn show(
        &self,
        display: &mut Display,
        notice: &Notice,
        children: &[Child],
    ) -> Result<(), Fault> {
        match notice {
            Notice::Job(job) if job.pipeline == self.pipeline => {
                let log = self.coordinator.store().logs().path(job.pipeline, job.id);
                display.job(job, log)
            }
            Notice::Job(job) => {
                let child = children.iter().find(|child| child.pipeline == job.pipeline);
                let Some(child) = child else { return Ok(()) };
                let log = self.coordinator.store().logs().path(job.pipeline, job.id);
                let job = JobNotice {
                    name: format!("{}{CHILD}{}", child.name, job.name),
                    ..job.clone()
                };
                display.job(&job, log)
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
        children: &[Child],
    ) -> Result<Option<JobId>, Fault> {
        if !self.ask {
            return Ok(None);
        }
        let mut jobs = Vec::new();
        for pipeline in self.family(children) {
            let view = self.coordinator.view(pipeline).await;
            jobs.extend(view.map_err(Fault::other)?.jobs);
        }
        for job in jobs {
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
