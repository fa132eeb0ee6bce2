//! Times, durations and sizes as people read them. Times are microseconds since 1970.

use jiff::Timestamp;

use super::html::Html;

const SECOND: i64 = 1_000_000;

/// A duration in microseconds: `0.4 s`, `12 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(micros: i64) -> String {
    let micros = micros.max(0);
    let seconds = micros / SECOND;
    match seconds {
        0..=9 if micros % SECOND != 0 => format!("{}.{} s", seconds, micros % SECOND / 100_000),
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// How long ago, or how long until: one unit is enough.
pub(super) fn relative(at: i64, now: i64) -> String {
    let seconds = (now - at).abs() / SECOND;
    let (count, unit) = match seconds {
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if at > now {
        format!("in {count} {unit}{plural}")
    } else {
        format!("{count} {unit}{plural} ago")
    }
}

/// The exact time in UTC, `2026-05-03 14:05:09 UTC`; nothing for a time out of range.
pub(super) fn exact(at: i64) -> String {
    Timestamp::from_microsecond(at).map_or_else(
        |_| String::new(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// How long ago, with the exact time for who asks.
pub(super) fn time(at: i64, now: i64) -> Html {
    let machine = Timestamp::from_microsecond(at).map_or_else(
        |_| String::new(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    Html::trusted(format!(
        "<time datetime=\"{machine}\" title=\"{}\">{}</time>",
        exact(at),
        relative(at, now)
    ))
}

/// A duration that goes on while somebody looks; without a script it stands still.
pub(super) fn running(started: i64, now: i64) -> Html {
    Html::trusted(format!(
        "<span data-since=\"{}\">{}</span>",
        started / 1000,
        duration(now - started)
    ))
}

/// Bytes: `0 bytes`, `812 bytes`, `1.5 KiB`, `23 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10) / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if tenths < 100 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", tenths / 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let table = [
            (-5, "0 s"),
            (0, "0 s"),
            (430_000, "0.4 s"),
            (9_960_000, "9.9 s"),
            (12_300_000, "12 s"),
            (184 * SECOND, "3 min 4 s"),
            (120 * SECOND, "2 min"),
            (7_500 * SECOND, "2 h 5 min"),
            (273_600 * SECOND, "3 d 4 h"),
        ];
        for (micros, expected) in table {
            assert_eq!(duration(micros), expected, "{micros}");
        }
    }

    #[test]
    fn times_are_told_from_now() {
        let now = 1_700_000_000 * SECOND;
        let table = [
            (0, "just now"),
            (-30, "30 seconds ago"),
            (-60, "1 minute ago"),
            (-7200, "2 hours ago"),
            (90_000, "in 1 day"),
            (-40 * 86_400, "1 month ago"),
            (-800 * 86_400, "2 years ago"),
        ];
        for (seconds, expected) in table {
            assert_eq!(relative(now + seconds * SECOND, now), expected, "{seconds}");
        }
        let markup = time(now, now);
        assert_eq!(
            markup.as_str(),
            "<time datetime=\"2023-11-14T22:13:20Z\" title=\"2023-11-14 22:13:20 UTC\">just now</time>"
        );
        assert_eq!(exact(i64::MAX), "");
    }

    #[test]
    fn sizes_are_short() {
        let table = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (812, "812 bytes"),
            (1536, "1.5 KiB"),
            (23 * 1024 * 1024, "23 MiB"),
            (u64::MAX, "1677721 TiB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(size(bytes), expected);
        }
    }
}
