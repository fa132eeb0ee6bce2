//! The time before each line of a log, where `FF_TIMESTAMPS` asks for it
//! (runner protocol, I.4).
//!
//! A line is held until its end, so that its time is that of its first byte and nobody has to
//! join what belongs together; only of a very long line pieces go before it ends.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a line that are held.
const HELD: usize = 8 * 1024;

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// What the runner says.
    Runner,
    /// What the job's processes print; both of their outputs are one.
    Job,
}

/// Puts times before the lines of one log.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    lines: [Line; 2],
}

/// The line of a stream that has not ended.
#[derive(Debug, Default)]
struct Line {
    since: Option<SystemTime>,
    text: Vec<u8>,
    /// A piece of it went already.
    goes_on: bool,
}

impl Stamps {
    /// Appends to `output` the lines that these bytes of a stream complete at this time.
    pub(crate) fn apply(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        now: SystemTime,
        output: &mut Vec<u8>,
    ) {
        let line = &mut self.lines[stream as usize];
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.since.get_or_insert(now);
            line.text.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                line.text.pop();
                line.put(stream, output);
                line.goes_on = false;
            } else if line.text.len() >= HELD {
                line.put(stream, output);
                line.goes_on = true;
            }
        }
    }

    /// Appends the lines that nobody ended.
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>) {
        for stream in [Stream::Runner, Stream::Job] {
            let line = &mut self.lines[stream as usize];
            if !line.text.is_empty() {
                line.put(stream, output);
            }
        }
    }
}

impl Line {
    fn put(&mut self, stream: Stream, output: &mut Vec<u8>) {
        let since = self.since.take().unwrap_or(UNIX_EPOCH);
        let goes_on = if self.goes_on { '+' } else { ' ' };
        let prefix = format!("{} {:02x}O{goes_on}", utc(since), stream as u8);
        output.extend_from_slice(prefix.as_bytes());
        output.append(&mut self.text);
        output.push(b'\n');
    }
}

/// `2026-08-01T10:00:00.123456Z`
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    let (hour, minute) = (second / 3600, second / 60 % 60);
    // Writing to a text cannot fail.
    let _ = write!(
        text,
        "T{hour:02}:{minute:02}:{:02}.{:06}Z",
        second % 60,
        since.subsec_micros()
    );
    text
}

/// Year, month and day so many days after 1970 began, by counting in eras of 400 years that
/// begin in March, so that the day that leap years have is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn times_are_in_utc() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400.5, "2000-02-29T00:00:00.500000Z"),
            (951_868_799.0, "2000-02-29T23:59:59.000000Z"),
            (951_868_800.0, "2000-03-01T00:00:00.000000Z"),
            (1_785_578_400.25, "2026-08-01T10:00:00.250000Z"),
            (4_107_542_399.0, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(utc(at(seconds)), text);
        }
    }

    #[test]
    fn a_line_has_the_time_of_its_first_byte() {
        let mut stamps = Stamps::default();
        let mut log = Vec::new();
        stamps.apply(Stream::Job, b"one\ntw", at(1.0), &mut log);
        stamps.apply(Stream::Runner, b"says\r", at(2.0), &mut log);
        stamps.apply(Stream::Job, b"o\n\n", at(3.0), &mut log);
        stamps.apply(Stream::Runner, b"this\n", at(4.0), &mut log);
        stamps.apply(Stream::Job, b"end", at(5.0), &mut log);
        stamps.finish(&mut log);
        stamps.finish(&mut log);
        assert_eq!(
            String::from_utf8(log).unwrap(),
            "1970-01-01T00:00:01.000000Z 01O one\n\
             1970-01-01T00:00:01.000000Z 01O two\n\
             1970-01-01T00:00:03.000000Z 01O \n\
             1970-01-01T00:00:02.000000Z 00O says\rthis\n\
             1970-01-01T00:00:05.000000Z 01O end\n"
        );
    }

    #[test]
    fn a_very_long_line_goes_in_pieces() {
        let mut stamps = Stamps::default();
        let mut log = Vec::new();
        for _ in 0..3 {
            stamps.apply(Stream::Job, &[b'x'; HELD - 1], at(1.0), &mut log);
            assert!(stamps.lines[1].text.len() < HELD);
        }
        stamps.apply(Stream::Job, b"\nend\n", at(1.0), &mut log);
        let log = String::from_utf8(log).unwrap();
        let kinds: Vec<&str> = log.lines().map(|line| &line[30..33]).collect();
        assert_eq!(kinds, ["O x", "O+x", "O e"]);
        assert_eq!(log.matches('x').count(), 3 * (HELD - 1));
    }
}
