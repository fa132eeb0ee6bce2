//! `include:local`: reads the named files, each with its own includes first, and merges them
//! in order; the file that includes them comes last and wins.

use crate::merge::merge_map;
use crate::yaml::{self, Map, Node, Value, get};
use crate::{Diagnostic, FileId, Files, Limits, Source, SourceError, Span};
use regex::Regex;
use std::sync::Arc;

/// Sub-keys that say where a file comes from.
const KINDS: [&str; 6] = [
    "local",
    "project",
    "remote",
    "template",
    "component",
    "artifact",
];

/// Sub-keys beside them.
const OPTIONS: [&str; 8] = [
    "file",
    "ref",
    "job",
    "inputs",
    "rules",
    "integrity",
    "cache",
    "with",
];

pub(crate) struct Loader<'l> {
    pub(crate) files: Files,
    pub(crate) diagnostics: Vec<Diagnostic>,
    source: &'l dyn Source,
    limits: &'l Limits,
    included: usize,
    /// The paths of the project, listed when the first wildcard needs them.
    listing: Option<Vec<String>>,
    /// A limit was hit: what follows would only repeat it.
    stopped: bool,
}

impl<'l> Loader<'l> {
    pub(crate) fn new(source: &'l dyn Source, limits: &'l Limits) -> Self {
        Self {
            files: Files::default(),
            diagnostics: Vec::new(),
            source,
            limits,
            included: 0,
            listing: None,
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
        let root = self.parse(file, text, "")?;
        self.with_includes(root)
    }

    /// Reads the YAML of a file. `prefix` begins the messages of its faults.
    fn parse(&mut self, file: FileId, text: &str, prefix: &str) -> Option<Map> {
        let parsed = match yaml::parse(text, file, self.limits) {
            Ok(parsed) => parsed,
            Err(mut fault) => {
                fault.message.insert_str(0, prefix);
                self.diagnostics.push(fault);
                return None;
            }
        };
        self.diagnostics.extend(parsed.warnings);
        let mut documents = parsed.documents.into_iter();
        let whole = Span {
            file,
            line: 1,
            column: 1,
            ..Span::default()
        };
        let Some(mut content) = documents.next() else {
            self.invalid_format(prefix, whole, "no content");
            return None;
        };
        if let Some(header) = content.as_map().and_then(|map| get(map, "spec")) {
            self.unsupported("spec", header.key_span);
            content = documents.next()?;
        }
        if let Some(ignored) = documents.next() {
            self.diagnostics.push(
                Diagnostic::warning("only the first document of a file counts", ignored.span)
                    .label("is ignored")
                    .hint("remove the `---` before it"),
            );
        }
        match content.value {
            // A file of its own: no other owner, so nothing is copied.
            Value::Map(map) => Some(Arc::unwrap_or_clone(map)),
            _ => {
                self.invalid_format(prefix, content.span, content.kind());
                None
            }
        }
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
        for entry in entries(&include.node) {
            match self.entry(entry) {
                Some(maps) => maps.iter().for_each(|map| merge_map(&mut merged, map)),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        merge_map(&mut merged, &root);
        Some(merged)
    }

    /// The files of one entry of `include`; `None` where any cannot be had.
    fn entry(&mut self, node: &Node) -> Option<Vec<Map>> {
        if self.stopped {
            return None;
        }
        let path = self.local_path(node)?;
        let Some(text) = path.as_text() else {
            self.fault(path, "include:local should be a string".to_owned())
                .label = Some(format!("this is {}", path.kind()));
            return None;
        };
        if text.contains('$') {
            self.unsupported("variables in include:local", path.span);
            return None;
        }
        if text.contains('*') {
            return self.wildcard(text, path);
        }
        Some(vec![self.local(text, path)?])
    }

    /// The value of `local`, or of a plain text.
    fn local_path<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        if let Some(text) = node.as_text() {
            if text.contains("://") {
                self.unsupported("include:remote", node.span);
                return None;
            }
            return Some(node);
        }
        let Some(map) = node.as_map() else {
            self.fault(
                node,
                "include config should be an array of strings or hashes".to_owned(),
            );
            return None;
        };
        let mut kinds = map
            .iter()
            .filter(|(key, _)| KINDS.contains(&key.as_str()))
            .peekable();
        if kinds.peek().is_none() {
            let text = format!(
                "`{}` does not have a valid subkey for include. Valid subkeys are: `{}`",
                json(node),
                KINDS.join("`, `")
            );
            let first = map.keys().next().map_or("", |key| key.as_str());
            let fault = self.fault(node, text);
            if let Some(near) = crate::suggest(first, KINDS) {
                fault.hint = Some(format!("did you mean `{near}`?"));
            }
            return None;
        }
        let mut local = None;
        for (key, entry) in map {
            match key.as_str() {
                "local" => local = Some(&entry.node),
                name if KINDS.contains(&name) || OPTIONS.contains(&name) => {
                    // `file` and `ref` belong to `project`, which is told.
                    if !matches!(name, "file" | "ref" | "job") && !entry.node.is_null() {
                        self.unsupported(&format!("include:{name}"), entry.key_span);
                        local = None;
                    }
                }
                name => {
                    let text = format!("include config contains unknown keys: {name}");
                    self.fault(&Node::null(entry.key_span), text);
                }
            }
        }
        local
    }

    fn wildcard(&mut self, pattern: &str, at: &Node) -> Option<Vec<Map>> {
        let wanted = pattern.trim_start_matches('/');
        let source = self.source;
        let listing = self.listing.get_or_insert_with(|| {
            let mut paths = source.list();
            paths.sort_unstable();
            paths
        });
        let found: Vec<String> = match wildcard_regex(wanted) {
            Some(regex) => listing
                .iter()
                .filter(|path| regex.is_match(path))
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        if found.is_empty() {
            let text = format!("Local file `{wanted}` does not have any matching files!");
            self.fault(at, text).hint = Some(
                "`*` stays in one folder, `**` crosses folders, `**/` needs at least one"
                    .to_owned(),
            );
            return None;
        }
        // Every file is tried, so that all that are wrong are told.
        let maps: Vec<Option<Map>> = found.iter().map(|path| self.local(path, at)).collect();
        maps.into_iter().collect()
    }

    fn local(&mut self, written: &str, at: &Node) -> Option<Map> {
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
                self.fault(
                    at,
                    format!("Local file `{path}` cannot be included: {error}"),
                );
                return None;
            }
        };
        if text.trim().is_empty() {
            self.fault(at, format!("Local file `{path}` is empty!"));
            return None;
        }
        let file = self.files.add(path, text.clone(), Some(at.span));
        let root = self.parse(file, &text, &format!("`{path}`: "))?;
        self.with_includes(root)
    }

    fn missing(&mut self, path: &str, at: &Node) {
        let source = self.source;
        let near = crate::suggest(path, source.list().iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"));
        self.fault(at, format!("Local file `{path}` does not exist!"))
            .hint = near.or_else(|| Some("the path starts at the root of the project".to_owned()));
    }

    fn fault(&mut self, at: &Node, text: String) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::error(text, at.span).keyword("include"));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }
}

