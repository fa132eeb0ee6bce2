//! A job's log as HTML: colours, sections that fold, links to lines; nothing that runs.
//!
//! The log is hostile. Every character that means something in HTML is escaped, and of the
//! escape sequences only colours and styles have an effect, as class names.

use std::fmt::Write as _;

use vte::{Params, Parser, Perform};

/// Characters of a line that are kept; a page with more would hang the browser.
const LINE_LIMIT: usize = 16 * 1024;

/// One line of a log, ready to be put into a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HtmlLine {
    /// Spans and text.
    pub html: String,
    /// A section begins with this line.
    pub section_start: Option<Section>,
    /// The sections that end before this line.
    pub section_ends: Vec<SectionEnd>,
}

/// The end of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionEnd {
    /// The section's name.
    pub name: String,
    /// Seconds since 1970.
    pub ended_at: u64,
}

/// A section of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Letters, digits and `_.-` alone.
    pub name: String,
    /// Seconds since 1970.
    pub started_at: u64,
    /// It is folded until somebody opens it.
    pub collapsed: bool,
}

/// Turns a growing log into lines of HTML. The style goes on from line to line, as on a
/// terminal.
#[derive(Default)]
pub struct Renderer {
    parser: Parser,
    screen: Screen,
    pending: Vec<u8>,
}

impl Renderer {
    /// Takes more of the log and hands out the lines it completes.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(HtmlLine)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.pending.pop();
                sink(self.take());
            }
        }
    }

    /// Hands out what is left at the end of the log.
    pub fn finish(&mut self) -> Option<HtmlLine> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> HtmlLine {
        let raw = std::mem::take(&mut self.pending);
        let raw = strip_timestamp(&raw);
        let mut rest = raw;
        let mut text = Vec::with_capacity(raw.len());
        while let Some((before, marker, after)) = next_marker(rest) {
            text.extend_from_slice(before);
            match marker {
                Marker::Start(section) => self.screen.line.section_start = Some(section),
                Marker::End(end) => self.screen.line.section_ends.push(end),
            }
            rest = after;
        }
        text.extend_from_slice(rest);
        self.parser.advance(&mut self.screen, &text);
        self.screen.end_line()
    }
}

enum Marker {
    Start(Section),
    End(SectionEnd),
}

/// The first section marker in the bytes, with what is before and behind it.
fn next_marker(bytes: &[u8]) -> Option<(&[u8], Marker, &[u8])> {
    let mut from = 0;
    loop {
        let at = from + find(&bytes[from..], b"section_")?;
        let (before, marker) = bytes.split_at(at);
        if let Some(end) = marker.iter().position(|&byte| byte == b'\r')
            && let Some(parsed) = read_marker(&marker[..end])
        {
            let after = &marker[end + 1..];
            return Some((
                before,
                parsed,
                after.strip_prefix(b"\x1b[0K").unwrap_or(after),
            ));
        }
        from = at + 1;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn read_marker(bytes: &[u8]) -> Option<Marker> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (kind, rest) = text.split_once(':')?;
    let (time, name) = rest.split_once(':')?;
    let at = time.parse().ok()?;
    let (name, options) = match name.split_once('[') {
        Some((name, options)) => (name, options.strip_suffix(']')?),
        None => (name, ""),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        return None;
    }
    match kind {
        "section_start" => Some(Marker::Start(Section {
            name: name.to_owned(),
            started_at: at,
            collapsed: options.split(',').any(|option| option == "collapsed=true"),
        })),
        "section_end" => Some(Marker::End(SectionEnd {
            name: name.to_owned(),
            ended_at: at,
        })),
        _ => None,
    }
}

/// Takes off the prefix that `FF_TIMESTAMPS` puts before a line (runner protocol, I.4).
fn strip_timestamp(line: &[u8]) -> &[u8] {
    let shape = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (26, b'Z'),
        (27, b' '),
    ];
    let fits = line.len() >= 32
        && shape.iter().all(|(at, byte)| line[*at] == *byte)
        && matches!(line[30], b'O' | b'E')
        && matches!(line[31], b' ' | b'+');
    if fits { &line[32..] } else { line }
}

/// What the characters of a line look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    foreground: Option<u8>,
    background: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

/// The line that is being written.
#[derive(Default)]
struct Screen {
    look: Look,
    cells: Vec<(char, Look)>,
    cursor: usize,
    line: HtmlLine,
}

