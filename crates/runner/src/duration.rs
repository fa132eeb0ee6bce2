//! Durations in Go's notation, such as `1h15m` and `1.5s`: runner variables use it and
//! runner messages print it.

use std::time::Duration;

/// A duration read from text; variables may hold negative ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoDuration {
    /// Zero or more.
    Positive(Duration),
    /// Less than zero.
    Negative,
}

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `[+-](number unit)+` or `0`; `None` for anything else or more than Go's 292 years.
pub(crate) fn parse(text: &str) -> Option<GoDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(GoDuration::Positive(Duration::ZERO));
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let number_end =
            rest.find(|character: char| !(character.is_ascii_digit() || character == '.'))?;
        let number = &rest[..number_end];
        rest = &rest[number_end..];
        let unit_end = rest
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(rest.len());
        let (_, scale) = UNITS.iter().find(|(unit, _)| *unit == &rest[..unit_end])?;
        nanoseconds = nanoseconds.checked_add(scaled(number, *scale)?)?;
        rest = &rest[unit_end..];
    }
    if nanoseconds > i64::MAX as u128 {
        return None;
    }
    if negative && nanoseconds > 0 {
        return Some(GoDuration::Negative);
    }
    Some(GoDuration::Positive(Duration::from_nanos(
        nanoseconds as u64,
    )))
}

/// `number`, which may have a fraction, times `scale` nanoseconds, rounded down.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = whole.checked_mul(scale)?;
    // More than 18 digits after the point are below a nanosecond for every unit.
    let fraction = &fraction[..fraction.len().min(18)];
    if !fraction.is_empty() {
        let value: u128 = fraction.parse().ok()?;
        total += value * scale / 10_u128.pow(fraction.len() as u32);
    }
    Some(total)
}

/// Writes a duration of seconds as Go does: `1h0m0s`, `2m5s`, `1.5s`, `250ms`.
pub(crate) fn format(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let nanoseconds = duration.subsec_nanos();
    let seconds = duration.as_secs();
    if seconds == 0 {
        let (value, unit) = match nanoseconds {
            1_000_000.. => (f64::from(nanoseconds) / 1e6, "ms"),
            1_000.. => (f64::from(nanoseconds) / 1e3, "µs"),
            _ => (f64::from(nanoseconds), "ns"),
        };
        return format!("{value}{unit}");
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        text += &format!("{minutes}m");
    }
    let fraction = format!("{nanoseconds:09}");
    let fraction = fraction.trim_end_matches('0');
    text += &(seconds % 60).to_string();
    if !fraction.is_empty() {
        text += &format!(".{fraction}");
    }
    text + "s"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_go_reads_it() {
        let seconds = |seconds: f64| Some(GoDuration::Positive(Duration::from_secs_f64(seconds)));
        for (text, expected) in [
            ("0", seconds(0.0)),
            ("5m", seconds(300.0)),
            ("1h15m30s", seconds(4530.0)),
            ("1.5s", seconds(1.5)),
            (".5s", seconds(0.5)),
            ("5.s", seconds(5.0)),
            ("+2s", seconds(2.0)),
            ("250ms", seconds(0.25)),
            ("-1m", Some(GoDuration::Negative)),
            ("-0", seconds(0.0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5 m", None),
            ("1d", None),
            ("1..5s", None),
            (".s", None),
            ("-", None),
            ("99999999999h", None),
            ("1m2", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (250, "250ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (125_000, "2m5s"),
            (3_600_000, "1h0m0s"),
            (7_384_000, "2h3m4s"),
        ] {
            assert_eq!(format(Duration::from_millis(milliseconds)), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            proptest::prop_assert_eq!(
                parse(&format(duration)),
                Some(GoDuration::Positive(duration))
            );
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.hmsuµ]{0,24}") {
            parse(&text);
        }
    }
}
