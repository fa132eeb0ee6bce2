//! Faults of a configuration in the form of the protocol.

use crate::checks::{Checked, Open};
use crate::text::{Encoding, Lines};
use crate::{uri, workspace};
use lsp_types::{DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString};
use serde_json::json;
use shipway_config::{Diagnostic, FileId, Files, Severity, Span};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The faults of every file of a load, also of those without any: they had some before.
pub(crate) fn of(
    checked: &Checked,
    encoding: Encoding,
) -> BTreeMap<PathBuf, Vec<lsp_types::Diagnostic>> {
    let main = checked.pipeline.root.join(&checked.pipeline.file);
    let mut found: BTreeMap<PathBuf, Vec<lsp_types::Diagnostic>> = BTreeMap::new();
    let loaded = match &checked.loaded {
        Ok(loaded) => loaded,
        Err(reason) => {
            let diagnostic = lsp_types::Diagnostic {
                severity: Some(DiagnosticSeverity::ERROR),
                source: Some("shipway".to_owned()),
                message: reason.clone(),
                ..Default::default()
            };
            found.insert(main, vec![diagnostic]);
            return found;
        }
    };
    let writer = Writer {
        files: &loaded.files,
        root: &checked.pipeline.root,
        open: &checked.open,
        lines: loaded
            .files
            .iter()
            .map(|(_, _, text)| Lines::of(text))
            .collect(),
        encoding,
    };
    found.entry(main).or_default();
    for (id, _, _) in loaded.files.iter() {
        if let Some(path) = writer.path(id) {
            found.entry(path).or_default();
        }
    }
    for diagnostic in &loaded.diagnostics {
        if let Some((path, written)) = writer.diagnostic(diagnostic) {
            let list = found.entry(path).or_default();
            // A file that is included twice has its faults twice.
            if !list.contains(&written) {
                list.push(written);
            }
        }
    }
    found
}

struct Writer<'a> {
    files: &'a Files,
    root: &'a Path,
    open: &'a HashMap<PathBuf, Open>,
    lines: Vec<Lines>,
    encoding: Encoding,
}

impl Writer<'_> {
    fn path(&self, id: FileId) -> Option<PathBuf> {
        workspace::local(self.root, self.files.path(id), self.open)
    }

    /// The file in which a fault is shown, and the fault.
    fn diagnostic(&self, diagnostic: &Diagnostic) -> Option<(PathBuf, lsp_types::Diagnostic)> {
        let span = diagnostic.span.unwrap_or(Span {
            line: 1,
            column: 1,
            ..Span::default()
        });
        // What is not of this project is told where it is asked for.
        let mut place = span;
        while self.path(place.file).is_none() {
            place = *self.files.included_from(place.file)?;
        }
        let path = self.path(place.file)?;
        let mut related: Vec<DiagnosticRelatedInformation> = diagnostic
            .related
            .iter()
            .filter_map(|(span, text)| self.related(span, text))
            .collect();
        let mut from = self.files.included_from(place.file);
        while let Some(include) = from {
            related.extend(self.related(include, "the file is included here"));
            from = self.files.included_from(include.file);
        }
        let explained = [&diagnostic.label, &diagnostic.hint];
        let lines = std::iter::once(&diagnostic.message).chain(explained.into_iter().flatten());
        let lines: Vec<&str> = lines.map(String::as_str).collect();
        let written = lsp_types::Diagnostic {
            range: self.range(&place),
            severity: Some(match diagnostic.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
            }),
            code: diagnostic.keyword.clone().map(NumberOrString::String),
            source: Some("shipway".to_owned()),
            message: lines.join("\n"),
            related_information: (!related.is_empty()).then_some(related),
            // For the quick fix.
            data: diagnostic.hint.as_ref().map(|hint| json!({ "hint": hint })),
            ..Default::default()
        };
        Some((path, written))
    }

    fn related(&self, span: &Span, text: &str) -> Option<DiagnosticRelatedInformation> {
        Some(DiagnosticRelatedInformation {
            location: Location::new(uri::of(&self.path(span.file)?)?, self.range(span)),
            message: text.to_owned(),
        })
    }

    /// A stretch of at least one character, and of one line: editors underline all of it.
    fn range(&self, span: &Span) -> lsp_types::Range {
        let text = self.files.text(span.file);
        let Some(lines) = self.lines.get(span.file.0 as usize) else {
            return lsp_types::Range::default();
        };
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let rest = &text[start..];
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let length = span.end.saturating_sub(start).min(line).max(first);
        lines.range(text, start..start + length, self.encoding)
    }
}
