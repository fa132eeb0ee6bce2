//! A part of a plan: the jobs a person asked for, with what they need.

use std::collections::HashSet;

use shipway_config::When;

use super::plan::number_stages;
use super::{Excluded, Plan, SkippedJob};

/// Which jobs somebody asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names; the name of a parallel job means all its instances.
    pub names: Vec<String>,
    /// Leave out what they need.
    pub alone: bool,
}

/// A name that no job of the plan has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The configuration has no such job.
    #[error("no job is called `{name}`")]
    Unknown {
        /// The name asked for.
        name: String,
        /// A similar one.
        similar: Option<String>,
    },
    /// The job exists and is not in this pipeline.
    #[error("job `{name}` is not in this pipeline: {reason}")]
    Excluded {
        /// The name asked for.
        name: String,
        /// Why it is left out.
        reason: Excluded,
    },
}

impl Plan {
    /// The plan of the selected jobs and, unless they are wanted alone, of what they need:
    /// the jobs of `needs`, or for a job ordered by stages the jobs of all earlier stages
    /// that start by themselves. Manual jobs among the names are set off.
    ///
    /// # Errors
    /// All names that are not in the plan.
    pub fn select(mut self, selection: &Selection) -> Result<Self, Vec<SelectError>> {
        let mut wanted: Vec<usize> = Vec::new();
        let mut faults = Vec::new();
        for name in &selection.names {
            let before = wanted.len();
            let jobs = self.jobs.iter().enumerate();
            wanted.extend(
                jobs.filter(|(_, job)| job.spec.name == *name || job.spec.key == *name)
                    .map(|(index, _)| index),
            );
            if wanted.len() == before {
                faults.push(self.not_found(name));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        for &index in &wanted {
            let job = &mut self.jobs[index];
            job.triggered = matches!(job.when, When::Manual | When::Delayed);
        }
        let kept = if selection.alone {
            wanted.into_iter().collect()
        } else {
            self.closure(wanted)
        };
        Ok(self.reduce(&kept))
    }

    fn not_found(&self, name: &str) -> SelectError {
        if let Some(skipped) = self.skipped.iter().find(|job| job.name == name) {
            return SelectError::Excluded {
                name: name.to_owned(),
                reason: skipped.reason.clone(),
            };
        }
        let names = self.jobs.iter().map(|job| job.spec.key.as_str());
        SelectError::Unknown {
            name: name.to_owned(),
            similar: shipway_config::suggest(name, names).map(str::to_owned),
        }
    }

    fn closure(&self, wanted: Vec<usize>) -> HashSet<usize> {
        let mut kept = HashSet::new();
        let mut queue = wanted;
        while let Some(index) = queue.pop() {
            if !kept.insert(index) {
                continue;
            }
            let job = &self.jobs[index];
            let others = self.jobs.iter().enumerate();
            match &job.spec.needs {
                Some(needs) => queue.extend(
                    others
                        .filter(|(_, other)| needs.iter().any(|need| need.job == other.spec.name))
                        .map(|(index, _)| index),
                ),
                None => queue.extend(
                    others
                        .filter(|(_, other)| other.stage < job.stage && other.starts_by_itself())
                        .map(|(index, _)| index),
                ),
            }
        }
        kept
    }

    fn reduce(mut self, kept: &HashSet<usize>) -> Self {
        let mut index = 0;
        let skipped = &mut self.skipped;
        self.jobs.retain(|job| {
            let keep = kept.contains(&index);
            index += 1;
            if !keep {
                skipped.push(SkippedJob {
                    name: job.spec.name.clone(),
                    stage: job.spec.stage.clone(),
                    reason: Excluded::NotSelected,
                });
            }
            keep
        });
        let names: HashSet<String> = self.jobs.iter().map(|job| job.spec.name.clone()).collect();
        for job in &mut self.jobs {
            if let Some(needs) = &mut job.spec.needs {
                needs.retain(|need| names.contains(&need.job));
            }
        }
        self.stages = number_stages(&mut self.jobs, &self.stages);
        self
    }
}

impl super::PlannedJob {
    fn starts_by_itself(&self) -> bool {
        !matches!(self.when, When::Manual | When::OnFailure)
    }
}
