//! Values of variables that YAML turns into something else: `3.10` is the number 3.1.

use std::collections::HashSet;

use crate::yaml::{Map, Node, Value, get};
use crate::{Diagnostic, Files, Span};

/// Tells of numbers and booleans whose text is not what the file says, in `variables` and in the
/// matrix of a job. A value that several jobs share is told once.
pub(super) fn turned(tree: &Map, files: &Files, found: &mut Vec<Diagnostic>) {
    let mut search = Search {
        files,
        told: HashSet::new(),
        found,
    };
    if let Some(variables) = get(tree, "variables") {
        search.variables(&variables.node, None);
    }
    if let Some(workflow) = get(tree, "workflow") {
        search.rules(&workflow.node, None);
    }
    for (key, entry) in tree {
        let name = key.as_str();
        if name.starts_with('.') || crate::keywords::GLOBALS.contains(&name) {
            continue;
        }
        let job = &entry.node;
        if let Some(variables) = job.get("variables") {
            search.variables(variables, Some(name));
        }
        search.rules(job, Some(name));
        let matrix = job.get("parallel").and_then(|node| node.get("matrix"));
        let matrix = matrix.and_then(Node::as_list).unwrap_or_default();
        for values in matrix {
            search.variables(values, Some(name));
        }
    }
}

struct Search<'s> {
    files: &'s Files,
    told: HashSet<(usize, usize)>,
    found: &'s mut Vec<Diagnostic>,
}

impl Search<'_> {
    /// The `variables` of the `rules` of an entry.
    fn rules(&mut self, entry: &Node, job: Option<&str>) {
        let rules = entry.get("rules").and_then(Node::as_list);
        for rule in rules.unwrap_or_default() {
            if let Some(variables) = rule.get("variables") {
                self.variables(variables, job);
            }
        }
    }

    /// Values by name: scalars, lists of them, or maps with a `value`.
    fn variables(&mut self, variables: &Node, job: Option<&str>) {
        for (name, entry) in variables.as_map().into_iter().flatten() {
            let value = entry.node.get("value").unwrap_or(&entry.node);
            let values = value.as_list().unwrap_or(std::slice::from_ref(value));
            for value in values {
                self.value(name.as_str(), value, job);
            }
        }
    }

    fn value(&mut self, name: &str, node: &Node, job: Option<&str>) {
        let kind = match node.value {
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Bool(_) => "a boolean",
            _ => return,
        };
        let Span {
            file, start, end, ..
        } = node.span;
        let (Some(written), Some(text)) =
            (self.files.text(file).get(start..end), node.scalar_text())
        else {
            return;
        };
        let written = written.trim();
        // Blocks that were replaced and aliases have places of their own.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-._:".contains(c);
        if written.is_empty() || written == text || !written.chars().all(is_plain) {
            return;
        }
        if !self.told.insert((file.0 as usize, start)) {
            return;
        }
        let doubt = Diagnostic::warning(
            format!("variable `{name}` is `{text}`, not `{written}`"),
            node.span,
        )
        .label(format!("{kind} for YAML"))
        .hint(format!(
            "put it in quotes to keep it as it is: \"{written}\""
        ))
        .keyword("variables");
        self.found.push(match job {
            Some(job) => doubt.job(job),
            None => doubt,
        });
    }
}
