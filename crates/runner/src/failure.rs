//! Why a job failed, and what that means for its state, its reason and its last line.

use std::time::Duration;

use shipway_protocol::{FailureReason, JobState};

use crate::duration;

/// How a job ended, as reported to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOutcome {
    /// `success` or `failed`; the runner knows no `allow_failure` and no `canceled`.
    pub state: JobState,
    /// Only with `failed`.
    pub failure_reason: Option<FailureReason>,
    /// The exit code of the script, or of a stage of the runner's own that failed.
    pub exit_code: Option<i32>,
    /// Whether it ended because it was asked to.
    pub canceled: bool,
}

/// What made a job fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A command of the job ended with this code.
    Exit(i32),
    /// A stage of the runner's own failed: sources, artifacts; its error is in the log.
    Helper,
    /// The job's time was up.
    JobTimeout,
    /// The script's time was up.
    ScriptTimeout,
    /// A graceful stop was asked for.
    Canceled,
    /// An immediate stop was asked for.
    Aborted,
    /// Something else than the job failed.
    System {
        /// The failure reason.
        reason: FailureReason,
        /// What, where and why.
        message: String,
    },
}

impl Failure {
    /// A failure of the machine or the runner.
    pub(crate) fn system(error: &dyn std::error::Error) -> Self {
        Self::System {
            reason: FailureReason::RunnerSystemFailure,
            message: with_causes(error),
        }
    }

    /// Whether nothing more of the job may run: no `after_script`, no archives.
    pub(crate) fn halts(&self) -> bool {
        matches!(self, Self::JobTimeout | Self::Aborted)
    }

    /// `CI_JOB_STATUS` in `after_script`.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Canceled | Self::Aborted => "canceled",
            Self::ScriptTimeout | Self::JobTimeout => "timedout",
            _ => "failed",
        }
    }

    /// Whether the script got so far that `after_script` follows.
    pub(crate) fn runs_after_script(&self) -> bool {
        matches!(self, Self::Exit(_) | Self::ScriptTimeout | Self::Canceled)
    }

    /// What the coordinator is told.
    pub(crate) fn outcome(&self) -> JobOutcome {
        let (failure_reason, exit_code) = match self {
            Self::Exit(code) => (FailureReason::ScriptFailure, Some(*code)),
            Self::Helper => (FailureReason::ScriptFailure, Some(1)),
            Self::JobTimeout | Self::ScriptTimeout => (FailureReason::JobExecutionTimeout, None),
            Self::Canceled | Self::Aborted => (FailureReason::UnknownFailure, None),
            Self::System { reason, .. } => (*reason, None),
        };
        JobOutcome {
            state: JobState::Failed,
            failure_reason: Some(failure_reason),
            exit_code,
            canceled: matches!(self, Self::Canceled | Self::Aborted),
        }
    }

    /// The last line of the log, after `ERROR: `.
    pub(crate) fn last_line(&self, job_timeout: Duration) -> String {
        match self {
            Self::Exit(code) => format!("Job failed: exit code {code}"),
            Self::Helper => "Job failed: exit code 1".to_owned(),
            Self::JobTimeout => format!(
                "Job failed: execution took longer than {} seconds",
                duration::format(job_timeout)
            ),
            Self::ScriptTimeout => {
                "Job failed: script timeout: context deadline exceeded".to_owned()
            }
            Self::Canceled | Self::Aborted => "Job failed: canceled".to_owned(),
            Self::System {
                reason: FailureReason::RunnerSystemFailure,
                message,
            } => format!("Job failed (system failure): {message}"),
            Self::System { message, .. } => format!("Job failed: {message}"),
        }
    }
}

impl JobOutcome {
    /// Of a job in which nothing failed.
    pub(crate) fn success() -> Self {
        Self {
            state: JobState::Success,
            failure_reason: None,
            exit_code: None,
            canceled: false,
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Transparent errors repeat their cause's text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_classified_as_gitlab_does() {
        use FailureReason::{
            ImagePullFailure, JobExecutionTimeout, RunnerSystemFailure, ScriptFailure,
            UnknownFailure,
        };
        let system = |reason| Failure::System {
            reason,
            message: "why".into(),
        };
        for (failure, reason, code, status, line) in [
            (
                Failure::Exit(7),
                ScriptFailure,
                Some(7),
                "failed",
                "exit code 7",
            ),
            (
                Failure::Helper,
                ScriptFailure,
                Some(1),
                "failed",
                "exit code 1",
            ),
            (
                Failure::JobTimeout,
                JobExecutionTimeout,
                None,
                "timedout",
                "execution took longer than 1h0m0s seconds",
            ),
            (
                Failure::ScriptTimeout,
                JobExecutionTimeout,
                None,
                "timedout",
                "script timeout: context deadline exceeded",
            ),
            (
                Failure::Canceled,
                UnknownFailure,
                None,
                "canceled",
                "canceled",
            ),
            (
                Failure::Aborted,
                UnknownFailure,
                None,
                "canceled",
                "canceled",
            ),
            (
                system(ImagePullFailure),
                ImagePullFailure,
                None,
                "failed",
                "why",
            ),
        ] {
            let outcome = failure.outcome();
            assert_eq!(outcome.failure_reason, Some(reason));
            assert_eq!(outcome.exit_code, code);
            assert_eq!(outcome.canceled, status == "canceled");
            assert_eq!(failure.status(), status);
            assert_eq!(
                failure.last_line(Duration::from_secs(3600)),
                format!("Job failed: {line}")
            );
        }
        assert_eq!(
            system(RunnerSystemFailure).last_line(Duration::ZERO),
            "Job failed (system failure): why"
        );
    }
}
