//! A file to its documents: limits of size, the parser's traps, faults of syntax.

use super::compose::Composer;
use super::node::Node;
use crate::inputs::Interpolation;
use crate::{Diagnostic, FileId, Limits, Span};
use libyaml_safer::{Encoding, EventData, Mark, Parser};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The text of one document of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'t> {
    /// The whole file.
    file: &'t str,
    offset: usize,
    pub(crate) text: &'t str,
}

/// The documents of a file, as text.
///
/// # Errors
/// When the file is too large.
pub(crate) fn parts<'t>(
    text: &'t str,
    file: FileId,
    limits: &Limits,
) -> Result<Vec<Part<'t>>, Diagnostic> {
    if text.len() > limits.yaml_bytes {
        let whole = Span {
            file,
            line: 1,
            column: 1,
            ..Span::default()
        };
        return Err(Diagnostic::error("The parsed YAML is too big", whole)
            .label(format!("more than {} bytes", limits.yaml_bytes))
            .hint("split the file with `include`"));
    }
    let parts = split_documents(text).into_iter();
    Ok(parts
        .map(|(offset, part)| Part {
            file: text,
            offset,
            text: part,
        })
        .collect())
}

impl Part<'_> {
    /// Where a stretch of this document stands in its file.
    pub(crate) fn span(&self, at: std::ops::Range<usize>, file: FileId) -> Span {
        let start = self.offset + at.start;
        let place = Place::new(self.file, start, file);
        Span {
            file,
            start,
            end: self.offset + at.end,
            line: place.line + 1,
            column: place.column + 1,
        }
    }

    /// Reads the document; `None` where it is empty. The first fault ends it.
    pub(crate) fn read(
        &self,
        file: FileId,
        limits: &Limits,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Option<Node>, Diagnostic> {
        let place = Place::new(self.file, self.offset, file);
        parse_document(self.text, place, limits, warnings)
    }

    /// Reads the document after its blocks were replaced.
    pub(crate) fn read_interpolated(
        &self,
        interpolation: &Interpolation,
        file: FileId,
        limits: &Limits,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Option<Node>, Diagnostic> {
        let lines = line_starts(self.file);
        let place = Place {
            written: Some(Written {
                interpolation,
                lines: &lines,
            }),
            ..Place::new(self.file, self.offset, file)
        };
        parse_document(&interpolation.text, place, limits, warnings)
    }
}

/// The offset of every line of a file.
fn line_starts(text: &str) -> Vec<usize> {
    let content = text.len() - text.trim_start_matches('\u{feff}').len();
    let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(content).chain(breaks).collect()
}

/// GitLab splits the text before YAML is read: at lines that start with `---` and a blank.
/// A blank first part is dropped.
fn split_documents(text: &str) -> Vec<(usize, &str)> {
    let content = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut parts = Vec::new();
    let mut start = content;
    let mut line = content;
    while line < text.len() {
        let rest = &text[line..];
        if let Some(after) = rest.strip_prefix("---")
            && after.starts_with(|c: char| c.is_ascii_whitespace())
        {
            parts.push((start, &text[start..line]));
            start = text.len() - after.trim_ascii_start().len();
            line = start;
            // A separator straight behind a separator is at the start of a line again.
            if text[..start].ends_with(['\n', '\r']) {
                continue;
            }
        }
        line += text[line..]
            .find('\n')
            .map_or(text.len() - line, |end| end + 1);
    }
    parts.push((start, &text[start..]));
    if parts.len() > 1 && parts[0].1.trim().is_empty() {
        parts.remove(0);
    }
    parts
}

/// Reads a file that is one document, without splitting it.
#[cfg(test)]
pub(super) fn parse_whole(
    text: &str,
    file: FileId,
    limits: &Limits,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Option<Node>, Diagnostic> {
    parse_document(text, Place::new(text, 0, file), limits, warnings)
}

/// Where a document stands in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'t> {
    text: &'t str,
    file: FileId,
    offset: usize,
    line: u32,
    column: u32,
    written: Option<Written<'t>>,
}

/// How a place of an interpolated text is found in the file.
#[derive(Debug, Clone, Copy)]
struct Written<'t> {
    interpolation: &'t Interpolation,
    lines: &'t [usize],
}

impl<'t> Place<'t> {
    fn new(text: &'t str, offset: usize, file: FileId) -> Self {
        let before = text[..offset].trim_start_matches('\u{feff}');
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            text,
            file,
            offset,
            line: small(before.matches('\n').count()),
            column: small(before[line_start..].chars().count()),
            written: None,
        }
    }

    pub(super) fn span(&self, start: Mark, end: Mark) -> Span {
        let from = self.byte(start);
        let to = self.end_byte(end).max(from);
        let trimmed = self.text.get(from..to).map_or(to, |text| {
            from + text.trim_end_matches([' ', '\t', '\n', '\r']).len()
        });
        let (line, column) = match self.written {
            Some(written) => {
                let line = written.lines.partition_point(|start| *start <= from);
                let start = written.lines[line.saturating_sub(1)].min(from);
                (
                    small(line),
                    small(self.text[start..from].chars().count()) + 1,
                )
            }
            None => {
                let before = if start.line == 0 { self.column } else { 0 };
                (
                    small(start.line) + self.line + 1,
                    small(start.column) + 1 + before,
                )
            }
        };
        Span {
            file: self.file,
            start: from,
            end: trimmed,
            line,
            column,
        }
    }

    /// The byte of the file at which a value begins.
    pub(super) fn byte(&self, mark: Mark) -> usize {
        self.in_file(mark, Interpolation::start)
    }

    /// The byte of the file behind a value.
    pub(super) fn end_byte(&self, mark: Mark) -> usize {
        self.in_file(mark, Interpolation::end)
    }

    fn in_file(&self, mark: Mark, written: impl Fn(&Interpolation, usize) -> usize) -> usize {
        let mut at = usize::try_from(mark.index).unwrap_or(usize::MAX);
        if let Some(Written { interpolation, .. }) = self.written {
            at = written(interpolation, at);
        }
        self.text
            .floor_char_boundary(at.saturating_add(self.offset))
    }
}

