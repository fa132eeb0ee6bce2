//! The deep merge of `include` and `extends`: maps merge key by key at any depth; anything
//! else on the later side replaces, lists too.

use crate::yaml::{Map, Node, Value};
use std::sync::Arc;

/// Puts `over` on top of `base`. A key that exists keeps its position.
pub(crate) fn merge_map(base: &mut Map, over: &Map) {
    for (key, entry) in over {
        match base.get_mut(key) {
            Some(existing) => {
                existing.key_span = entry.key_span;
                merge_node(&mut existing.node, &entry.node);
            }
            None => {
                base.insert(key.clone(), entry.clone());
            }
        }
    }
}

fn merge_node(base: &mut Node, over: &Node) {
    if let (Value::Map(below), Value::Map(above)) = (&mut base.value, &over.value) {
        if !above.is_empty() {
            // Copies the map only where it is shared; its values stay shared.
            merge_map(Arc::make_mut(below), above);
            base.span = over.span;
        }
    } else {
        *base = over.clone();
    }
}
