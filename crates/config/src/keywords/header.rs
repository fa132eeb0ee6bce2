//! The header of a file: `spec`.

use super::inputs;
use super::place::{Keys, Place};
use super::report::Report;
use super::values::{strings, value};
use crate::Input;
use crate::yaml::{Map, Node};
use indexmap::IndexMap;

const SPEC: Keys = Keys {
    known: &["inputs", "include", "component", "description"],
    later: &[],
};

/// What a component may know of itself.
const COMPONENT: [&str; 4] = ["name", "sha", "version", "reference"];

/// What a header says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    /// The inputs written in it.
    pub(crate) inputs: IndexMap<String, Input>,
    /// Entries that name files with more inputs.
    pub(crate) includes: Vec<Node>,
    /// What a component wants to know of itself.
    pub(crate) component: Vec<String>,
}

/// Reads the first document of a file.
pub(crate) fn header(node: &Node, report: &Report) -> Header {
    let root = Place::top("header", report);
    let mut header = Header::default();
    let Some(map) = node.as_map() else {
        return header;
    };
    let strangers: Vec<_> = map
        .iter()
        .filter(|(key, _)| key.as_str() != "spec")
        .collect();
    if let Some((_, first)) = strangers.first() {
        let names: Vec<&str> = strangers.iter().map(|(key, _)| key.as_str()).collect();
        let reason = format!("contains unknown keys: {}", names.join(", "));
        root.config(&Node::null(first.key_span), &reason)
            .label("belongs to the content")
            .hint("a header ends with a line `---`; put one before this");
    }
    let at = root.key("spec");
    let Some(spec) = value(map, "spec").and_then(|node| at.map(node, &SPEC)) else {
        return header;
    };
    if let Some(node) = value(spec, "inputs") {
        header.inputs = inputs_at(node, &at.key("inputs"));
    }
    if let Some(node) = value(spec, "include") {
        header.includes = includes(node, &at.key("include"));
    }
    header.component = component(spec, &at);
    at.text(spec, "description");
    header
}

/// Reads a file of `spec:include`.
pub(crate) fn inputs(node: &Node, report: &Report) -> IndexMap<String, Input> {
    inputs_at(node, &Place::top("inputs", report))
}

fn inputs_at(node: &Node, at: &Place<'_>) -> IndexMap<String, Input> {
    let Some(map) = node.as_map() else {
        if !node.is_null() {
            at.config(node, "should be a hash");
        }
        return IndexMap::new();
    };
    let found = inputs::of_file(map, at);
    inputs::check_rules(&found, map, at);
    found
}

fn includes(node: &Node, at: &Place<'_>) -> Vec<Node> {
    let nodes = match node.as_list() {
        Some(list) => list.to_vec(),
        None => vec![node.clone()],
    };
    for node in &nodes {
        let Some(map) = node.as_map() else {
            continue;
        };
        const KEYS: Keys = Keys {
            known: &["local", "file", "remote", "project", "ref", "integrity"],
            later: &[],
        };
        at.check_keys(map, &KEYS);
    }
    nodes
}

/// The names in `spec:component`, those that exist.
fn component(spec: &Map, at: &Place<'_>) -> Vec<String> {
    let Some(node) = value(spec, "component") else {
        return Vec::new();
    };
    let at = at.key("component");
    match strings(node) {
        Err(wrong) => {
            at.config(wrong, "should be an array of strings");
            Vec::new()
        }
        Ok(names) => {
            let unknown: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| !COMPONENT.contains(name))
                .collect();
            if let Some(first) = unknown.first() {
                let reason = format!("contains unknown values: {}", unknown.join(", "));
                at.config(node, &reason)
                    .did_you_mean(Some(first), &COMPONENT);
            }
            names
        }
    }
}
