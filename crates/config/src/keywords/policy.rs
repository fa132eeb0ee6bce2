//! `only` and `except`.

use super::place::{Keys, Place};
use super::values::{strings, value};
use super::{hints, paths};
use crate::yaml::{Map, Node};
use crate::{Policy, refs};

const KEYS: Keys = Keys {
    known: &["refs", "variables", "changes", "kubernetes"],
    later: &[],
};

const REFS: &str = "should be an array of strings or regular expressions using re2 syntax";

/// The refs of a job that says nothing about them.
fn default_refs() -> Vec<String> {
    vec!["branches".to_owned(), "tags".to_owned()]
}

/// `only` of a job. Without refs it has the default ones; without any, a job has them too
/// where `is_default`.
pub(crate) fn only(map: &Map, at: &Place<'_>, is_default: bool) -> Option<Policy> {
    match value(map, "only").and_then(|node| policy(node, &at.key("only"))) {
        Some(mut only) => {
            only.refs.get_or_insert_with(default_refs);
            Some(only)
        }
        None => is_default.then(|| Policy {
            refs: Some(default_refs()),
            ..Policy::default()
        }),
    }
}

/// `only` or `except`: a list of refs, or a map.
pub(crate) fn policy(node: &Node, at: &Place<'_>) -> Option<Policy> {
    if node.as_list().is_some() || node.as_text().is_some() {
        return Some(Policy {
            refs: Some(refs(node, |wrong| {
                at.config(wrong, REFS).hint(
                    "names and expressions are texts, expressions stand between slashes: /^v/",
                );
            })?),
            ..Policy::default()
        });
    }
    let Some(map) = node.as_map() else {
        at.form(node, "has to be either an array of conditions or a hash");
        return None;
    };
    if map.is_empty() {
        at.config(node, "can't be blank");
        return None;
    }
    at.check_keys(map, &KEYS);
    Some(Policy {
        refs: value(map, "refs").and_then(|node| {
            refs(node, |wrong| {
                at.attribute(wrong, "refs", REFS);
            })
        }),
        variables: conditions(map, at),
        changes: paths::of_policy(map, at),
        kubernetes: kubernetes(map, at),
    })
}

fn kubernetes(map: &Map, at: &Place<'_>) -> bool {
    let Some(node) = value(map, "kubernetes") else {
        return false;
    };
    let is_active = node.as_text() == Some("active");
    if !is_active {
        let written = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
        at.attribute(node, "kubernetes", &format!("unknown value: {written}"))
            .label("may be active");
    }
    is_active
}

fn refs(node: &Node, wrong: impl Fn(&Node)) -> Option<Vec<String>> {
    let nodes = match node.as_list() {
        Some(list) => list,
        None if node.as_text().is_some() => std::slice::from_ref(node),
        None => {
            wrong(node);
            return None;
        }
    };
    nodes
        .iter()
        .map(|node| match node.as_text() {
            Some(text) if refs::is_valid(text) => Some(text.to_owned()),
            _ => {
                wrong(node);
                None
            }
        })
        .collect()
}

fn conditions(map: &Map, at: &Place<'_>) -> Option<Vec<String>> {
    let node = value(map, "variables")?;
    let texts = match strings(node) {
        Ok(texts) => texts,
        Err(wrong) => {
            at.attribute(wrong, "variables", "should be an array of strings");
            return None;
        }
    };
    let nodes = node.as_list().unwrap_or_default();
    for (text, node) in texts.iter().zip(nodes) {
        if let Err(error) = at.check_expression(text) {
            at.attribute(node, "variables", "invalid expression syntax")
                .label(error.message.clone())
                .hint(hints::expression(text));
        }
    }
    Some(texts)
}
