//! What a job of a running or past pipeline waits for, or why it was skipped.

use serde::Serialize;
use shipway_config::When;

use crate::{JobIndex, State, Status};

/// Why a job has the status that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its status.
    pub status: Status,
    /// What that means, in a sentence.
    pub meaning: String,
    /// The jobs that this comes from.
    pub because: Vec<Blocker>,
}

/// A job that others wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Its name.
    pub job: String,
    /// Its status.
    pub status: Status,
}

/// Why a job of a state waits or was skipped; an empty `because` where nothing else is to blame.
pub fn waiting(state: &State, job: JobIndex) -> Waiting {
    let one = &state.jobs[job];
    let before = |other: &&crate::JobState| match &one.needs {
        Some(needs) => needs.contains(&other.name),
        None => other.stage < one.stage,
    };
    let name = |other: &crate::JobState| Blocker {
        job: other.name.clone(),
        status: other.status,
    };
    let earlier = || state.jobs.iter().filter(before);
    let (meaning, because): (&str, Vec<Blocker>) = match one.status {
        Status::Created => {
            let open = earlier().filter(|other| !other.status.is_completed());
            let by = if one.needs.is_some() {
                "it waits for jobs that it needs"
            } else {
                "it waits for jobs of earlier stages"
            };
            (by, open.map(name).collect())
        }
        Status::WaitingForResource => {
            let holds = |other: &&crate::JobState| {
                other.resource_group == one.resource_group
                    && (other.status == Status::Pending || other.status.is_executing())
            };
            let holders = state.jobs.iter().filter(holds);
            (
                "another job of its resource group has the resource",
                holders.map(name).collect(),
            )
        }
        Status::Skipped => {
            let counts = |other: &&crate::JobState| {
                let overlooked = other.allow_failure == shipway_config::AllowFailure::Always(true);
                match other.status {
                    Status::Failed | Status::Canceled => !overlooked,
                    Status::Skipped | Status::Manual => one.needs.is_some(),
                    _ => false,
                }
            };
            match one.when {
                When::OnFailure => (
                    "it runs only after a failure, and nothing failed",
                    Vec::new(),
                ),
                _ => (
                    "what comes before it did not succeed",
                    earlier().filter(counts).map(name).collect(),
                ),
            }
        }
        Status::Pending => ("it is in the queue and waits for a runner", Vec::new()),
        Status::Manual => ("it waits for a person to play it", Vec::new()),
        Status::Scheduled => ("its delay is not over", Vec::new()),
        Status::Running => ("a runner works on it", Vec::new()),
        Status::Canceling => ("it is being cancelled", Vec::new()),
        Status::Preparing | Status::WaitingForCallback => {
            ("what it runs on is being made ready", Vec::new())
        }
        Status::Success => ("it ran and succeeded", Vec::new()),
        Status::Failed => ("it ran and failed", Vec::new()),
        Status::Canceled => ("it was cancelled", Vec::new()),
    };
    Waiting {
        status: one.status,
        meaning: meaning.to_owned(),
        because,
    }
}
