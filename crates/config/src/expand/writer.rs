//! Writes a tree in block style, with or without comments about where its parts came from.

use super::PartOrigin;
use super::scalar::{flow, is_printable, literal, scalar};
use crate::yaml::{Entry, Key, Map, Node, Value};
use crate::{Files, Span};

/// How deep every key has a comment; deeper ones have one where they come from elsewhere.
const ALWAYS: usize = 2;

/// How much deeper a map stands than its key.
const STEP: usize = 2;

/// How it looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// What stands on top.
    start: &'static str,
    /// Whether comments say where parts came from.
    comments: bool,
    /// Whether there is an empty line between the parts of the top level.
    airy: bool,
    /// How much deeper a list stands than its key.
    list_indent: usize,
}

impl Style {
    /// As Ruby writes it: lists are no deeper than their keys.
    pub(super) const MERGED: Self = Self {
        start: "---\n",
        comments: false,
        airy: false,
        list_indent: 0,
    };

    /// For people.
    pub(super) fn expanded(comments: bool) -> Self {
        Self {
            start: "",
            comments,
            airy: true,
            list_indent: STEP,
        }
    }
}

/// Writes one part of the top level after the other.
pub(super) struct Writer<'f> {
    /// Where parts came from; `None` where nobody asks.
    files: Option<&'f Files>,
    style: Style,
    out: String,
    /// The keys and indices above.
    path: Vec<String>,
    origins: Vec<PartOrigin>,
    is_empty: bool,
}

impl<'f> Writer<'f> {
    pub(super) fn new(files: Option<&'f Files>, style: Style) -> Self {
        let mut writer = Self {
            files,
            style,
            out: style.start.to_owned(),
            path: Vec::new(),
            origins: Vec::new(),
            is_empty: true,
        };
        if style.comments {
            writer.heading();
        }
        writer
    }

    /// Writes a part of the top level; `extends` is what it says to extend.
    pub(super) fn part(&mut self, key: &Key, entry: &Entry, extends: Option<&str>) {
        if self.style.airy && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.entry(key, entry, 0, None, extends);
        self.is_empty = false;
    }

    /// The text, and where its parts came from.
    pub(super) fn finish(mut self) -> (String, Vec<PartOrigin>) {
        if self.is_empty {
            self.out.push_str("{}\n");
        }
        (self.out, self.origins)
    }

    /// The files, each with the include that brought it.
    fn heading(&mut self) {
        let Some(files) = self.files else { return };
        self.out.push_str("# Merged from\n");
        for (id, path, _) in files.iter() {
            let line = match files.included_from(id) {
                None => one_line(path),
                Some(by) => format!("{}, included from {}", one_line(path), place(files, by)),
            };
            self.out.push_str(&format!("#   {line}\n"));
        }
    }

    /// The comment of a part, where it needs one.
    fn origin(&mut self, span: Span, inside: Option<Span>) -> Option<String> {
        let files = self.files?;
        let told = self.path.len() > ALWAYS && inside.is_some_and(|around| holds(around, span));
        if told || span.line == 0 {
            return None;
        }
        self.origins.push(PartOrigin {
            path: self.path.clone(),
            file: files.path(span.file).to_owned(),
            line: span.line,
            column: span.column,
        });
        self.style.comments.then(|| place(files, &span))
    }

