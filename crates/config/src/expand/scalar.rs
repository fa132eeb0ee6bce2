//! Single values as YAML: plain where nothing else can be read from it, in quotes, or as a
//! literal block.

use crate::yaml::{Node, Value, float_text, plain_is_text};

/// A value on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => ".nan".to_owned(),
        Value::Float(value) if value.is_infinite() => {
            if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
        }
        Value::Float(value) => float_text(*value),
        Value::Text(text) => scalar(text),
        Value::Symbol(text) => format!(":{}", quoted(text)),
        Value::List(list) => format!("[{}]", flows(list)),
        Value::Reference(path) => format!("!reference [{}]", flows(path)),
        Value::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, entry)| {
                    format!("{}: {}", quoted(key.as_str()), flow(&entry.node.value))
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn flows(nodes: &[Node]) -> String {
    let texts: Vec<String> = nodes
        .iter()
        .map(|node| match &node.value {
            Value::Text(text) => quoted(text),
            other => flow(other),
        })
        .collect();
    texts.join(", ")
}

/// A text as a plain scalar where that reads back as the same text, here and with readers of
/// YAML 1.1 and 1.2, else in quotes.
pub(super) fn scalar(text: &str) -> String {
    let begins_well = text
        .chars()
        .next()
        .is_some_and(|first| !"-?:,[]{}#&*!|>'\"%@`=<~ ".contains(first));
    let is_plain = begins_well
        && text.chars().all(is_printable)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.starts_with("...")
        && !text.starts_with("0o")
        && !["y", "n"].contains(&text.to_ascii_lowercase().as_str())
        && plain_is_text(text);
    if is_plain {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

pub(super) fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
        && u32::from(c) & 0xfffe != 0xfffe
}

/// A text of several lines as a literal block: header and lines. `None` where quotes are
/// needed.
pub(super) fn literal(text: &str, indent: usize) -> Option<(&'static str, String)> {
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let is_fit = |line: &str| {
        line.chars().all(|c| is_printable(c) || c == '\t')
            && (line.is_empty() || !line.trim().is_empty())
    };
    let first = lines.first()?;
    let begins_well = !first.is_empty() && !first.starts_with([' ', '\t']);
    if !text.contains('\n') || !begins_well || !lines.iter().all(|line| is_fit(line)) {
        return None;
    }
    let breaks = text.len() - text.trim_end_matches('\n').len();
    let header = match breaks {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for line in lines {
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str(&"\n".repeat(breaks.saturating_sub(1)));
    Some((header, out))
}
