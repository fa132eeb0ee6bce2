//! The time, as rows have it.

/// A second in microseconds.
pub(crate) const SECOND: i64 = 1_000_000;

/// Microseconds since 1970 in UTC.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
