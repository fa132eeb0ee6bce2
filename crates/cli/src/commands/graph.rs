//! `shipway graph`: the pipeline as a picture.

use shipway_pipeline::{Graph, View};

use crate::error::Fault;
use crate::explain_args::{By, GraphArgs, Picture};
use crate::output;
use crate::pipeline;

/// Runs the command.
pub(crate) fn graph(args: &GraphArgs) -> Result<u8, Fault> {
    let planned = pipeline::plan_from(&args.project, &args.context)?;
    let view = match args.by {
        By::Stage => View::Stages,
        By::Needs => View::Needs,
    };
    let graph = Graph::of(&planned.plan, view);
    let text = match args.format {
        Picture::Text => graph.text(view),
        Picture::Svg => graph.svg(),
        Picture::Mermaid => graph.mermaid(),
        Picture::Dot => graph.dot(),
        Picture::Json => {
            output::print_json(&graph)?;
            return Ok(0);
        }
    };
    output::print(|out| write!(out, "{text}"))?;
    Ok(0)
}
