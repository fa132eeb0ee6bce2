//! Events of the YAML parser to nodes: anchors, merge keys, limits.

use super::node::{Entry, Key, KeyKind, Map, Node, Value};
use super::scalar;
use crate::{Diagnostic, FileId, Limits, Span};
use libyaml_safer::{Encoding, EventData, Mark, Parser, ScalarStyle};
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The documents of one file.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The value of each document that has one.
    pub(crate) documents: Vec<Node>,
    /// Duplicate keys and the like.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Reads a file. The first fault ends it.
pub(crate) fn parse(text: &str, file: FileId, limits: &Limits) -> Result<Parsed, Diagnostic> {
    let whole = Span {
        file,
        line: 1,
        column: 1,
        ..Span::default()
    };
    if text.len() > limits.yaml_bytes {
        return Err(Diagnostic::error("The parsed YAML is too big", whole)
            .label(format!("more than {} bytes", limits.yaml_bytes))
            .hint("split the file with `include`"));
    }
    let mut parsed = Parsed::default();
    for (offset, part) in split_documents(text) {
        let place = Place::new(text, offset, file);
        if let Some(node) = parse_document(part, place, limits, &mut parsed.warnings)? {
            parsed.documents.push(node);
        }
    }
    Ok(parsed)
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
struct Place<'t> {
    text: &'t str,
    file: FileId,
    offset: usize,
    line: u32,
    column: u32,
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
        }
    }

    fn span(&self, start: Mark, end: Mark) -> Span {
        let from = self.byte(start);
        let to = self.byte(end).max(from);
        let trimmed = self.text.get(from..to).map_or(to, |text| {
            from + text.trim_end_matches([' ', '\t', '\n', '\r']).len()
        });
        Span {
            file: self.file,
            start: from,
            end: trimmed,
            line: small(start.line) + self.line + 1,
            column: small(start.column) + 1 + if start.line == 0 { self.column } else { 0 },
        }
    }

    fn byte(&self, mark: Mark) -> usize {
        let at = usize::try_from(mark.index)
            .unwrap_or(usize::MAX)
            .saturating_add(self.offset);
        self.text.floor_char_boundary(at)
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
                    return composer.fault.map_or(Ok(composer.root), Err);
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

fn syntax_hint(problem: &str, text: &str, span: Span) -> Option<&'static str> {
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let indentation = &text[line_start..];
    let indentation = &indentation[..indentation.len() - indentation.trim_start().len()];
    if indentation.contains('\t') || text[span.start..].starts_with('\t') {
        return Some("YAML does not allow tabs for indentation; use spaces");
    }
    if problem.starts_with("mapping values are not allowed") {
        return Some("put the value in quotes if it contains `: `, or check the indentation");
    }
    if problem.contains("found character that cannot start any token") {
        return Some("put a value that starts with this character in quotes");
    }
    if problem.contains("did not find expected key") {
        return Some("check the indentation and the quotes of this line and the one before");
    }
    problem
        .contains("control characters are not allowed")
        .then_some("remove the control characters, or save the file as plain UTF-8 text")
}

/// A list or map that is not yet closed.
struct Open {
    content: Content,
    start: Mark,
    anchor: Option<String>,
    tag: Option<String>,
    /// Values inside, aliases expanded.
    nodes: usize,
    /// Levels inside.
    depth: usize,
    /// Where the last value inside ends.
    end: usize,
}

enum Content {
    List(Vec<Node>),
    Map {
        map: Map,
        /// Whether each key was written in this map, not merged into it.
        written: Vec<bool>,
        key: Option<PendingKey>,
    },
}

struct PendingKey {
    key: Key,
    span: Span,
    merges: bool,
}

/// A finished value on its way into its list or map.
struct Finished {
    node: Node,
    nodes: usize,
    depth: usize,
    /// How it was written, which decides about merging.
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Scalar,
    /// A text that says it is one: `!!str <<` merges nothing.
    TaggedText,
    List,
    Map,
    Alias,
}

