//! Commands that this build was made without: they say how to get them.

use std::ffi::OsString;

use clap::Args;

use crate::error::Fault;

/// Whatever follows the command; it is not looked at.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct AbsentArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// The command is known, but not here.
pub(crate) fn absent(command: &str, feature: &str) -> Result<u8, Fault> {
    Err(
        Fault::usage_text(format!("this shipway was built without `shipway {command}`")).hint(
            format!(
                "build it with the feature `{feature}`: cargo install --path crates/cli --features {feature}; `full` has everything"
            ),
        ),
    )
}
