//! Misspelt names of predefined variables in scripts and values.

use std::collections::HashSet;

use super::predefined;
use crate::suggest::suggest_within;
use crate::yaml::{Map, Node, Value};
use crate::{Diagnostic, Span};

/// How many slips of the hand a misspelt name has. With more it may be a name of its own: a
/// project's settings can hold `CI_…` too.
const SLIPS: usize = 2;

/// Tells of `$CI_…` that nothing defines and that is nearly a variable of GitLab. `defined` are
/// the names that the file defines; those in conditions are told elsewhere.
pub(super) fn texts(tree: &Map, defined: &HashSet<&str>, found: &mut Vec<Diagnostic>) {
    let mut search = Search {
        defined,
        told: HashSet::new(),
        assigned: HashSet::new(),
        used: Vec::new(),
    };
    let visible = tree
        .iter()
        .filter(|(key, _)| !key.as_str().starts_with('.'));
    for (key, entry) in visible {
        search.node(&entry.node, key.as_str());
    }
    for (name, span, job) in &search.used {
        if search.assigned.contains(name) || !search.told.insert(name) {
            continue;
        }
        if let Some(near) = suggest_within(name, predefined::names(), SLIPS) {
            let text = format!("variable `{name}` is never defined");
            let doubt = Diagnostic::warning(text, *span)
                .label("neither here nor by GitLab")
                .hint(format!("did you mean `{near}`?"));
            let is_global = crate::keywords::GLOBALS.contains(job);
            found.push(match is_global {
                true => doubt.keyword(*job),
                false => doubt.job(*job),
            });
        }
    }
}

struct Search<'t> {
    defined: &'t HashSet<&'t str>,
    told: HashSet<&'t str>,
    /// What scripts set themselves.
    assigned: HashSet<&'t str>,
    /// Name, place, and the key of the top level.
    used: Vec<(&'t str, Span, &'t str)>,
}

impl<'t> Search<'t> {
    fn node(&mut self, node: &'t Node, key: &'t str) {
        match &node.value {
            Value::Text(text) => self.text(text, node.span, key),
            Value::List(list) => list.iter().for_each(|node| self.node(node, key)),
            Value::Map(map) => {
                // Conditions are looked at with more care.
                let others = map.iter().filter(|(name, _)| name.as_str() != "if");
                others.for_each(|(_, entry)| self.node(&entry.node, key));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &'t str, span: Span, key: &'t str) {
        for (at, _) in text.match_indices("CI_") {
            let rest = &text[at..];
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (name, behind) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            let before = &text[..at];
            if before.ends_with('$') || before.ends_with("${") {
                if !self.defined.contains(name) && !predefined::is_known(name) {
                    self.used.push((name, span, key));
                }
            } else if behind.starts_with('=') {
                self.assigned.insert(name);
            }
        }
    }
}
