//! The deep merge of `include` and `extends`: maps merge key by key at any depth; anything
//! else on the later side replaces, lists too.

use crate::yaml::{Map, Node, Value};
use std::sync::Arc;

/// Puts `over` on top of `base`. A key that exists keeps its position. Returns how many entries
/// were written or copied.
pub(crate) fn merge_map(base: &mut Map, over: &Map) -> usize {
    let mut written = over.len();
    for (key, entry) in over {
        match base.get_mut(key) {
            Some(existing) => {
                existing.key_span = entry.key_span;
                written += merge_node(&mut existing.node, &entry.node);
            }
            None => {
                base.insert(key.clone(), entry.clone());
            }
        }
    }
    written
}

/// The same for a map that others may have too; only then is it copied. Its values stay shared.
pub(crate) fn merge_shared(base: &mut Arc<Map>, over: &Map) -> usize {
    let copied = match Arc::get_mut(base) {
        Some(_) => 0,
        None => base.len(),
    };
    copied + merge_map(Arc::make_mut(base), over)
}

fn merge_node(base: &mut Node, over: &Node) -> usize {
    let mut written = 0;
    if let (Value::Map(below), Value::Map(above)) = (&mut base.value, &over.value) {
        if !above.is_empty() {
            written = merge_shared(below, above);
            base.span = over.span;
        }
    } else {
        *base = over.clone();
    }
    written
}
