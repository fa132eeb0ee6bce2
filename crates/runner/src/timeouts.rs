//! The time limits of a job's stages.

use std::time::Duration;

use crate::duration::{self, GoDuration};

/// A coordinator that sends no limit means this one.
const DEFAULT_JOB_TIMEOUT: Duration = Duration::from_secs(7200);
/// Of `after_script`, where `RUNNER_AFTER_SCRIPT_TIMEOUT` says nothing.
pub(crate) const AFTER_SCRIPT_TIMEOUT: Duration = Duration::from_secs(300);

/// The job's limit from the payload's seconds.
pub(crate) fn job_timeout(seconds: i64) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        _ => DEFAULT_JOB_TIMEOUT,
    }
}

/// A stage's limit from the value of variable `name`, and a warning where the value could
/// not be used. `remaining` is what is left of the job's time; `default` applies when the
/// variable is empty, zero or unusable, `None` being no limit of its own.
pub(crate) fn stage_timeout(
    name: &str,
    value: &str,
    default: Option<Duration>,
    remaining: Duration,
) -> (Option<Duration>, Option<String>) {
    if value.is_empty() {
        return (default, None);
    }
    match duration::parse(value) {
        None => (
            default,
            Some(format!("Ignoring malformed {name} timeout: {value}")),
        ),
        Some(GoDuration::Negative) => (
            default,
            Some(format!("Ignoring relative {name} timeout: {value}")),
        ),
        Some(GoDuration::Positive(Duration::ZERO)) => (default, None),
        Some(GoDuration::Positive(limit)) if limit > remaining => (
            Some(remaining),
            Some(format!(
                "{name} timeout: {} is longer than job timeout. Setting to job timeout",
                duration::format(limit)
            )),
        ),
        Some(GoDuration::Positive(limit)) => (Some(limit), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_timeout_is_checked() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected, warning) in [
            ("", seconds(300), None),
            ("0", seconds(300), None),
            ("10s", seconds(10), None),
            (
                "ten",
                seconds(300),
                Some("Ignoring malformed T timeout: ten"),
            ),
            (
                "-5m",
                seconds(300),
                Some("Ignoring relative T timeout: -5m"),
            ),
            (
                "2h",
                seconds(3600),
                Some("T timeout: 2h0m0s is longer than job timeout. Setting to job timeout"),
            ),
        ] {
            let (limit, text) = stage_timeout("T", value, seconds(300), Duration::from_secs(3600));
            assert_eq!((limit, text.as_deref()), (expected, warning), "{value:?}");
        }
    }

    #[test]
    fn a_job_without_limit_gets_the_default() {
        assert_eq!(job_timeout(60), Duration::from_secs(60));
        assert_eq!(job_timeout(0), DEFAULT_JOB_TIMEOUT);
        assert_eq!(job_timeout(-1), DEFAULT_JOB_TIMEOUT);
    }
}
