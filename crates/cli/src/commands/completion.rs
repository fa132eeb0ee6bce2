//! `shipway completion` and `shipway man`: made from the definition of the command line.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::Fault;
use crate::output;

/// Prints the completion script of a shell.
pub(crate) fn completion(shell: Shell) -> Result<u8, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "shipway", &mut script);
    output::print(|out| out.write_all(&script))?;
    Ok(0)
}

/// Writes one manual page per command.
pub(crate) fn man(directory: &Path) -> Result<u8, Fault> {
    if !directory.is_dir() {
        return Err(
            Fault::usage_text(format!("{} is not a directory", directory.display()))
                .hint("make it first, for example with `mkdir -p`"),
        );
    }
    clap_mangen::generate_to(Cli::command(), directory).map_err(Fault::other)?;
    output::print(|out| writeln!(out, "The manual pages are in {}", directory.display()))?;
    Ok(0)
}
