//! A flowchart of Mermaid.

use std::fmt::Write as _;

use super::{EdgeKind, Graph};

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (number, column) in graph.columns.iter().enumerate() {
        let is_group = !column.title.is_empty();
        if is_group {
            let _ = writeln!(out, "  subgraph s{number}[\"{}\"]", escaped(&column.title));
        }
        for &job in &column.jobs {
            let one = &graph.jobs[job];
            let note = match one.note() {
                note if note.is_empty() => note,
                note => format!("<br/><small>{note}</small>"),
            };
            let pad = if is_group { "    " } else { "  " };
            let _ = writeln!(out, "{pad}j{job}[\"{}{note}\"]", escaped(&one.name));
        }
        if is_group {
            out.push_str("  end\n");
            if number > 0 {
                let _ = writeln!(out, "  s{} ~~~ s{number}", number - 1);
            }
        }
    }
    for edge in &graph.edges {
        let arrow = match edge.kind {
            EdgeKind::Need => "-->",
            EdgeKind::Stage => "-.->",
        };
        let _ = writeln!(out, "  j{} {arrow} j{}", edge.ends.0, edge.ends.1);
    }
    out
}

/// Everything that means something in a label of Mermaid, as a numbered entity.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " ._-/:,+=@()".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}
