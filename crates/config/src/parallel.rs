//! `parallel: N`: a job becomes N instances, and whoever needs it needs all of them.

use crate::keywords::ReadJob;
use crate::{Job, Need, ParallelInstance};
use indexmap::IndexMap;

/// All jobs with their instances in place, in file order.
pub(crate) fn expand(jobs: Vec<ReadJob>) -> IndexMap<String, Job> {
    let totals: IndexMap<String, u32> = jobs
        .iter()
        .filter_map(|read| Some((read.job.key.clone(), read.parallel?)))
        .collect();
    let mut expanded = IndexMap::with_capacity(jobs.len());
    for ReadJob { mut job, parallel } in jobs {
        if !totals.is_empty() {
            resolve_names(&mut job, &totals);
        }
        let Some(total) = parallel else {
            expanded.insert(job.name.clone(), job);
            continue;
        };
        for index in 1..=total {
            let name = instance_name(&job.key, index, total);
            let instance = Job {
                name: name.clone(),
                parallel: Some(ParallelInstance { index, total }),
                ..job.clone()
            };
            expanded.insert(name, instance);
        }
    }
    expanded
}

fn instance_name(key: &str, index: u32, total: u32) -> String {
    format!("{key} {index}/{total}")
}

fn resolve_names(job: &mut Job, totals: &IndexMap<String, u32>) {
    let needs = job
        .rules
        .iter_mut()
        .flatten()
        .filter_map(|rule| rule.needs.as_mut())
        .chain(job.needs.as_mut());
    for needs in needs {
        *needs = std::mem::take(needs)
            .into_iter()
            .flat_map(|need| {
                instances(&need.job, totals)
                    .map(|job| Need {
                        job,
                        ..need.clone()
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    if let Some(names) = &mut job.dependencies {
        *names = std::mem::take(names)
            .into_iter()
            .flat_map(|name| instances(&name, totals).collect::<Vec<_>>())
            .collect();
    }
}

/// The names a name stands for: itself, or all instances of a parallel job.
fn instances<'n>(
    name: &'n str,
    totals: &IndexMap<String, u32>,
) -> impl Iterator<Item = String> + use<'n> {
    let total = totals.get(name).copied();
    (1..=total.unwrap_or(1)).map(move |index| match total {
        Some(total) => instance_name(name, index, total),
        None => name.to_owned(),
    })
}
