//! `!reference [job, key, …]`: replaced by the value at that path, before `extends`.

use crate::yaml::{Map, Node, Value, get};
use crate::{Diagnostic, Limits};
use std::collections::HashMap;
use std::sync::Arc;

/// Resolves every reference of the configuration.
pub(crate) fn resolve(root: &mut Map, limits: &Limits, diagnostics: &mut Vec<Diagnostic>) {
    let original = root.clone();
    let mut resolver = Resolver {
        root: &original,
        levels: limits.reference_levels,
        budget: limits.expanded_nodes,
        chain: Vec::new(),
        done: HashMap::new(),
        deepest: 0,
        compared: 0,
    };
    let before = diagnostics.len();
    for (key, entry) in root.iter_mut() {
        if diagnostics.len() - before >= limits.diagnostics {
            break;
        }
        match resolver.node(&entry.node) {
            Ok(None) => {}
            Ok(Some(node)) => entry.node = node,
            Err(fault) => {
                let job = key.as_str();
                resolver.chain.clear();
                diagnostics.push(fault.job(job).keyword("!reference"));
            }
        }
    }
}

/// Names that are compared with wrong ones before hints are left out.
const COMPARED: usize = 200_000;

struct Resolver<'r> {
    root: &'r Map,
    levels: usize,
    /// Values that may still be put in; references of references multiply.
    budget: usize,
    /// The paths of the references being followed.
    chain: Vec<String>,
    /// What was resolved before, by path. Many jobs refer to one value, and to look for
    /// references in it takes time.
    /// Beside it is how many references followed each other there.
    done: HashMap<String, (Node, usize)>,
    /// How long the chain was at most since the reference being followed began.
    deepest: usize,
    /// Names that were compared with wrong ones.
    compared: usize,
}

impl Resolver<'_> {
    /// The node with its references replaced, or `None` where there are none in it.
    fn node(&mut self, node: &Node) -> Result<Option<Node>, Diagnostic> {
        let value = match &node.value {
            Value::Reference(path) => return self.reference(node, path).map(Some),
            Value::List(list) => {
                let mut changed: Option<Vec<Node>> = None;
                for (index, item) in list.iter().enumerate() {
                    if let Some(resolved) = self.node(item)? {
                        changed.get_or_insert_with(|| list.to_vec())[index] = resolved;
                    }
                }
                changed.map(|list| Value::List(Arc::new(list)))
            }
            Value::Map(map) => {
                let mut changed: Option<Map> = None;
                for (key, entry) in map.iter() {
                    if let Some(resolved) = self.node(&entry.node)? {
                        let changed = changed.get_or_insert_with(|| (**map).clone());
                        if let Some(entry) = changed.get_mut(key) {
                            entry.node = resolved;
                        }
                    }
                }
                changed.map(|map| Value::Map(Arc::new(map)))
            }
            _ => None,
        };
        Ok(value.map(|value| Node {
            value,
            span: node.span,
        }))
    }

    fn reference(&mut self, node: &Node, path: &[Node]) -> Result<Node, Diagnostic> {
        let keys: Option<Vec<&str>> = path.iter().map(Node::as_text).collect();
        let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
            return Err(
                Diagnostic::error("`!reference` needs a list of keys", node.span)
                    .hint("write `!reference [job, key]`"),
            );
        };
        let name = format!("!reference {keys:?}");
        if self.chain.contains(&name) {
            return Err(Diagnostic::error(
                format!("{name} is part of a circular chain"),
                node.span,
            ));
        }
        if self.chain.len() >= self.levels {
            return Err(
                Diagnostic::error(format!("{name} is nested too deeply"), node.span)
                    .label(format!("more than {} references deep", self.levels)),
            );
        }
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            return Err(Diagnostic::error("The configuration is too big", node.span)
                .label("too many references of references"));
        }
        // What is known but too deep from here is followed again, to name what is too deep.
        if let Some((done, height)) = self.done.get(&name)
            && self.chain.len() + height <= self.levels
        {
            self.deepest = self.deepest.max(self.chain.len() + height);
            return Ok(done.clone());
        }
        self.chain.push(name.clone());
        let outside = std::mem::replace(&mut self.deepest, self.chain.len());
        let found = self.find(&keys)?;
        let resolved = match found {
            Some(found) => match self.node(&found)? {
                Some(resolved) => resolved,
                None => found,
            },
            None => {
                self.compared += self.root.len();
                let few = self.compared <= COMPARED.max(self.root.len());
                let known = self.root.keys().map(|key| key.as_str()).filter(|_| few);
                let fault = Diagnostic::error(format!("{name} could not be found"), node.span);
                let exists = get(self.root, keys[0]).is_some();
                return Err(match crate::suggest(keys[0], known) {
                    Some(near) if !exists => fault.hint(format!("did you mean `{near}`?")),
                    _ if exists => fault.hint(
                        "references are resolved before `extends`: name the entry that has the \
                         key itself",
                    ),
                    _ => fault,
                });
            }
        };
        self.chain.pop();
        let height = self.deepest - self.chain.len();
        self.deepest = self.deepest.max(outside);
        self.done.insert(name, (resolved.clone(), height));
        Ok(resolved)
    }

    /// The value at a path, following references on the way.
    fn find(&mut self, keys: &[&str]) -> Result<Option<Node>, Diagnostic> {
        let Some((first, rest)) = keys.split_first() else {
            return Ok(None);
        };
        let Some(entry) = get(self.root, first) else {
            return Ok(None);
        };
        let mut node = entry.node.clone();
        for key in rest {
            if let Value::Reference(path) = &node.value {
                node = self.reference(&node, path)?;
            }
            let Value::Map(map) = &node.value else {
                return Ok(None);
            };
            let Some(entry) = get(map, key) else {
                return Ok(None);
            };
            node = entry.node.clone();
        }
        Ok((!node.is_null()).then_some(node))
    }
}
