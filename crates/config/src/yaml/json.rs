//! A value as JSON, for inputs and for messages that quote it.

use super::node::{Node, Value};

/// The value; keys become texts, and what JSON has no number for becomes a text.
pub(crate) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => {
            i64::try_from(*value).map_or_else(|_| value.to_string().into(), serde_json::Value::from)
        }
        Value::Float(value) => (*value).into(),
        Value::Text(text) | Value::Symbol(text) => text.to_string().into(),
        Value::List(list) | Value::Reference(list) => list.iter().map(json).collect(),
        Value::Map(map) => serde_json::Value::Object(
            map.iter()
                .map(|(key, entry)| (key.as_str().to_owned(), json(&entry.node)))
                .collect(),
        ),
    }
}
