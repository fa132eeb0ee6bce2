//! Readings of a value that many keywords share.

use crate::yaml::{Map, Node, Value, get};

/// The value of a key that is there and not null.
pub(crate) fn value<'m>(map: &'m Map, key: &str) -> Option<&'m Node> {
    let node = &get(map, key)?.node;
    (!node.is_null()).then_some(node)
}

/// A list of texts, or the first value that spoils it.
pub(crate) fn strings(node: &Node) -> Result<Vec<String>, &Node> {
    node.as_list()
        .ok_or(node)?
        .iter()
        .map(|item| item.as_text().map(str::to_owned).ok_or(item))
        .collect()
}

/// A list of texts or a single one, or the first value that spoils it.
pub(crate) fn string_or_strings(node: &Node) -> Result<Vec<String>, &Node> {
    match node.as_text() {
        Some(text) => Ok(vec![text.to_owned()]),
        None => strings(node),
    }
}

/// Texts in lists of lists, flattened; an error is the first value that spoils it.
pub(crate) fn flattened(node: &Node, levels: usize) -> Result<Vec<&Node>, &Node> {
    fn collect<'n>(
        node: &'n Node,
        levels: usize,
        found: &mut Vec<&'n Node>,
    ) -> Result<(), &'n Node> {
        match node.as_list() {
            None => found.push(node),
            Some(_) if levels == 0 => return Err(node),
            Some(list) => {
                for item in list {
                    collect(item, levels - 1, found)?;
                }
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(node, levels, &mut found)?;
    Ok(found)
}

/// A whole number in a range.
pub(crate) fn whole_number(
    node: &Node,
    least: i128,
    most: i128,
    wrong: impl FnOnce(&str),
) -> Option<i128> {
    let reason = match node.value {
        Value::Integer(number) if number < least => {
            format!("must be greater than or equal to {least}")
        }
        Value::Integer(number) if number > most => format!("must be less than or equal to {most}"),
        Value::Integer(number) => return Some(number),
        Value::Float(_) => "must be an integer".to_owned(),
        _ => "is not a number".to_owned(),
    };
    wrong(&reason);
    None
}
