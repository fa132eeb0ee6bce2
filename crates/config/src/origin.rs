//! Where a value of the configuration was written.

use crate::keywords::values::flattened;
use crate::yaml::{Map, Node, Value, get};
use crate::{Inherit, Span};

/// The value at a path of keys and indices below a node. Indices count through nested
/// lists as they are flattened.
pub(crate) fn descend<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    let Some((first, rest)) = path.split_first() else {
        return Some(node);
    };
    let child = match &node.value {
        Value::Map(map) => &get(map, first)?.node,
        Value::List(_) => flattened(node, usize::MAX)
            .ok()?
            .get(first.parse::<usize>().ok()?)
            .copied()?,
        _ => return None,
    };
    descend(child, rest)
}

/// Where the value of a path was written: `["variables", "A"]`, `["jobs", "test"]`,
/// `["jobs", "test", "rules", "0", "if"]`. For a keyword that a job takes over, the place in
/// `default` or at the top level.
pub(crate) fn find(root: &Map, path: &[&str]) -> Option<Span> {
    let Some((&"jobs", rest)) = path.split_first() else {
        let (first, rest) = path.split_first()?;
        let entry = get(root, first)?;
        return descend(&entry.node, rest).map(|node| node.span);
    };
    let (name, rest) = rest.split_first()?;
    let entry = get(root, name)?;
    if rest.is_empty() {
        return Some(entry.key_span);
    }
    let own = descend(&entry.node, rest).filter(|node| !node.is_null());
    if let Some(node) = own {
        return Some(node.span);
    }
    let keyword = rest[0];
    if entry.node.get(keyword).is_some() || !inherits(&entry.node, keyword) {
        return None;
    }
    let default = get(root, "default").and_then(|entry| descend(&entry.node, rest));
    default
        .filter(|node| !node.is_null())
        .or_else(|| {
            let is_top = crate::keywords::TOP_LEVEL_DEFAULTS.contains(&keyword);
            let entry = is_top.then(|| get(root, keyword)).flatten()?;
            descend(&entry.node, &rest[1..])
        })
        .map(|node| node.span)
}

fn inherits(job: &Node, keyword: &str) -> bool {
    let Some(node) = job
        .get("inherit")
        .and_then(|inherit| inherit.get("default"))
    else {
        return true;
    };
    match node.as_bool() {
        Some(all) => all,
        None => match crate::keywords::values::strings(node) {
            Ok(names) => Inherit::Only(names).takes(keyword),
            Err(_) => true,
        },
    }
}