    fn entry(
        &mut self,
        key: &Key,
        entry: &Entry,
        indent: usize,
        inside: Option<Span>,
        extends: Option<&str>,
    ) {
        self.path.push(key.as_str().to_owned());
        let mut comment = self.origin(entry.key_span, inside);
        let (key_span, span) = (entry.key_span, entry.node.span);
        let follows = span.file == key_span.file && span.start >= key_span.start;
        // What is inside of a part that came from elsewhere is told against that part; a value
        // that a reference or an alias brought is told piece by piece.
        let around = match (follows, comment.is_some() || inside.is_none()) {
            (false, _) => Some(key_span),
            (true, true) => Some(span),
            (true, false) => inside,
        };
        let is_single = !matches!(entry.node.value, Value::Map(_) | Value::List(_));
        if let Some(files) = self.files
            && !follows
            && is_single
            && span.line > 0
            && self.style.comments
        {
            let place = place(files, &span);
            let text = comment.get_or_insert_with(String::new);
            let lead = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{lead}value from {place}"));
        }
        if let (Some(comment), Some(bases)) = (&mut comment, extends) {
            comment.push_str(&format!(", extends {}", one_line(bases)));
        }
        let name = if key.is_text() {
            scalar(key.as_str())
        } else {
            key.as_str().to_owned()
        };
        self.out.push_str(&name);
        self.out.push(':');
        self.value(&entry.node, indent + STEP, around, comment.as_deref());
        self.path.pop();
    }

    /// What stands behind `key:` or `-`.
    fn value(&mut self, node: &Node, indent: usize, inside: Option<Span>, comment: Option<&str>) {
        let behind = comment.map_or_else(String::new, |comment| format!(" # {comment}"));
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                self.out.push_str(&behind);
                self.out.push('\n');
                self.entries(map, indent, inside, false);
            }
            Value::List(list) if !list.is_empty() => {
                self.out.push_str(&behind);
                self.out.push('\n');
                let indent = indent - STEP + self.style.list_indent;
                self.items(list, indent, inside, false);
            }
            _ => match node.as_text().and_then(|text| literal(text, indent)) {
                Some((header, lines)) if matches!(node.value, Value::Text(_)) => {
                    self.out.push_str(&format!(" {header}{behind}\n{lines}"));
                }
                _ => self
                    .out
                    .push_str(&format!(" {}{behind}\n", flow(&node.value))),
            },
        }
    }

    /// `inline`: the first entry stands behind a dash.
    fn entries(&mut self, map: &Map, indent: usize, inside: Option<Span>, inline: bool) {
        for (index, (key, entry)) in map.iter().enumerate() {
            if index > 0 || !inline {
                self.out.push_str(&" ".repeat(indent));
            }
            self.entry(key, entry, indent, inside, None);
        }
    }

    fn items(&mut self, list: &[Node], indent: usize, inside: Option<Span>, inline: bool) {
        for (index, item) in list.iter().enumerate() {
            self.path.push(index.to_string());
            let comment = self.origin(item.span, inside);
            let around = if comment.is_some() {
                Some(item.span)
            } else {
                inside
            };
            let is_first_behind_dash = index == 0 && inline;
            let lead = if is_first_behind_dash { 0 } else { indent };
            match &item.value {
                Value::Map(map) if !map.is_empty() => {
                    self.above(comment.as_deref(), lead, is_first_behind_dash);
                    self.out.push_str(&format!("{}- ", " ".repeat(lead)));
                    self.entries(map, indent + STEP, around, true);
                }
                Value::List(inner) if !inner.is_empty() => {
                    self.above(comment.as_deref(), lead, is_first_behind_dash);
                    self.out.push_str(&format!("{}- ", " ".repeat(lead)));
                    self.items(inner, indent + STEP, around, true);
                }
                _ => {
                    self.out.push_str(&format!("{}-", " ".repeat(lead)));
                    self.value(item, indent + STEP, around, comment.as_deref());
                }
            }
            self.path.pop();
        }
    }

    /// A comment on a line of its own; behind a dash there is no room for one.
    fn above(&mut self, comment: Option<&str>, lead: usize, no_room: bool) {
        if let Some(comment) = comment.filter(|_| !no_room) {
            self.out
                .push_str(&format!("{}# {comment}\n", " ".repeat(lead)));
        }
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

fn place(files: &Files, span: &Span) -> String {
    format!("{}:{}", one_line(files.path(span.file)), span.line)
}

/// A text for a comment: line breaks would end it.
fn one_line(text: &str) -> String {
    let replace = |c: char| if is_printable(c) { c } else { '\u{fffd}' };
    text.chars().map(replace).collect()
}
