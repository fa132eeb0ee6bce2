//! What a person sees while a pipeline runs: a live view on a terminal, prefixed lines
//! elsewhere.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use anstyle::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shipway_coordinator::JobNotice;
use shipway_pipeline::{JobId, Status};

use crate::log_text::{Line, Lines, visible};
use crate::output::color_on_stderr;
use crate::style::{self, paint};
use crate::text;

/// Bytes of log that are read at once.
const READ_BLOCK: usize = 64 * 1024;
/// How often a running job's elapsed time moves.
const TICK: Duration = Duration::from_millis(100);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Only the summary.
    Quiet,
    /// Every line of every job, with its name before it.
    Lines,
    /// A line per running job that is drawn anew; `output` also prints the jobs' lines above.
    Live {
        /// Print the jobs' lines too.
        output: bool,
    },
}

/// The progress of one run.
pub(super) struct Progress<W: Write> {
    mode: Mode,
    out: W,
    /// The live view may have colour; what goes to `out` decides for itself.
    color: bool,
    multi: MultiProgress,
    overall: Option<ProgressBar>,
    width: usize,
    jobs: HashMap<JobId, Followed>,
    colours: usize,
    total: usize,
    finished: usize,
}

/// A running job whose log is followed.
struct Followed {
    name: String,
    style: Style,
    path: PathBuf,
    log: Option<File>,
    lines: Lines,
    /// What is read at once; kept, because a log grows in many small steps.
    block: Vec<u8>,
    bar: Option<ProgressBar>,
}

