//! The coverage of a job, read from its log as GitLab reads it (language inventory, 9.1):
//! from the end, the last match of the first line that matches, its last group, the first
//! number in that.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use shipway_config::pattern;

/// Bytes read at once while walking a log from its end.
const BLOCK: usize = 64 * 1024;
/// A longer line is looked at only in its last part; nobody prints a total this far out.
const LINE_LIMIT: usize = 1024 * 1024;

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d+(\.\d+)?").expect("a constant pattern"));

/// The coverage in percent that `pattern` (without its slashes) finds in the log, if any.
/// A pattern that does not compile finds nothing: a job's result never depends on it.
///
/// # Errors
/// Only when the file cannot be read.
pub fn from_log(pattern: &str, log: &Path) -> io::Result<Option<f64>> {
    let Ok(pattern) = pattern::compile(pattern, "") else {
        return Ok(None);
    };
    let mut lines = LinesFromEnd::open(log)?;
    while let Some(line) = lines.next_line()? {
        if let Some(number) = in_line(&pattern, &line) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn in_line(pattern: &Regex, line: &[u8]) -> Option<f64> {
    let line = String::from_utf8_lossy(strip_timestamp(line));
    let last = pattern.captures_iter(&line).last()?;
    let text = match last.len() {
        1 => last.get(0),
        groups => last.get(groups - 1),
    }?;
    let number = NUMBER.find(text.as_str())?;
    number.as_str().parse().ok()
}

/// Takes off the 32 bytes that `FF_TIMESTAMPS` puts before a line (runner protocol, I.4).
fn strip_timestamp(line: &[u8]) -> &[u8] {
    let at = |index: usize, byte: u8| line.get(index) == Some(&byte);
    let looks_like_one = at(4, b'-')
        && at(7, b'-')
        && at(10, b'T')
        && at(13, b':')
        && at(16, b':')
        && at(19, b'.')
        && at(26, b'Z')
        && at(27, b' ')
        && (at(30, b'O') || at(30, b'E'))
        && (at(31, b' ') || at(31, b'+'));
    if looks_like_one { &line[32..] } else { line }
}

/// The lines of a file, last one first, in constant memory.
struct LinesFromEnd {
    file: File,
    /// Bytes of the file before `pending`.
    unread: u64,
    /// Read and not yet handed out.
    pending: Vec<u8>,
}

impl LinesFromEnd {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let unread = file.metadata()?.len();
        Ok(Self {
            file,
            unread,
            pending: Vec::new(),
        })
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let end = self.pending.len() - searched;
            if let Some(newline) = self.pending[..end].iter().rposition(|&byte| byte == b'\n') {
                let line = self.pending.split_off(newline + 1);
                self.pending.truncate(newline);
                return Ok(Some(without_return(line)));
            }
            searched = self.pending.len();
            if self.unread == 0 {
                if self.pending.is_empty() {
                    return Ok(None);
                }
                return Ok(Some(without_return(std::mem::take(&mut self.pending))));
            }
            self.read_block()?;
        }
    }

    fn read_block(&mut self) -> io::Result<()> {
        let size = self.unread.min(BLOCK as u64);
        self.unread -= size;
        self.file.seek(SeekFrom::Start(self.unread))?;
        let mut block = vec![0; usize::try_from(size).unwrap_or(BLOCK)];
        self.file.read_exact(&mut block)?;
        if self.pending.len() < LINE_LIMIT {
            block.append(&mut self.pending);
        } else {
            // The line goes on beyond the limit: only its line break still matters.
            let line_break = block.iter().rposition(|&byte| byte == b'\n');
            block.truncate(line_break.map_or(0, |index| index + 1));
            block.append(&mut self.pending);
        }
        self.pending = block;
        Ok(())
    }
}

fn without_return(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn coverage(pattern: &str, log: &str) -> Option<f64> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log).unwrap();
        from_log(pattern, file.path()).unwrap()
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        let table: [(&str, &str, Option<f64>); 15] = [
            (
                r"TOTAL.*\s+(\d+%)$",
                "TOTAL  12  0  0  0   100%\n",
                Some(100.0),
            ),
            (
                r"TOTAL.*\s+(\d+%)$",
                "TOTAL 1 1 50%\nTOTAL 1 0 75%\n\n",
                Some(75.0),
            ),
            (
                r"TOTAL.*\s+(\d+%)$",
                "TOTAL 1 1 50%\nno number here\n",
                Some(50.0),
            ),
            (r"TOTAL.*\s+(\d+%)$", "total 50%\n", None),
            (
                r"\d+\%\s+$",
                "TOTAL   1943    210    688     68    87%   \n",
                Some(87.0),
            ),
            (r"\d+\.\d+%", "a 81.5% b 93.25%\n", Some(93.25)),
            (r"cover: .*", "cover: 81,5%\n", Some(81.0)),
            (
                r"(Visited Points).*\((.*)\)",
                "Visited Points 3 of 4 (75.1)\n",
                Some(75.1),
            ),
            (r"cov (\d+)?", "cov 40\ncov x\n", Some(40.0)),
            (r"a\nb", "a\nb\n", None),
            (r"(unclosed", "50%\n", None),
            (r"\d+%", "50%", Some(50.0)),
            (r"\d+%$", "50%\r\n", Some(50.0)),
            (r"\d+%", "٥٠% 7%", Some(7.0)),
            (
                r"^TOTAL (\d+)%",
                "2026-08-01T10:00:00.123456Z 01O TOTAL 64%\n",
                Some(64.0),
            ),
        ];
        for (pattern, log, expected) in table {
            assert_eq!(coverage(pattern, log), expected, "/{pattern}/ in {log:?}");
        }
        assert_eq!(coverage(r"\d", ""), None);
    }

    #[test]
    fn a_total_far_from_the_end_is_found() {
        let mut log = "TOTAL 42%\n".to_owned();
        for line in 0..50_000 {
            log.push_str(&format!("line {line} says nothing\n"));
        }
        assert_eq!(coverage(r"TOTAL (\d+)%", &log), Some(42.0));
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        let mut log = "TOTAL 42%\n".to_owned();
        log.push_str(&"x".repeat(5 * LINE_LIMIT));
        log.push('\n');
        assert_eq!(coverage(r"TOTAL (\d+)%", &log), Some(42.0));
    }
}
