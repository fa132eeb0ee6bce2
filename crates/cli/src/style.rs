//! Colours and symbols, in one place. Everything reads without colour.

use anstyle::{AnsiColor, Color, Style};
use shipway_coordinator::JobView;
use shipway_pipeline::Status;

const fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(color)))
}

/// Something to look at first.
pub(crate) const BOLD: Style = Style::new().bold();
/// Something to look at last.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Faults.
pub(crate) const ERROR: Style = color(AnsiColor::Red).bold();
/// Warnings.
pub(crate) const WARNING: Style = color(AnsiColor::Yellow);
/// Advice.
pub(crate) const HINT: Style = color(AnsiColor::Cyan);

/// Names of jobs are told apart by colour where their lines mix.
pub(crate) const NAMES: [Style; 5] = [
    color(AnsiColor::Cyan),
    color(AnsiColor::Magenta),
    color(AnsiColor::Blue),
    color(AnsiColor::Yellow),
    color(AnsiColor::Green),
];

/// The colour of a status.
pub(crate) fn of(status: Status) -> Style {
    match status {
        Status::Success => color(AnsiColor::Green),
        Status::Failed => ERROR,
        Status::Canceled | Status::Canceling => color(AnsiColor::Yellow),
        Status::Manual | Status::Scheduled => color(AnsiColor::Cyan),
        Status::Running | Status::Pending => color(AnsiColor::Blue),
        _ => DIM,
    }
}

/// The symbol of a status.
pub(crate) fn symbol(status: Status) -> char {
    match status {
        Status::Success => '✓',
        Status::Failed => '✗',
        Status::Canceled | Status::Canceling => '⊘',
        Status::Skipped => '»',
        Status::Manual => '▷',
        Status::Scheduled => '◷',
        Status::Running => '●',
        _ => '○',
    }
}

/// The words and the colour for a job's status: an allowed failure is a warning.
pub(crate) fn job_status(job: &JobView) -> (String, Style) {
    if job.status == Status::Failed && job.allow_failure {
        return ("! failed (allowed)".to_owned(), WARNING);
    }
    (
        format!("{} {}", symbol(job.status), job.status),
        of(job.status),
    )
}

/// The text in a style.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
