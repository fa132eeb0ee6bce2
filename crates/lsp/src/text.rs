//! Places in a text: bytes here, lines and characters in the protocol.

use lsp_types::{Position, PositionEncodingKind};
use std::ops::Range;

/// What a character of a position counts: what the editor and this server agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    Utf8,
    /// What counts where nothing was agreed on.
    #[default]
    Utf16,
}

impl Encoding {
    /// UTF-8 where the editor knows it, because then nothing has to be counted.
    pub(crate) fn choose(offered: Option<&[PositionEncodingKind]>) -> Self {
        match offered.is_some_and(|offered| offered.contains(&PositionEncodingKind::UTF8)) {
            true => Self::Utf8,
            false => Self::Utf16,
        }
    }

    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }
}

/// Where the lines of a text begin. A line ends with a line feed, a carriage return, or both.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        Self {
            starts: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The byte of a position. One behind the end of its line is the end of the line, one
    /// behind the last line the end of the text, as the protocol wants it.
    pub(crate) fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return text.len();
        };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let line = text[start..end].trim_end_matches(['\n', '\r']);
        let wanted = position.character as usize;
        let within = match encoding {
            Encoding::Utf8 => line.floor_char_boundary(wanted.min(line.len())),
            Encoding::Utf16 => {
                let mut units = 0;
                let mut before = line.char_indices().skip_while(|(_, c)| {
                    let is_before = units + c.len_utf16() <= wanted;
                    units += c.len_utf16();
                    is_before
                });
                before.next().map_or(line.len(), |(at, _)| at)
            }
        };
        start + within
    }

    /// The position of a byte.
    pub(crate) fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let offset = text.floor_char_boundary(offset.min(text.len()));
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = &text[self.starts[line]..offset];
        let character = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
        };
        Position::new(small(line), small(character))
    }

    pub(crate) fn range(
        &self,
        text: &str,
        range: Range<usize>,
        encoding: Encoding,
    ) -> lsp_types::Range {
        lsp_types::Range::new(
            self.position(text, range.start, encoding),
            self.position(text, range.end, encoding),
        )
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_what_was_agreed_on() {
        let text = "aä🦀b\r\nc\rd\n";
        let lines = Lines::of(text);
        let table = [
            (0, (0, 0), (0, 0)),
            (1, (0, 1), (0, 1)),
            (3, (0, 3), (0, 2)),
            (7, (0, 7), (0, 4)),
            (8, (0, 8), (0, 5)),
            (10, (1, 0), (1, 0)),
            (12, (2, 0), (2, 0)),
            (14, (3, 0), (3, 0)),
        ];
        for (offset, utf8, utf16) in table {
            for (encoding, (line, character)) in [(Encoding::Utf8, utf8), (Encoding::Utf16, utf16)]
            {
                let position = Position::new(line, character);
                assert_eq!(lines.position(text, offset, encoding), position, "{offset}");
                assert_eq!(lines.offset(text, position, encoding), offset, "{offset}");
            }
        }
    }

    #[test]
    fn positions_outside_of_the_text_are_moved_into_it() {
        let text = "ab\n🦀\n";
        let lines = Lines::of(text);
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let offset =
                |line, character| lines.offset(text, Position::new(line, character), encoding);
            assert_eq!(offset(0, 99), 2);
            assert_eq!(offset(9, 0), text.len());
            // Inside of a character: its start.
            assert_eq!(offset(1, 1), 3);
        }
        assert_eq!(
            Lines::of("").offset("", Position::new(0, 5), Encoding::Utf16),
            0
        );
    }
}
