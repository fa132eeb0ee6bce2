//! `extends`: a job takes over the keys of other jobs, later parents win over earlier ones
//! and the job over all of them.

use crate::merge::merge_shared;
use crate::yaml::{Entry, Key, Map, Node, Value, get};
use crate::{Diagnostic, Limits};
use std::collections::HashMap;
use std::sync::Arc;

/// Resolves `extends` in every entry of the configuration.
pub(crate) fn resolve(root: &mut Map, limits: &Limits, diagnostics: &mut Vec<Diagnostic>) {
    let mut resolver = Resolver {
        root,
        levels: limits.extends_levels,
        limit: limits.expanded_bytes,
        left: limits.expanded_bytes / size_of::<(Key, Entry)>(),
        exhausted: false,
        compared: 0,
        done: HashMap::new(),
    };
    let mut results = Vec::new();
    let before = diagnostics.len();
    for (key, entry) in resolver.root {
        if resolver.exhausted || diagnostics.len() - before >= limits.diagnostics {
            break;
        }
        if !has_extends(&entry.node) {
            continue;
        }
        match resolver.entry(key.as_str(), &mut Vec::new()) {
            Ok(extended) => results.push((key.clone(), extended.map)),
            Err(fault) => {
                // A broken base breaks all that extend it; it is told once.
                if !diagnostics.contains(&fault) {
                    diagnostics.push(*fault);
                }
            }
        }
    }
    for (key, map) in results {
        if let Some(entry) = root.get_mut(&key) {
            entry.node.value = Value::Map(map);
        }
    }
}

/// Names that are compared with wrong ones before hints are left out.
const COMPARED: usize = 200_000;

struct Resolver<'r> {
    root: &'r Map,
    levels: usize,
    /// Bytes that all copies may take.
    limit: usize,
    /// Entries that may still be copied.
    left: usize,
    /// More were asked for: whatever follows would only take time.
    exhausted: bool,
    /// Names that were compared with wrong ones.
    compared: usize,
    done: HashMap<&'r str, Extended>,
}

#[derive(Clone, Default)]
struct Extended {
    map: Arc<Map>,
    /// How many entries with `extends` follow each other from here, this one included.
    height: usize,
}

fn has_extends(node: &Node) -> bool {
    node.get("extends").is_some()
}

impl<'r> Resolver<'r> {
    fn entry(
        &mut self,
        name: &'r str,
        ancestors: &mut Vec<&'r str>,
    ) -> Result<Extended, Box<Diagnostic>> {
        // What is known but too high from here is walked again, to name who is too deep.
        if let Some(done) = self.done.get(name)
            && ancestors.len() + done.height <= self.levels
        {
            return Ok(done.clone());
        }
        let extended = self.extend(name, ancestors)?;
        self.done.insert(name, extended.clone());
        Ok(extended)
    }

    fn extend(
        &mut self,
        name: &'r str,
        ancestors: &mut Vec<&'r str>,
    ) -> Result<Extended, Box<Diagnostic>> {
        let root = self.root;
        let Some(entry) = get(root, name) else {
            return Ok(Extended::default());
        };
        let (Value::Map(own), Some(extends)) = (&entry.node.value, entry.node.get("extends"))
        else {
            return Ok(match &entry.node.value {
                Value::Map(map) => Extended {
                    map: map.clone(),
                    height: 0,
                },
                _ => Extended::default(),
            });
        };
        let bases = base_names(extends);
        let fault = |text: String, at: &Node| {
            Diagnostic::error(format!("{name}: {text}"), at.span)
                .job(name)
                .keyword("extends")
        };

        let unknown: Vec<_> = bases
            .iter()
            .filter(|(base, _)| get(root, base).is_none())
            .collect();
        if let Some((first, at)) = unknown.first() {
            let names: Vec<&str> = unknown.iter().map(|(base, _)| base.as_str()).collect();
            let fault = fault(
                format!("unknown keys in `extends` ({})", names.join(", ")),
                at,
            );
            self.compared += root.len();
            let few = self.compared <= COMPARED.max(root.len());
            let known = root.keys().map(|key| key.as_str()).filter(|_| few);
            return Err(Box::new(match crate::suggest(first, known) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint("define it in this file or in one that is included"),
            }));
        }
        let invalid: Vec<_> = bases
            .iter()
            .filter(|(base, _)| get(root, base).is_some_and(|e| e.node.as_map().is_none()))
            .collect();
        if let Some((_, at)) = invalid.first() {
            let names: Vec<&str> = invalid.iter().map(|(base, _)| base.as_str()).collect();
            let text = format!("invalid base hashes in `extends` ({})", names.join(", "));
            return Err(Box::new(
                fault(text, at).hint("only an entry with keys of its own can be extended"),
            ));
        }
        if ancestors.len() >= self.levels {
            let text = "nesting too deep in `extends`".to_owned();
            return Err(Box::new(fault(text, extends).hint(format!(
                "at most {} levels of `extends` are allowed",
                self.levels
            ))));
        }
        if ancestors.contains(&name) {
            let text = "circular dependency detected in `extends`".to_owned();
            let mut chain: Vec<&str> = ancestors
                .iter()
                .skip_while(|ancestor| **ancestor != name)
                .copied()
                .collect();
            chain.push(name);
            return Err(Box::new(
                fault(text, extends).hint(format!("the circle is {}", chain.join(" → "))),
            ));
        }

        let mut merged: Option<Arc<Map>> = None;
        let (mut height, mut copied) = (0, 0);
        ancestors.push(name);
        for (base, _) in &bases {
            // The name in the root lives as long as the root.
            let Some((key, _)) = root.get_key_value(&Key::text(base.as_str())) else {
                continue;
            };
            let parent = self.entry(key.as_str(), ancestors)?;
            height = height.max(parent.height);
            match &mut merged {
                None => merged = Some(parent.map),
                Some(merged) => copied += merge_shared(merged, &parent.map),
            }
        }
        ancestors.pop();
        let mut map = merged.unwrap_or_default();
        copied += merge_shared(&mut map, own);
        self.exhausted = copied > self.left;
        if self.exhausted {
            let text = format!("What `extends` copies is larger than {} bytes", self.limit);
            return Err(Box::new(fault(text, extends).hint(
                "a map that many jobs extend and add to is copied for each of them",
            )));
        }
        self.left -= copied;
        Ok(Extended {
            map,
            height: height + 1,
        })
    }
}

/// The names in `extends` and where each stands. A number is looked up as a name.
fn base_names(extends: &Node) -> Vec<(String, &Node)> {
    match extends.as_list() {
        Some(list) => list
            .iter()
            .filter_map(|node| Some((node.scalar_text()?, node)))
            .collect(),
        None => extends
            .scalar_text()
            .map(|name| (name, extends))
            .into_iter()
            .collect(),
    }
}
