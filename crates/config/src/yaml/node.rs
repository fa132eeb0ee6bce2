//! A value with its place. Cloning is cheap: lists and maps are shared.

use crate::Span;
use indexmap::IndexMap;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Arc<str>),
    /// `:name`, which Psych takes for a Ruby symbol. GitLab treats it mostly like a text.
    Symbol(Arc<str>),
    List(Arc<Vec<Node>>),
    Map(Arc<Map>),
    /// `!reference [job, key, …]`
    Reference(Arc<Vec<Node>>),
}

/// A map in file order. Its hash is seeded anew in every process, so that a hostile file cannot
/// aim at collisions, and quicker than the standard library's: a tenth of the time of a load.
pub(crate) type Map = IndexMap<Key, Entry, foldhash::quality::RandomState>;

/// What stands behind a key of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// The key of a map. Psych keeps the types of keys: `1:` and `'1':` are different keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) text: Arc<str>,
    pub(crate) kind: KeyKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    /// A text or symbol, the only kind that names anything.
    Text,
    /// A number, boolean, null, list or map.
    Other,
}

impl Key {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self {
            text: text.into(),
            kind: KeyKind::Text,
        }
    }

    pub(crate) fn is_text(&self) -> bool {
        self.kind == KeyKind::Text
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Looks up a text key without building one. Hashes like [`Key`].
#[derive(Hash)]
struct Lookup<'k> {
    text: &'k str,
    kind: KeyKind,
}

impl indexmap::Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.kind == key.kind && *self.text == *key.text
    }
}

/// The entry of a text key.
pub(crate) fn get<'m>(map: &'m Map, key: &str) -> Option<&'m Entry> {
    map.get(&Lookup {
        text: key,
        kind: KeyKind::Text,
    })
}

impl Node {
    pub(crate) fn null(span: Span) -> Self {
        Self {
            value: Value::Null,
            span,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// A text, or a symbol where GitLab accepts one as a text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a text key, where this is a map that has it and it is not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let node = &get(self.as_map()?, key)?.node;
        (!node.is_null()).then_some(node)
    }

    /// A scalar as the text Ruby's `to_s` gives; `None` for lists, maps and references.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::Null => Some(String::new()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Integer(value) => Some(value.to_string()),
            Value::Float(value) => Some(float_text(*value)),
            Value::Text(text) | Value::Symbol(text) => Some(text.to_string()),
            Value::List(_) | Value::Map(_) | Value::Reference(_) => None,
        }
    }

    /// The kind of value in a few words, for labels.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::Symbol(_) => "a symbol",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Reference(_) => "a reference",
        }
    }
}

/// A float as Ruby prints it: `2.5`, `1.0e+20`, `Infinity`.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "-" } else { "+" };
    let digits = exponent.trim_start_matches('-');
    format!("{mantissa}{dot}e{sign}{digits:0>2}")
}
