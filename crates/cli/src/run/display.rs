//! The display on a thread of its own: whoever does not take what is printed, such as a pager
//! that waits for a key, holds up the display and not the jobs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use shipway_coordinator::JobNotice;
use shipway_pipeline::JobId;
use tokio::sync::oneshot;

use super::progress::{Mode, Progress};
use crate::error::Fault;
use crate::output::unless_closed;

/// Something to be shown.
enum Order {
    /// A line about the run as a whole.
    Note(String),
    /// A job's new status, and where its log is.
    Job(Box<JobNotice>, PathBuf),
    /// More of a job's log is there.
    Log(JobId),
    /// So many more jobs belong to the run.
    More(usize),
    /// A question, asked without the live view.
    Ask(Question, oneshot::Sender<io::Result<bool>>),
}

/// Asks a person and returns the answer.
type Question = Box<dyn FnOnce() -> io::Result<bool> + Send>;

/// The display of one run. Dropped, it shows what it was given and ends.
pub(super) struct Display {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<Result<(), Fault>>>,
    /// Nothing is shown before the end.
    quiet: bool,
}

impl Display {
    /// Begins to show a run; see [`Progress::new`].
    pub(super) fn start<W: Write + Send + 'static>(
        mode: Mode,
        out: W,
        total: usize,
        width: usize,
    ) -> Result<Self, Fault> {
        let quiet = mode == Mode::Quiet;
        let (orders, received) = mpsc::channel();
        let show = move || show_all(Progress::new(mode, out, total, width), &received);
        let thread = match quiet {
            true => None,
            false => {
                let thread = std::thread::Builder::new().name("display".to_owned());
                Some(thread.spawn(show).map_err(Fault::other)?)
            }
        };
        Ok(Self {
            orders: Some(orders),
            thread,
            quiet,
        })
    }

    /// Shows a line that is about the run as a whole.
    pub(super) fn note(&mut self, text: String) -> Result<(), Fault> {
        self.order(Order::Note(text))
    }

    /// Shows a job's new status.
    pub(super) fn job(&mut self, job: &JobNotice, log: PathBuf) -> Result<(), Fault> {
        if self.quiet {
            return Ok(());
        }
        self.order(Order::Job(Box::new(job.clone()), log))
    }

    /// Notes that more jobs belong to the run.
    pub(super) fn more(&mut self, jobs: usize) -> Result<(), Fault> {
        self.order(Order::More(jobs))
    }

    /// Shows what is new in a job's log.
    pub(super) fn log(&mut self, job: JobId) -> Result<(), Fault> {
        self.order(Order::Log(job))
    }

    /// Asks a person, after everything before has been shown.
    pub(super) async fn ask(&mut self, question: Question) -> Result<bool, Fault> {
        let (sender, answer) = oneshot::channel();
        self.order(Order::Ask(question, sender))?;
        match answer.await {
            Ok(answer) => answer.map_err(Fault::other),
            // The display ended with a fault; a quiet one asks nothing.
            Err(_) => self.end().map(|()| false),
        }
    }

    /// Waits until everything is shown, and clears the live view.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.end()
    }

    fn order(&mut self, order: Order) -> Result<(), Fault> {
        if self.quiet {
            return Ok(());
        }
        let sent = self.orders.as_ref().map(|orders| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => self.end(),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.orders = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(shown) => shown.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // A run that ends with a fault has a better one to report.
        let _ = self.end();
    }
}

fn show_all<W: Write>(
    mut progress: Progress<W>,
    orders: &mpsc::Receiver<Order>,
) -> Result<(), Fault> {
    for order in orders {
        let shown = match order {
            Order::Note(text) => progress.note(&text),
            Order::Job(job, log) => progress.job(&job, log),
            Order::Log(job) => progress.log(job),
            Order::More(jobs) => {
                progress.more(jobs);
                Ok(())
            }
            Order::Ask(question, answer) => {
                let _ = answer.send(progress.suspend(question));
                Ok(())
            }
        };
        unless_closed(shown)?;
    }
    progress.finish();
    Ok(())
}
