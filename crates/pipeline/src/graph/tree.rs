//! Lines of text, for a terminal of any width.

use std::fmt::Write as _;

use super::Graph;

/// Stages with their jobs; behind an arrow what a job needs.
pub(super) fn stages(graph: &Graph) -> String {
    let width = graph.jobs.iter().map(|job| job.name.chars().count());
    let width = width.max().unwrap_or_default().min(40);
    let mut out = String::new();
    let last = graph.columns.len().saturating_sub(1);
    for (number, column) in graph.columns.iter().enumerate() {
        let _ = writeln!(out, "● {}", printable(&column.title));
        let rail = if number == last { ' ' } else { '│' };
        for &job in &column.jobs {
            let job = &graph.jobs[job];
            let needs = match &job.needs {
                None => String::new(),
                Some(needs) if needs.is_empty() => "starts at once".to_owned(),
                Some(needs) => format!("← {}", printable(&needs.join(", "))),
            };
            let note = job.note();
            let note = if note.is_empty() {
                note
            } else {
                format!("({note}) ")
            };
            let name = printable(&job.name);
            let line = format!("{rail}   {name:<width$}  {note}{needs}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

/// From the jobs that start at once to those that follow; a job that several lead to is
/// shown whole below the first, and below the others with its name only.
pub(super) fn needs(graph: &Graph) -> String {
    let mut following = vec![Vec::new(); graph.jobs.len()];
    let mut is_root = vec![true; graph.jobs.len()];
    for edge in &graph.edges {
        following[edge.ends.0].push(edge.ends.1);
        is_root[edge.ends.1] = false;
    }
    let mut shown = vec![false; graph.jobs.len()];
    let mut out = String::new();
    // Depth first; each entry is a job, what stands before it, and before those below it.
    let mut stack: Vec<(usize, String, String)> = (0..graph.jobs.len())
        .filter(|&job| is_root[job])
        .map(|job| (job, String::new(), String::new()))
        .rev()
        .collect();
    while let Some((job, lead, below)) = stack.pop() {
        let one = &graph.jobs[job];
        let again = std::mem::replace(&mut shown[job], true) && !following[job].is_empty();
        let mut line = format!("{lead}{}", printable(&one.name));
        let note = one.note();
        if !note.is_empty() {
            let _ = write!(line, "  ({note})");
        }
        if again {
            line.push_str("  …");
        }
        let _ = writeln!(out, "{line}");
        if again {
            continue;
        }
        let last = following[job].len().saturating_sub(1);
        for (index, &next) in following[job].iter().enumerate().rev() {
            let (branch, rail) = if index == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            stack.push((next, format!("{below}{branch}"), format!("{below}{rail}")));
        }
    }
    out
}

fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
