//! Puts values into the text of a file, before it is read as YAML: a block that is all of an
//! unquoted value so becomes what its JSON says, and part of a text where it stands in one.

use super::access::access;
use super::functions::apply;
use crate::variables::Collection;
use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

/// Different blocks of one file.
const MAX_BLOCKS: usize = 10_000;

#[expect(clippy::expect_used, reason = "the expression is a constant")]
static BLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\[\[\s*(.*?)\s*\]\]").expect("the expression is right"));

/// A text with its blocks replaced, and where each part of it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpolation {
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

/// A replaced block: its stretch in the result and in what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    result: Range<usize>,
    written: Range<usize>,
}

impl Interpolation {
    /// Where a value was written that begins at this byte of the result.
    pub(crate) fn start(&self, at: usize) -> usize {
        let before = self
            .pieces
            .partition_point(|piece| piece.result.start <= at);
        match self.piece(before) {
            Some(piece) if at < piece.result.end => piece.written.start,
            piece => behind(piece, at),
        }
    }

    /// Where a value was written that ends before this byte of the result.
    pub(crate) fn end(&self, at: usize) -> usize {
        let before = self.pieces.partition_point(|piece| piece.result.start < at);
        match self.piece(before) {
            Some(piece) if at <= piece.result.end => piece.written.end,
            piece => behind(piece, at),
        }
    }

    /// The last of so many pieces.
    fn piece(&self, count: usize) -> Option<&Piece> {
        count.checked_sub(1).map(|index| &self.pieces[index])
    }
}

/// Behind a piece, result and text go on alike.
fn behind(piece: Option<&Piece>, at: usize) -> usize {
    piece.map_or(at, |piece| {
        piece.written.end + at.saturating_sub(piece.result.end)
    })
}

/// A block that cannot be replaced, by its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockFault {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
}

/// Replaces the blocks of a text. `context` is a map of `inputs` and `component`; blocks of
/// `matrix` stay for `parallel`.
///
/// # Errors
/// Every block that is wrong, or the limit that was hit.
pub(crate) fn interpolate(
    text: &str,
    context: &Value,
    variables: &Collection,
    max_bytes: usize,
) -> Result<Interpolation, Vec<BlockFault>> {
    let mut known: HashMap<&str, Result<String, String>> = HashMap::new();
    let mut faults = Vec::new();
    let mut result = String::with_capacity(text.len());
    let mut pieces = Vec::new();
    let mut copied = 0;
    for block in BLOCK.captures_iter(text) {
        let (Some(whole), Some(data)) = (block.get(0), block.get(1)) else {
            continue;
        };
        let stop = |message: &str| {
            Err(vec![BlockFault {
                at: whole.range(),
                message: message.to_owned(),
            }])
        };
        if known.len() >= MAX_BLOCKS && !known.contains_key(whole.as_str()) {
            return stop("too many interpolation blocks");
        }
        let value = known
            .entry(whole.as_str())
            .or_insert_with(|| evaluate(whole.as_str(), data.as_str(), context, variables));
        match value {
            Ok(value) => {
                result.push_str(&text[copied..whole.start()]);
                let start = result.len();
                result.push_str(value);
                pieces.push(Piece {
                    result: start..result.len(),
                    written: whole.range(),
                });
                copied = whole.end();
                if result.len() > max_bytes {
                    return stop("config too large");
                }
            }
            Err(message) => faults.push(BlockFault {
                at: whole.range(),
                message: message.clone(),
            }),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    result.push_str(&text[copied..]);
    Ok(Interpolation {
        text: result,
        pieces,
    })
}

fn evaluate(
    whole: &str,
    data: &str,
    context: &Value,
    variables: &Collection,
) -> Result<String, String> {
    let mut parts = data.split('|').map(str::trim);
    let way = parts.next().unwrap_or_default();
    if way.split('.').next() == Some("matrix") {
        return Ok(whole.to_owned());
    }
    let functions: Vec<&str> = parts.collect();
    let value = apply(access(way, context)?, &functions, variables)?;
    Ok(match value {
        Value::String(text) => text,
        value => value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::interpolate;
    use crate::variables::Collection;
    use serde_json::json;

    fn run(text: &str) -> Result<super::Interpolation, Vec<String>> {
        let context = json!({"inputs": {"a": "x", "n": 3, "l": ["p", 1], "t": true, "z": null}});
        interpolate(text, &context, &Collection::new(), 1000)
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn blocks_become_text() {
        for (text, expected) in [
            ("plain", "plain"),
            ("$[[ inputs.a ]]", "x"),
            ("$[[inputs.a]]-$[[  inputs.n  ]]", "x-3"),
            ("k: $[[ inputs.l ]]", r#"k: ["p",1]"#),
            ("$[[ inputs.l[0] ]]", "p"),
            ("$[[ inputs.t ]]$[[ inputs.z ]]", "truenull"),
            ("$[[ inputs.a | truncate(0,0) ]].", "."),
            ("$[[ matrix.A ]]", "$[[ matrix.A ]]"),
            ("$[[ inputs.a ", "$[[ inputs.a "),
            ("$[ inputs.a ]", "$[ inputs.a ]"),
        ] {
            assert_eq!(run(text).unwrap().text, expected, "{text}");
        }
    }

    #[test]
    fn every_wrong_block_is_told() {
        let faults = run("$[[ inputs.b ]] $[[ x ]] $[[ ]]").unwrap_err();
        assert_eq!(
            faults,
            [
                "unknown interpolation key: `b`",
                "invalid interpolation access pattern",
                "invalid interpolation access pattern",
            ]
        );
        assert_eq!(
            run(&"$[[ inputs.a ]]".repeat(2000)).unwrap_err(),
            ["config too large"]
        );
        let many: String = (0..10_001).map(|n| format!("$[[ matrix.{n} ]]")).collect();
        let context = json!({});
        let faults = interpolate(&many, &context, &Collection::new(), usize::MAX).unwrap_err();
        assert_eq!(faults[0].message, "too many interpolation blocks");
    }

    #[test]
    fn places_lead_back_to_what_was_written() {
        // Written: `ab $[[ inputs.n ]] cd`; result: `ab 3 cd`.
        let found = run("ab $[[ inputs.n ]] cd").unwrap();
        for (at, start, end) in [
            (0, 0, 0),
            (2, 2, 2),
            (3, 3, 3),
            (4, 18, 18),
            (5, 19, 19),
            (7, 21, 21),
        ] {
            assert_eq!((found.start(at), found.end(at)), (start, end), "{at}");
        }
        let empty = run("$[[ inputs.a | truncate(0,0) ]]b").unwrap();
        assert_eq!((empty.start(0), empty.end(1)), (31, 32));
    }
}
