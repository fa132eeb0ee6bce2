//! One entry of `include`: what kind it is, and what stands beside.

use crate::Span;
use crate::duration::parse_seconds;
use crate::inputs::InputValues;
use crate::variables::{Collection, FileReferences, Undefined};
use crate::yaml::{self, Map, Node, Value};
use std::time::Duration;

/// Sub-keys that say where a file comes from.
pub(crate) const KINDS: [&str; 6] = [
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
    "with",
    "rules",
    "integrity",
    "cache",
];

/// What is wrong with an entry.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
        }
    }
}

/// A file that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'n> {
    /// One of [`KINDS`].
    pub(crate) kind: &'static str,
    /// Its value, variables put in.
    pub(crate) target: String,
    /// Where that value stands.
    pub(crate) span: Span,
    /// `inputs`, as JSON.
    pub(crate) inputs: InputValues,
    /// `rules`, unread.
    pub(crate) rules: Option<&'n Node>,
    /// `file` of another project, variables put in, and where each is written.
    pub(crate) files: Vec<(String, Span)>,
    /// `ref` of another project, variables put in.
    pub(crate) git_ref: Option<String>,
    /// `integrity`: `sha256-` with the digest in base64.
    pub(crate) integrity: Option<(String, Span)>,
    /// `cache`: how old what was fetched before may be.
    pub(crate) max_age: Option<Duration>,
}

/// The entries of `include`: of a list, or the one value.
pub(crate) fn entries(node: &Node) -> Vec<&Node> {
    match node.as_list() {
        Some(list) => list.iter().collect(),
        None if node.is_null() => Vec::new(),
        None => vec![node],
    }
}

/// Reads an entry.
pub(crate) fn entry<'n>(node: &'n Node, variables: &Collection) -> Result<Entry<'n>, Vec<Fault>> {
    if let Some(text) = node.as_text() {
        let target = expand(text, variables);
        return Ok(Entry {
            kind: if target.contains("://") {
                "remote"
            } else {
                "local"
            },
            target,
            span: node.span,
            inputs: InputValues::new(),
            rules: None,
            files: Vec::new(),
            git_ref: None,
            integrity: None,
            max_age: None,
        });
    }
    let Some(map) = node.as_map() else {
        let text = "include config should be an array of strings or hashes";
        return Err(vec![Fault::new(node.span, text)]);
    };
    let mut faults = shape(node, map);
    let kinds: Vec<&'static str> = KINDS
        .into_iter()
        .filter(|kind| node.get(kind).is_some())
        .collect();
    let kind = match kinds[..] {
        [kind] => kind,
        [] if !faults.is_empty() => return Err(faults),
        [] => return Err(vec![without_kind(node, map)]),
        _ => {
            let text = format!(
                "Each include must use only one of: `{}`",
                KINDS.join("`, `")
            );
            faults.push(Fault::new(node.span, text));
            return Err(faults);
        }
    };
    let target = node.get(kind).unwrap_or(node);
    let text = target.as_text();
    if text.is_none() {
        faults.push(match kind {
            "component" => Fault::new(
                target.span,
                format!(
                    "Included file `{}` needs to be a string",
                    target
                        .scalar_text()
                        .unwrap_or_else(|| target.kind().to_owned())
                ),
            ),
            _ => Fault::new(target.span, format!("include:{kind} should be a string")),
        });
    }
    match text {
        Some(text) if faults.is_empty() => Ok(Entry {
            kind,
            target: expand(text, variables),
            span: target.span,
            inputs: node
                .get("inputs")
                .or_else(|| node.get("with"))
                .and_then(Node::as_map)
                .map(values)
                .unwrap_or_default(),
            rules: node.get("rules"),
            files: files(node, variables),
            // A tag like `1.0` is a number to YAML.
            git_ref: (node.get("ref").and_then(Node::scalar_text))
                .map(|text| expand(&text, variables))
                .filter(|text| !text.is_empty()),
            integrity: (node.get("integrity"))
                .and_then(|node| Some((node.as_text()?.to_owned(), node.span))),
            max_age: node.get("cache").and_then(max_age),
        }),
        _ => Err(faults),
    }
}

