//! `shipway expand`: the configuration after includes, `extends` and references.

use serde::Serialize;
use shipway_config::{ExpandOptions, Expanded, Files};

use crate::args::Format;
use crate::error::Fault;
use crate::explain_args::ExpandArgs;
use crate::output;
use crate::pipeline;

/// The output of `expand --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    expanded: &'a Expanded,
    files: Vec<File<'a>>,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    path: &'a str,
    included_from: Option<Place<'a>>,
}

#[derive(Debug, Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

/// Runs the command.
pub(crate) fn expand(args: &ExpandArgs) -> Result<u8, Fault> {
    let read = pipeline::read_from(&args.project, &args.context)?;
    let config = &read.checked.config;
    let unknown = args
        .names
        .iter()
        .find(|name| !config.keys().any(|key| key == *name));
    if let Some(name) = unknown {
        let fault = Fault::usage_text(format!("nothing at the top level is called `{name}`"));
        return Err(match shipway_config::suggest(name, config.keys()) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        });
    }
    let options = ExpandOptions {
        only: args.names.clone(),
        hidden: args.hidden,
        plain: args.no_comments,
    };
    let expanded = config.expand(&read.checked.files, &options);
    match args.format {
        Format::Json => output::print_json(&Report {
            expanded: &expanded,
            files: files(&read.checked.files),
        })?,
        Format::Text => output::print(|out| write!(out, "{}", expanded.yaml))?,
    }
    Ok(0)
}

fn files(files: &Files) -> Vec<File<'_>> {
    let places = files.iter().map(|(id, path, _)| File {
        path,
        included_from: files.included_from(id).map(|span| Place {
            file: files.path(span.file),
            line: span.line,
            column: span.column,
        }),
    });
    places.collect()
}
