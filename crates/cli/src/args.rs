//! The command line: every option once, for parsing, help, completion and manual pages.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use shipway_pipeline::Source;

#[cfg(not(all(feature = "remote", feature = "server", feature = "lsp")))]
use crate::absent::AbsentArgs;
#[cfg(feature = "server")]
use crate::admin_args::AdminArgs;
use crate::explain_args::{ExpandArgs, GraphArgs, SimulateArgs, VariablesArgs, WhyArgs};
#[cfg(feature = "remote")]
use crate::runner_args::RunnerArgs;
#[cfg(feature = "server")]
use crate::serve_args::ServeArgs;
use crate::values;

/// GitLab CI/CD in one small program: runs a `.gitlab-ci.yml` on this machine, no push needed.
#[derive(Debug, Parser)]
#[command(
    name = "shipway",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:
  shipway run                    run the pipeline of this work tree, uncommitted edits included
  shipway run test               run the job `test` and what it needs
  shipway lint                   show every fault of .gitlab-ci.yml at once
  shipway why deploy             say why a job is in the pipeline or is not
  shipway simulate --fail test   show what becomes of the rest if a job fails
  shipway history                list past runs

Exit codes: 0 fine, 1 the pipeline or the check failed, 2 usage or configuration fault,
130 interrupted."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are respected too.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, env = "SHIPWAY_COLOR")]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Lint(LintArgs),
    List(ListArgs),
    Expand(ExpandArgs),
    Graph(GraphArgs),
    Why(WhyArgs),
    Variables(VariablesArgs),
    Simulate(SimulateArgs),
    History(HistoryArgs),
    Log(LogArgs),
    Clean(CleanArgs),
    #[cfg(feature = "lsp")]
    Lsp(LspArgs),
    #[cfg(not(feature = "lsp"))]
    #[command(hide = true)]
    Lsp(AbsentArgs),
    #[cfg(feature = "remote")]
    Runner(RunnerArgs),
    #[cfg(not(feature = "remote"))]
    #[command(hide = true)]
    Runner(AbsentArgs),
    #[cfg(feature = "server")]
    Serve(ServeArgs),
    #[cfg(feature = "server")]
    Admin(AdminArgs),
    #[cfg(not(feature = "server"))]
    #[command(hide = true)]
    Serve(AbsentArgs),
    #[cfg(not(feature = "server"))]
    #[command(hide = true)]
    Admin(AbsentArgs),
    /// Print the completion script of a shell.
    ///
    /// Example: shipway completion bash > ~/.local/share/bash-completion/completions/shipway
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory.
    ///
    /// Example: shipway man ~/.local/share/man/man1
    Man {
        /// The directory; it must exist.
        directory: PathBuf,
    },
}

impl Command {
    /// Whether the command decides itself what is logged: a service does.
    pub(crate) fn logs_itself(&self) -> bool {
        match self {
            #[cfg(feature = "remote")]
            Self::Runner(args) => {
                matches!(args.command, crate::runner_args::RunnerCommand::Run(_))
            }
            #[cfg(feature = "server")]
            Self::Serve(_) => true,
            _ => false,
        }
    }
}

/// Where the project is and which file configures it.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArgs {
    /// Act as if started in this directory.
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) directory: PathBuf,

    /// The configuration, relative to the project's root.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Where logs, artifacts and caches are kept, instead of `.shipway` in the project.
    #[arg(long, value_name = "DIR", env = "SHIPWAY_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// What the pipeline is created for.
#[derive(Debug, Clone, Args)]
pub(crate) struct ContextArgs {
    /// Set a variable of this pipeline; wins over all in the file, and stands for a secret or an
    /// ID token of its name. May be repeated.
    #[arg(long = "var", value_name = "KEY=VALUE", value_parser = values::variable)]
    pub(crate) variables: Vec<(String, String)>,

    /// Read variables from a file of KEY=VALUE lines; `--var` wins. May be repeated.
    #[arg(long = "var-file", value_name = "FILE")]
    pub(crate) variable_files: Vec<PathBuf>,

    /// Give an input of the configuration's `spec:inputs` a value; a list as JSON. May be
    /// repeated.
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = values::input)]
    pub(crate) inputs: Vec<(String, String)>,

    /// Run for this branch, tag or commit, with the files of that commit.
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) reference: Option<String>,

    /// What is said to have made the pipeline: CI_PIPELINE_SOURCE (push, web, schedule, …). With
    /// merge_request_event it is that of a merge request into the default branch.
    #[arg(long, value_name = "SOURCE", default_value = "push")]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) includes: IncludeArgs,
}

/// Where `include` finds files that are not of the project.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Includes")]
pub(crate) struct IncludeArgs {
    /// A checkout of another project, for `include:project` and components; as it is, or of
    /// the ref that is asked for. `NAME@REF=DIR` stands for one ref. May be repeated; also
    /// `git config --add shipway.project NAME=DIR`.
    #[arg(long = "project", value_name = "NAME=DIR")]
    pub(crate) projects: Vec<String>,

    /// A directory of templates, for `include:template`; also `git config shipway.templates`.
    #[arg(long, value_name = "DIR", env = "SHIPWAY_TEMPLATES")]
    pub(crate) templates: Option<PathBuf>,

    /// Fetch all files of `include:remote` anew and note them in `.shipway/includes.lock`.
    #[arg(long, conflicts_with = "offline")]
    pub(crate) update_includes: bool,

