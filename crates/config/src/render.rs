//! A diagnostic as a person reads it: the text, the lines, a caret, the chain of includes,
//! a hint.

use crate::{Diagnostic, FileId, Files, Severity, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// How many includes of a chain are shown.
const CHAIN: usize = 8;

/// Draws a diagnostic with the lines it is about. Ends without a line break.
pub fn render(diagnostic: &Diagnostic, files: &Files, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&diagnostic.message));
    let related: Vec<(Span, String)> = diagnostic
        .related
        .iter()
        .map(|(span, text)| (*span, visible(text)))
        .collect();
    let label = diagnostic.label.as_deref().map(visible);

    let mut group = Group::with_title(title);
    if let Some(span) = diagnostic.span {
        let mut snippet = snippet(files, span.file);
        let mut primary = AnnotationKind::Primary.span(range(files, span));
        if let Some(label) = &label {
            primary = primary.label(label.as_str());
        }
        snippet = snippet.annotation(primary);
        for (span, text) in related.iter().filter(|(other, _)| other.file == span.file) {
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(range(files, *span))
                    .label(text.as_str()),
            );
        }
        group = group.element(snippet);
        for (span, text) in related.iter().filter(|(other, _)| other.file != span.file) {
            group = group.element(
                crate::render::snippet(files, span.file).annotation(
                    AnnotationKind::Context
                        .span(range(files, *span))
                        .label(text.as_str()),
                ),
            );
        }
        for line in chain(files, span.file) {
            group = group.element(Level::NOTE.message(line));
        }
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(visible(hint)));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group])
}

fn snippet(files: &Files, file: FileId) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(files.text(file)).path(files.path(file))
}

/// The most bytes that are marked; a value may be megabytes long.
const MARKED: usize = 160;

/// The bytes to mark: on the first line of the value only, and at least one character.
fn range(files: &Files, span: Span) -> std::ops::Range<usize> {
    let text = files.text(span.file);
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let line_end = text[start..]
        .find(['\n', '\r'])
        .map_or(text.len(), |end| start + end);
    let end = text.floor_char_boundary(span.end.min(start + MARKED).clamp(start, line_end));
    if end > start {
        return start..end;
    }
    let next = text[start..line_end]
        .chars()
        .next()
        .map_or(start, |c| start + c.len_utf8());
    start..next
}

/// The includes that brought a file, the nearest first.
fn chain(files: &Files, mut file: FileId) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(span) = files.included_from(file) {
        if lines.len() == CHAIN {
            lines.push("… and so on".to_owned());
            break;
        }
        lines.push(format!(
            "included from {}:{}:{}",
            visible(files.path(span.file)),
            span.line,
            span.column
        ));
        file = span.file;
    }
    lines
}

/// The most characters of a text that are shown.
const SHOWN: usize = 2000;

/// Text of a file may be long, and may hold escape sequences, which must not reach the
/// terminal.
fn visible(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if shown.len() < text.len() && text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