struct Composer<'a, 't> {
    place: Place<'t>,
    limits: &'a Limits,
    /// Length of the text where a line break was added behind it.
    end_of_text: Option<usize>,
    warnings: &'a mut Vec<Diagnostic>,
    stack: Vec<Open>,
    /// Values by anchor, with their expanded size and depth.
    anchors: HashMap<String, (Node, usize, usize)>,
    root: Option<Node>,
    /// The first value that cannot be loaded. Psych reads the whole document before it loads
    /// anything, so a later fault of syntax comes first.
    fault: Option<Diagnostic>,
    budget: usize,
}

impl<'a, 't> Composer<'a, 't> {
    fn new(
        place: Place<'t>,
        limits: &'a Limits,
        end_of_text: Option<usize>,
        warnings: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            place,
            limits,
            end_of_text,
            warnings,
            stack: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            fault: None,
            budget: limits.expanded_nodes,
        }
    }

    fn event(&mut self, data: EventData, start: Mark, end: Mark) -> Result<(), Diagnostic> {
        match data {
            EventData::Scalar {
                anchor,
                tag,
                value,
                quoted_implicit,
                style,
                ..
            } => {
                let span = self.place.span(start, end);
                let value = self.give_back_line_break(value, style, end);
                let value = scalar_value(value, tag.as_deref(), quoted_implicit, span)
                    .unwrap_or_else(|fault| self.later(fault));
                let node = Node { value, span };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, (node.clone(), 1, 0));
                }
                let tagged = tag.as_deref() == Some("tag:yaml.org,2002:str");
                self.finish(Finished {
                    node,
                    nodes: 1,
                    depth: 0,
                    shape: if tagged {
                        Shape::TaggedText
                    } else {
                        Shape::Scalar
                    },
                })
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.open(Content::List(Vec::new()), start, anchor, tag)
            }
            EventData::MappingStart { anchor, tag, .. } => {
                let map = Content::Map {
                    map: Map::new(),
                    written: Vec::new(),
                    key: None,
                };
                self.open(map, start, anchor, tag)
            }
            EventData::SequenceEnd | EventData::MappingEnd => self.close(start, end),
            EventData::Alias { anchor } => self.alias(&anchor, self.place.span(start, end)),
            _ => Ok(()),
        }
    }

    fn give_back_line_break(&self, mut value: String, style: ScalarStyle, end: Mark) -> String {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at_end = self
            .end_of_text
            .is_some_and(|length| usize::try_from(end.index).is_ok_and(|at| at > length));
        if block && at_end && value.ends_with('\n') {
            value.pop();
        }
        value
    }

    fn open(
        &mut self,
        content: Content,
        start: Mark,
        anchor: Option<String>,
        tag: Option<String>,
    ) -> Result<(), Diagnostic> {
        // Checked while events are pulled: the parser is quadratic in the depth.
        if self.stack.len() >= self.limits.depth {
            return Err(self.too_deep(self.place.span(start, start)));
        }
        if let Some(tag) = &tag
            && tag.starts_with("!ruby/")
        {
            let fault = disallowed(&tag["!ruby/".len()..], self.place.span(start, start));
            self.later(fault);
        }
        // An alias inside an anchored value must not find an older anchor of this name.
        if let Some(anchor) = &anchor {
            self.anchors.remove(anchor);
        }
        let end = self.place.byte(start);
        self.stack.push(Open {
            content,
            start,
            anchor,
            tag,
            nodes: 1,
            depth: 0,
            end,
        });
        Ok(())
    }

    fn close(&mut self, start: Mark, end: Mark) -> Result<(), Diagnostic> {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        let mut span = self.place.span(open.start, open.start);
        // A flow collection ends with its bracket, a block collection with its last value.
        span.end = if end.index > start.index {
            self.place.byte(end)
        } else {
            open.end
        };
        let (value, shape) = match open.content {
            Content::List(list) if open.tag.as_deref() == Some("!reference") => {
                (Value::Reference(Arc::new(list)), Shape::List)
            }
            Content::List(list) => (Value::List(Arc::new(list)), Shape::List),
            Content::Map { map, .. } => (Value::Map(Arc::new(map)), Shape::Map),
        };
        let node = Node { value, span };
        let depth = open.depth + 1;
        if let Some(anchor) = open.anchor {
            self.anchors
                .insert(anchor, (node.clone(), open.nodes, depth));
        }
        self.finish(Finished {
            node,
            nodes: open.nodes,
            depth,
            shape,
        })
    }

    fn alias(&mut self, name: &str, span: Span) -> Result<(), Diagnostic> {
        let Some((node, nodes, depth)) = self.anchors.get(name) else {
            let message = format!("An alias referenced an unknown anchor: {name}");
            let inside = self
                .stack
                .iter()
                .any(|open| open.anchor.as_deref() == Some(name));
            let known = self.anchors.keys().map(String::as_str);
            let diagnostic = Diagnostic::error(message, span);
            let fault = if inside {
                diagnostic.hint("an anchor cannot be used inside its own value")
            } else if let Some(near) = crate::suggest(name, known) {
                diagnostic.hint(format!("did you mean `*{near}`?"))
            } else {
                diagnostic.hint("anchors do not reach across files, and must stand above their use")
            };
            let node = Node {
                value: self.later(fault),
                span,
            };
            return self.finish(Finished {
                node,
                nodes: 1,
                depth: 0,
                shape: Shape::Alias,
            });
        };
        let finished = Finished {
            node: node.clone(),
            nodes: *nodes,
            depth: *depth,
            shape: Shape::Alias,
        };
        self.finish_at(finished, span)
    }

    /// Keeps the first fault for the end of the document. The value is not used then.
    fn later(&mut self, fault: Diagnostic) -> Value {
        self.fault.get_or_insert(fault);
        Value::Null
    }

    fn finish(&mut self, finished: Finished) -> Result<(), Diagnostic> {
        let span = finished.node.span;
        self.finish_at(finished, span)
    }

    /// Puts a value into its list or map. `written_at` is the alias for an aliased value.
    fn finish_at(&mut self, finished: Finished, written_at: Span) -> Result<(), Diagnostic> {
        self.budget = match self.budget.checked_sub(finished.nodes) {
            Some(budget) => budget,
            None => {
                return Err(Diagnostic::error("The parsed YAML is too big", written_at)
                    .label(format!(
                        "more than {} values after aliases are expanded",
                        self.limits.expanded_nodes
                    ))
                    .hint("use fewer aliases of aliases"));
            }
        };
        if self.stack.len() + finished.depth > self.limits.depth {
            return Err(self.too_deep(written_at));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(finished.node);
            return Ok(());
        };
        open.nodes = open.nodes.saturating_add(finished.nodes);
        open.depth = open.depth.max(finished.depth);
        open.end = open.end.max(written_at.end);
        match &mut open.content {
            Content::List(list) => list.push(finished.node),
            Content::Map { map, written, key } => match key.take() {
                None => *key = Some(pending_key(&finished, written_at)),
                Some(pending) => {
                    insert(map, written, pending, finished, self.warnings);
                }
            },
        }
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Diagnostic {
        Diagnostic::error("The parsed YAML is too big", span)
            .label(format!("nested deeper than {} levels", self.limits.depth))
    }
}

