//! One text: its lines, its shape and its names.

use crate::names::Names;
use crate::outline::Outline;
use crate::text::{Encoding, Lines};
use lsp_types::{Position, TextDocumentContentChangeEvent};
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) text: Arc<str>,
    pub(crate) lines: Lines,
    pub(crate) outline: Outline,
    pub(crate) names: Names,
}

impl Document {
    pub(crate) fn of(text: Arc<str>) -> Self {
        let outline = Outline::of(&text);
        Self {
            lines: Lines::of(&text),
            names: Names::of(&outline, &text),
            outline,
            text,
        }
    }

    pub(crate) fn offset(&self, position: Position, encoding: Encoding) -> usize {
        self.lines.offset(&self.text, position, encoding)
    }

    pub(crate) fn range(&self, range: Range<usize>, encoding: Encoding) -> lsp_types::Range {
        self.lines.range(&self.text, range, encoding)
    }

    /// The text of a stretch of it.
    pub(crate) fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

/// A text after what an editor did to it. Each change speaks of the text that the one before
/// left.
pub(crate) fn changed(
    text: &str,
    changes: Vec<TextDocumentContentChangeEvent>,
    encoding: Encoding,
) -> Arc<str> {
    let mut text = text.to_owned();
    for change in changes {
        match change.range {
            None => text = change.text,
            Some(range) => {
                let lines = Lines::of(&text);
                let start = lines.offset(&text, range.start, encoding);
                let end = lines.offset(&text, range.end, encoding).max(start);
                text.replace_range(start..end, &change.text);
            }
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_follow_each_other() {
        let change = |range: Option<[u32; 4]>, text: &str| TextDocumentContentChangeEvent {
            range: range.map(|[a, b, c, d]| {
                lsp_types::Range::new(Position::new(a, b), Position::new(c, d))
            }),
            range_length: None,
            text: text.to_owned(),
        };
        let changes = vec![
            change(Some([0, 1, 0, 3]), "X"),
            change(Some([1, 0, 1, 0]), "new\n"),
            change(Some([9, 0, 9, 9]), "end"),
        ];
        let text = changed("a🦀b\nc\n", changes, Encoding::Utf16);
        assert_eq!(&*text, "aXb\nnew\nc\nend");
        let whole = changed("a", vec![change(None, "b")], Encoding::Utf16);
        assert_eq!(&*whole, "b");
    }
}