impl Screen {
    fn put(&mut self, character: char) {
        if self.cursor >= LINE_LIMIT {
            return;
        }
        if self.cursor < self.cells.len() {
            self.cells[self.cursor] = (character, self.look);
        } else {
            self.cells.push((character, self.look));
        }
        self.cursor += 1;
    }

    fn end_line(&mut self) -> HtmlLine {
        let mut line = std::mem::take(&mut self.line);
        let mut current = Look::default();
        let mut open = false;
        for (character, look) in self.cells.drain(..) {
            if look != current {
                if open {
                    line.html.push_str("</span>");
                }
                open = look != Look::default();
                if open {
                    let _ = write!(line.html, "<span class=\"{}\">", classes(look));
                }
                current = look;
            }
            match character {
                '&' => line.html.push_str("&amp;"),
                '<' => line.html.push_str("&lt;"),
                '>' => line.html.push_str("&gt;"),
                '"' => line.html.push_str("&quot;"),
                '\'' => line.html.push_str("&#39;"),
                other => line.html.push(other),
            }
        }
        if open {
            line.html.push_str("</span>");
        }
        self.cursor = 0;
        line
    }

    fn style(&mut self, params: &Params) {
        let mut numbers = params.iter().map(|param| param[0]);
        while let Some(number) = numbers.next() {
            let look = &mut self.look;
            match number {
                0 => *look = Look::default(),
                1 => look.bold = true,
                2 => look.dim = true,
                3 => look.italic = true,
                4 => look.underline = true,
                22 => (look.bold, look.dim) = (false, false),
                23 => look.italic = false,
                24 => look.underline = false,
                30..=37 => look.foreground = u8::try_from(number - 30).ok(),
                39 => look.foreground = None,
                40..=47 => look.background = u8::try_from(number - 40).ok(),
                49 => look.background = None,
                90..=97 => look.foreground = u8::try_from(number - 90 + 8).ok(),
                100..=107 => look.background = u8::try_from(number - 100 + 8).ok(),
                38 | 48 => {
                    let color = extended(&mut numbers);
                    if number == 38 {
                        look.foreground = color.or(look.foreground);
                    } else {
                        look.background = color.or(look.background);
                    }
                }
                _ => {}
            }
        }
    }
}

/// `5;N` is one of 256 colours, `2;R;G;B` any. Pages have sixteen, which can be read on their
/// background; others become the nearest of these.
fn extended(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match numbers.next()? {
        5 => u8::try_from(numbers.next()?).ok().map(of_256),
        2 => {
            let mut part = || numbers.next().and_then(|part| u8::try_from(part).ok());
            Some(nearest([part()?, part()?, part()?]))
        }
        _ => None,
    }
}

/// A colour of the table of 256: sixteen with names, a cube of 6 by 6 by 6, 24 grays.
fn of_256(number: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match number {
        0..16 => number,
        16..232 => {
            let step = |divisor: u8| STEPS[usize::from((number - 16) / divisor % 6)];
            nearest([step(36), step(6), step(1)])
        }
        232.. => nearest([8 + 10 * (number - 232); 3]),
    }
}

