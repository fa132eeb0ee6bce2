//! `id_tokens`, and `identity`.

use super::place::{Keys, Place};
use super::values::value;
use crate::yaml::{Map, Node};
use indexmap::IndexMap;

const KEYS: Keys = Keys {
    known: &["aud"],
    later: &[],
};

/// `id_tokens`: the audiences of each token.
pub(crate) fn id_tokens(node: &Node, at: &Place<'_>) -> Option<IndexMap<String, Vec<String>>> {
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash");
        return None;
    };
    let mut tokens = IndexMap::with_capacity(map.len());
    for (key, entry) in map {
        let name = key.as_str();
        let place = at.key(name);
        let Some(token) = place.map(&entry.node, &KEYS) else {
            continue;
        };
        if value(token, "aud").is_none() {
            place.config(&entry.node, "missing required keys: aud");
            let reason = "should be an array of strings or a string";
            place.attribute(&entry.node, "aud", reason);
        } else if let Some(audiences) = place.string_or_strings(token, "aud") {
            tokens.insert(name.to_owned(), audiences);
        }
    }
    Some(tokens)
}

/// `identity`, of a job or of `default`.
pub(crate) fn identity(map: &Map, at: &Place<'_>) -> Option<String> {
    at.one_of(map, "identity", &["google_cloud"])
        .map(str::to_owned)
}
