//! A part of a log as steps that build it: lines, sections that open and close. A page is made
//! of them, and the stream of events hands the same steps to a page that is open.

use std::fmt::Write as _;

use crate::log_html::{HtmlLine, Renderer};

use super::when;

/// Sections that may be open at a time; deeper ones are plain lines.
const DEPTH: usize = 16;

/// One step of building a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    /// A line.
    Line {
        /// Its number, from 1.
        number: u64,
        /// Its markup.
        html: String,
    },
    /// A section opens with a line that heads it.
    Open {
        /// The number of that line.
        number: u64,
        /// Letters, digits and `_.-` alone.
        name: String,
        /// The markup of that line.
        html: String,
        /// It is folded until somebody opens it.
        collapsed: bool,
    },
    /// The innermost section ends.
    Close {
        /// How long it took, for people; none for one that another's end closes.
        duration: Option<String>,
    },
}

/// Turns a log into steps; lines may be handed over as they come.
#[derive(Default)]
pub(super) struct Builder {
    renderer: Renderer,
    open: Vec<(String, u64)>,
    number: u64,
}

impl Builder {
    /// For a part that begins after so many lines.
    pub(super) fn after(lines: u64) -> Self {
        Self {
            number: lines,
            ..Self::default()
        }
    }

    /// Lines so far, those before the part included.
    pub(super) fn lines(&self) -> u64 {
        self.number
    }

    /// Takes whole lines, and returns the steps that they are.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Step> {
        let mut lines = Vec::new();
        self.renderer.push(bytes, |line| lines.push(line));
        let mut steps = Vec::new();
        for line in lines {
            self.line(line, &mut steps);
        }
        steps
    }

    /// What is left at the end of the log: a last line without an end.
    pub(super) fn finish(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(line) = self.renderer.finish() {
            self.line(line, &mut steps);
        }
        steps
    }

    fn line(&mut self, line: HtmlLine, steps: &mut Vec<Step>) {
        self.number += 1;
        let markers = !line.section_ends.is_empty() || line.section_start.is_some();
        for end in &line.section_ends {
            let Some(at) = self.open.iter().rposition(|(name, _)| *name == end.name) else {
                continue;
            };
            for _ in at + 1..self.open.len() {
                steps.push(Step::Close { duration: None });
            }
            let seconds = end.ended_at.saturating_sub(self.open[at].1);
            let micros = i64::try_from(seconds)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000_000);
            steps.push(Step::Close {
                duration: Some(when::duration(micros)),
            });
            self.open.truncate(at);
        }
        match line.section_start {
            Some(section) if self.open.len() < DEPTH => {
                steps.push(Step::Open {
                    number: self.number,
                    name: section.name.clone(),
                    html: line.html,
                    collapsed: section.collapsed,
                });
                self.open.push((section.name, section.started_at));
            }
            // A line of nothing but markers is not seen on a terminal either.
            _ if markers && line.html.is_empty() => {}
            _ => steps.push(Step::Line {
                number: self.number,
                html: line.html,
            }),
        }
    }
}

