//! The merged configuration as YAML again, each part with the place that it came from.
//!
//! What is written reads back as the same configuration: includes are in it, references
//! replaced, and `extends` is carried out, so that the keyword itself is left out and told in
//! the comment of the job.

mod scalar;
mod writer;

use crate::yaml::{Entry, Key, Map, Node, Value, json};
use crate::{Files, Span};
use serde::Serialize;
use writer::{Style, Writer};

/// Which parts are written, and how.
#[derive(Debug, Clone, Default)]
pub struct ExpandOptions {
    /// Only these keys of the top level; empty: all.
    pub only: Vec<String>,
    /// Hidden jobs too. What they give to others is in those already.
    pub hidden: bool,
    /// No comments.
    pub plain: bool,
}

/// A merged configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Expanded {
    /// As YAML with comments.
    #[serde(skip)]
    pub yaml: String,
    /// As JSON.
    pub config: serde_json::Value,
    /// Where its parts were written: every keyword, and what does not stand inside the part
    /// around it.
    pub origins: Vec<PartOrigin>,
}

/// Where a part of a merged configuration was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartOrigin {
    /// Keys and indices from the top.
    pub path: Vec<String>,
    /// The file.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// Writes the tree of a configuration.
pub(crate) fn expand(root: &Map, files: &Files, options: &ExpandOptions) -> Expanded {
    let kept: Map = root
        .iter()
        .filter(|(key, _)| is_wanted(key.as_str(), options))
        .map(|(key, entry)| (key.clone(), without_extends(key, entry)))
        .collect();
    let mut writer = Writer::new(Some(files), Style::expanded(!options.plain));
    for (key, entry) in &kept {
        let bases = root.get(key).and_then(|entry| extended(&entry.node));
        writer.part(key, entry, bases.as_deref());
    }
    let (yaml, origins) = writer.finish();
    Expanded {
        config: json(&Node {
            value: Value::Map(std::sync::Arc::new(kept)),
            span: Span::default(),
        }),
        yaml,
        origins,
    }
}

/// Writes the whole tree, hidden jobs and `extends` too, as GitLab's API shows it.
pub(crate) fn merged(root: &Map) -> String {
    let mut writer = Writer::new(None, Style::MERGED);
    for (key, entry) in root {
        writer.part(key, entry, None);
    }
    writer.finish().0
}

fn is_wanted(key: &str, options: &ExpandOptions) -> bool {
    if options.only.is_empty() {
        options.hidden || !key.starts_with('.')
    } else {
        options.only.iter().any(|name| name == key)
    }
}

/// A job without `extends`, which has been carried out.
fn without_extends(key: &Key, entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if !crate::keywords::GLOBALS.contains(&key.as_str())
        && let Value::Map(map) = &mut entry.node.value
        && crate::yaml::get(map, "extends").is_some()
    {
        std::sync::Arc::make_mut(map).shift_remove(&Key::text("extends"));
    }
    entry
}

fn extended(node: &Node) -> Option<String> {
    let names = crate::keywords::values::string_or_strings(node.get("extends")?).ok()?;
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileId, Limits, yaml};

    fn parse(text: &str) -> Node {
        let (file, limits) = (FileId(0), Limits::default());
        let parts = yaml::parts(text, file, &limits).unwrap();
        let part = parts.into_iter().next().unwrap();
        let document = part.read(file, &limits, &mut Vec::new()).unwrap();
        document.into_iter().next().unwrap()
    }

    /// Without places.
    fn shape(node: &Node) -> String {
        match &node.value {
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(shape).collect();
                format!("[{}]", items.join(","))
            }
            Value::Map(map) => {
                let entries = map.iter();
                let entries: Vec<String> = entries
                    .map(|(key, entry)| format!("{:?}={}", key, shape(&entry.node)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
            value => format!("{value:?}"),
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let source = r#"
stages: [build, test]
.hidden: {script: [make, "echo 'a: b' # c"]}
variables: {A: 1, B: "1", C: 1.5, D: "yes", E: true, F: "", G: null, H: ".5", I: "1:30", J: "~"}
test:
  script:
    - |
      if true; then
        echo "x"

      fi
    - "ends with blanks  "
    - "	tab"
    - "two

"
    - "  first
indented"
    - "line
last"
    - größe
    - - nested
      - [deep, {a: b}]
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
      when: manual
    - when: never
  empty_list: []
  empty_map: {}
  1: number
  "1": text
  "key: odd": :symbol
  "null": .inf
"#;
        let read = parse(source);
        let written = merged(read.as_map().unwrap());
        assert_eq!(shape(&parse(&written)), shape(&read), "{written}");
        assert!(
            written.starts_with("---\nstages:\n- build\n- test\n.hidden:\n"),
            "{written}"
        );
        assert!(written.contains("\n  - if: $CI_COMMIT_BRANCH == \"main\"\n    when: manual\n"));
        assert_eq!(merged(&Map::default()), "---\n{}\n");
    }
}
