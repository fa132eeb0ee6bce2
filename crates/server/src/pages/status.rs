//! Statuses as people read them: a picture, a word and a colour.

use shipway_pipeline::Status;

use super::html::Html;
use super::icon::icon;

/// How a status is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Its name in style sheets.
    pub(super) class: &'static str,
    /// The name of its picture.
    pub(super) icon: &'static str,
    /// The word beside the picture.
    pub(super) word: &'static str,
}

/// The look of a status; `overlooked` is a failure that does not count.
pub(super) fn look(status: Status, overlooked: bool) -> Look {
    let (class, icon, word) = match status {
        Status::Success => ("success", "success", "Passed"),
        Status::Failed if overlooked => ("warning", "warning", "Failed, allowed"),
        Status::Failed => ("failed", "failed", "Failed"),
        Status::Running => ("running", "running", "Running"),
        Status::Pending => ("pending", "pending", "Pending"),
        Status::Created => ("created", "created", "Created"),
        Status::WaitingForResource => ("created", "lock", "Waiting for resource"),
        Status::WaitingForCallback => ("created", "preparing", "Waiting for callback"),
        Status::Preparing => ("created", "preparing", "Preparing"),
        Status::Manual => ("manual", "manual", "Manual"),
        Status::Scheduled => ("created", "scheduled", "Delayed"),
        Status::Canceling => ("canceled", "canceled", "Canceling"),
        Status::Canceled => ("canceled", "canceled", "Canceled"),
        Status::Skipped => ("canceled", "skipped", "Skipped"),
    };
    Look { class, icon, word }
}

/// Picture and word.
pub(super) fn badge(status: Status, overlooked: bool) -> Html {
    let Look {
        class,
        icon: name,
        word,
    } = look(status, overlooked);
    let picture = icon(name);
    Html::trusted(format!(
        "<span class=\"status {class}\">{picture}<span>{word}</span></span>"
    ))
}

/// The picture alone, where the word would repeat itself; readers of the text hear the word.
pub(super) fn dot(status: Status, overlooked: bool) -> Html {
    let Look {
        class,
        icon: name,
        word,
    } = look(status, overlooked);
    let picture = icon(name);
    Html::trusted(format!(
        "<span class=\"status dot {class}\" title=\"{word}\">{picture}<span class=\"unseen\">{word}</span></span>"
    ))
}

/// A coverage: two decimals, as everywhere in GitLab.
pub(super) fn percent(coverage: f64) -> String {
    format!("{coverage:.2}%")
}

/// A sentence for the reason of a failure, by GitLab's name; what to do where that is known.
pub(super) fn failure(reason: Option<&str>, exit_code: Option<i64>) -> String {
    let text = match reason {
        Some("script_failure") | None => {
            return match exit_code {
                Some(code) => format!("The script ended with exit code {code}."),
                None => "The script failed.".to_owned(),
            };
        }
        Some("job_execution_timeout") => {
            "It took longer than its timeout. Raise `timeout` in the configuration or in the project's settings, or make the job shorter."
        }
        Some("stuck_or_timeout_failure") => {
            "No runner took it, or its runner fell silent for too long. Look at the runners, then retry."
        }
        Some("runner_system_failure") => {
            "The runner could not prepare or finish the job. Its own message is at the end of the log."
        }
        Some("runner_unsupported") => {
            "The runner is too old for a feature that the job uses. Update the runner."
        }
        Some("runner_interrupted") => "The runner was stopped while it worked. Retry the job.",
        Some("missing_dependency_failure") => {
            "Artifacts of an earlier job are gone, expired or erased. Retry that job first."
        }
        Some("image_pull_failure") => {
            "The image could not be pulled. Check its name and the credentials of its registry."
        }
        Some("api_failure") => "The runner and the server misunderstood each other. Retry the job.",
        Some("scheduler_failure") => "It could not be given to a runner. Retry the job.",
        Some("data_integrity_failure") => "Its data is damaged on the server. Run a new pipeline.",
        Some("archived_failure") => "The job is too old to run again.",
        Some("unmet_prerequisites") => "Something it depends on could not be prepared.",
        Some("ci_quota_exceeded") => "The quota of minutes is used up.",
        Some("no_matching_runner") => "No runner may take it. Look at its tags and at the runners.",
        Some("trace_size_exceeded") => "Its log became longer than the limit. Print less.",
        Some("forward_deployment_failure" | "failed_outdated_deployment_job") => {
            "A newer deployment to this environment was there first."
        }
        Some("deployment_rejected") => "The deployment was rejected.",
        Some("environment_creation_failure") => {
            "Its environment could not be created. Check `environment: name`."
        }
        Some(other) => {
            return format!("The reason is `{other}`.");
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_picture_and_a_word() {
        for status in Status::ALL {
            let markup = badge(status, false);
            assert!(markup.as_str().contains("<svg"), "{status}");
            assert!(!look(status, false).word.is_empty(), "{status}");
        }
        assert_eq!(look(Status::Failed, true).class, "warning");
        assert_eq!(look(Status::Success, true).class, "success");
    }

    #[test]
    fn reasons_are_sentences() {
        let table = [
            (None, Some(2), "The script ended with exit code 2."),
            (Some("script_failure"), None, "The script failed."),
            (
                Some("of_the_future"),
                None,
                "The reason is `of_the_future`.",
            ),
        ];
        for (reason, code, expected) in table {
            assert_eq!(failure(reason, code), expected);
        }
        assert!(failure(Some("job_execution_timeout"), None).contains("`timeout`"));
    }
}
