//! A picture that stands alone. The same plan makes the same bytes.

use std::fmt::Write as _;

use super::{EdgeKind, Graph, reduce};

/// Pixels, if the picture is shown at its own size.
const MARGIN: usize = 24;
const BOX_HEIGHT: usize = 40;
const ROW: usize = 52;
const GAP: usize = 64;
/// Width of a letter in the job's font, which is of fixed width.
const LETTER: usize = 8;
const PADDING: usize = 14;
/// Letters of a name that are shown; the whole name is its tooltip.
const LONGEST: usize = 36;
/// Where the boxes begin, with and without titles above them.
const BELOW_TITLES: usize = MARGIN + 28;

const STYLE: &str = "
  .ground { fill: #ffffff }
  text { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328 }
  .title { font-weight: 600 }
  .note { font-size: 11px; fill: #57606a }
  .job { fill: #f6f8fa; stroke: #8c959f }
  .manual { stroke-dasharray: 5 3 }
  .edge { fill: none; stroke: #57606a; stroke-width: 1.3 }
  .stage { stroke-dasharray: 4 4; stroke: #8c959f }
  .tip { fill: #57606a }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 }
    text { fill: #e6edf3 }
    .note { fill: #9ea7b3 }
    .job { fill: #161b22; stroke: #6e7681 }
    .edge { stroke: #9ea7b3 }
    .stage { stroke: #6e7681 }
    .tip { fill: #9ea7b3 }
  }
";

/// Left, top and width of a box.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

pub(super) fn svg(graph: &Graph) -> String {
    let has_titles = graph.columns.iter().any(|column| !column.title.is_empty());
    let top = if has_titles { BELOW_TITLES } else { MARGIN };
    let mut places = vec![Place::default(); graph.jobs.len()];
    let mut titles = Vec::new();
    let mut x = MARGIN;
    for column in &graph.columns {
        let letters = |job: &usize| {
            let job = &graph.jobs[*job];
            let note = job.note().chars().count() * 7 / 8;
            shortened(&job.name).chars().count().max(note)
        };
        let widest = column.jobs.iter().map(letters).max().unwrap_or_default();
        let title = shortened(&column.title);
        let widest = widest.max(title.chars().count());
        let width = widest * LETTER + 2 * PADDING;
        for (row, &job) in column.jobs.iter().enumerate() {
            places[job] = Place {
                x,
                y: top + row * ROW,
                width,
            };
        }
        titles.push((x, title));
        x += width + GAP;
    }
    let rows = graph.columns.iter().map(|column| column.jobs.len()).max();
    let width = (x + MARGIN).saturating_sub(GAP);
    // Arrows within a column swing out to the right of it.
    let width = width + if has_titles { MARGIN } else { 0 };
    let height = top + rows.unwrap_or_default() * ROW + MARGIN - (ROW - BOX_HEIGHT);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Pipeline\">\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (x, title) in titles.iter().filter(|(_, title)| !title.is_empty()) {
        let y = MARGIN + 8;
        let title = escaped(title);
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{x}\" y=\"{y}\">{title}</text>"
        );
    }
    for edge in reduce::edges(graph) {
        let class = match edge.kind {
            EdgeKind::Need => "edge",
            EdgeKind::Stage => "edge stage",
        };
        let path = curve(places[edge.ends.0], places[edge.ends.1]);
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"/>"
        );
    }
    for (job, place) in graph.jobs.iter().zip(&places) {
        let Place { x, y, width } = *place;
        let class = if job.when == "manual" {
            "job manual"
        } else {
            "job"
        };
        let name = escaped(&shortened(&job.name));
        let whole = escaped(&job.name);
        let note = job.note();
        let left = x + PADDING;
        let baseline = if note.is_empty() { y + 25 } else { y + 18 };
        let _ = writeln!(
            out,
            "<g><title>{whole}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" \
             width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
             <text x=\"{left}\" y=\"{baseline}\">{name}</text>"
        );
        if !note.is_empty() {
            let y = y + 33;
            let _ = writeln!(
                out,
                "<text class=\"note\" x=\"{left}\" y=\"{y}\">{note}</text>"
            );
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

/// From the right side of one box to the left of another; between boxes of one column out of
/// the right side and back into it.
fn curve(from: Place, to: Place) -> String {
    let (x1, y1) = (from.x + from.width, from.y + BOX_HEIGHT / 2);
    let y2 = to.y + BOX_HEIGHT / 2;
    if to.x > from.x {
        let x2 = to.x;
        let middle = (x1 + x2) / 2;
        return format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}");
    }
    let x2 = to.x + to.width;
    let out = x1.max(x2) + GAP * 2 / 3;
    format!("M{x1} {y1}C{out} {y1} {out} {y2} {x2} {y2}")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    // The end tells the instances of a matrix apart.
    let end = LONGEST / 3;
    let first = text.chars().take(LONGEST - end - 1);
    let last = text.chars().skip(text.chars().count() - end);
    first.chain(['…']).chain(last).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || u32::from(c) & 0xfffe == 0xfffe => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