/// The entries of `include`: of a list, or the one value.
fn entries(node: &Node) -> Vec<&Node> {
    match node.as_list() {
        Some(list) => list.iter().collect(),
        None if node.is_null() => Vec::new(),
        None => vec![node],
    }
}

fn has_yaml_extension(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".yml", ".yaml"].iter().any(|extension| {
        name.strip_suffix(extension)
            .is_some_and(|stem| !stem.is_empty())
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

/// The wildcards of `include:local`, a dialect of their own: `*` is any text without `/`,
/// `**` any text at all.
fn wildcard_regex(pattern: &str) -> Option<Regex> {
    let escaped = regex::escape(pattern)
        .replace(r"\*\*", ".*?")
        .replace(r"\*", "[^/]*");
    Regex::new(&format!("^{escaped}$")).ok()
}

/// A value as JSON, for messages that quote it.
fn json(node: &Node) -> String {
    fn convert(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => i64::try_from(*value)
                .map_or_else(|_| value.to_string().into(), serde_json::Value::from),
            Value::Float(value) => (*value).into(),
            Value::Text(text) | Value::Symbol(text) => text.to_string().into(),
            Value::List(list) | Value::Reference(list) => {
                list.iter().take(20).map(convert).collect()
            }
            Value::Map(map) => serde_json::Value::Object(
                map.iter()
                    .take(20)
                    .map(|(key, entry)| (key.as_str().to_owned(), convert(&entry.node)))
                    .collect(),
            ),
        }
    }
    let text = convert(node).to_string();
    if text.chars().count() > 500 {
        return text.chars().take(500).chain("…".chars()).collect();
    }
    text
}
