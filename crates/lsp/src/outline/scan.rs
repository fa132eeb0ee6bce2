//! Lines and indentation.

use super::{Node, NodeId, Outline, Scalar, Style, flow};
use std::ops::Range;

/// Nodes of one file; the rest of a larger one has no outline.
const MAX_NODES: usize = 1_000_000;

/// Levels of one file; what is deeper is not looked into. `config` refuses it anyway.
pub(super) const MAX_DEPTH: usize = 200;

impl Outline {
    /// Reads the shape of a text, whatever it is.
    pub(crate) fn of(text: &str) -> Self {
        let mut scan = Scan {
            text,
            at: text.len() - text.trim_start_matches('\u{feff}').len(),
            outline: Self::default(),
            open: Vec::new(),
        };
        while scan.at < text.len() && scan.outline.nodes.len() < MAX_NODES {
            scan.line();
        }
        scan.outline
    }
}

pub(super) struct Scan<'t> {
    pub(super) text: &'t str,
    /// Where to go on.
    pub(super) at: usize,
    pub(super) outline: Outline,
    /// The block nodes that what follows may be in, each deeper than the one before.
    open: Vec<NodeId>,
}

impl Scan<'_> {
    /// The end of the line that a place is in, without the break.
    pub(super) fn line_end(&self, from: usize) -> usize {
        let end = self.text[from..].find('\n').map(|at| from + at);
        let end = end.unwrap_or(self.text.len());
        end - usize::from(self.text[from..end].ends_with('\r'))
    }

    fn next_line(&self, from: usize) -> usize {
        let next = self.text[from..].find('\n').map(|at| from + at + 1);
        next.unwrap_or(self.text.len())
    }

    fn line(&mut self) {
        let start = self.at;
        let end = self.line_end(start);
        let line = &self.text[start..end];
        let next = self.next_line(start);
        if line.starts_with("---") && line[3..].trim().is_empty() {
            self.open.clear();
            self.at = next;
            return;
        }
        let column = line.len() - line.trim_start_matches([' ', '\t']).len();
        if is_nothing(&line[column..]) {
            self.at = next;
            return;
        }
        self.content(start, start + column, end);
        // A value of several lines ends inside or at the end of a later one.
        self.at = self.at.max(next);
        if self.at < self.text.len() && !self.text[..self.at].ends_with('\n') {
            self.at = self.next_line(self.at);
        }
    }

    /// Dashes, a key and a value, from `at` to the end of the line.
    fn content(&mut self, line_start: usize, mut at: usize, end: usize) {
        let mut item = None;
        loop {
            let rest = &self.text[at..end];
            let is_item = rest == "-" || rest.starts_with("- ") || rest.starts_with("-\t");
            if !is_item || self.open.len() > MAX_DEPTH {
                break;
            }
            self.close(at - line_start, true);
            let id = self.push(Node {
                parent: self.open.last().copied(),
                key: None,
                colon: false,
                value: None,
                tag: None,
                anchor: None,
                flow: None,
                extent: at..at + 1,
                indent: Some(at - line_start),
            });
            self.open.push(id);
            item = Some(id);
            let behind = &self.text[at + 1..end];
            at += 1 + behind.len() - behind.trim_start().len();
        }
        if is_nothing(&self.text[at..end]) {
            return;
        }
        if item.is_none() {
            self.close(at - line_start, false);
        }
        // Tags and anchors may stand before the first key of an item.
        if let Some(id) = item {
            at = self.properties(id, at, end);
        }
        if self.open.len() > MAX_DEPTH {
            return;
        }
        let Some((key, behind)) = self.key(at, end) else {
            match item {
                Some(id) => self.value(id, at, end),
                None => self.fragment(line_start, at, end),
            }
            return;
        };
        let id = self.push(Node {
            parent: self.open.last().copied(),
            colon: true,
            value: None,
            tag: None,
            anchor: None,
            flow: None,
            extent: at..behind,
            indent: Some(at - line_start),
            key: Some(key),
        });
        self.open.push(id);
        let rest = &self.text[behind..end];
        let at = behind + rest.len() - rest.trim_start().len();
        let at = self.properties(id, at, end);
        if !is_nothing(&self.text[at..end]) {
            self.value(id, at, end);
        }
    }

    /// Closes what cannot hold something at a column. The items of a list may stand at the
    /// column of its key.
    fn close(&mut self, column: usize, is_item: bool) {
        while let Some(id) = self.open.last() {
            let node = &self.outline.nodes[*id];
            let indent = node.indent.unwrap_or_default();
            let holds = indent < column || (is_item && indent == column && node.key.is_some());
            if holds {
                break;
            }
            self.open.pop();
        }
    }

    pub(super) fn push(&mut self, node: Node) -> NodeId {
        let id = self.outline.nodes.len();
        let end = node.extent.end;
        let parent = node.parent;
        self.outline.nodes.push(node);
        self.extend(parent, end);
        id
    }

    /// Lets all that something is in reach to its end.
    pub(super) fn extend(&mut self, mut id: Option<NodeId>, end: usize) {
        while let Some(node) = id.and_then(|id| self.outline.nodes.get_mut(id)) {
            if node.extent.end >= end {
                break;
            }
            node.extent.end = end;
            id = node.parent;
        }
    }

    /// A tag and an anchor, in any order; the place behind them.
    pub(super) fn properties(&mut self, id: NodeId, mut at: usize, end: usize) -> usize {
        loop {
            let rest = &self.text[at..end];
            if !rest.starts_with(['!', '&']) {
                return at;
            }
            let length = rest
                .find([' ', '\t', '[', '{', ',', ']', '}'])
                .unwrap_or(rest.len());
            let node = &mut self.outline.nodes[id];
            match rest.starts_with('!') {
                true => node.tag = Some(at..at + length),
                false => node.anchor = Some(at + 1..at + length),
            }
            self.extend(Some(id), at + length);
            let behind = &rest[length..];
            at += length + behind.len() - behind.trim_start().len();
        }
    }

    /// A key with its colon, and the place behind that.
    fn key(&self, at: usize, end: usize) -> Option<(Scalar, usize)> {
        let rest = &self.text[at..end];
        if let Some(scalar) = self.quoted(at, end) {
            let behind = &self.text[scalar.range.end..end];
            let colon = scalar.range.end + behind.len() - behind.trim_start().len();
            return self.text[colon..end]
                .starts_with(':')
                .then_some((scalar, colon + 1));
        }
        if rest.starts_with(['[', '{', '|', '>', '#', '*', '"', '\'']) {
            return None;
        }
        let mut colons = rest.match_indices(':').map(|(found, _)| found);
        let colon = colons.find(|found| {
            let behind = &rest[found + 1..];
            behind.is_empty() || behind.starts_with([' ', '\t'])
        })?;
        let comment = rest.find(" #").unwrap_or(rest.len());
        let key = rest[..colon].trim_end();
        (colon < comment && !key.is_empty()).then(|| {
            let scalar = Scalar {
                range: at..at + key.len(),
                style: Style::Plain,
            };
            (scalar, at + colon + 1)
        })
    }

    /// A scalar in quotes that ends before `end`.
    pub(super) fn quoted(&self, at: usize, end: usize) -> Option<Scalar> {
        let rest = &self.text[at..end];
        let (style, quote) = match rest.as_bytes().first()? {
            b'"' => (Style::Double, b'"'),
            b'\'' => (Style::Single, b'\''),
            _ => return None,
        };
        let bytes = rest.as_bytes();
        let mut index = 1;
        while index < bytes.len() {
            match bytes[index] {
                b'\\' if style == Style::Double => index += 1,
                b'\'' if style == Style::Single && bytes.get(index + 1) == Some(&b'\'') => {
                    index += 1;
                }
                found if found == quote => {
                    return Some(Scalar {
                        range: at..at + index + 1,
                        style,
                    });
                }
                _ => {}
            }
            index += 1;
        }
        None
    }

    /// What stands behind a key or dash.
    fn value(&mut self, id: NodeId, at: usize, end: usize) {
        let rest = &self.text[at..end];
        let indent = self.outline.nodes[id].indent.unwrap_or_default();
        let Some(first) = rest.bytes().next() else {
            return;
        };
        match first {
            b'|' | b'>' => {
                let from = self.next_line(at);
                let to = self.deeper(from, indent);
                self.set(id, from..to.max(from), Style::Block);
                self.at = to;
            }
            b'[' | b'{' => flow::read(self, id, at, indent),
            b'*' => {
                let length = rest.find([' ', '\t']).unwrap_or(rest.len());
                self.set(id, at + 1..at + length, Style::Alias);
            }
            b'"' | b'\'' => {
                let limit = self.deeper(self.next_line(at), indent).max(end);
                let style = if rest.starts_with('"') {
                    Style::Double
                } else {
                    Style::Single
                };
                match self.quoted(at, limit) {
                    Some(scalar) => {
                        self.at = scalar.range.end;
                        self.set(id, scalar.range, style);
                    }
                    // Not closed: it is being typed.
                    None => self.set(id, at..at + rest.trim_end().len(), style),
                }
            }
            _ => {
                let length = rest.find(" #").unwrap_or(rest.len());
                self.set(id, at..at + rest[..length].trim_end().len(), Style::Plain);
            }
        }
    }

    fn set(&mut self, id: NodeId, range: Range<usize>, style: Style) {
        self.extend(Some(id), range.end);
        self.outline.nodes[id].value = Some(Scalar { range, style });
    }

    /// A line that is no item and has no colon: more of the scalar above it, the value of the
    /// key above it, or a key that is being typed.
    fn fragment(&mut self, line_start: usize, at: usize, end: usize) {
        let above = self.open.last().copied();
        if let Some(id) = above
            && let Some(value) = &mut self.outline.nodes[id].value
            && value.style == Style::Plain
        {
            let to = at + self.text[at..end].trim_end().len();
            value.range.end = to;
            self.extend(Some(id), to);
            return;
        }
        // Brackets and quotes of their own line are the value of the key above.
        if let Some(id) = above
            && self.text[at..end].starts_with(['[', '{', '|', '>', '"', '\'', '*', '!', '&'])
            && self.outline.nodes[id].value.is_none()
        {
            let at = self.properties(id, at, end);
            if !is_nothing(&self.text[at..end]) {
                self.value(id, at, end);
            }
            return;
        }
        let rest = &self.text[at..end];
        let length = rest.find(" #").unwrap_or(rest.len());
        let range = at..at + rest[..length].trim_end().len();
        let id = self.push(Node {
            parent: above,
            colon: false,
            value: None,
            tag: None,
            anchor: None,
            flow: None,
            extent: range.clone(),
            indent: Some(at - line_start),
            key: Some(Scalar {
                range,
                style: Style::Plain,
            }),
        });
        self.open.push(id);
    }

    /// The end of the lines from `from` that are deeper than a column; blank lines count
    /// where a deeper one follows.
    pub(super) fn deeper(&self, from: usize, indent: usize) -> usize {
        let mut end = from;
        let mut line = from;
        while line < self.text.len() {
            let text = &self.text[line..self.line_end(line)];
            let content = text.trim_start_matches(' ');
            let next = self.next_line(line);
            if !content.trim().is_empty() {
                if text.len() - content.len() <= indent {
                    break;
                }
                end = next;
            }
            line = next;
        }
        end
    }
}

/// Whether a rest of a line says nothing: it is blank or a comment.
pub(super) fn is_nothing(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}