    /// Take files of `include:remote` from earlier runs only.
    #[arg(long, env = "SHIPWAY_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) offline: bool,

    /// Let `include:remote` reach this machine and private networks; proxies are used too.
    #[arg(long)]
    pub(crate) private_includes: bool,

    /// Leave out files of others that cannot be had, and the jobs that build on them; each is a
    /// warning.
    #[arg(long)]
    pub(crate) partial: bool,
}

/// Run the pipeline of this work tree on this machine.
///
/// Takes the files as they are, uncommitted edits and untracked files included, and runs the
/// jobs in copies of them: the work tree itself is never written to. Jobs with an `image`
/// run in Docker, all others in a shell. This machine stands for every runner, whatever the
/// tags.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway run                              the whole pipeline
  shipway run test lint                    two jobs and what they need
  shipway run --alone deploy               one job without what it needs
  shipway run -C examples/python-stack     a project elsewhere
  shipway run --file other.yml --var DEBUG=1
  shipway run --project group/templates=../templates
                                           with what it includes of another project
  shipway run --ref v1.2 --source web      as if somebody started it for a tag
  shipway run --report report.json --artifacts out/")]
pub(crate) struct RunArgs {
    /// Jobs to run, with what they need; none means all. Names a manual job to set it off.
    #[arg(value_name = "JOB")]
    pub(crate) names: Vec<String>,

    /// Another way to name a job. May be repeated.
    #[arg(long = "job", value_name = "JOB")]
    pub(crate) jobs: Vec<String>,

    /// Run only the named jobs, without what they need.
    #[arg(long)]
    pub(crate) alone: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    /// Take the files of HEAD, without uncommitted edits and untracked files.
    #[arg(long, conflicts_with = "reference")]
    pub(crate) committed: bool,

    /// What runs the jobs: `auto` is Docker for jobs with an image, else a shell.
    #[arg(long, value_enum, default_value_t = Executor::Auto, env = "SHIPWAY_EXECUTOR")]
    pub(crate) executor: Executor,

    /// How many jobs run at once [default: the number of processors].
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) parallel: Option<u32>,

    /// Go on with later stages after a failure; the pipeline still fails.
    #[arg(short, long)]
    pub(crate) keep_going: bool,

    /// Write a report in JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Copy the artifacts of all jobs into this directory, one directory per job.
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,

    /// Print only the summary and failures.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print the jobs' output on a terminal too.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    Auto,
    Shell,
    Docker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Show every fault of a configuration at once.
///
/// Without a context the file itself is judged, as on GitLab's lint page. With `--dry-run`, or
/// any option that says what the pipeline is for, the pipeline is made too, and what stands in
/// its way counts as a fault.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway lint
  shipway lint ci/other.yml
  shipway lint --project group/templates=../templates
  generate-pipeline | shipway lint -
  shipway lint --dry-run                   also whether a pipeline comes of it
  shipway lint --source schedule --var NIGHTLY=1
  shipway lint --format json")]
pub(crate) struct LintArgs {
    /// The configuration, `-` for standard input [default: .gitlab-ci.yml of this project].
    #[arg(value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,

    /// Act as if started in this directory.
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) directory: PathBuf,

    /// Make the pipeline too.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

impl LintArgs {
    /// Whether the pipeline is made too.
    pub(crate) fn has_context(&self) -> bool {
        let context = &self.context;
        self.dry_run
            || context.reference.is_some()
            || context.source != Source::Push
            || !context.variables.is_empty()
            || !context.inputs.is_empty()
            || !context.variable_files.is_empty()
    }
}

/// Help an editor with .gitlab-ci.yml: faults while you type, completion, hover, navigation.
///
/// Speaks the Language Server Protocol over standard input and output until the editor ends
/// it. The editor starts it; docs/editor.md has settings for VS Code, Neovim and Helix.
#[cfg(feature = "lsp")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway lsp                              what an editor runs
  shipway lsp --file ci/main.yml           for projects with another configuration
  shipway lsp --project group/templates=../templates
                                           with what it includes of another project")]
pub(crate) struct LspArgs {
    /// The configuration, relative to the project's root.
    #[arg(short, long, value_name = "FILE", default_value = crate::project::DEFAULT_FILE)]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) includes: IncludeArgs,

    /// The only way there is; editors name it.
    #[arg(long, hide = true)]
    pub(crate) stdio: bool,
}

/// List the jobs that would run, and why the others would not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway list
  shipway list --ref v1.0 --source web
  shipway list --format json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    #[command(flatten)]
    pub(crate) context: ContextArgs,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// List past runs.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// How many runs to list, newest first.
    #[arg(short = 'n', long, default_value_t = 20)]
    pub(crate) limit: u32,
}

/// Print the log of a job of a past run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway log 12 test
  shipway log last test")]
pub(crate) struct LogArgs {
    /// Number of the run, as in `shipway history`, or `last`.
    pub(crate) run: String,

    /// Name of the job.
    pub(crate) job: String,

    /// Print the bytes as stored, section markers included.
    #[arg(long)]
    pub(crate) raw: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

/// Delete old runs, oldest first, until what is kept fits a budget.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway clean                  keep at most 1 GB
  shipway clean --budget 200MB
  shipway clean --budget 0       delete everything that is not running")]
pub(crate) struct CleanArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// What logs, artifacts and caches may take: a number with B, KB, MB, GB or TB.
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = values::size)]
    pub(crate) budget: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
