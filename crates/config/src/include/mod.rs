//! Files: reads the first and those it includes, each with its own includes first, and merges
//! them in order; the file that includes them comes last and wins.

pub(crate) mod entry;
mod rules;
mod wildcard;

use crate::conditions::Paths;
use crate::inputs::{self, InputValues};
use crate::keywords::header::{self, Header};
use crate::keywords::report::Report;
use crate::keywords::{self};
use crate::merge::merge_map;
use crate::yaml::{self, Map, Node, Part, Value, get};
use crate::{Diagnostic, FileId, Files, Input, Limits, LoadContext, Source, SourceError, Span};
use entry::Entry;
use indexmap::IndexMap;
use std::sync::Arc;

pub(crate) struct Loader<'l> {
    pub(crate) files: Files,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The inputs of the first file.
    pub(crate) inputs: IndexMap<String, Input>,
    source: &'l dyn Source,
    context: &'l LoadContext,
    limits: &'l Limits,
    paths: Paths<'l>,
    included: usize,
    /// A limit was hit: what follows would only repeat it.
    stopped: bool,
}

/// How a file is called in messages and what it is given.
struct Asked<'a> {
    file: FileId,
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
            paths: Paths::new(source),
            included: 0,
            stopped: false,
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
        let asked = Asked {
            file,
            prefix: "",
            inputs: &self.context.inputs,
            at: start_of(file),
        };
        let (header, root) = self.parse(&asked, text)?;
        self.inputs = header.map(|header| header.inputs).unwrap_or_default();
        self.with_includes(root)
    }

    /// Reads the YAML of a file, its inputs put in.
    fn parse(&mut self, asked: &Asked<'_>, text: &str) -> Option<(Option<Header>, Map)> {
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
    fn header(&mut self, node: &Node, asked: &Asked<'_>) -> Option<Header> {
        let report = Report::new(self.limits);
        let mut header = header::header(node, &report);
        self.report(report, asked.prefix)?;
        let includes = std::mem::take(&mut header.includes);
        let mut complete = true;
        for include in &includes {
            complete &= self.shared_inputs(include, &mut header).is_some();
        }
        complete.then_some(header)
    }

    /// Adds the inputs of a file named in `spec:include`.
    fn shared_inputs(&mut self, node: &Node, header: &mut Header) -> Option<()> {
        let entry = self.entry_of(node)?;
        if entry.kind != "local" {
            self.unsupported(&format!("spec:include:{}", entry.kind), entry.span);
            return None;
        }
        let (path, text) = self.read_local(&entry.target, entry.span)?;
        let file = self.files.add(path.clone(), text.clone(), Some(entry.span));
        let prefix = format!("`{path}`: ");
        let nothing = InputValues::new();
        let asked = Asked {
            file,
            prefix: &prefix,
            inputs: &nothing,
            at: entry.span,
        };
        let (_, root) = self.parse(&asked, &text)?;
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
        asked: &Asked<'_>,
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
        let context = serde_json::json!({ "inputs": values });
        let found = inputs::interpolate(
            part.text,
            &context,
            &self.context.variables,
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
    fn told<T>(&mut self, read: Result<T, Diagnostic>, asked: &Asked<'_>) -> Option<T> {
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
    fn with_includes(&mut self, mut root: Map) -> Option<Map> {
        let Some(include) = root.shift_remove(&yaml::Key::text("include")) else {
            return Some(root);
        };
        let mut merged = Map::new();
        let mut complete = true;
        for node in entry::entries(&include.node) {
            match self.included(node) {
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

    fn entry_of<'n>(&mut self, node: &'n Node) -> Option<Entry<'n>> {
        match entry::entry(node, &self.context.variables) {
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
    fn included(&mut self, node: &Node) -> Option<Vec<Map>> {
        if self.stopped {
            return None;
        }
        let entry = self.entry_of(node)?;
        if let Some(rules) = entry.rules
            && !self.lets_in(rules)?
        {
            return Some(Vec::new());
        }
        if entry.kind != "local" {
            self.unsupported(&format!("include:{}", entry.kind), entry.span);
            return None;
        }
        if wildcard::is_wildcard(&entry.target) {
            return self.wildcard(&entry);
        }
        Some(vec![self.local(&entry.target, &entry)?])
    }

    fn lets_in(&mut self, node: &Node) -> Option<bool> {
        let report = Report::new(self.limits);
        let rules = keywords::include_rules(node, &report);
        self.report(report, "")?;
        match rules::lets_in(&rules, &self.context.variables, &self.paths) {
            Ok(lets_in) => Some(lets_in),
            Err(error) => {
                self.fault(node.span, format!("include:{error}"));
                None
            }
        }
    }

    fn wildcard(&mut self, entry: &Entry<'_>) -> Option<Vec<Map>> {
        let wanted = entry.target.trim_start_matches('/');
        let listing = self.paths.own();
        let found = wildcard::matching(wanted, &listing);
        if found.is_empty() {
            let text = format!("Local file `{wanted}` does not have any matching files!");
            self.fault(entry.span, text).hint = Some(
                "`*` stays in one folder, `**` crosses folders, `**/` needs at least one"
                    .to_owned(),
            );
            return None;
        }
        // Every file is tried, so that all that are wrong are told.
        let maps: Vec<Option<Map>> = found.iter().map(|path| self.local(path, entry)).collect();
        maps.into_iter().collect()
    }

    fn local(&mut self, written: &str, entry: &Entry<'_>) -> Option<Map> {
        let (path, text) = self.read_local(written, entry.span)?;
        let file = self.files.add(path.clone(), text.clone(), Some(entry.span));
        let asked = Asked {
            file,
            prefix: &format!("`{path}`: "),
            inputs: &entry.inputs,
            at: entry.span,
        };
        let (_, root) = self.parse(&asked, &text)?;
        self.with_includes(root)
    }

    /// Path and text of a file of the project.
    fn read_local(&mut self, written: &str, at: Span) -> Option<(String, String)> {
        if self.stopped {
            return None;
        }
        let path = written.strip_prefix('/').unwrap_or(written);
        if !has_yaml_extension(path) {
            let text = format!("Included file `{written}` does not have YAML extension!");
            self.fault(at, text).label = Some("must end in .yml or .yaml".to_owned());
            return None;
        }
        if self.included >= self.limits.include_files {
            self.stopped = true;
            let text = format!(
                "Maximum of {} nested includes are allowed!",
                self.limits.include_files
            );
            self.fault(at, text).hint =
                Some("a file may include itself through others; break the circle".to_owned());
            return None;
        }
        self.included += 1;
        let text = match inside_project(path)
            .ok_or(SourceError::NotFound)
            .and_then(|path| self.source.local(&path))
        {
            Ok(text) => text,
            Err(SourceError::NotFound) => {
                self.missing(path, at);
                return None;
            }
            Err(error) => {
                let text = format!("Local file `{path}` cannot be included: {error}");
                self.fault(at, text);
                return None;
            }
        };
        if text.trim().is_empty() {
            self.fault(at, format!("Local file `{path}` is empty!"));
            return None;
        }
        Some((path.to_owned(), text))
    }

    fn missing(&mut self, path: &str, at: Span) {
        let listing = self.paths.own();
        let near = crate::suggest(path, listing.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"));
        self.fault(at, format!("Local file `{path}` does not exist!"))
            .hint = near.or_else(|| Some("the path starts at the root of the project".to_owned()));
    }

    fn fault(&mut self, at: Span, text: String) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::error(text, at).keyword("include"));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
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

fn has_yaml_extension(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".yml", ".yaml"].iter().any(|extension| {
        name.len()
            .checked_sub(extension.len())
            .filter(|stem| *stem > 0)
            .and_then(|stem| name.get(stem..))
            .is_some_and(|end| end.eq_ignore_ascii_case(extension))
    })
}

/// The path without `.` and `..`; `None` where it would leave the project.
fn inside_project(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
