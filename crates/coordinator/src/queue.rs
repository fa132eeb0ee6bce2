//! The pending jobs of all projects, in memory: which job a runner gets next.
//!
//! Jobs that the same runners may take are kept together, so that finding one costs by the
//! number of different wishes and not by the number of jobs. The store has the truth; whoever
//! takes a job from here still has to claim it there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use shipway_pipeline::{Candidate, JobId, PipelineId, Reach, Wanted};

/// A job that waits for a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) job: JobId,
    pub(crate) pipeline: PipelineId,
    pub(crate) wanted: Arc<Wanted>,
}

/// Jobs of each project that are at work on runners of the instance.
pub(crate) type Busy = HashMap<i64, i64>;

/// The pending jobs.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    groups: HashMap<Arc<Wanted>, BTreeMap<JobId, PipelineId>>,
    places: HashMap<JobId, Arc<Wanted>>,
}

impl Queue {
    /// Adds a job, or notes that it asks for something else now; `false` when nothing is new.
    pub(crate) fn insert(&mut self, ticket: Ticket) -> bool {
        let Ticket {
            job,
            pipeline,
            wanted,
        } = ticket;
        match self.places.get(&job) {
            Some(known) if **known == *wanted => return false,
            Some(_) => drop(self.remove(job)),
            None => {}
        }
        let wanted = match self.groups.get_key_value(&wanted) {
            Some((known, _)) => Arc::clone(known),
            None => wanted,
        };
        self.places.insert(job, Arc::clone(&wanted));
        self.groups.entry(wanted).or_default().insert(job, pipeline);
        true
    }

    /// Takes a job out.
    pub(crate) fn remove(&mut self, job: JobId) -> Option<Ticket> {
        let wanted = self.places.remove(&job)?;
        let group = self.groups.get_mut(&wanted)?;
        let pipeline = group.remove(&job)?;
        if group.is_empty() {
            self.groups.remove(&wanted);
        }
        Some(Ticket {
            job,
            pipeline,
            wanted,
        })
    }

    /// Takes out the job that the runner gets next. Runners that projects share serve the
    /// project first that has the fewest jobs on such runners, as GitLab does; among a
    /// project's jobs, and on runners of groups and projects, the oldest comes first.
    pub(crate) fn take(&mut self, runner: &Candidate, busy: &Busy) -> Option<Ticket> {
        let fair = runner.reach == Reach::Instance;
        let heads = self.groups.iter().filter_map(|(wanted, jobs)| {
            let (job, _) = jobs.first_key_value()?;
            runner.takes(wanted).then(|| {
                let load = busy.get(&wanted.project).copied().unwrap_or_default();
                (if fair { load } else { 0 }, *job)
            })
        });
        let (_, job) = heads.min()?;
        self.remove(job)
    }

    /// Whether some job waits that asks for this.
    pub(crate) fn has(&self, wanted: &Wanted) -> bool {
        self.groups.contains_key(wanted)
    }

    /// Waiting jobs.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The jobs, in no order.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.places.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(reach: Reach, tags: &[&str]) -> Candidate {
        Candidate {
            name: "r".to_owned(),
            reach,
            tags: tags.iter().map(ToString::to_string).collect(),
            run_untagged: true,
            protected_only: false,
            paused: false,
            online: true,
        }
    }

    /// `(job, project, tag)`; an empty tag is none.
    fn queue(jobs: &[(i64, i64, &str)]) -> Queue {
        let mut queue = Queue::default();
        for (job, project, tag) in jobs {
            let wanted = Wanted {
                project: *project,
                tags: (!tag.is_empty())
                    .then(|| (*tag).to_owned())
                    .into_iter()
                    .collect(),
                ..Wanted::default()
            };
            let ticket = Ticket {
                job: JobId(*job),
                pipeline: PipelineId(1),
                wanted: Arc::new(wanted),
            };
            assert!(queue.insert(ticket.clone()));
            assert!(!queue.insert(ticket), "twice");
        }
        queue
    }

    fn taken(queue: &mut Queue, runner: &Candidate, busy: &Busy) -> Vec<i64> {
        let one = || queue.take(runner, busy).map(|ticket| ticket.job.0);
        std::iter::from_fn(one).collect()
    }

    #[test]
    fn a_runner_takes_the_oldest_job_it_may() {
        let jobs = [(5, 1, ""), (2, 1, "gpu"), (3, 2, ""), (4, 1, "")];
        let busy = Busy::from([(1, 3)]);
        let table: [(Candidate, &[i64]); 4] = [
            (runner(Reach::Projects(vec![1]), &[]), &[4, 5]),
            (runner(Reach::Projects(vec![1, 2]), &["gpu"]), &[2, 3, 4, 5]),
            // Project 2 has nothing running on shared runners, so it is first.
            (runner(Reach::Instance, &["gpu"]), &[3, 2, 4, 5]),
            (runner(Reach::Groups(vec![9]), &["gpu"]), &[]),
        ];
        for (runner, expected) in table {
            let mut queue = queue(&jobs);
            assert_eq!(taken(&mut queue, &runner, &busy), expected, "{runner:?}");
            assert_eq!(queue.len(), jobs.len() - expected.len());
            assert_eq!(queue.jobs().count(), queue.len());
        }
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut queue = queue(&[(1, 1, ""), (2, 1, "")]);
        let wanted = Wanted {
            project: 1,
            ..Wanted::default()
        };
        assert!(queue.has(&wanted));
        assert_eq!(
            queue.remove(JobId(1)).map(|ticket| ticket.job),
            Some(JobId(1))
        );
        assert_eq!(queue.remove(JobId(1)), None);
        assert!(queue.has(&wanted));
        queue.remove(JobId(2));
        assert!(!queue.has(&wanted));
        assert!(queue.groups.is_empty());
    }

    #[test]
    fn a_job_may_ask_for_something_else() {
        let mut queue = queue(&[(1, 1, "")]);
        let changed = Ticket {
            job: JobId(1),
            pipeline: PipelineId(1),
            wanted: Arc::new(Wanted {
                project: 1,
                no_instance_runners: true,
                ..Wanted::default()
            }),
        };
        assert!(queue.insert(changed));
        assert_eq!(queue.len(), 1);
        assert_eq!(
            queue.take(&runner(Reach::Instance, &[]), &Busy::new()),
            None
        );
    }
}
