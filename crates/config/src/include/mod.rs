//! Files: reads the first and those it includes, each with its own includes first, and merges
//! them in order; the file that includes them comes last and wins.

mod component;
pub(crate) mod entry;
mod fetch;
mod integrity;
mod rules;
mod scope;
mod wildcard;
mod within;

use crate::inputs::{self, InputValues};
use crate::keywords::header::{self, Header};
use crate::keywords::report::Report;
use crate::keywords::{self};
use crate::merge::merge_map;
use crate::yaml::{self, Map, Node, Part, Value, get};
use crate::{Diagnostic, FileId, Files, Input, Limits, LoadContext, Source, Span};
use entry::Entry;
use fetch::Fetched;
use indexmap::IndexMap;
use scope::Scope;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) struct Loader<'l> {
    pub(crate) files: Files,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The inputs of the first file.
    pub(crate) inputs: IndexMap<String, Input>,
    source: &'l dyn Source,
    context: &'l LoadContext,
    limits: &'l Limits,
    included: usize,
    included_bytes: usize,
    /// A limit was hit: what follows would only repeat it.
    stopped: bool,
    /// Files of others were left out.
    pub(crate) is_partial: bool,
}

/// How a file is called in messages and what it is given.
struct Asked<'a, 'l> {
    file: FileId,
    /// What it may include and know.
    scope: &'a Rc<Scope<'l>>,
    /// Before the messages of its faults; empty for the first file.
    prefix: &'a str,
    inputs: &'a InputValues,
    /// Where it is asked for; the whole of it for the first file.
    at: Span,
}

impl<'l> Loader<'l> {
    pub(crate) fn new(
        source: &'l dyn Source,
        context: &'l LoadContext,
        limits: &'l Limits,
    ) -> Self {
        Self {
            files: Files::default(),
            diagnostics: Vec::new(),
            inputs: IndexMap::new(),
            source,
            context,
            limits,
            included: 0,
            included_bytes: 0,
            stopped: false,
            is_partial: false,
        }
    }

    /// Reads the first file and all that it includes.
    pub(crate) fn main(&mut self, path: &str, text: &str) -> Option<Map> {
        let file = self.files.add(path, text, None);
        if text.trim_start_matches('\u{feff}').trim().is_empty() {
            self.diagnostics.push(
                Diagnostic::error_anywhere("Please provide content of .gitlab-ci.yml")
                    .hint("a first job: `test: {script: [make test]}`"),
            );
            return None;
        }
        let scope = self.own_scope();
        let asked = Asked {
            file,
            scope: &scope,
            prefix: "",
            inputs: &self.context.inputs,
            at: start_of(file),
        };
        let (header, root) = self.parse(&asked, text)?;
        self.inputs = header.map(|header| header.inputs).unwrap_or_default();
        self.with_includes(root, &scope)
    }

