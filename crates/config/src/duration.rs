//! Durations in natural language: `1h 30m`, `3 weeks and 2 days`, `4:30`, `one hour`.
//!
//! The grammar is that of the Ruby library GitLab uses, with its whole-text check: a word
//! that is neither a number, a unit nor a joining word makes the text no duration.

mod numbers;

use std::borrow::Cow;

/// Seconds of a unit; a month is 30 days, a year 365.25 days.
fn unit_seconds(word: &str) -> Option<f64> {
    let seconds = match word {
        "seconds" | "second" | "secs" | "sec" | "s" => 1,
        "minutes" | "minute" | "mins" | "min" | "m" => 60,
        "hours" | "hour" | "hrs" | "hr" | "h" => 3600,
        "days" | "day" | "dy" | "d" => 86_400,
        "weeks" | "week" | "wks" | "wk" | "w" => 604_800,
        "months" | "month" | "mos" | "mo" => 2_592_000,
        "years" | "year" | "yrs" | "yr" | "y" => 31_557_600,
        _ => return None,
    };
    Some(f64::from(seconds))
}

/// Units of the colon form; weeks are not among them.
const CLOCK: [&str; 6] = ["years", "months", "days", "hours", "minutes", "seconds"];

/// Seconds of a duration, fractions cut off, or `None` where the text is none.
///
/// `never` is not a duration; callers that allow it ask for it first. Nor is what is shorter
/// than nothing or longer than 30 million years.
pub fn parse_seconds(text: &str) -> Option<u64> {
    if text.len() > 255 {
        return None;
    }
    let text = numbers::to_digits(&text.to_lowercase());
    let mut words = words(&with_units(&text)?)?;
    // `day` alone is one day.
    if let Some(Word::Unit(_)) = words.first() {
        words.insert(0, Word::Number(1.0));
    }
    let mut seconds = 0.0;
    for (index, word) in words.iter().enumerate() {
        if let Word::Number(value) = word {
            seconds += match words.get(index + 1) {
                Some(Word::Unit(unit)) => value * unit,
                // A number before a number counts for nothing, the last one is seconds.
                Some(Word::Number(_)) => 0.0,
                None => *value,
            };
        }
    }
    // Comparing also drops NaN; the upper end is far above any limit.
    (seconds > 0.0 && seconds < 1e15).then_some(seconds as u64)
}

enum Word {
    Number(f64),
    Unit(f64),
}

/// Writes the units into `h:m:s`, which may have text around it. `None` where there are more
/// colons than units.
fn with_units(text: &str) -> Option<Cow<'_, str>> {
    let together = text.replace(' ', "");
    let is_clock = together.match_indices(':').any(|(at, _)| {
        let after = together[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        let after = after.strip_prefix('.').unwrap_or(&together[at + 1..]);
        together[..at].ends_with(|c: char| c.is_ascii_digit())
            && after.starts_with(|c: char| c.is_ascii_digit())
    });
    if !is_clock {
        return Some(Cow::Borrowed(text));
    }
    let parts: Vec<&str> = together.trim_end_matches(':').split(':').collect();
    let first = CLOCK.len().checked_sub(parts.len())?;
    let pairs = parts.iter().zip(&CLOCK[first..]);
    let pairs: Vec<String> = pairs.map(|(part, unit)| format!("{part} {unit}")).collect();
    Some(Cow::Owned(pairs.join(" ")))
}

/// Splits at blanks and around numbers: `2h20min`. `None` where a word means nothing.
fn words(text: &str) -> Option<Vec<Word>> {
    let mut found = Vec::new();
    for mut text in text.split_ascii_whitespace() {
        while !text.is_empty() {
            let (start, end) = first_number(text).unwrap_or((text.len(), text.len()));
            let word = &text[..start];
            let bare = word.strip_prefix(',').unwrap_or(word);
            let bare = bare.strip_suffix(',').unwrap_or(bare);
            if let Some(seconds) = unit_seconds(bare) {
                found.push(Word::Unit(seconds));
            } else if !(word.is_empty() || matches!(bare, "and" | "with" | "plus")) {
                return None;
            }
            if start < end {
                found.push(Word::Number(text[start..end].parse().ok()?));
            }
            text = &text[end..];
        }
    }
    Some(found)
}

/// Where the first number is, without sign and exponent: `5`, `1.5`, `.5`, but not `5.`.
fn first_number(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    (0..bytes.len()).find_map(|start| {
        let whole = start + digits(start);
        let fraction = match bytes.get(whole) {
            Some(b'.') => digits(whole + 1),
            _ => 0,
        };
        let end = if fraction > 0 {
            whole + 1 + fraction
        } else {
            whole
        };
        (end > start).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;
    use crate::oracle::undump;

    /// What the library says: text, and seconds or `none`, by `oracle.rb`.
    const ORACLE: &str = include_str!("duration/oracle.tsv");

    #[test]
    fn texts_come_to_the_seconds_that_the_library_gives() {
        let mut differences = Vec::new();
        let mut seen = 0;
        for line in ORACLE.lines() {
            let (text, expected) = line.split_once('\t').expect("two fields");
            let found = parse_seconds(&undump(text));
            if expected.len() > 15 {
                assert_eq!(found, None, "{text} is beyond every clock");
                continue;
            }
            let found = found.map_or_else(|| "none".to_owned(), |seconds| seconds.to_string());
            if found != expected {
                differences.push(format!("{text}: {found}, the library says {expected}"));
            }
            seen += 1;
        }
        assert!(seen > 500, "{seen} cases");
        assert!(differences.is_empty(), "{differences:#?}");
    }

    #[test]
    fn natural_language_is_read_as_gitlab_does() {
        for (text, expected) in [
            ("42", Some(42)),
            ("42 seconds", Some(42)),
            ("3 mins 4 sec", Some(184)),
            ("2 hrs 20 min", Some(8400)),
            ("2h20min", Some(8400)),
            ("6 mos 1 day", Some(15_638_400)),
            ("47 yrs 6 mos and 4d", Some(1_499_104_800)),
            ("3 weeks and 2 days", Some(1_987_200)),
            ("one week", Some(604_800)),
            ("one hour", Some(3600)),
            ("twenty-five minutes", Some(1500)),
            ("1m 3s", Some(63)),
            ("1 hour 30", Some(3630)),
            ("1.5 hours", Some(5400)),
            ("4:30", Some(270)),
            ("1:02:03", Some(3723)),
            ("-1 day", None),
            ("- 1 day", None),
            ("two and a half hours", Some(9000)),
            ("0.5", Some(0)),
            ("1 yr", Some(31_557_600)),
            ("1 month", Some(2_592_000)),
            ("day", Some(86_400)),
            ("1,5h", None),
            ("3 weeks, 2 days", Some(1_987_200)),
            ("1 Day", Some(86_400)),
            ("0", None),
            ("", None),
            ("abc", None),
            ("soon", None),
            ("7 elephants", None),
            ("never", None),
            ("1:2:3:4:5:6:7", None),
            ("::", None),
            ("99999999999999999999 years", None),
        ] {
            assert_eq!(parse_seconds(text), expected, "{text:?}");
        }
    }
}
