//! The order in which the jobs of a pipeline are judged.

use std::collections::HashMap;

use super::{JobIndex, State};

/// Jobs by stage, needed ones before those that need them, and where the needed ones are.
pub(super) struct Order {
    pub(super) stages: Vec<Vec<JobIndex>>,
    /// Needs that are in the pipeline; `None` for a job ordered by its stage.
    pub(super) needs: Vec<Option<Vec<JobIndex>>>,
}

impl Order {
    pub(super) fn of(state: &State) -> Self {
        let names: HashMap<&str, JobIndex> = (state.jobs.iter().enumerate())
            .map(|(index, job)| (job.name.as_str(), index))
            .collect();
        let found = |needs: &Vec<String>| -> Vec<JobIndex> {
            let indices = needs.iter().filter_map(|need| names.get(need.as_str()));
            indices.copied().collect()
        };
        let mut order = Self {
            stages: vec![Vec::new(); state.stages.len()],
            needs: (state.jobs.iter())
                .map(|job| job.needs.as_ref().map(found))
                .collect(),
        };
        let mut seen = vec![false; state.jobs.len()];
        let mut stack = Vec::new();
        for start in 0..state.jobs.len() {
            stack.push((start, false));
            while let Some((job, needs_done)) = stack.pop() {
                if needs_done {
                    order.stages[state.jobs[job].stage].push(job);
                } else if !std::mem::replace(&mut seen[job], true) {
                    stack.push((job, true));
                    let needs = order.needs[job].iter().flatten();
                    stack.extend(needs.map(|&need| (need, false)));
                }
            }
        }
        order
    }
}
