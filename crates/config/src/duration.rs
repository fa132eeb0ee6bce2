//! Durations in natural language: `1h 30m`, `3 weeks and 2 days`, `4:30`, `one hour`.
//!
//! The grammar is that of the Ruby library GitLab uses, with its whole-text check: a word
//! that is neither a number, a unit nor a joining word makes the text no duration.

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

/// Units of the colon form from the right; weeks are not among them.
const CLOCK: [f64; 6] = [1.0, 60.0, 3600.0, 86_400.0, 2_592_000.0, 31_557_600.0];

fn number_word(word: &str) -> Option<f64> {
    const WORDS: [(&str, u32); 28] = [
        ("zero", 0),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("thirteen", 13),
        ("fourteen", 14),
        ("fifteen", 15),
        ("sixteen", 16),
        ("seventeen", 17),
        ("eighteen", 18),
        ("nineteen", 19),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
    ];
    let value = |word: &str| WORDS.iter().find(|(name, _)| *name == word);
    if let Some((_, number)) = value(word) {
        return Some(f64::from(*number));
    }
    let (tens, ones) = word.split_once('-')?;
    let (tens, ones) = (value(tens)?.1, value(ones)?.1);
    ((20..=90).contains(&tens) && (1..=9).contains(&ones)).then(|| f64::from(tens + ones))
}

/// Seconds of a duration, or `None` where the text is none or comes to zero.
///
/// `never` is not a duration; callers that allow it ask for it first.
pub fn parse_seconds(text: &str) -> Option<u64> {
    if text.len() > 255 {
        return None;
    }
    let text = text.to_lowercase();
    let seconds = match clock(&text) {
        Some(parts) => parts?,
        None => words(&text)?,
    };
    // Comparing with a range also drops NaN; the upper end is far above any limit.
    (1.0..1e15).contains(&seconds).then_some(seconds as u64)
}

/// `h:m:s`. The outer `None` means that the text is not of this form.
fn clock(text: &str) -> Option<Option<f64>> {
    let text: String = text.split_whitespace().collect();
    if !text.contains(':') {
        return None;
    }
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > CLOCK.len() {
        return Some(None);
    }
    let mut sum = 0.0;
    for (part, unit) in parts.iter().rev().zip(CLOCK) {
        match number(part) {
            Some(value) => sum += value * unit,
            None => return Some(None),
        }
    }
    Some(Some(sum))
}

fn words(text: &str) -> Option<f64> {
    enum Word {
        Number(f64),
        Unit(f64),
    }
    let mut found = Vec::new();
    for word in tokens(text) {
        // A comma joins, and the sign of a number is dropped.
        let word = word.trim_matches(|c| c == ',' || c == '-');
        if word.is_empty() || matches!(word, "and" | "with" | "plus") {
            continue;
        }
        if let Some(value) = number(word).or_else(|| number_word(word)) {
            found.push(Word::Number(value));
        } else {
            found.push(Word::Unit(unit_seconds(word)?));
        }
    }
    // `day` alone is one day.
    let mut sum = match found.first()? {
        Word::Unit(seconds) => *seconds,
        Word::Number(_) => 0.0,
    };
    for (index, word) in found.iter().enumerate() {
        if let Word::Number(value) = word {
            sum += match found.get(index + 1) {
                Some(Word::Unit(seconds)) => value * seconds,
                // A number before a number counts for nothing, the last one is seconds.
                Some(Word::Number(_)) => 0.0,
                None => *value,
            };
        }
    }
    Some(sum)
}

/// Splits at blanks and where a number meets letters: `2h20min`.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(|word| {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut numeric: Option<bool> = None;
        for (index, c) in word.char_indices() {
            let is_numeric = c.is_ascii_digit() || c == '.';
            if numeric.is_some_and(|was| was != is_numeric) {
                parts.push(&word[start..index]);
                start = index;
            }
            numeric = Some(is_numeric);
        }
        parts.push(&word[start..]);
        parts
    })
}

/// A number without sign or exponent: `5`, `1.5`, `.5`.
fn number(text: &str) -> Option<f64> {
    let plain = text.ends_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;

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
            ("-1 day", Some(86_400)),
            ("1 yr", Some(31_557_600)),
            ("1 month", Some(2_592_000)),
            ("day", Some(86_400)),
            ("1,5h", Some(18_000)),
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
