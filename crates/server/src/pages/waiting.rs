//! Why a job is not running, in one sentence with what to do about it.

use shipway_pipeline::Status;
use shipway_pipeline::{Candidate, Wanted, why_stuck};

use super::when;

/// What the sentence depends on.
#[derive(Debug, Clone)]
pub(super) struct Waits<'a> {
    /// Where the job stands.
    pub(super) status: Status,
    /// `when` of its configuration.
    pub(super) when: &'a str,
    /// The jobs that it needs by name, with where they stand; none for a job that waits for the
    /// stages before its own.
    pub(super) needs: Option<Vec<(&'a str, Option<Status>)>>,
    /// Jobs of earlier stages that are not over, with where they stand.
    pub(super) earlier: Vec<(&'a str, Status)>,
    /// When its delay is over.
    pub(super) scheduled_at: Option<i64>,
    /// What it shares with others, one at a time.
    pub(super) resource_group: Option<&'a str>,
    /// What it asks of a runner.
    pub(super) wanted: Wanted,
}

/// Names that a sentence has at most.
const NAMES: usize = 3;

/// The sentence; none for a job that runs or ran.
pub(super) fn why(waits: &Waits<'_>, runners: &[Candidate], now: i64) -> Option<String> {
    match waits.status {
        Status::Created => Some(created(waits)),
        Status::Pending => Some(pending(waits, runners)),
        Status::WaitingForResource => Some(match waits.resource_group {
            Some(group) => format!("Waits until no other job uses the resource group `{group}`."),
            None => "Waits until another job releases the resource.".to_owned(),
        }),
        Status::Preparing | Status::WaitingForCallback => Some("Is being prepared.".to_owned()),
        Status::Manual => Some("Waits for somebody to play it.".to_owned()),
        Status::Scheduled => Some(match waits.scheduled_at {
            Some(at) if at > now => {
                format!("Starts {} ({}).", when::relative(at, now), when::exact(at))
            }
            _ => "Its delay is over; it starts in a moment.".to_owned(),
        }),
        Status::Skipped => Some(skipped(waits)),
        Status::Running
        | Status::Canceling
        | Status::Success
        | Status::Failed
        | Status::Canceled => None,
    }
}

fn created(waits: &Waits<'_>) -> String {
    let names: Vec<String> = match &waits.needs {
        Some(needs) => (needs.iter())
            .filter(|(_, status)| !status.is_some_and(Status::is_completed))
            .map(|(name, status)| match status {
                Some(status) => format!("`{name}` ({status})"),
                None => format!("`{name}`"),
            })
            .collect(),
        None => (waits.earlier.iter())
            .map(|(name, status)| format!("`{name}` ({status})"))
            .collect(),
    };
    if names.is_empty() {
        return "Waits for its turn.".to_owned();
    }
    format!("Waits for {}.", listed(&names))
}

fn listed(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        1 => format!("{shown} and 1 more job"),
        more => format!("{shown} and {more} more jobs"),
    }
}

fn pending(waits: &Waits<'_>, runners: &[Candidate]) -> String {
    if let Some(stuck) = why_stuck(&waits.wanted, runners) {
        return stuck;
    }
    let able = (runners.iter())
        .filter(|runner| runner.obstacles(&waits.wanted).is_empty())
        .count();
    match able {
        1 => "Waits for a runner: 1 may take it.".to_owned(),
        _ => format!("Waits for a runner: {able} may take it."),
    }
}

fn skipped(waits: &Waits<'_>) -> String {
    let failed: Vec<String> = (waits.needs.iter().flatten())
        .filter(|(_, status)| {
            matches!(
                status,
                Some(Status::Failed | Status::Canceled | Status::Skipped)
            )
        })
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !failed.is_empty() {
        return format!(
            "Did not run: it needs {}, which did not pass.",
            listed(&failed)
        );
    }
    match waits.when {
        "on_failure" => "Did not run: no earlier job failed.".to_owned(),
        _ => "Did not run: an earlier job did not pass.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shipway_pipeline::Reach;

    use super::*;

    fn waits(status: Status) -> Waits<'static> {
        Waits {
            status,
            when: "on_success",
            needs: None,
            earlier: Vec::new(),
            scheduled_at: None,
            resource_group: None,
            wanted: Wanted::default(),
        }
    }

    fn runner(name: &str, tags: &[&str]) -> Candidate {
        Candidate {
            name: name.to_owned(),
            reach: Reach::Instance,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            run_untagged: true,
            protected_only: false,
            paused: false,
            online: true,
        }
    }

    #[test]
    fn one_sentence_for_each_cause() {
        let named = |needs| Waits {
            needs: Some(needs),
            ..waits(Status::Created)
        };
        let table = [
            (waits(Status::Running), None),
            (waits(Status::Success), None),
            (waits(Status::Created), Some("Waits for its turn.")),
            (
                named(vec![
                    ("build", Some(Status::Running)),
                    ("lint", Some(Status::Success)),
                    ("docs", None),
                ]),
                Some("Waits for `build` (running), `docs`."),
            ),
            (
                Waits {
                    earlier: vec![
                        ("a", Status::Running),
                        ("b", Status::Pending),
                        ("c", Status::Created),
                        ("d", Status::Created),
                        ("e", Status::Created),
                    ],
                    ..waits(Status::Created)
                },
                Some("Waits for `a` (running), `b` (pending), `c` (created) and 2 more jobs."),
            ),
            (
                waits(Status::Pending),
                Some("Waits for a runner: 1 may take it."),
            ),
            (
                waits(Status::Manual),
                Some("Waits for somebody to play it."),
            ),
            (
                Waits {
                    scheduled_at: Some(720_000_000),
                    ..waits(Status::Scheduled)
                },
                Some("Starts in 12 minutes (1970-01-01 00:12:00 UTC)."),
            ),
            (
                Waits {
                    resource_group: Some("production"),
                    ..waits(Status::WaitingForResource)
                },
                Some("Waits until no other job uses the resource group `production`."),
            ),
            (
                Waits {
                    needs: Some(vec![("test", Some(Status::Failed))]),
                    ..waits(Status::Skipped)
                },
                Some("Did not run: it needs `test`, which did not pass."),
            ),
            (
                Waits {
                    when: "on_failure",
                    ..waits(Status::Skipped)
                },
                Some("Did not run: no earlier job failed."),
            ),
        ];
        let runners = [runner("ci-1", &[])];
        for (waits, expected) in table {
            assert_eq!(why(&waits, &runners, 0).as_deref(), expected, "{waits:?}");
        }
    }

    #[test]
    fn a_stuck_job_names_the_runner_that_almost_fits() {
        let mut stuck = waits(Status::Pending);
        stuck.wanted.tags = vec!["arm".to_owned()];
        let sentence = why(&stuck, &[runner("ci-1", &["docker"])], 0).unwrap();
        assert!(
            sentence.contains("`ci-1`") && sentence.contains("`arm`"),
            "{sentence}"
        );
        let none = why(&stuck, &[], 0).unwrap();
        assert!(none.contains("no runner"), "{none}");
    }
}
