//! Names of parameters with brackets, as Rack reads them.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Brackets of one name nest this deep at most.
const DEEPEST: usize = 8;

/// The parts of a name: `a[b][]` is `a`, `b` and nothing.
fn segments(name: &str) -> Option<Vec<&str>> {
    let Some((first, mut rest)) = name.split_once('[') else {
        return Some(vec![name]);
    };
    let mut segments = vec![first];
    loop {
        let (segment, behind) = rest.split_once(']')?;
        segments.push(segment);
        match behind.strip_prefix('[') {
            Some(next) => rest = next,
            None if behind.is_empty() => break,
            None => return None,
        }
    }
    (segments.len() <= DEEPEST).then_some(segments)
}

/// Puts a text where its name says: `a[b]` in the map `a`, `a[]` at the end of the list `a`.
///
/// # Errors
/// When the name is malformed, or something of another shape is there.
pub(super) fn insert(into: &mut Value, name: &str, text: String) -> Result<(), ApiError> {
    let fault = || {
        let shown: String = name.chars().take(64).collect();
        ApiError::parameter(format!("{shown} is invalid"))
    };
    let segments = segments(name).ok_or_else(fault)?;
    place(into, &segments, text).ok_or_else(fault)
}

/// Puts a text at its place; `None` when something of another shape is there.
fn place(into: &mut Value, segments: &[&str], text: String) -> Option<()> {
    let Some((segment, rest)) = segments.split_first() else {
        *into = Value::String(text);
        return Some(());
    };
    if into.is_null() {
        *into = match *segment {
            "" => Value::Array(Vec::new()),
            _ => Value::Object(Map::new()),
        };
    }
    match into {
        Value::Object(map) => {
            let place_of = map.entry((*segment).to_owned()).or_insert(Value::Null);
            place(place_of, rest, text)
        }
        Value::Array(items) if segment.is_empty() => {
            let fresh = match (items.last(), rest.first()) {
                (Some(Value::Object(last)), Some(key)) => last.contains_key(*key),
                _ => true,
            };
            if fresh {
                items.push(Value::Null);
            }
            place(items.last_mut()?, rest, text)
        }
        _ => None,
    }
}
