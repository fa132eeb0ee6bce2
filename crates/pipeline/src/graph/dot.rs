//! A graph of Graphviz.

use std::fmt::Write as _;

use super::{EdgeKind, Graph};

pub(super) fn dot(graph: &Graph) -> String {
    let mut out = String::from(
        "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
    );
    for (number, column) in graph.columns.iter().enumerate() {
        let is_group = !column.title.is_empty();
        if is_group {
            let title = quoted(&column.title);
            let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label={title};");
        }
        for &job in &column.jobs {
            let one = &graph.jobs[job];
            let label = match one.note() {
                note if note.is_empty() => one.name.clone(),
                note => format!("{}\n{note}", one.name),
            };
            let dashed = if one.when == "manual" {
                ", style=\"rounded,dashed\""
            } else {
                ""
            };
            let pad = if is_group { "    " } else { "  " };
            let _ = writeln!(out, "{pad}j{job} [label={}{dashed}];", quoted(&label));
        }
        if is_group {
            out.push_str("  }\n");
        }
    }
    for edge in &graph.edges {
        let style = match edge.kind {
            EdgeKind::Need => "",
            EdgeKind::Stage => " [style=dashed]",
        };
        let _ = writeln!(out, "  j{} -> j{}{style};", edge.ends.0, edge.ends.1);
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
