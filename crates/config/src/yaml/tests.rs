//! Our reading held against that of Ruby's Psych. The tables beside this file were printed by
//! Psych itself; the scripts that did it are beside them.

use super::node::{Node, Value, float_text};
use super::{document, parts, scalar};
use crate::oracle::undump;
use crate::{Diagnostic, FileId, Limits};

#[derive(Debug)]
struct Parsed {
    documents: Vec<Node>,
}

/// Reads all documents of a file.
fn parse(text: &str, file: FileId, limits: &Limits) -> Result<Parsed, Diagnostic> {
    let mut warnings = Vec::new();
    let mut documents = Vec::new();
    for part in parts(text, file, limits)? {
        documents.extend(part.read(file, limits, &mut warnings)?);
    }
    Ok(Parsed { documents })
}

#[test]
fn plain_scalars_are_what_psych_takes_them_for() {
    for line in include_str!("oracle/scalars.tsv").lines() {
        let (text, expected) = line.split_once('\t').unwrap();
        // Where Psych itself fails to convert what it matched, we keep the text.
        let expected = expected.replace("fail", "text");
        let text = undump(text);
        let found = match scalar::resolve(&text) {
            Err(class) => format!("class {}", class.0),
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Bool(value)) => format!("bool {value}"),
            Ok(Value::Integer(value)) => format!("int {value}"),
            Ok(Value::Float(value)) => format!("float {}", float_text(value)),
            Ok(Value::Symbol(name)) => format!("sym {name}"),
            Ok(_) => "text".to_owned(),
        };
        assert_eq!(found, expected, "{text:?}");
    }
}

/// A value as Ruby's `inspect` prints it.
fn inspect(node: &Node) -> String {
    match &node.value {
        Value::Null => "nil".to_owned(),
        Value::Text(text) => {
            let escaped = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
                .replace('\u{10ffff}', "\\u{10FFFF}");
            format!("\"{escaped}\"")
        }
        Value::Symbol(name) => format!(":{name}"),
        Value::List(list) | Value::Reference(list) => {
            format!(
                "[{}]",
                list.iter().map(inspect).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, entry)| {
                    let text = key.as_str();
                    let key = match text {
                        _ if key.is_text() => format!("{text:?}"),
                        // Keys of other kinds keep only their text, which is enough here.
                        "" => "nil".to_owned(),
                        "a list" => "[\"a\"]".to_owned(),
                        _ => text.to_owned(),
                    };
                    format!("{key}=>{}", inspect(&entry.node))
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => node.scalar_text().unwrap(),
    }
}

fn load(text: &str) -> Result<Option<Node>, Diagnostic> {
    document::parse_whole(text, FileId(0), &Limits::default(), &mut Vec::new())
}

#[test]
fn documents_are_what_psych_loads() {
    // A value inside itself is refused here, for nothing could be done with it; and the parser
    // underneath does not take a comma straight behind a tag.
    // The line break that is added behind an open quote changes the reason, not the place.
    let ours = [
        (
            r#"\"a\\"#,
            "error (<unknown>): found unexpected end of stream while scanning a quoted scalar at line 1 column 1",
        ),
        (
            "&a {b: *a}",
            "error An alias referenced an unknown anchor: a",
        ),
        (
            "[!tag,]",
            "error (<unknown>): did not find expected whitespace or line break at line 1 column 1",
        ),
    ];
    for line in include_str!("oracle/documents.tsv").lines() {
        let (text, psych) = line.split_once('\t').unwrap();
        let expected = ours
            .iter()
            .find(|(other, _)| *other == text)
            .map_or(psych, |(_, ours)| ours);
        let text = undump(text);
        let found = match load(&text) {
            Ok(None) => "nil".to_owned(),
            Ok(Some(node)) => inspect(&node),
            Err(fault) => format!("error {}", fault.message),
        };
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn every_value_knows_its_place() {
    fn collect(node: &Node, text: &str, found: &mut Vec<String>) {
        let span = node.span;
        found.push(format!(
            "{}:{} {:?}",
            span.line,
            span.column,
            &text[span.start..span.end]
        ));
        match &node.value {
            Value::List(list) => list.iter().for_each(|node| collect(node, text, found)),
            Value::Map(map) => map.values().for_each(|e| collect(&e.node, text, found)),
            _ => {}
        }
    }
    let text = "# ä\na: [1, {b: 'ö x'}]\nc:\n  - |\n    line\n    two\n\n  - d\ne:\n";
    let parsed = parse(text, FileId(0), &Limits::default()).unwrap();
    let mut found = Vec::new();
    collect(&parsed.documents[0], text, &mut found);
    assert_eq!(
        found,
        [
            r#"2:1 "a: [1, {b: 'ö x'}]\nc:\n  - |\n    line\n    two\n\n  - d\ne:""#,
            r#"2:4 "[1, {b: 'ö x'}]""#,
            r#"2:5 "1""#,
            r#"2:8 "{b: 'ö x'}""#,
            r#"2:12 "'ö x'""#,
            r#"4:3 "- |\n    line\n    two\n\n  - d""#,
            r#"4:5 "|\n    line\n    two""#,
            r#"8:5 "d""#,
            r#"9:3 """#,
        ]
    );
}

#[test]
fn documents_are_split_as_text_and_keep_their_places() {
    for (text, expected) in [
        ("a: 1", "1:1"),
        ("---\na: 1", "2:1"),
        ("\u{feff}---\na: 1", "2:1"),
        ("--- a", "1:5"),
        ("---\n\n  a: 1\n", "3:3"),
        ("spec: x\n---\na: 1\n", "1:1 3:1"),
        ("a: 1\n---\n---\nb: 2\n", "1:1 4:1"),
        ("a: 1\n--- # c\nb: 2\n", "1:1 3:1"),
        ("a: x---\nb: ----\n", "1:1"),
        ("---", "2:1"),
        ("", ""),
    ] {
        let parsed = parse(text, FileId(0), &Limits::default()).unwrap();
        let places: Vec<String> = parsed
            .documents
            .iter()
            .map(|node| format!("{}:{}", node.span.line, node.span.column))
            .collect();
        assert_eq!(places.join(" "), expected, "{text:?}");
    }
}

#[test]
fn limits_are_kept_while_reading() {
    let limits = Limits {
        depth: 5,
        expanded_nodes: 100,
        ..Limits::default()
    };
    let read = |text: &str| {
        parse(text, FileId(0), &limits)
            .map(|parsed| parsed.documents.len())
            .map_err(|fault| fault.label.unwrap_or_default())
    };
    assert_eq!(read("[[[[[]]]]]"), Ok(1));
    assert_eq!(
        read("[[[[[[]]]]]]"),
        Err("nested deeper than 5 levels".to_owned())
    );
    assert_eq!(
        read("a: &a [[[]]]\nb: [[*a]]"),
        Err("nested deeper than 5 levels".to_owned())
    );
    assert_eq!(
        read("a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]"),
        Err("more than 100 values after aliases are expanded".to_owned())
    );
    let large = "x".repeat(Limits::default().yaml_bytes + 1);
    let fault = parse(&large, FileId(0), &Limits::default()).unwrap_err();
    assert_eq!(fault.message, "The parsed YAML is too big");
}