/// What is wrong with an entry whatever its values are.
pub(crate) fn shape(node: &Node, map: &Map) -> Vec<Fault> {
    let mut faults = Vec::new();
    let unknown: Vec<(&str, Span)> = map
        .iter()
        .map(|(key, entry)| (key.as_str(), entry.key_span))
        .filter(|(key, _)| !KINDS.contains(key) && !OPTIONS.contains(key))
        .collect();
    // An entry of unknown keys only has no kind, which is told in another way.
    if let Some((first, span)) = unknown.first()
        && unknown.len() < map.len()
    {
        let names: Vec<&str> = unknown.iter().map(|(key, _)| *key).collect();
        let text = format!("include config contains unknown keys: {}", names.join(", "));
        faults.push(Fault {
            hint: crate::suggest(first, KINDS.into_iter().chain(OPTIONS))
                .map(|near| format!("did you mean `{near}`?")),
            ..Fault::new(*span, text)
        });
    }
    let missing = |key: &str| node.get(key).is_none_or(is_blank);
    if node.get("artifact").is_some() && missing("job") {
        let text = "include config must specify the job where to fetch the artifact from";
        faults.push(Fault::new(node.span, text));
    }
    if node.get("project").is_some() && missing("file") {
        let text = "include config must specify the file where to fetch the config from";
        faults.push(Fault::new(node.span, text));
    }
    if let Some(project) = node.get("project")
        && let Some(text) = project.as_text()
        && !is_project_path(text)
    {
        let text = format!("include:project `{text}` is not the path of a project");
        faults.push(Fault {
            hint: Some("a path has a group and a name: `group/project`".to_owned()),
            ..Fault::new(project.span, text)
        });
    }
    faults.extend(integrity(node));
    faults.extend(cache(node));
    if let Some(file) = node.get("file").filter(|file| !is_blank(file))
        && node.get("project").is_some()
        && texts(file).is_none()
    {
        let text = "include:file should be a string or an array of strings";
        faults.push(Fault::new(file.span, text));
    }
    if let Some(inputs) = node.get("inputs").or_else(|| node.get("with"))
        && inputs.as_map().is_none()
    {
        faults.push(Fault::new(inputs.span, "include inputs should be a hash"));
    }
    faults
}

fn integrity(node: &Node) -> Vec<Fault> {
    let Some(integrity) = node.get("integrity") else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut fault = |text: &str| faults.push(Fault::new(integrity.span, text));
    if node.get("remote").is_none() {
        fault("include config integrity can only be specified for remote includes");
    }
    match integrity
        .as_text()
        .and_then(|text| text.strip_prefix("sha256-"))
    {
        None => fault("include config integrity hash must start with 'sha256-'"),
        Some(digest) if !is_base64(digest) => {
            fault("include config integrity hash must be base64 encoded");
        }
        Some(_) => {}
    }
    faults
}

/// Seconds that `cache: true` stands for.
const CACHE: u64 = 3600;
/// The shortest time, in seconds.
const SHORTEST_CACHE: u64 = 60;

fn cache(node: &Node) -> Option<Fault> {
    let cache = node.get("cache").filter(|cache| !cache.is_null())?;
    if node.get("remote").is_none() {
        let text = "include config cache can only be specified for remote includes";
        return Some(Fault::new(cache.span, text));
    }
    if cache.as_bool().is_some() || max_age(cache).is_some() {
        return None;
    }
    let text = "include config cache must be a boolean or a duration of at least 1 minute";
    Some(Fault {
        hint: Some("`true` is an hour; `cache: 15 minutes`".to_owned()),
        ..Fault::new(cache.span, text)
    })
}

/// How old a kept answer may be; `None` where none is to be kept.
fn max_age(node: &Node) -> Option<Duration> {
    let seconds = match node.as_bool() {
        Some(is_kept) => is_kept.then_some(CACHE),
        None => parse_seconds(node.as_text()?).filter(|seconds| *seconds >= SHORTEST_CACHE),
    };
    seconds.map(Duration::from_secs)
}

/// `file`, one or several.
fn files(node: &Node, variables: &Collection) -> Vec<(String, Span)> {
    let found = node.get("file").and_then(texts).unwrap_or_default();
    found
        .into_iter()
        .map(|(text, span)| (expand(text, variables), span))
        .collect()
}

fn texts(node: &Node) -> Option<Vec<(&str, Span)>> {
    match node.as_list() {
        Some(list) => list
            .iter()
            .map(|node| Some((node.as_text()?, node.span)))
            .collect(),
        None => Some(vec![(node.as_text()?, node.span)]),
    }
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 && digits.chars().all(fits)
}

/// Whether a text can be the path of a project: it has a group, or a variable.
pub(crate) fn is_project_path(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    letters
        .windows(3)
        .any(|three| three[1] == '/' && !three[0].is_whitespace() && !three[2].is_whitespace())
        || letters
            .windows(2)
            .any(|two| two[0] == '$' && !two[1].is_whitespace())
}

fn is_blank(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.trim().is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

fn without_kind(node: &Node, map: &Map) -> Fault {
    let first = map.keys().next().map_or("", |key| key.as_str());
    let text = format!(
        "`{}` does not have a valid subkey for include. Valid subkeys are: `{}`",
        quoted(node),
        KINDS.join("`, `")
    );
    Fault {
        hint: match first {
            "file" | "path" => Some(
                "a file of this project is `local`; `file` is one of another, beside `project`"
                    .to_owned(),
            ),
            _ => crate::suggest(first, KINDS).map(|near| format!("did you mean `{near}`?")),
        },
        ..Fault::new(node.span, text)
    }
}

/// An entry as JSON, cut off where it is long.
fn quoted(node: &Node) -> String {
    let text = yaml::json(node).to_string();
    if text.chars().count() > 500 {
        return text.chars().take(500).chain("…".chars()).collect();
    }
    text
}

fn values(map: &Map) -> InputValues {
    map.iter()
        .map(|(key, entry)| (key.as_str().to_owned(), yaml::json(&entry.node)))
        .collect()
}

fn expand(text: &str, variables: &Collection) -> String {
    variables.expand(text, Undefined::Empty, FileReferences::Content)
}
