//! The status of a set of jobs: a stage, a pipeline, or all that comes before a job.
//!
//! Source: GitLab's composite status (language inventory, 5.3). Only *which* statuses occur
//! matters, never how many, so a set is a few bits and sets of stages can be united.

use crate::Status;

/// Which statuses occur among some jobs, after allowed failures and optional manual jobs
/// were set apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusSet(u16);

const WARNINGS: u16 = 1 << 13;
const IGNORED: u16 = 1 << 14;

const fn bit(status: Status) -> u16 {
    1 << status as u16
}

const SUCCESS: u16 = bit(Status::Success);
const SKIPPED: u16 = bit(Status::Skipped);
const CANCELED: u16 = bit(Status::Canceled);
const CREATED: u16 = bit(Status::Created);

/// What each result may consist of, tried in order; then what makes it by its mere presence.
const ONLY: [(u16, Status); 6] = [
    (SKIPPED | IGNORED, Status::Skipped),
    (SUCCESS | SKIPPED | WARNINGS | IGNORED, Status::Success),
    (CREATED | WARNINGS | IGNORED, Status::Created),
    (
        bit(Status::Preparing) | WARNINGS | IGNORED,
        Status::Preparing,
    ),
    (
        CANCELED | SUCCESS | SKIPPED | WARNINGS | IGNORED,
        Status::Canceled,
    ),
    (
        bit(Status::Pending) | CREATED | SKIPPED | WARNINGS | IGNORED,
        Status::Pending,
    ),
];
const ANY: [(u16, Status); 8] = [
    (bit(Status::Running) | bit(Status::Pending), Status::Running),
    (bit(Status::WaitingForResource), Status::WaitingForResource),
    (bit(Status::WaitingForCallback), Status::WaitingForCallback),
    (bit(Status::Manual), Status::Manual),
    (bit(Status::Scheduled), Status::Scheduled),
    (bit(Status::Preparing), Status::Preparing),
    (CREATED, Status::Running),
    (bit(Status::Canceling), Status::Canceling),
];

impl StatusSet {
    /// Adds a job.
    pub fn insert(&mut self, status: Status, allow_failure: bool) {
        self.0 |= match status {
            Status::Failed | Status::Canceled if allow_failure => WARNINGS,
            Status::Manual if allow_failure => IGNORED,
            status => bit(status),
        };
    }

    /// All jobs of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no job is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some job failed or was cancelled and is allowed to.
    pub fn has_warnings(self) -> bool {
        self.0 & WARNINGS != 0
    }

    /// The status of the set; `None` when it is empty.
    pub fn status(self) -> Option<Status> {
        if self.is_empty() {
            return None;
        }
        let only = |allowed: u16| self.0 & !allowed == 0;
        let found = ONLY
            .into_iter()
            .find(|(allowed, _)| only(*allowed))
            .or_else(|| ANY.into_iter().find(|(wanted, _)| self.0 & wanted != 0));
        Some(found.map_or(Status::Failed, |(_, status)| status))
    }

    /// The status of the jobs another job `needs`: stricter than [`Self::status`], because a
    /// needed job that was skipped, or waits unplayed for a person, has not delivered, and
    /// because one unfinished job is enough to wait.
    pub fn needs_status(self) -> Option<Status> {
        if self.0 & (SKIPPED | IGNORED) != 0 {
            return Some(Status::Skipped);
        }
        let finished = SUCCESS | bit(Status::Failed) | CANCELED | WARNINGS;
        if self.0 & !finished != 0 {
            return Some(Status::Pending);
        }
        self.status()
    }
}

impl FromIterator<(Status, bool)> for StatusSet {
    fn from_iter<I: IntoIterator<Item = (Status, bool)>>(jobs: I) -> Self {
        let mut set = Self::default();
        for (status, allow_failure) in jobs {
            set.insert(status, allow_failure);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `failed?` is a job that may fail.
    fn set(words: &str) -> StatusSet {
        words
            .split_whitespace()
            .map(|word| {
                let name = word.trim_end_matches('?');
                (name.parse().unwrap(), word.ends_with('?'))
            })
            .collect()
    }

    #[test]
    fn status_of_a_set_of_jobs() {
        let table = [
            ("success failed", "failed"),
            ("success failed?", "success"),
            ("failed manual", "manual"),
            ("manual?", "skipped"),
            ("success manual?", "success"),
            ("success created", "running"),
            ("created", "created"),
            ("created failed?", "created"),
            ("success canceled", "canceled"),
            ("failed canceled", "failed"),
            ("failed skipped", "failed"),
            ("success pending", "running"),
            ("skipped pending", "pending"),
            ("created pending", "pending"),
            ("canceled? success", "success"),
            ("running canceling", "running"),
            ("canceled canceling", "canceling"),
            ("success scheduled", "scheduled"),
            ("failed scheduled", "scheduled"),
            ("preparing", "preparing"),
            ("preparing success", "preparing"),
            ("waiting_for_resource created", "waiting_for_resource"),
            ("waiting_for_callback success", "waiting_for_callback"),
            ("skipped skipped", "skipped"),
            ("success skipped", "success"),
        ];
        for (jobs, expected) in table {
            let status = set(jobs).status().unwrap();
            assert_eq!(status.as_str(), expected, "of {jobs}");
        }
        assert_eq!(set("").status(), None);
    }

    #[test]
    fn status_of_needed_jobs() {
        let table = [
            ("success", "success"),
            ("success failed?", "success"),
            ("success skipped", "skipped"),
            ("manual?", "skipped"),
            ("manual", "pending"),
            ("success running", "pending"),
            ("failed running", "pending"),
            ("success created", "pending"),
            ("success canceled", "canceled"),
            ("success failed", "failed"),
        ];
        for (jobs, expected) in table {
            let status = set(jobs).needs_status().unwrap();
            assert_eq!(status.as_str(), expected, "of {jobs}");
        }
        assert_eq!(set("").needs_status(), None);
    }

    #[test]
    fn warnings_are_seen() {
        assert!(set("success failed?").has_warnings());
        assert!(!set("success failed").has_warnings());
    }
}
