//! `variables` at the top level, in jobs, rules and services.

use super::place::Place;
use super::values::{strings, value};
use crate::yaml::{Map, Node, Value};
use crate::{PrefilledVariable, VariableValue, Variables};
use indexmap::IndexMap;

/// Top-level variables, and those the form for manual runs shows.
pub(crate) fn of_pipeline(
    node: &Node,
    at: &Place<'_>,
) -> (Variables, IndexMap<String, PrefilledVariable>) {
    let mut form = IndexMap::new();
    let keys = ["value", "description", "options", "expand"];
    let variables = read(node, at, &keys, |name, node, at| {
        prefilled(name, node, at, &mut form);
    });
    (variables, form)
}

/// Variables of a job or service: a value, or `{value, expand}`.
pub(crate) fn of_job(node: &Node, at: &Place<'_>) -> Variables {
    read(node, at, &["value", "expand"], |_, _, _| {})
}

/// Variables of a rule: values only.
pub(crate) fn of_rule(node: &Node, at: &Place<'_>) -> Variables {
    read(node, at, &["value"], |_, _, _| {})
}

fn read(
    node: &Node,
    at: &Place<'_>,
    allowed: &[&str],
    mut on_map: impl FnMut(&str, &Node, &Place<'_>),
) -> Variables {
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash");
        return Variables::default();
    };
    let mut variables = Variables::with_capacity(map.len());
    for (key, entry) in map {
        let name = key.as_str();
        let place = at.key(name);
        let value = match &entry.node.value {
            Value::Map(_) => {
                let value = complex(&entry.node, &place, allowed);
                on_map(name, &entry.node, &place);
                value
            }
            Value::List(_) | Value::Reference(_) => {
                place
                    .message(
                        entry.node.span,
                        "variable definition must be either a string or a hash",
                    )
                    .label(format!("this is {}", entry.node.kind()));
                continue;
            }
            _ => VariableValue {
                value: entry.node.scalar_text().unwrap_or_default(),
                raw: false,
            },
        };
        variables.insert(name.to_owned(), value);
    }
    variables
}

fn complex(node: &Node, at: &Place<'_>, allowed: &[&str]) -> VariableValue {
    let Some(map) = node.as_map() else {
        return VariableValue::default();
    };
    let mut unknown = Vec::new();
    for (key, entry) in map {
        if !allowed.contains(&key.as_str()) {
            unknown.push((key.as_str(), entry.key_span));
        }
    }
    if let Some(&(first, span)) = unknown.first() {
        let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
        at.config(
            &Node::null(span),
            &format!("uses invalid data keys: {}", names.join(", ")),
        )
        .label(format!("may be {}", allowed.join(", ")))
        .did_you_mean(Some(first), allowed);
    }
    let mut text = String::new();
    if let Some(node) = value(map, "value") {
        match node.scalar_text() {
            Some(value) => text = value,
            None => {
                at.attribute(node, "config_value", "must be a scalar");
            }
        }
    }
    VariableValue {
        value: text,
        raw: expand(map, at) == Some(false),
    }
}

fn expand(map: &Map, at: &Place<'_>) -> Option<bool> {
    let node = value(map, "expand")?;
    let flag = node.as_bool();
    if flag.is_none() {
        at.attribute(node, "config_expand", "should be a boolean value");
    }
    flag
}

/// `description` and `options`, which only the form for manual runs uses.
fn prefilled(
    name: &str,
    node: &Node,
    at: &Place<'_>,
    form: &mut IndexMap<String, PrefilledVariable>,
) {
    let Some(map) = node.as_map() else {
        return;
    };
    let description = value(map, "description").and_then(|node| {
        let text = match node.value {
            Value::Text(_) | Value::Symbol(_) | Value::Integer(_) => node.scalar_text(),
            _ => None,
        };
        if text.is_none() {
            let reason = "must be an alphanumeric string";
            at.attribute(node, "config_description", reason);
        }
        text
    });
    let mut options = None;
    if let Some(node) = value(map, "options") {
        match strings(node) {
            Err(wrong) => {
                at.attribute(wrong, "config_options", "should be an array of strings");
            }
            Ok(list) => {
                let text = value(map, "value").and_then(Node::scalar_text);
                match text {
                    Some(text) if list.contains(&text) => {}
                    Some(_) => {
                        at.config(node, "value must be present in options");
                    }
                    None => {
                        at.config(node, "value must be present in options")
                            .hint("add `value`, one of the options");
                    }
                }
                options = Some(list);
            }
        }
    }
    if description.is_some() || options.is_some() {
        form.insert(
            name.to_owned(),
            PrefilledVariable {
                description,
                options: options.unwrap_or_default(),
            },
        );
    }
}