    /// The scope of the pipeline's own files.
    fn own_scope(&self) -> Rc<Scope<'l>> {
        Rc::new(Scope::own(self.source, &self.context.variables))
    }

    /// Reads the YAML of a file, its inputs put in.
    fn parse(&mut self, asked: &Asked<'_, 'l>, text: &str) -> Option<(Option<Header>, Map)> {
        let parts = self.told(yaml::parts(text, asked.file, self.limits), asked)?;
        let mut warnings = Vec::new();
        let mut parts = parts.into_iter();
        let mut content = None;
        let mut header = None;
        let mut behind = None;
        for part in parts.by_ref() {
            let read = part.read(asked.file, self.limits, &mut warnings);
            let Some(node) = self.told(read, asked)? else {
                continue;
            };
            if is_header(&node) {
                header = Some(self.header(&node, asked)?);
                behind = parts.next_back();
            } else {
                content = Some(node);
            }
            break;
        }
        // What stands between header and content, or behind the content, is read for its
        // faults and counts for nothing.
        for part in parts {
            let read = part.read(asked.file, self.limits, &mut warnings);
            if let Some(ignored) = self.told(read, asked)? {
                self.diagnostics.push(
                    Diagnostic::warning("only the first document of a file counts", ignored.span)
                        .label("is ignored")
                        .hint("remove the `---` before it"),
                );
                break;
            }
        }
        if let Some(header) = &header {
            content = match behind {
                Some(part) => self.interpolated(&part, header, asked, &mut warnings)?,
                None => None,
            };
        } else if !asked.inputs.is_empty() {
            let text = "Given inputs not defined in the `spec` section of the included \
                        configuration file";
            self.diagnostics.push(
                Diagnostic::error(format!("{}{text}", asked.prefix), asked.at)
                    .keyword("include:inputs")
                    .hint("the file needs a header: `spec: {inputs: …}`, then a line `---`"),
            );
            return None;
        }
        self.diagnostics.append(&mut warnings);
        let Some(content) = content else {
            self.invalid_format(asked.prefix, start_of(asked.file), "no content");
            return None;
        };
        match content.value {
            // A file of its own: no other owner, so nothing is copied.
            Value::Map(map) => Some((header, Arc::unwrap_or_clone(map))),
            _ => {
                self.invalid_format(asked.prefix, content.span, content.kind());
                None
            }
        }
    }

    /// The header with the inputs of the files that it includes.
    fn header(&mut self, node: &Node, asked: &Asked<'_, 'l>) -> Option<Header> {
        let report = Report::new(self.limits);
        let mut header = header::header(node, &report);
        self.report(report, asked.prefix)?;
        let includes = std::mem::take(&mut header.includes);
        let mut complete = true;
        for include in &includes {
            let found = self.shared_inputs(include, &mut header, asked.scope);
            complete &= found.is_some();
        }
        complete.then_some(header)
    }

    /// Adds the inputs of what is named in `spec:include`.
    fn shared_inputs(
        &mut self,
        node: &Node,
        header: &mut Header,
        scope: &Rc<Scope<'l>>,
    ) -> Option<()> {
        let entry = self.entry_of(node, scope)?;
        if !matches!(entry.kind, "local" | "project" | "remote") {
            let text = format!("`spec:include` does not know `{}`", entry.kind);
            self.fault(entry.span, text).hint =
                Some("only `local`, `project` and `remote` can be here".to_owned());
            return None;
        }
        for fetched in self.fetch(&entry, scope)? {
            self.inputs_of(&fetched, &entry, header)?;
        }
        Some(())
    }

    fn inputs_of(
        &mut self,
        fetched: &Fetched<'l>,
        entry: &Entry<'_>,
        header: &mut Header,
    ) -> Option<()> {
        let path = &fetched.location;
        let file = (self.files).add(&fetched.place, &fetched.text, Some(entry.span));
        let prefix = format!("`{path}`: ");
        let nothing = InputValues::new();
        let asked = Asked {
            file,
            scope: &fetched.scope,
            prefix: &prefix,
            inputs: &nothing,
            at: entry.span,
        };
        let (_, root) = self.parse(&asked, &fetched.text)?;
        let unknown: Vec<&str> = root
            .keys()
            .map(|key| key.as_str())
            .filter(|key| *key != "inputs")
            .collect();
        if let Some((_, first)) = root.iter().find(|(key, _)| key.as_str() != "inputs") {
            let text = format!("Header include file `{path}` contains unknown keys: {unknown:?}");
            self.diagnostics.push(
                Diagnostic::error(text, first.key_span)
                    .hint("a file of `spec:include` holds `inputs` and nothing else"),
            );
            return None;
        }
        let report = Report::new(self.limits);
        let inputs = get(&root, "inputs").map(|entry| header::inputs(&entry.node, &report));
        self.report(report, &prefix)?;
        for (name, input) in inputs.unwrap_or_default() {
            if header.inputs.contains_key(&name) {
                let text = format!(
                    "Duplicate input keys found: {name}. Input keys must be unique across all \
                     included files and inline specifications."
                );
                self.fault(entry.span, text);
                return None;
            }
            header.inputs.insert(name, input);
        }
        Some(())
    }

    /// The content behind a header, its blocks replaced. The outer `None` means that faults
    /// were told.
    fn interpolated(
        &mut self,
        part: &Part<'_>,
        header: &Header,
        asked: &Asked<'_, 'l>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Option<Option<Node>> {
        let values = match inputs::resolve(&header.inputs, asked.inputs) {
            Ok(values) => values,
            Err(faults) => {
                for fault in faults {
                    // What is given wrongly is so where the file is asked for.
                    self.diagnostics.push(
                        Diagnostic::error(format!("{}{}", asked.prefix, fault.message), asked.at)
                            .keyword("inputs"),
                    );
                }
                return None;
            }
        };
        let context = (asked.scope).interpolated(serde_json::json!(values), &header.component);
        let found = inputs::interpolate(
            part.text,
            &context,
            &asked.scope.variables,
            self.limits.yaml_bytes,
        );
        match found {
            Ok(interpolation) => {
                let read =
                    part.read_interpolated(&interpolation, asked.file, self.limits, warnings);
                self.told(read, asked)
            }
            Err(faults) => {
                for fault in faults {
                    self.diagnostics.push(
                        Diagnostic::error(
                            format!("{}{}", asked.prefix, fault.message),
                            part.span(fault.at, asked.file),
                        )
                        .label("cannot be replaced"),
                    );
                }
                None
            }
        }
    }

    /// The value, or nothing after its fault was told.
    fn told<T>(&mut self, read: Result<T, Diagnostic>, asked: &Asked<'_, 'l>) -> Option<T> {
        read.map_err(|mut fault| {
            fault.message.insert_str(0, asked.prefix);
            self.diagnostics.push(fault);
        })
        .ok()
    }

    /// Takes over the faults of a report; nothing where there are any.
    fn report(&mut self, report: Report, prefix: &str) -> Option<()> {
        let is_wrong = report.has_errors();
        for mut diagnostic in report.into_diagnostics() {
            diagnostic.message.insert_str(0, prefix);
            self.diagnostics.push(diagnostic);
        }
        (!is_wrong).then_some(())
    }

    fn invalid_format(&mut self, prefix: &str, span: Span, found: &str) {
        self.diagnostics.push(
            Diagnostic::error(format!("{prefix}Invalid configuration format"), span)
                .label(format!("this is {found}"))
                .hint("the file must be a map of jobs and keywords"),
        );
    }

    fn unsupported(&mut self, keyword: &str, span: Span) {
        self.diagnostics.push(
            Diagnostic::error(format!("`{keyword}` is not supported by shipway yet"), span)
                .label("cannot be honoured here")
                .keyword(keyword)
                .hint("GitLab knows this keyword; remove it to run the rest here"),
        );
    }

    /// Puts a file on top of what it includes.
    fn with_includes(&mut self, mut root: Map, scope: &Rc<Scope<'l>>) -> Option<Map> {
        let Some(include) = root.shift_remove(&yaml::Key::text("include")) else {
            return Some(root);
        };
        let mut merged = Map::default();
        let mut complete = true;
        for node in entry::entries(&include.node) {
            match self.included(node, scope) {
                Some(maps) => maps.iter().for_each(|map| {
                    merge_map(&mut merged, map);
                }),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        merge_map(&mut merged, &root);
        Some(merged)
    }

    fn entry_of<'n>(&mut self, node: &'n Node, scope: &Scope<'l>) -> Option<Entry<'n>> {
        match entry::entry(node, &scope.variables) {
            Ok(entry) => Some(entry),
            Err(faults) => {
                for fault in faults {
                    self.fault(fault.span, fault.message).hint = fault.hint;
                }
                None
            }
        }
    }

    /// The files of one entry of `include`; `None` where any cannot be had.
    fn included(&mut self, node: &Node, scope: &Rc<Scope<'l>>) -> Option<Vec<Map>> {
        if self.stopped {
            return None;
        }
        let entry = self.entry_of(node, scope)?;
        if let Some(rules) = entry.rules
            && !self.lets_in(rules, scope)?
        {
            return Some(Vec::new());
        }
        let files = self.fetch(&entry, scope)?;
        // Each is read, so that all that are wrong are told.
        let maps: Vec<Option<Map>> = files
            .iter()
            .map(|fetched| self.read(fetched, &entry))
            .collect();
        maps.into_iter().collect()
    }

    fn read(&mut self, fetched: &Fetched<'l>, entry: &Entry<'_>) -> Option<Map> {
        let file = (self.files).add(&fetched.place, &fetched.text, Some(entry.span));
        let asked = Asked {
            file,
            scope: &fetched.scope,
            prefix: &format!("`{}`: ", fetched.location),
            inputs: &entry.inputs,
            at: entry.span,
        };
        let (_, root) = self.parse(&asked, &fetched.text)?;
        self.with_includes(root, &fetched.scope)
    }

    fn lets_in(&mut self, node: &Node, scope: &Scope<'l>) -> Option<bool> {
        let report = Report::new(self.limits);
        let rules = keywords::include_rules(node, &report);
        self.report(report, "")?;
        match rules::lets_in(&rules, &scope.variables, &scope.paths) {
            Ok(lets_in) => Some(lets_in),
            Err(error) => {
                self.fault(node.span, format!("include:{error}"));
                None
            }
        }
    }
}

/// A first document with `spec` and nothing but `spec` is a header, also where nothing follows:
/// no job is called so.
fn is_header(node: &Node) -> bool {
    node.as_map().is_some_and(|map| get(map, "spec").is_some())
}

fn start_of(file: FileId) -> Span {
    Span {
        file,
        line: 1,
        column: 1,
        ..Span::default()
    }
}
