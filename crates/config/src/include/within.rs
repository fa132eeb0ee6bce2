//! A configuration that is a part of a file: a script of `shipway simulate`.

use super::{Asked, Loader, start_of};
use crate::Diagnostic;
use crate::yaml::{self, Map, Node, Value};
use std::sync::Arc;

impl Loader<'_> {
    /// Reads a file that holds a configuration under a key; also what else it holds, as JSON.
    pub(crate) fn within(
        &mut self,
        path: &str,
        text: &str,
        key: &str,
    ) -> Option<(Map, serde_json::Value)> {
        let file = self.files.add(path, text, None);
        let scope = self.own_scope();
        let asked = Asked {
            file,
            scope: &scope,
            prefix: "",
            inputs: &self.context.inputs,
            at: start_of(file),
        };
        let (_, mut around) = self.parse(&asked, text)?;
        let Some(entry) = around.shift_remove(&yaml::Key::text(key)) else {
            let text = format!("`{key}` is missing");
            self.diagnostics
                .push(Diagnostic::error(text, asked.at).hint(format!(
                    "`{key}` holds a configuration as a mapping of jobs"
                )));
            return None;
        };
        let Value::Map(map) = entry.node.value else {
            let text = format!("`{key}` should be a mapping of jobs");
            let found = format!("this is {}", entry.node.kind());
            self.diagnostics
                .push(Diagnostic::error(text, entry.node.span).label(found));
            return None;
        };
        let around = yaml::json(&Node {
            value: Value::Map(Arc::new(around)),
            span: asked.at,
        });
        Some((Arc::unwrap_or_clone(map), around))
    }

    /// Puts a configuration on top of what it includes.
    pub(crate) fn included_by(&mut self, root: Map) -> Option<Map> {
        let scope = self.own_scope();
        self.with_includes(root, &scope)
    }
}