fn small<N: TryInto<u32>>(number: N) -> u32 {
    number.try_into().unwrap_or(u32::MAX - 2)
}

fn parse_document(
    text: &str,
    place: Place<'_>,
    limits: &Limits,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Option<Node>, Diagnostic> {
    // The parser panics where a file ends inside a block scalar without a last line break.
    // It gets one, and the scalar that reaches the end gives it back.
    let closed = text.is_empty() || text.ends_with('\n');
    let bytes = if closed {
        text.as_bytes().to_vec()
    } else {
        [text.as_bytes(), b"\n"].concat()
    };
    let end_of_text = (!closed).then_some(text.len());
    let last = Cell::new(None);
    // It also panics on `!tag,` in a flow list. That is a fault of the file like any other.
    catch_unwind(AssertUnwindSafe(|| {
        let mut input = bytes.as_slice();
        let mut composer = Composer::new(place, limits, end_of_text, warnings);
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input_string(&mut input);
        loop {
            let event = parser
                .parse()
                .map_err(|error| syntax_error(&error, &place))?;
            last.set(Some(event.end_mark));
            match event.data {
                EventData::DocumentEnd { .. } | EventData::StreamEnd => {
                    return composer.finish_document();
                }
                data => composer.event(data, event.start_mark, event.end_mark)?,
            }
        }
    }))
    .unwrap_or_else(|_| {
        let end: Mark = last.get().unwrap_or_default();
        let span = place.span(end, end);
        Err(Diagnostic::error(
            format!(
                "(<unknown>): did not find expected whitespace or line break at line {} column {}",
                span.line, span.column
            ),
            span,
        ))
    })
}

/// A fault in the words and at the place that Ruby's Psych gives.
fn syntax_error(error: &libyaml_safer::Error, place: &Place<'_>) -> Diagnostic {
    let problem_mark = error.problem_mark().unwrap_or_default();
    let reported = place.span(
        error.context_mark().unwrap_or(problem_mark),
        error.context_mark().unwrap_or(problem_mark),
    );
    let span = place.span(problem_mark, problem_mark);
    let context = error
        .context()
        .map(|context| format!(" {context}"))
        .unwrap_or_default();
    let problem = error.problem();
    let message = format!(
        "(<unknown>): {problem}{context} at line {} column {}",
        reported.line, reported.column
    );
    let diagnostic = Diagnostic::error(message, span);
    match syntax_hint(problem, place.text, span) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// Marks that git leaves in a file where two sides changed the same lines.
const CONFLICT: [&str; 3] = ["<<<<<<< ", "=======\n", ">>>>>>> "];

fn syntax_hint(problem: &str, text: &str, span: Span) -> Option<&'static str> {
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indentation = &text[line_start..];
    let indentation = &indentation[..indentation.len() - indentation.trim_start().len()];
    if text
        .split_inclusive('\n')
        .any(|line| CONFLICT.iter().any(|mark| line.starts_with(mark)))
    {
        return Some("git has left a conflict in the file; choose a side and remove the marks");
    }
    if indentation.contains('\t') || text[span.start..].starts_with('\t') {
        return Some("YAML does not allow tabs for indentation; use spaces");
    }
    if indentation.contains(|c: char| !c.is_ascii()) {
        return Some(
            "the indentation has a blank that is no space, often a copied U+00A0; use spaces",
        );
    }
    if problem.starts_with("mapping values are not allowed") {
        return Some("put the value in quotes if it contains `: `, or check the indentation");
    }
    if problem.contains("found character that cannot start any token") {
        return Some("put a value that starts with this character in quotes");
    }
    if problem.contains("unknown escape character") {
        return Some(
            "in double quotes a backslash is written `\\\\`; single quotes keep it as it is",
        );
    }
    if problem.contains("could not find expected ':'") {
        return Some(
            "a line is neither `key: value` nor an item behind `- `; check blanks and indentation",
        );
    }
    let item = line.trim_start().trim_start_matches("- ").trim_start();
    if item.starts_with(['[', '{', '&', '*']) && line.trim_start().starts_with('-') {
        return Some("a command that starts with `[`, `{`, `&` or `*` stands in quotes");
    }
    if problem.contains("did not find expected") {
        if text[line_start..span.start].contains('"') {
            return Some(
                "a quote inside of double quotes is written `\\\"`; or take single quotes outside",
            );
        }
        if problem.contains("',' or '}'") || problem.contains("',' or ']'") {
            return Some(
                "inside of `{…}` and `[…]` a value with brackets or commas stands in quotes",
            );
        }
        return Some("check the indentation and the quotes of this line and the one before");
    }
    problem
        .contains("control characters are not allowed")
        .then_some("remove the control characters, or save the file as plain UTF-8 text")
}
