//! A configuration as one YAML text, after includes, references and `extends`: what GitLab
//! calls merged YAML.

use std::fmt::Write as _;

use crate::yaml::{Key, Map, Node, Value};

/// Writes a map in block style. What is read of it again is equal: a text is put in quotes
/// wherever a reader could take it for something else.
pub(crate) fn text(root: &Map) -> String {
    let mut out = "---\n".to_owned();
    match root.is_empty() {
        true => out.push_str("{}\n"),
        false => map(&mut out, root, 0),
    }
    out
}

fn map(out: &mut String, map: &Map, depth: usize) {
    for (name, entry) in map {
        indent(out, depth);
        out.push_str(&key(name));
        out.push(':');
        behind_key(out, &entry.node, depth);
    }
}

/// A value behind `key:`, on the same line or below.
fn behind_key(out: &mut String, node: &Node, depth: usize) {
    match &node.value {
        Value::Map(inner) if !inner.is_empty() => {
            out.push('\n');
            map(out, inner, depth + 1);
        }
        // As Ruby writes lists: no deeper than their key.
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, depth);
        }
        value => {
            out.push(' ');
            scalar(out, value, depth + 1);
        }
    }
}

fn list(out: &mut String, items: &[Node], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        behind_dash(out, item, depth);
    }
}

fn behind_dash(out: &mut String, item: &Node, depth: usize) {
    match &item.value {
        Value::Map(inner) if !inner.is_empty() => {
            // The first entry stands behind the dash, the others below it.
            let mut lines = String::new();
            map(&mut lines, inner, depth + 1);
            out.push(' ');
            out.push_str(lines.trim_start_matches(' '));
        }
        Value::List(inner) if !inner.is_empty() => {
            let mut lines = String::new();
            list(&mut lines, inner, depth + 1);
            out.push(' ');
            out.push_str(lines.trim_start_matches(' '));
        }
        value => {
            out.push(' ');
            scalar(out, value, depth + 1);
        }
    }
}

/// A value that is not shown as a block, with the end of its line.
fn scalar(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(text) if is_block(text) => return block(out, text, depth),
        Value::Text(text) => out.push_str(&quoted(text)),
        Value::Symbol(name) => {
            out.push(':');
            out.push_str(&double_quoted(name));
        }
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        // References are resolved, and these two are written as blocks.
        Value::List(_) | Value::Map(_) | Value::Reference(_) => out.push_str("null"),
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

fn key(key: &Key) -> String {
    match key.is_text() {
        true => quoted(key.as_str()),
        false => key.as_str().to_owned(),
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    match (value.is_finite(), value.is_sign_negative()) {
        (true, _) => format!("{value:?}"),
        (false, false) => ".inf".to_owned(),
        (false, true) => "-.inf".to_owned(),
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Whether a text of several lines can stand as it is: a block takes the depth of its first
/// line, and no control characters.
fn is_block(text: &str) -> bool {
    let strange = |c: char| c != '\n' && (c.is_control() || "\u{feff}\u{2028}\u{2029}".contains(c));
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && !text.contains(strange)
        && !text.ends_with([' ', '\t'])
}

fn block(out: &mut String, text: &str, depth: usize) {
    out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// Texts that YAML 1.1 takes for values, and `y` and `n`, which some readers do.
const WORDS: [&str; 11] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan",
];

/// A text as it is where nothing else can be read from it, else in quotes.
fn quoted(text: &str) -> String {
    let first = |c: char| c.is_ascii_alphabetic() || "_/.$".contains(c);
    let others = |c: char| (c.is_ascii_graphic() || c == ' ') && !":#".contains(c);
    let plain = text.starts_with(first)
        && text.chars().all(others)
        && !text.ends_with(' ')
        && !text.starts_with("...")
        && !text
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match plain {
        true => text.to_owned(),
        false => double_quoted(text),
    }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || "\u{feff}\u{2028}\u{2029}".contains(c) => {
                write!(out, "\\U{:08x}", c as u32).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
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
        let written = text(read.as_map().unwrap());
        assert_eq!(shape(&parse(&written)), shape(&read), "{written}");
        assert!(
            written.starts_with("---\nstages:\n- build\n- test\n.hidden:\n"),
            "{written}"
        );
        assert!(written.contains("\n  - if: $CI_COMMIT_BRANCH == \"main\"\n    when: manual\n"));
        assert_eq!(text(&Map::default()), "---\n{}\n");
    }
}
