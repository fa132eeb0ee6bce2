//! Whether a failed job gets another attempt by itself (language inventory, 5.7).

use shipway_config::Retry;

/// Reasons that no configuration can make retryable: another attempt would fail the same way.
const NEVER: [&str; 6] = [
    "ci_quota_exceeded",
    "no_matching_runner",
    "missing_dependency_failure",
    "forward_deployment_failure",
    "failed_outdated_deployment_job",
    "environment_creation_failure",
];

/// The two umbrella names that GitLab 19.1 split up.
const ALIASES: [(&str, &[&str]); 2] = [
    (
        "stuck_or_timeout_failure",
        &[
            "stuck_pending_with_matching_runners",
            "stuck_pending_no_matching_runners",
            "no_updates_running",
            "no_updates_canceling",
        ],
    ),
    (
        "job_execution_timeout",
        &["server_timeout_running", "server_timeout_canceling"],
    ),
];

/// Attempts a failure of GitLab's own scheduler gets without being asked for.
const SCHEDULER_RETRIES: u32 = 2;

/// Whether a job that failed for `reason` with `exit_code` is tried again, given that it was
/// already retried `retries` times.
pub fn retries_again(
    retry: Option<&Retry>,
    reason: &str,
    exit_code: Option<i32>,
    retries: u32,
) -> bool {
    if NEVER.contains(&reason) {
        return false;
    }
    let configured = retry.filter(|retry| covers(retry, reason, exit_code));
    let max = match configured {
        Some(retry) => u32::from(retry.max),
        None if reason == "scheduler_failure" => SCHEDULER_RETRIES,
        None => 0,
    };
    retries < max
}

/// With both `when` and `exit_codes` either is enough; `exit_codes` alone drops the
/// implicit `when: always`.
fn covers(retry: &Retry, reason: &str, exit_code: Option<i32>) -> bool {
    let by_code = exit_code.is_some_and(|code| retry.exit_codes.contains(&code));
    let by_reason = if retry.when.is_empty() {
        retry.exit_codes.is_empty()
    } else {
        retry.when.iter().any(|when| names(when, reason))
    };
    by_code || by_reason
}

fn names(when: &str, reason: &str) -> bool {
    when == "always"
        || when == reason
        || ALIASES
            .iter()
            .any(|(alias, reasons)| *alias == when && reasons.contains(&reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(max: u8, when: &[&str], exit_codes: &[i32]) -> Retry {
        Retry {
            max,
            when: when.iter().map(ToString::to_string).collect(),
            exit_codes: exit_codes.to_vec(),
        }
    }

    #[test]
    fn a_failure_is_retried_as_configured() {
        let always = retry(2, &[], &[]);
        let script = retry(1, &["script_failure"], &[]);
        let codes = retry(1, &[], &[137]);
        let both = retry(1, &["runner_system_failure"], &[3]);
        let stuck = retry(2, &["stuck_or_timeout_failure"], &[]);
        let table = [
            (None, "script_failure", Some(1), 0, false),
            (Some(&always), "script_failure", Some(1), 0, true),
            (Some(&always), "script_failure", Some(1), 1, true),
            (Some(&always), "script_failure", Some(1), 2, false),
            (Some(&script), "script_failure", Some(1), 0, true),
            (Some(&script), "runner_system_failure", None, 0, false),
            (Some(&codes), "script_failure", Some(137), 0, true),
            (Some(&codes), "script_failure", Some(1), 0, false),
            (Some(&both), "script_failure", Some(3), 0, true),
            (Some(&both), "runner_system_failure", None, 0, true),
            (Some(&both), "script_failure", Some(1), 0, false),
            (Some(&stuck), "no_updates_running", None, 1, true),
            (Some(&stuck), "script_failure", Some(1), 0, false),
            (Some(&always), "no_matching_runner", None, 0, false),
            (None, "scheduler_failure", None, 1, true),
            (None, "scheduler_failure", None, 2, false),
        ];
        for (retry, reason, code, retries, expected) in table {
            assert_eq!(
                retries_again(retry, reason, code, retries),
                expected,
                "{reason} with code {code:?} after {retries} retries of {retry:?}"
            );
        }
    }
}
