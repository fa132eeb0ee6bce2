//! Options of the commands that show what a pipeline is and would do, without running it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{ContextArgs, Format, ProjectArgs};

/// Play a pipeline through without running anything.
///
/// With a SCRIPT: the pipeline of the configuration in it, step by step. Without: the pipeline
/// of this work tree until it comes to rest, all jobs succeeding but those of `--fail`.
///
/// A script is YAML with `config` (a `.gitlab-ci.yml` as a mapping) and `transitions`, each with
/// an `event` (success, drop, run, cancel, play, retry) and `jobs`. It may have a `context`
/// (`branch` or `tag`, `source`, `variables`, `changes`); without one it is a pipeline for the
/// branch master. Where it says what to `expect` (`init` after the creation, and each
/// transition), that is checked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway simulate                        every job succeeds
  shipway simulate --fail test            what becomes of the rest if `test` fails
  shipway simulate --fail test --play deploy --format json
  shipway simulate scenario.yml           a script of events, checked where it says `expect`

Exit codes: 0 fine, 1 the states are not as expected, 2 usage or configuration fault.")]
pub(crate) struct SimulateArgs {
    /// The script; `-` is standard input.
    #[arg(value_name = "SCRIPT", conflicts_with_all = ["fail", "play"])]
    pub(crate) script: Option<PathBuf>,

    /// A job that fails, each time it is tried. May be repeated.
    #[arg(long, value_name = "JOB", num_args = 1..)]
    pub(crate) fail: Vec<String>,

    /// A manual job that a person plays. May be repeated.
    #[arg(long, value_name = "JOB", num_args = 1..)]
    pub(crate) play: Vec<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Print the configuration after includes, `extends` and references.
///
/// The result is one file that means the same. Comments say which file and line each part came
/// from, and what a job extends. Hidden jobs are left out, because what they give is in the jobs
/// that take it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway expand
  shipway expand test deploy               two jobs only
  shipway expand --no-comments > one.yml
  shipway expand --format json")]
pub(crate) struct ExpandArgs {
    /// Keys of the top level to print: jobs, or `variables` and the like; none means all.
    #[arg(value_name = "JOB")]
    pub(crate) names: Vec<String>,

    /// Print hidden jobs too.
    #[arg(long)]
    pub(crate) hidden: bool,

    /// Print YAML without comments.
    #[arg(long)]
    pub(crate) no_comments: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Draw the pipeline.
///
/// By stage there is a column for each stage, with arrows for `needs`. By needs each job stands
/// as early as it can start, with dashed arrows for the order of stages.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway graph
  shipway graph --by needs
  shipway graph --format svg > pipeline.svg
  shipway graph --format mermaid           to put into Markdown
  shipway graph --format dot | dot -Tpng > pipeline.png
  shipway graph --format json")]
pub(crate) struct GraphArgs {
    /// How jobs are put into columns.
    #[arg(long, value_enum, default_value_t = By::Stage)]
    pub(crate) by: By,

    #[arg(long, value_enum, default_value_t = Picture::Text)]
    pub(crate) format: Picture,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Stage,
    Needs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    Text,
    Svg,
    Mermaid,
    Dot,
    Json,
}

/// Say why a job is in the pipeline, is not, or waits.
///
/// Shows each rule that was tried, the parts of its expression with their values, where each
/// variable came from, and the smallest change that would turn the outcome around.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway why deploy
  shipway why deploy --ref v1.2            for a tag
  shipway why deploy --source schedule --var NIGHTLY=1
  shipway why deploy --run last            what it waits for, or waited for, in a run
  shipway why deploy --format json")]
pub(crate) struct WhyArgs {
    /// The job.
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    /// Ask about the job of a run, by its number in `shipway history`, or `last`.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// List the variables of a job: each value and where it came from.
///
/// Values are those that exist before the job runs, expanded as far as the server does it.
/// Masked ones are not shown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway variables test
  shipway variables test --all             predefined ones too
  shipway variables test --var DEBUG=1 --format json")]
pub(crate) struct VariablesArgs {
    /// The job.
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    /// Predefined variables too, and values that others have replaced.
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
