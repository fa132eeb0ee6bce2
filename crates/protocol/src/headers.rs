//! Header names and the two ranges of the trace calls.
//!
//! Source: GitLab's `PATCH /api/v4/jobs/:id/trace`. Neither range is the one of RFC 9110:
//! there is no unit, and the answer's second number is a size.

use std::fmt;
use std::str::FromStr;

/// The job token of job calls.
pub const JOB_TOKEN: &str = "JOB-TOKEN";
/// The runner authentication token of runner calls; the body's `token` wins.
pub const RUNNER_TOKEN: &str = "RUNNER-TOKEN";
/// A person's access token.
pub const PRIVATE_TOKEN: &str = "PRIVATE-TOKEN";
/// The job's status after a call, such as `canceling`.
pub const JOB_STATUS: &str = "Job-Status";
/// The state of the queue in which nothing was found for the runner.
pub const LAST_UPDATE: &str = "X-GitLab-Last-Update";
/// Seconds until the next piece of log is wanted.
pub const TRACE_UPDATE_INTERVAL: &str = "X-GitLab-Trace-Update-Interval";

/// `Content-Range` of a piece of log: `<first>-<last>`, both counted from 0, the last one
/// included. Coordinators use only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Where the piece starts.
    pub first: u64,
    /// Its last byte.
    pub last: u64,
}

impl ContentRange {
    /// The range of `length` bytes from `first`; `length` is at least 1.
    pub fn of(first: u64, length: u64) -> Self {
        let last = first + length.saturating_sub(1);
        Self { first, last }
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

/// A `Content-Range` without numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRange;

impl fmt::Display for BadRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a range is two numbers joined by `-`, such as 0-99")
    }
}

impl std::error::Error for BadRange {}

impl FromStr for ContentRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let (first, last) = text.split_once('-').ok_or(BadRange)?;
        let number = |text: &str| text.trim().parse().map_err(|_| BadRange);
        Ok(Self {
            first: number(first)?,
            last: number(last)?,
        })
    }
}

/// `Range` of the answer to a piece of log: what is stored.
pub fn stored_range(stored: u64) -> String {
    format!("0-{stored}")
}

/// The stored size in such a `Range`; 0 when there is none, as runners read it.
pub fn stored_size(range: Option<&str>) -> u64 {
    range
        .and_then(|range| range.rsplit_once('-'))
        .and_then(|(_, stored)| stored.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_and_read() {
        assert_eq!(ContentRange::of(0, 100).to_string(), "0-99");
        assert_eq!("5-9".parse(), Ok(ContentRange::of(5, 5)));
        for wrong in ["", "5", "a-b", "-1", "bytes 0-9/*"] {
            assert_eq!(wrong.parse::<ContentRange>(), Err(BadRange), "{wrong:?}");
        }
        for (range, stored) in [
            (Some("0-50"), 50),
            (Some("0-x"), 0),
            (Some("50"), 0),
            (None, 0),
        ] {
            assert_eq!(stored_size(range), stored, "{range:?}");
        }
        assert_eq!(stored_size(Some(&stored_range(7))), 7);
    }
}
