//! `script`, `before_script`, `after_script`.

use super::place::Place;
use super::values::flattened;
use crate::yaml::{Node, Value};

const REASON: &str = "should be a string or a nested array of strings up to 10 levels deep";

/// Commands: one text, or texts in lists of lists, flattened.
pub(crate) fn commands(node: &Node, at: &Place<'_>) -> Option<Vec<String>> {
    match flattened(node, 10) {
        Ok(nodes) => nodes
            .into_iter()
            .map(|node| command(node, at))
            .collect::<Option<Vec<_>>>(),
        Err(too_deep) => {
            at.config(too_deep, REASON).label("nested too deeply");
            None
        }
    }
}

fn command(node: &Node, at: &Place<'_>) -> Option<String> {
    if let Some(text) = node.as_text() {
        return Some(text.to_owned());
    }
    let fault = at.config(node, REASON);
    match &node.value {
        Value::Map(_) => {
            fault.hint("a command that contains `: ` must stand in quotes, or behind `- |`")
        }
        Value::Null => fault.hint("remove the empty item"),
        _ => fault,
    };
    None
}