impl<W: Write> Progress<W> {
    /// Begins to show a run of so many jobs, the longest name being `width` characters.
    pub(super) fn new(mode: Mode, out: W, total: usize, width: usize) -> Self {
        let multi = MultiProgress::new();
        let overall = matches!(mode, Mode::Live { .. }).then(|| {
            let bar = multi.add(ProgressBar::new(total as u64));
            bar.set_style(template("  {pos}/{len} jobs  {elapsed}"));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            mode,
            out,
            color: color_on_stderr(),
            multi,
            overall,
            width,
            jobs: HashMap::new(),
            colours: 0,
            total,
            finished: 0,
        }
    }

    /// Counts more jobs: a pipeline was started by one of the run.
    pub(super) fn more(&mut self, jobs: usize) {
        self.total += jobs;
        if let Some(overall) = &self.overall {
            overall.set_length(self.total as u64);
        }
    }

    /// Prints a line that is about the run as a whole.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        match self.mode {
            Mode::Quiet => Ok(()),
            Mode::Lines => writeln!(self.out, "{text}"),
            Mode::Live { .. } => self.above(text),
        }
    }

    /// Prints a line above the live view.
    fn above(&self, text: &str) -> io::Result<()> {
        if self.color {
            self.multi.println(text)
        } else {
            self.multi.println(visible(text))
        }
    }

    /// Takes note of a job's new status.
    pub(super) fn job(&mut self, job: &JobNotice, log: PathBuf) -> io::Result<()> {
        match job.status {
            Status::Running => self.started(job, log),
            Status::Success | Status::Failed | Status::Canceled => self.ended(job),
            Status::Skipped => {
                self.count();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// More of a job's log is there.
    pub(super) fn log(&mut self, job: JobId) -> io::Result<()> {
        if self.mode == Mode::Quiet {
            return Ok(());
        }
        let Some(mut followed) = self.jobs.remove(&job) else {
            return Ok(());
        };
        let result = followed.read(|line, name, style| self.line(line, name, style));
        self.jobs.insert(job, followed);
        result
    }

    /// Clears the live view; what is printed afterwards stands below.
    pub(super) fn finish(&mut self) {
        for followed in self.jobs.values().filter_map(|job| job.bar.as_ref()) {
            followed.finish_and_clear();
        }
        if let Some(overall) = &self.overall {
            overall.finish_and_clear();
        }
    }

    /// Runs something that uses the terminal, such as a question, without the live view.
    pub(super) fn suspend<R>(&self, action: impl FnOnce() -> R) -> R {
        self.multi.suspend(action)
    }

    fn started(&mut self, job: &JobNotice, path: PathBuf) -> io::Result<()> {
        let style = style::NAMES[self.colours % style::NAMES.len()];
        self.colours += 1;
        let bar = self.overall.as_ref().map(|overall| {
            let bar = self
                .multi
                .insert_before(overall, ProgressBar::new_spinner());
            bar.set_style(template("{spinner} {prefix} {elapsed:>4}  {wide_msg}"));
            bar.set_prefix(format!("{:width$}", job.name, width = self.width));
            bar.enable_steady_tick(TICK);
            bar
        });
        self.jobs.insert(
            job.id,
            Followed {
                name: job.name.clone(),
                style,
                path,
                log: None,
                lines: Lines::default(),
                block: Vec::new(),
                bar,
            },
        );
        if self.mode == Mode::Lines {
            let name = self.prefix(&job.name, style);
            writeln!(self.out, "{name} {}", paint(style::DIM, "started"))?;
        }
        Ok(())
    }

    fn ended(&mut self, job: &JobNotice) -> io::Result<()> {
        self.log(job.id)?;
        self.count();
        let style = match self.jobs.remove(&job.id) {
            Some(mut followed) => {
                if self.mode != Mode::Quiet {
                    let mut rest = Vec::new();
                    followed.lines.finish(|line| rest.push(line));
                    for line in rest {
                        self.line(&line, &followed.name, followed.style)?;
                    }
                }
                if let Some(bar) = &followed.bar {
                    bar.finish_and_clear();
                }
                followed.style
            }
            None => style::DIM,
        };
        let mut text = match job.status {
            Status::Failed if job.allow_failure => paint(style::WARNING, "! failed (allowed)"),
            status => paint(
                style::of(status),
                format!("{} {status}", style::symbol(status)),
            ),
        };
        if let Some(duration) = job.duration {
            text.push_str(&format!("  {}", text::duration(duration)));
        }
        if let Some(coverage) = job.coverage {
            text.push_str(&format!("  coverage {}", text::percent(coverage)));
        }
        if let Some(code) = job.exit_code.filter(|code| *code != 0) {
            text.push_str(&format!("  exit code {code}"));
        }
        let name = self.prefix(&job.name, style);
        match self.mode {
            Mode::Quiet => Ok(()),
            Mode::Lines => {
                let count = format!("({}/{})", self.finished, self.total);
                writeln!(self.out, "{name} {text} {}", paint(style::DIM, count))
            }
            Mode::Live { .. } => self.above(&format!("{name} {text}")),
        }
    }

    fn count(&mut self) {
        self.finished += 1;
        if let Some(overall) = &self.overall {
            overall.set_position(self.finished as u64);
        }
    }

    fn line(&mut self, line: &Line, name: &str, style: Style) -> io::Result<()> {
        let print = match self.mode {
            Mode::Quiet => false,
            Mode::Lines => true,
            Mode::Live { output } => output,
        };
        if !print {
            return Ok(());
        }
        let name = self.prefix(name, style);
        let text = match line {
            Line::Heading(text) => paint(style::BOLD, visible(text)),
            Line::Text(text) => format!("{text}\x1b[0m"),
        };
        match self.mode {
            Mode::Live { .. } => self.above(&format!("{name} {text}")),
            _ => writeln!(self.out, "{name} {text}"),
        }
    }

    fn prefix(&self, name: &str, style: Style) -> String {
        paint(style, format!("{name:width$}", width = self.width))
    }
}

impl Followed {
    fn read(
        &mut self,
        mut sink: impl FnMut(&Line, &str, Style) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.log.is_none() {
            let mut file = match File::open(&self.path) {
                Ok(file) => file,
                Err(_) => return Ok(()),
            };
            file.seek(SeekFrom::Start(0))?;
            self.log = Some(file);
        }
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        self.block.resize(READ_BLOCK, 0);
        let mut result = Ok(());
        loop {
            let length = log.read(&mut self.block)?;
            if length == 0 {
                return result;
            }
            self.lines.push(&self.block[..length], |line| {
                if let Some(bar) = &self.bar {
                    let text = visible(line.text());
                    if !text.trim().is_empty() {
                        bar.set_message(text);
                    }
                }
                if result.is_ok() {
                    result = sink(&line, &self.name, self.style);
                }
            });
        }
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
