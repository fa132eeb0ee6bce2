//! Events of the YAML parser to nodes: anchors, merge keys, limits.

use super::document::Place;
use super::node::{Entry, Key, KeyKind, Map, Node, Value};
use super::tag;
use crate::{Diagnostic, Limits, Span};
use libyaml_safer::{EventData, Mark, ScalarStyle};
use std::collections::HashMap;
use std::sync::Arc;

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

/// Builds the value of one document.
pub(super) struct Composer<'a, 't> {
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
    pub(super) fn new(
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

    /// Takes the next event of the document.
    pub(super) fn event(
        &mut self,
        data: EventData,
        start: Mark,
        end: Mark,
    ) -> Result<(), Diagnostic> {
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
                let value = tag::scalar(value, tag.as_deref(), quoted_implicit, span)
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
                    map: Map::default(),
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

    /// The value of the document, if it has one.
    pub(super) fn finish_document(self) -> Result<Option<Node>, Diagnostic> {
        self.fault.map_or(Ok(self.root), Err)
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
            let fault = tag::disallowed(&tag["!ruby/".len()..], self.place.span(start, start));
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
            self.place.end_byte(end)
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
