//! Resource groups: which of the waiting jobs of all pipelines gets the resource next.

use crate::{JobId, PipelineId, Status};

/// The order in which the jobs of a resource group get its resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessMode {
    /// Any job that waits.
    #[default]
    Unordered,
    /// The oldest pipeline first; those that are not yet so far are waited for.
    OldestFirst,
    /// The newest pipeline first; those that are not yet so far are waited for.
    NewestFirst,
    /// The newest pipeline of those that wait.
    NewestReadyFirst,
}

impl ProcessMode {
    /// Every mode with its name in the API.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Unordered, "unordered"),
        (Self::OldestFirst, "oldest_first"),
        (Self::NewestFirst, "newest_first"),
        (Self::NewestReadyFirst, "newest_ready_first"),
    ];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(mode, _)| *mode == self);
        found.map_or("unordered", |(_, name)| name)
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(mode, _)| *mode)
    }
}

/// An unfinished job of a resource group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    /// Its pipeline; later ones have higher numbers.
    pub pipeline: PipelineId,
    /// The job.
    pub job: JobId,
    /// Where it stands.
    pub status: Status,
}

/// The job that gets the resource now; `None` while another has it, while nobody waits, and
/// while the one whose turn it is is not yet so far (language inventory, 5.9).
pub fn next_in_group(mode: ProcessMode, jobs: &[Claimant]) -> Option<JobId> {
    let holds = |job: &Claimant| {
        matches!(
            job.status,
            Status::Preparing | Status::Pending | Status::Running | Status::Canceling
        )
    };
    if jobs.iter().any(holds) {
        return None;
    }
    let is_waiting = |job: &&Claimant| job.status == Status::WaitingForResource;
    let upcoming = |job: &&Claimant| is_waiting(job) || job.status == Status::Created;
    // Of the jobs of one pipeline those that wait come first.
    let rank = |job: &&Claimant| (!is_waiting(job), job.job);
    let jobs = jobs.iter();
    let next = match mode {
        ProcessMode::Unordered => jobs.filter(is_waiting).min_by_key(|job| job.job),
        ProcessMode::OldestFirst => jobs
            .filter(upcoming)
            .min_by_key(|job| (job.pipeline, rank(job))),
        ProcessMode::NewestFirst => jobs
            .filter(upcoming)
            .min_by_key(|job| (std::cmp::Reverse(job.pipeline), rank(job))),
        ProcessMode::NewestReadyFirst => jobs
            .filter(is_waiting)
            .min_by_key(|job| (std::cmp::Reverse(job.pipeline), job.job)),
    };
    next.filter(is_waiting).map(|job| job.job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_its_order() {
        use ProcessMode::{NewestFirst, NewestReadyFirst, OldestFirst, Unordered};
        use Status::{Canceling, Created, Manual, Pending, Running, WaitingForResource};
        let waits = WaitingForResource;
        // Jobs as (pipeline, job, status); then who is next in each mode.
        type Row<'a> = (&'a [(i64, i64, Status)], [Option<i64>; 4]);
        let table: [Row<'_>; 8] = [
            (&[], [None; 4]),
            (&[(1, 1, waits)], [Some(1); 4]),
            (&[(1, 1, Running), (2, 2, waits)], [None; 4]),
            (&[(1, 1, Pending), (2, 2, waits)], [None; 4]),
            (&[(1, 1, Canceling), (2, 2, waits)], [None; 4]),
            (
                &[
                    (1, 1, Created),
                    (2, 2, waits),
                    (3, 3, waits),
                    (4, 4, Created),
                ],
                [Some(2), None, None, Some(3)],
            ),
            (
                &[(1, 1, waits), (2, 2, waits), (3, 3, Manual)],
                [Some(1), Some(1), Some(2), Some(2)],
            ),
            // Within a pipeline the one that waits does not wait for a later one.
            (
                &[(1, 1, Created), (1, 2, waits)],
                [Some(2), Some(2), Some(2), Some(2)],
            ),
        ];
        for (jobs, expected) in table {
            let claimants: Vec<Claimant> = (jobs.iter())
                .map(|(pipeline, job, status)| Claimant {
                    pipeline: PipelineId(*pipeline),
                    job: JobId(*job),
                    status: *status,
                })
                .collect();
            let modes = [Unordered, OldestFirst, NewestFirst, NewestReadyFirst];
            for (mode, expected) in modes.into_iter().zip(expected) {
                let found = next_in_group(mode, &claimants);
                assert_eq!(found, expected.map(JobId), "{mode:?} {jobs:?}");
            }
        }
    }

    #[test]
    fn modes_read_back_from_their_names() {
        for (mode, name) in ProcessMode::ALL {
            assert_eq!(mode.as_str(), name);
            assert_eq!(ProcessMode::from_name(name), Some(mode));
        }
        assert_eq!(ProcessMode::from_name("random"), None);
    }
}