/// The nearest of the sixteen colours, as xterm has them.
fn nearest(color: [u8; 3]) -> u8 {
    const SIXTEEN: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    let distance = |one: &[u8; 3]| -> u32 {
        let parts = one.iter().zip(color);
        parts.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let best = (0..16_u8).min_by_key(|index| distance(&SIXTEEN[usize::from(*index)]));
    best.unwrap_or_default()
}

fn classes(look: Look) -> String {
    let mut classes = Vec::new();
    if let Some(color) = look.foreground {
        classes.push(format!("f{color}"));
    }
    if let Some(color) = look.background {
        classes.push(format!("b{color}"));
    }
    for (set, class) in [
        (look.bold, "bold"),
        (look.dim, "dim"),
        (look.italic, "italic"),
        (look.underline, "underline"),
    ] {
        if set {
            classes.push(class.to_owned());
        }
    }
    classes.join(" ")
}

impl Perform for Screen {
    fn print(&mut self, character: char) {
        self.put(character);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.cursor = 0,
            b'\t' => self.put('\t'),
            0x08 => self.cursor = self.cursor.saturating_sub(1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        match action {
            'm' => self.style(params),
            'K' => match params.iter().next().map_or(0, |param| param[0]) {
                0 => self.cells.truncate(self.cursor),
                1 | 2 => self.cells.clear(),
                _ => {}
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(log: &[u8], cut: usize) -> Vec<HtmlLine> {
        let mut renderer = Renderer::default();
        let mut found = Vec::new();
        for piece in log.chunks(cut) {
            renderer.push(piece, |line| found.push(line));
        }
        found.extend(renderer.finish());
        found
    }

    #[track_caller]
    fn html(log: &str) -> Vec<String> {
        let whole = lines(log.as_bytes(), usize::MAX);
        assert_eq!(
            lines(log.as_bytes(), 1),
            whole,
            "a cut between pieces matters"
        );
        whole.into_iter().map(|line| line.html).collect()
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            html("<script>alert(\"1\") & 'x'</script>\n"),
            ["&lt;script&gt;alert(&quot;1&quot;) &amp; &#39;x&#39;&lt;/script&gt;"]
        );
    }

    #[test]
    fn colours_are_classes_and_last_until_they_end() {
        let table: [(&str, &[&str]); 6] = [
            (
                "\x1b[31mred\x1b[0m plain",
                &["<span class=\"f1\">red</span> plain"],
            ),
            (
                "\x1b[1;32mon\noff\x1b[0m",
                &[
                    "<span class=\"f2 bold\">on</span>",
                    "<span class=\"f2 bold\">off</span>",
                ],
            ),
            ("\x1b[95;41mx", &["<span class=\"f13 b1\">x</span>"]),
            (
                "\x1b[38;5;9mx\x1b[38;5;196my\x1b[38;2;250;2;3mz\x1b[48;5;232mw",
                &["<span class=\"f9\">xyz</span><span class=\"f9 b0\">w</span>"],
            ),
            (
                "\x1b[3;4mx\x1b[23;24my",
                &["<span class=\"italic underline\">x</span>y"],
            ),
            ("\x1b[31m\x1b[0m", &[""]),
        ];
        for (log, expected) in table {
            assert_eq!(html(log), expected, "{log:?}");
        }
    }

    #[test]
    fn progress_overwrites_itself() {
        assert_eq!(html("10%\r20%\r100%\n"), ["100%"]);
        assert_eq!(html("downloading\r\x1b[Kdone\n"), ["done"]);
        assert_eq!(html("abc\x08X\n"), ["abX"]);
        assert_eq!(html("windows\r\n"), ["windows"]);
    }

    #[test]
    fn nothing_else_gets_through() {
        let hostile = "\x1b]0;title\x07a\x1b[2J\x1b[10;10Hb\x1bc\x00\x1b[?1049hc\u{9b}31md\n";
        // A control character of the second set is dropped, and what followed it is text.
        assert_eq!(html(hostile), ["abc31md"]);
        assert_eq!(lines(b"\xff\xfeok\n", 1)[0].html, "\u{fffd}\u{fffd}ok");
    }

    #[test]
    fn sections_begin_and_end() {
        let log = "section_start:17:build[collapsed=true]\r\x1b[0KBuilding\n\
                   inside\n\
                   section_end:19:build\r\x1b[0Ksection_start:19:test\r\x1b[0KTesting\n\
                   section_end:20:test\r\x1b[0K\n\
                   section_start:x:bad\r\x1b[0Kkept\n";
        let found = lines(log.as_bytes(), 3);
        assert_eq!(found[0].html, "Building");
        let section = found[0].section_start.clone().unwrap();
        assert_eq!((section.name.as_str(), section.started_at), ("build", 17));
        assert!(section.collapsed);
        let ends: Vec<(&str, u64)> = (found.iter().flat_map(|line| &line.section_ends))
            .map(|end| (end.name.as_str(), end.ended_at))
            .collect();
        assert_eq!(ends, [("build", 19), ("test", 20)]);
        assert_eq!(found[2].section_ends[0].name, "build");
        assert_eq!(found[2].html, "Testing");
        assert_eq!(found[4].html, "kept");
        assert_eq!(found[4].section_start, None);
    }

    #[test]
    fn timestamps_are_taken_off_and_long_lines_end() {
        assert_eq!(html("2026-08-01T10:00:00.123456Z 01O hello\n"), ["hello"]);
        let long = "x".repeat(2 * LINE_LIMIT);
        assert_eq!(html(&long)[0].len(), LINE_LIMIT);
    }
}