/// The steps as markup. Sections that no step closes stay open: their elements are closed, and
/// each says so by its class, so that a script can go on in the innermost.
pub(super) fn markup(steps: &[Step]) -> String {
    // The end of a section stands after it, its duration before: look for it first.
    let mut durations: Vec<Option<&str>> = Vec::new();
    let mut ended = Vec::new();
    let mut stack = Vec::new();
    for step in steps {
        match step {
            Step::Open { .. } => {
                stack.push(durations.len());
                durations.push(None);
                ended.push(false);
            }
            Step::Close { duration } => {
                if let Some(section) = stack.pop() {
                    durations[section] = duration.as_deref();
                    ended[section] = true;
                }
            }
            Step::Line { .. } => {}
        }
    }
    let mut html = String::new();
    let mut depth = 0_usize;
    let mut section = 0;
    for step in steps {
        let _ = match step {
            Step::Line { number, html: text } => write!(
                html,
                "<div class=\"line\" id=\"L{number}\"><a href=\"#L{number}\" data-n=\"{number}\" \
                 aria-label=\"line {number}\"></a><span>{text}</span></div>"
            ),
            Step::Open {
                number,
                name,
                html: text,
                collapsed,
            } => {
                let open = if *collapsed { "" } else { " open" };
                let class = if ended[section] {
                    ""
                } else {
                    " class=\"unended\""
                };
                let took = durations[section].unwrap_or_default();
                section += 1;
                depth += 1;
                write!(
                    html,
                    "<details data-section=\"{name}\"{class}{open}><summary id=\"L{number}\">\
                     <a href=\"#L{number}\" data-n=\"{number}\" aria-label=\"line {number}\"></a>\
                     <span>{text}</span><small>{took}</small></summary>"
                )
            }
            Step::Close { .. } if depth > 0 => {
                depth -= 1;
                html.write_str("</details>")
            }
            Step::Close { .. } => Ok(()),
        };
    }
    for _ in 0..depth {
        html.push_str("</details>");
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(log: &str) -> Vec<Step> {
        let mut builder = Builder::default();
        let mut steps = builder.push(log.as_bytes());
        steps.extend(builder.finish());
        steps
    }

    /// Steps in short: `1 text`, `+build 2 text`, `-3 s`.
    fn short(log: &str) -> Vec<String> {
        let short = |step: &Step| match step {
            Step::Line { number, html } => format!("{number} {html}"),
            Step::Open {
                number, name, html, ..
            } => format!("+{name} {number} {html}"),
            Step::Close { duration } => format!("-{}", duration.as_deref().unwrap_or_default()),
        };
        steps(log).iter().map(short).collect()
    }

    const START: &str = "\r\x1b[0K";

    #[test]
    fn sections_open_and_close() {
        let table: [(String, &[&str]); 5] = [
            ("a\nb".to_owned(), &["1 a", "2 b"]),
            (
                format!("section_start:5:x{START}Head\nin\nsection_end:8:x{START}\nout\n"),
                &["+x 1 Head", "2 in", "-3 s", "4 out"],
            ),
            (
                format!(
                    "section_start:5:x{START}X\nsection_start:6:y{START}Y\nsection_end:9:x{START}z\n"
                ),
                &["+x 1 X", "+y 2 Y", "-", "-4 s", "3 z"],
            ),
            (
                format!("section_end:9:never{START}z\nsection_start:6:y{START}Y\n"),
                &["1 z", "+y 2 Y"],
            ),
            (
                format!(
                    "section_start:1:a{START}A\nsection_end:3:a{START}section_start:3:b{START}B\n"
                ),
                &["+a 1 A", "-2 s", "+b 2 B"],
            ),
        ];
        for (log, expected) in table {
            assert_eq!(short(&log), expected, "{log:?}");
        }
    }

    #[test]
    fn markup_is_balanced_and_harmless() {
        let log = format!(
            "section_start:5:x[collapsed=true]{START}<b>Head</b>\n<script>alert(1)</script>\n\
             section_start:6:y{START}Y\nlast"
        );
        let html = markup(&steps(&log));
        assert_eq!(
            html.matches("<details").count(),
            html.matches("</details>").count()
        );
        assert_eq!(html.matches("unended").count(), 2);
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("id=\"L4\""), "{html}");
        let closed = markup(&steps(&format!(
            "section_start:5:x{START}X\nsection_end:65:x{START}\n"
        )));
        assert!(closed.contains("<small>1 min</small>"), "{closed}");
        assert!(!closed.contains("unended"), "{closed}");
        assert_eq!(markup(&[Step::Close { duration: None }]), "");
    }

    #[test]
    fn sections_have_a_limit() {
        let log: String = (0..100)
            .map(|n| format!("section_start:5:s{n}{START}h\n"))
            .collect();
        let html = markup(&steps(&log));
        assert_eq!(html.matches("<details").count(), DEPTH);
        assert_eq!(html.matches("class=\"line\"").count(), 100 - DEPTH);
    }

    #[test]
    fn a_part_counts_on() {
        let mut builder = Builder::after(41);
        let steps = builder.push(b"x\n");
        assert!(matches!(steps[0], Step::Line { number: 42, .. }));
        assert_eq!(builder.lines(), 42);
    }
}
