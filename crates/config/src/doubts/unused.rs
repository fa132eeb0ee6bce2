//! Hidden jobs that nothing takes anything from.

use std::collections::HashSet;

use crate::keywords::values::string_or_strings;
use crate::yaml::{Map, Node, Value};
use crate::{FileId, Files, Span};

/// The hidden jobs of the first file that nothing extends, references or aliases, asked before
/// references and `extends` are followed. Those of included files are for others to take.
pub(crate) fn hidden_jobs(root: &Map, files: &Files) -> Vec<(String, Span)> {
    let is_own = |span: Span| span.file == FileId::default();
    let hidden = root.iter().filter(|(key, entry)| {
        key.is_text() && key.as_str().starts_with('.') && is_own(entry.key_span)
    });
    let hidden: Vec<_> = hidden.collect();
    if hidden.is_empty() {
        return Vec::new();
    }
    let mut used = HashSet::new();
    for entry in root.values() {
        if let Some(extends) = entry.node.get("extends") {
            used.extend(string_or_strings(extends).unwrap_or_default());
        }
        note_references(&entry.node, &mut used);
    }
    let text = files.text(FileId::default());
    hidden
        .into_iter()
        .filter(|(key, entry)| {
            let begin = entry.key_span.start;
            let end = entry.node.span.end.max(entry.key_span.end);
            // An anchor in it may be what it is there for.
            let has_anchor = text.get(begin..end).is_none_or(|text| text.contains('&'));
            !used.contains(key.as_str()) && !has_anchor
        })
        .map(|(key, entry)| (key.as_str().to_owned(), entry.key_span))
        .collect()
}

fn note_references(node: &Node, used: &mut HashSet<String>) {
    match &node.value {
        Value::Reference(path) => {
            let first = path.first().and_then(Node::as_text);
            used.extend(first.map(str::to_owned));
        }
        Value::List(list) => list.iter().for_each(|node| note_references(node, used)),
        Value::Map(map) => map
            .values()
            .for_each(|entry| note_references(&entry.node, used)),
        _ => {}
    }
}
