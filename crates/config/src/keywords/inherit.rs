//! `inherit`.

use super::place::{Keys, Place};
use super::values::{strings, value};
use crate::Inherit;
use crate::yaml::Node;

/// `inherit`: which defaults, and which top-level variables.
pub(crate) fn inherit(node: &Node, at: &Place<'_>) -> (Inherit, Inherit) {
    const KEYS: Keys = Keys {
        known: &["default", "variables"],
        later: &[],
    };
    let Some(map) = at.map(node, &KEYS) else {
        return Default::default();
    };
    let part = |key: &str, allowed: Option<&[&str]>| {
        let Some(node) = value(map, key) else {
            return Inherit::All;
        };
        let place = at.key(key);
        match node.as_bool() {
            Some(true) => return Inherit::All,
            Some(false) => return Inherit::None,
            None => {}
        }
        let Ok(names) = strings(node) else {
            place.form(node, "should be a bool or array of strings");
            return Inherit::All;
        };
        let unknown: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| allowed.is_some_and(|allowed| !allowed.contains(name)))
            .collect();
        if let (Some(first), Some(allowed)) = (unknown.first(), allowed) {
            let reason = format!("contains unknown values: {}", unknown.join(", "));
            place
                .config(node, &reason)
                .did_you_mean(Some(first), allowed);
        }
        Inherit::Only(names)
    };
    (
        part("default", Some(super::default::KEYS.known)),
        part("variables", None),
    )
}