fn pending_key(finished: &Finished, span: Span) -> PendingKey {
    let key = match &finished.node.value {
        Value::Text(text) | Value::Symbol(text) => Key::text(text.clone()),
        _ => Key {
            text: finished
                .node
                .scalar_text()
                .unwrap_or_else(|| finished.node.kind().to_owned())
                .into(),
            kind: KeyKind::Other,
        },
    };
    PendingKey {
        merges: key.is_text() && key.as_str() == "<<" && finished.shape != Shape::TaggedText,
        key,
        span,
    }
}

/// Adds a pair to a map, or merges it: where it stands, so it overrides keys above it and is
/// overridden by keys below it. Of a list of maps the first one wins. What is no map stays
/// behind a key `<<`, as Psych leaves it.
fn insert(
    map: &mut Map,
    written: &mut Vec<bool>,
    pending: PendingKey,
    finished: Finished,
    warnings: &mut Vec<Diagnostic>,
) {
    if pending.merges {
        let maps: Option<Vec<Arc<Map>>> = match (&finished.node.value, finished.shape) {
            (Value::Map(inner), Shape::Map | Shape::Alias) => Some(vec![inner.clone()]),
            (Value::List(list), Shape::List) => list
                .iter()
                .rev()
                .map(|node| match &node.value {
                    Value::Map(inner) => Some(inner.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if let Some(maps) = maps {
            for (key, entry) in maps.iter().flat_map(|inner| inner.iter()) {
                let (index, _) = map.insert_full(key.clone(), entry.clone());
                mark(written, index, false);
            }
            return;
        }
    }
    let entry = Entry {
        key_span: pending.span,
        node: finished.node,
    };
    let (index, before) = map.insert_full(pending.key, entry);
    if let Some(before) = before
        && written.get(index) == Some(&true)
        && let Some((key, _)) = map.get_index(index)
    {
        warnings.push(
            Diagnostic::warning(
                format!(
                    "the key `{}` is given twice; only the later one counts",
                    key.as_str()
                ),
                pending.span,
            )
            .label("counts")
            .related(before.key_span, "is lost"),
        );
    }
    mark(written, index, true);
}

fn mark(written: &mut Vec<bool>, index: usize, value: bool) {
    if index >= written.len() {
        written.resize(index + 1, false);
    }
    written[index] = value;
}

fn scalar_value(
    text: String,
    tag: Option<&str>,
    is_text: bool,
    span: Span,
) -> Result<Value, Diagnostic> {
    if is_text {
        return Ok(Value::Text(text.into()));
    }
    match tag {
        Some("tag:yaml.org,2002:str") => return Ok(Value::Text(text.into())),
        Some(tag) if tag == "!str" || tag.starts_with("!str:") => {
            return Ok(Value::Text(text.into()));
        }
        Some("!ruby/symbol" | "!ruby/sym") => return Ok(Value::Symbol(text.into())),
        Some(tag) if tag.starts_with("!ruby/") => {
            return Err(disallowed(&tag["!ruby/".len()..], span));
        }
        Some("!binary" | "tag:yaml.org,2002:binary") => {
            return Err(Diagnostic::error(
                "`!binary` is not supported by shipway yet",
                span,
            ));
        }
        Some("!reference") => {
            return Err(Diagnostic::error("`!reference` needs a list", span)
                .hint("write `!reference [job, key]`"));
        }
        Some("tag:yaml.org,2002:float" | "!float") => {
            let number = match scalar::resolve(&text) {
                Ok(Value::Integer(value)) => Some(value as f64),
                Ok(Value::Float(value)) => Some(value),
                _ => text.parse().ok(),
            };
            return number.map(Value::Float).ok_or_else(|| {
                Diagnostic::error(format!("invalid value for Float(): {text:?}"), span)
            });
        }
        _ => {}
    }
    scalar::resolve(&text).map_err(|class| {
        disallowed(class.0, span).hint("put the value in quotes to keep it a text")
    })
}

/// `class` is the name of a Ruby class, or the kind of object before it: `object:Foo`.
fn disallowed(class: &str, span: Span) -> Diagnostic {
    let class = class.split_once(':').map_or(class, |(_, name)| name);
    Diagnostic::error(format!("Tried to load unspecified class: {class}"), span)
}
