//! Brackets: `[a, b]` and `{a: b}`, closed or not.

use super::scan::{MAX_DEPTH, Scan};
use super::{Flow, Node, NodeId, Scalar, Style};

/// A bracket that is not yet closed.
struct Open {
    /// The node whose value it is.
    id: NodeId,
    is_map: bool,
    /// Behind the bracket.
    start: usize,
    /// The entry or item that is being read.
    current: Option<NodeId>,
}

/// Reads the brackets that begin at `at` and are the value of a node. They end at the latest
/// before a line that is not deeper than `indent` and looks like one of the block around.
pub(super) fn read(scan: &mut Scan<'_>, id: NodeId, at: usize, indent: usize) {
    let text = scan.text;
    let end = limit(scan, at, indent);
    let mut open: Vec<Open> = Vec::new();
    let mut at = at;
    while at < end {
        let rest = &text[at..end];
        let Some(first) = rest.chars().next() else {
            break;
        };
        match first {
            '[' | '{' if open.len() >= MAX_DEPTH => at = end,
            '[' | '{' => {
                let owner = match open.last() {
                    Some(_) => current(scan, &mut open, at),
                    None => id,
                };
                open.push(Open {
                    id: owner,
                    is_map: first == '{',
                    start: at + 1,
                    current: None,
                });
                scan.outline.nodes[owner].flow = Some(Flow {
                    inside: at + 1..end,
                    is_map: first == '{',
                });
                at += 1;
            }
            ']' | '}' => {
                if let Some(closed) = open.pop() {
                    let inside = closed.start..at;
                    scan.outline.nodes[closed.id].flow = Some(Flow {
                        inside,
                        is_map: closed.is_map,
                    });
                    scan.extend(Some(closed.id), at + 1);
                }
                at += 1;
                if open.is_empty() {
                    break;
                }
            }
            ',' => {
                if let Some(open) = open.last_mut() {
                    if let Some(id) = open.current.take() {
                        scan.outline.nodes[id].extent.end = at;
                    }
                    open.current = None;
                }
                at += 1;
            }
            '#' if text[..at].ends_with([' ', '\t', '\n', '[', '{', ',']) => {
                at = scan.line_end(at).max(at + 1);
            }
            ':' => {
                if let Some(id) = open.last().and_then(|open| open.current) {
                    colon(scan, id, at + 1);
                }
                at += 1;
            }
            first if first.is_whitespace() => at += first.len_utf8(),
            _ => at = scalar(scan, &mut open, at, end),
        }
    }
    for unclosed in open {
        let inside = unclosed.start..end;
        scan.outline.nodes[unclosed.id].flow = Some(Flow {
            inside,
            is_map: unclosed.is_map,
        });
        scan.extend(Some(unclosed.id), end);
    }
    scan.at = at.max(scan.at);
}

/// Where brackets that begin at `at` end at the latest.
fn limit(scan: &Scan<'_>, at: usize, indent: usize) -> usize {
    let text = scan.text;
    let mut line = scan.line_end(at);
    loop {
        let Some(next) = text[line..].find('\n').map(|found| line + found + 1) else {
            return text.len();
        };
        let end = scan.line_end(next);
        let content = text[next..end].trim_start();
        let column = text[next..end].len() - content.len();
        let is_block = content.starts_with("- ")
            || content.starts_with("---")
            || content.ends_with(':')
            || content.contains(": ");
        let closes = content.starts_with([']', '}', ',', '#']);
        if !content.is_empty() && column <= indent && is_block && !closes {
            return line;
        }
        line = end;
        if line >= text.len() {
            return text.len();
        }
    }
}

/// The entry or item of the innermost bracket, a new one where none has begun.
fn current(scan: &mut Scan<'_>, open: &mut [Open], at: usize) -> NodeId {
    let Some(innermost) = open.last_mut() else {
        return 0;
    };
    if let Some(id) = innermost.current {
        return id;
    }
    let id = scan.push(Node {
        parent: Some(innermost.id),
        key: None,
        colon: false,
        value: None,
        tag: None,
        anchor: None,
        flow: None,
        extent: at..at,
        indent: None,
    });
    innermost.current = Some(id);
    id
}

/// What was read so far turns out to be a key.
fn colon(scan: &mut Scan<'_>, id: NodeId, behind: usize) {
    let node = &mut scan.outline.nodes[id];
    if !node.colon {
        node.colon = true;
        if node.key.is_none() {
            node.key = node.value.take();
        }
        scan.extend(Some(id), behind);
    }
}

/// A scalar, a tag, an anchor or an alias; the place behind it.
fn scalar(scan: &mut Scan<'_>, open: &mut [Open], at: usize, end: usize) -> usize {
    let text = scan.text;
    let is_map = open.last().is_some_and(|open| open.is_map);
    let id = current(scan, open, at);
    let line_end = scan.line_end(at).min(end);
    if text[at..].starts_with(['!', '&']) {
        return scan.properties(id, at, line_end).max(at + 1);
    }
    let scalar = match scan.quoted(at, end) {
        Some(quoted) => quoted,
        None => {
            let rest = &text[at..line_end];
            let style = match rest.chars().next() {
                Some('*') => Style::Alias,
                Some('"') => Style::Double,
                Some('\'') => Style::Single,
                _ => Style::Plain,
            };
            let start = at + usize::from(style == Style::Alias);
            let length = plain(&text[start..line_end]);
            let length = text[start..start + length].trim_end().len();
            Scalar {
                range: start..start + length,
                style,
            }
        }
    };
    let behind = scalar.range.end;
    scan.extend(Some(id), behind);
    let node = &mut scan.outline.nodes[id];
    if is_map && node.key.is_none() {
        node.key = Some(scalar);
    } else if let Some(value) = &mut node.value {
        // Words with something between them that is not understood.
        value.range.end = value.range.end.max(behind);
    } else {
        node.value = Some(scalar);
    }
    behind.max(at + 1)
}

/// The length of a plain scalar inside brackets. `$[[ … ]]` is part of it.
fn plain(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if rest[index..].starts_with("$[[") {
            index += rest[index..].find("]]").map_or(3, |found| found + 2);
            continue;
        }
        let next = bytes.get(index + 1);
        let is_end = match bytes[index] {
            b',' | b'[' | b']' | b'{' | b'}' => {
                // `${NAME}`
                if bytes[index] == b'{' && index > 0 && bytes[index - 1] == b'$' {
                    index += rest[index..].find('}').map_or(1, |found| found + 1);
                    continue;
                }
                true
            }
            b':' => next.is_none_or(|next| b" \t,]}".contains(next)),
            b' ' => next == Some(&b'#'),
            _ => false,
        };
        if is_end {
            break;
        }
        index += 1;
        while index < rest.len() && !rest.is_char_boundary(index) {
            index += 1;
        }
    }
    index
}
