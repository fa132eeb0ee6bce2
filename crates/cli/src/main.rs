//! The `shipway` command: reads the command line, joins the rooms, prints.

#[cfg(not(all(feature = "remote", feature = "server", feature = "lsp")))]
mod absent;
#[cfg(feature = "server")]
mod admin_args;
mod args;
mod commands;
mod commit_files;
mod config_files;
mod error;
mod explain_args;
mod includes;
mod log_text;
mod output;
mod pipeline;
mod project;
mod run;
#[cfg(feature = "remote")]
mod runner_args;
#[cfg(feature = "server")]
mod serve_args;
#[cfg(feature = "server")]
mod serving;
mod state;
mod style;
mod text;
mod values;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::Fault;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_panic));
    let cli = Cli::parse();
    output::choose_color(cli.color);
    if !cli.command.logs_itself() {
        output::start_logging();
    }
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Lint(args) => commands::lint(&args),
        Command::List(args) => commands::list(&args),
        Command::Expand(args) => commands::expand(&args),
        Command::Graph(args) => commands::graph(&args),
        Command::Why(args) => commands::why(&args),
        Command::Variables(args) => commands::variables(&args),
        Command::Simulate(args) => commands::simulate(&args),
        Command::History(args) => commands::history(&args),
        Command::Log(args) => commands::log(&args),
        Command::Clean(args) => commands::clean(&args),
        #[cfg(feature = "lsp")]
        Command::Lsp(args) => commands::lsp(args),
        #[cfg(not(feature = "lsp"))]
        Command::Lsp(_) => absent::absent("lsp", "lsp"),
        #[cfg(feature = "remote")]
        Command::Runner(args) => commands::runner(&args),
        #[cfg(not(feature = "remote"))]
        Command::Runner(_) => absent::absent("runner", "remote"),
        #[cfg(feature = "server")]
        Command::Serve(args) => commands::serve(&args),
        #[cfg(feature = "server")]
        Command::Admin(args) => commands::admin(&args),
        #[cfg(not(feature = "server"))]
        Command::Serve(_) => absent::absent("serve", "server"),
        #[cfg(not(feature = "server"))]
        Command::Admin(_) => absent::absent("admin", "server"),
        Command::Completion { shell } => commands::completion(shell),
        Command::Man { directory } => commands::man(&directory),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            print_fault(&fault);
            ExitCode::from(fault.code)
        }
    }
}

/// A fault of ours, said as such. The YAML scanner panics on a few malformed inputs; that is
/// caught, and reported as a fault of the file.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    if place.contains("libyaml-safer") {
        return;
    }
    let text = panic.payload_as_str().unwrap_or("no reason given");
    anstream::eprintln!(
        "{} this should not happen, please report it: {text} ({place})",
        style::paint(style::ERROR, "internal error:")
    );
}

fn print_fault(fault: &Fault) {
    if fault.message.is_empty() {
        return;
    }
    anstream::eprintln!("{} {}", style::paint(style::ERROR, "error:"), fault.message);
    if let Some(hint) = &fault.hint {
        anstream::eprintln!("{} {hint}", style::paint(style::HINT, "hint:"));
    }
}
