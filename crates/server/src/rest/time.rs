//! Times as GitLab writes them.

use jiff::Timestamp;

/// `2026-01-02T03:04:05.678Z`, of microseconds since 1970.
pub(super) fn iso(at: i64) -> String {
    let time = Timestamp::from_microsecond(at).unwrap_or_default();
    format!("{time:.3}")
}

/// Microseconds as seconds.
pub(super) fn seconds(from: i64, to: i64) -> f64 {
    let micros = to.saturating_sub(from).max(0);
    // Exact up to 285 years.
    #[expect(clippy::cast_precision_loss, reason = "a job does not take 285 years")]
    let seconds = micros as f64 / 1e6;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(iso(1_767_323_045_678_901), "2026-01-02T03:04:05.678Z");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert!((seconds(1_000_000, 2_500_000) - 1.5).abs() < f64::EPSILON);
        assert!(seconds(5, 1) < f64::EPSILON);
    }
}
