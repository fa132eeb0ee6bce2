//! `hooks`: commands of the runner around its own work.

use super::place::{Keys, Place};
use super::script;
use super::values::value;
use crate::yaml::Node;

/// The commands of `pre_get_sources_script`.
pub(crate) fn hooks(node: &Node, at: &Place<'_>) -> Option<Vec<String>> {
    const KEYS: Keys = Keys {
        known: &["pre_get_sources_script"],
        later: &[],
    };
    let map = at.map(node, &KEYS)?;
    match value(map, "pre_get_sources_script") {
        Some(node) => script::commands(node, &at.key("pre_get_sources_script")),
        None => Some(Vec::new()),
    }
}
