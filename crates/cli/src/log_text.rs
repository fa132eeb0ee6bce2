//! A job's log as text for a terminal: lines without section markers, safe to print.
//!
//! A log is hostile. Of its escape sequences only colours and text styles pass; everything
//! that could move the cursor, set the title or talk to the terminal is dropped.

/// A longer line is cut into pieces, so that a log without line breaks stays bounded.
const LINE_LIMIT: usize = 16 * 1024;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The heading of a section.
    Heading(String),
    /// Any other line.
    Text(String),
}

impl Line {
    /// The line without its kind.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Heading(text) | Self::Text(text) => text,
        }
    }
}

/// Cuts a growing log into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes more of the log and hands out the lines it completes.
    pub(crate) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Line)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.take(&mut sink);
            }
            while self.partial.len() > LINE_LIMIT {
                let rest = self.partial.split_off(LINE_LIMIT);
                self.take(&mut sink);
                self.partial = rest;
            }
        }
    }

    /// Hands out what is left at the end of the log.
    pub(crate) fn finish(&mut self, mut sink: impl FnMut(Line)) {
        if !self.partial.is_empty() {
            self.take(&mut sink);
        }
    }

    fn take(&mut self, sink: &mut impl FnMut(Line)) {
        let line = String::from_utf8_lossy(without_time(&self.partial));
        if let Some(line) = read_line(line.trim_end_matches(['\n', '\r'])) {
            sink(line);
        }
        self.partial.clear();
    }
}

/// The line without the time that `FF_TIMESTAMPS` puts before it: a date, whose line it is and
/// whether it goes on with the last one.
fn without_time(line: &[u8]) -> &[u8] {
    let shape = b"0000-00-00T00:00:00.000000Z ";
    let fits = line.len() >= 32
        && shape.iter().zip(line).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            mark => byte == mark,
        })
        && matches!((line[30], line[31]), (b'O' | b'E', b' ' | b'+'));
    if fits { &line[32..] } else { line }
}

/// `None` for a line that consists of section markers alone.
fn read_line(raw: &str) -> Option<Line> {
    let mut heading = false;
    let mut marked = false;
    let mut rest = raw;
    let mut text = String::new();
    while let Some(at) = rest.find("section_") {
        let (before, marker) = rest.split_at(at);
        let Some((name, after)) = marker.split_once('\r') else {
            break;
        };
        let start = name.starts_with("section_start:");
        if !start && !name.starts_with("section_end:") {
            break;
        }
        text.push_str(before);
        heading |= start;
        marked = true;
        rest = after.strip_prefix("\x1b[0K").unwrap_or(after);
    }
    text.push_str(rest);
    let text = printable(last_overwrite(&text));
    if marked && visible(&text).trim().is_empty() {
        return None;
    }
    Some(if heading {
        Line::Heading(text)
    } else {
        Line::Text(text)
    })
}

/// Of a line that was overwritten by carriage returns, what one would see in the end.
fn last_overwrite(text: &str) -> &str {
    text.trim_end_matches('\r')
        .rsplit('\r')
        .next()
        .unwrap_or_default()
}

/// Drops control characters and all escape sequences but those for colours and styles.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let (kept, length) = escape(sequence);
        if kept {
            out.push_str(&sequence[..length]);
        }
        rest = &sequence[length..];
    }
    out.push_str(rest);
    out
}

/// Whether the sequence at the start of `text` may stay, and its length in bytes.
fn escape(text: &str) -> (bool, usize) {
    let first = text.chars().next().map_or(1, char::len_utf8);
    if let Some(body) = text.strip_prefix("\x1b[") {
        let end = body.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':' | '?' | '>')));
        return match end.and_then(|end| body[end..].chars().next().map(|last| (end, last))) {
            Some((end, last)) => (
                last == 'm' && !body[..end].contains(['?', '>']),
                2 + end + last.len_utf8(),
            ),
            None => (false, text.len()),
        };
    }
    if let Some(body) = text.strip_prefix("\x1b]") {
        // An operating system command ends with BEL or ESC \.
        let bell = body.find('\x07').map(|at| at + 1);
        let terminator = body.find("\x1b\\").map(|at| at + 2);
        let end = [bell, terminator].into_iter().flatten().min();
        return (false, end.map_or(text.len(), |end| 2 + end));
    }
    if let Some(body) = text.strip_prefix('\x1b') {
        return (false, 1 + body.chars().next().map_or(0, char::len_utf8));
    }
    (false, first)
}

/// The text without any escape sequence.
pub(crate) fn visible(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn lines(log: &str) -> Vec<Line> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        // Byte by byte: the cut between two pieces must not matter.
        for byte in log.as_bytes() {
            lines.push(&[*byte], |line| found.push(line));
        }
        lines.finish(|line| found.push(line));
        found
    }

    #[test]
    fn markers_become_headings() {
        let log = "section_start:1:get_sources\r\x1b[0K\x1b[36;1mGetting sources\x1b[0;m\n\
                   ready\n\
                   section_end:2:get_sources\r\x1b[0Ksection_start:2:step_script\r\x1b[0KRunning\n\
                   section_end:3:step_script\r\x1b[0K\n";
        assert_eq!(
            lines(log),
            [
                Line::Heading("\x1b[36;1mGetting sources\x1b[0;m".into()),
                Line::Text("ready".into()),
                Line::Heading("Running".into()),
            ]
        );
        assert_eq!(
            lines("section_7 is text\n"),
            [Line::Text("section_7 is text".into())]
        );
    }

    #[test]
    fn times_before_lines_are_not_part_of_them() {
        let log = "2026-08-01T10:00:00.123456Z 00O section_start:1:a\r\x1b[0KRunning\n\
                   2026-08-01T10:00:00.123456Z 01O plain\n\
                   2026-08-01T10:00:00.123456Z 01E+more\n\
                   2026-08-01T10:00:00.123456Z 01X not one\n";
        assert_eq!(
            lines(log),
            [
                Line::Heading("Running".into()),
                Line::Text("plain".into()),
                Line::Text("more".into()),
                Line::Text("2026-08-01T10:00:00.123456Z 01X not one".into()),
            ]
        );
    }

    #[test]
    fn progress_shows_its_last_state() {
        assert_eq!(lines("10%\r50%\r100%\n"), [Line::Text("100%".into())]);
        assert_eq!(
            lines("a\r\nb"),
            [Line::Text("a".into()), Line::Text("b".into())]
        );
        assert_eq!(lines("\n"), [Line::Text(String::new())]);
    }

    #[test]
    fn a_log_cannot_command_the_terminal() {
        let table = [
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("a\x1b[2Jb\x1b[1;1Hc", "abc"),
            ("a\x1b]0;title\x07b\x1b]8;;x\x1b\\c", "abc"),
            ("a\x1b]0;never ends", "a"),
            ("a\x1b[12", "a"),
            ("a\x1b", "a"),
            ("a\x1bcb", "ab"),
            ("a\x1b[?25hb", "ab"),
            ("bell\x07 tab\t nul\0 c1\u{9b}31m", "bell tab\t nul c131m"),
        ];
        for (raw, expected) in table {
            assert_eq!(printable(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut count = 0;
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.push(&[b'x'; 1000], |line| {
                assert_eq!(line.text().len(), LINE_LIMIT);
                count += 1;
            });
        }
        assert_eq!(count, 100_000 / LINE_LIMIT);
        assert!(lines.partial.len() <= LINE_LIMIT);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        lines.push(b"\xff\xfe\n", |line| found.push(line));
        assert_eq!(found, [Line::Text("\u{fffd}\u{fffd}".into())]);
    }
}
