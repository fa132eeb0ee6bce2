//! Which job stands in which column.

use std::collections::HashMap;

use super::{Column, GraphJob};
use crate::Plan;

pub(super) fn by_stage(plan: &Plan, stages: &[usize]) -> Vec<Column> {
    let of = |stage: usize| (0..stages.len()).filter(move |&job| stages[job] == stage);
    let names = plan.stages.iter().enumerate();
    names
        .map(|(stage, name)| Column {
            title: name.clone(),
            jobs: of(stage).collect(),
        })
        .collect()
}

/// A job stands right of all that comes before it, as far left as that allows.
pub(super) fn by_needs(
    jobs: &[GraphJob],
    index: &HashMap<&str, usize>,
    stages: &[usize],
) -> Vec<Column> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&job| stages[job]);
    let mut rank: Vec<Option<usize>> = vec![None; jobs.len()];
    // The highest rank among all jobs of earlier stages, by stage.
    let count = stages.iter().max().map_or(0, |last| last + 1);
    let mut highest = vec![0; count + 1];
    for stage in 0..count {
        for &job in order.iter().filter(|&&job| stages[job] == stage) {
            settle(job, jobs, index, stages, &mut rank, &highest);
        }
        let here = order.iter().filter(|&&job| stages[job] == stage);
        let last = here.filter_map(|&job| rank[job]).max();
        let own = last.map_or(0, |rank| rank + 1);
        highest[stage + 1] = own.max(highest[stage]);
    }
    let columns = rank.iter().flatten().max().map_or(0, |last| last + 1);
    let mut found = vec![Vec::new(); columns];
    for &job in &order {
        if let Some(rank) = rank[job] {
            found[rank].push(job);
        }
    }
    // A job that waits for a stage may stand further right than anything leads to.
    found.retain(|jobs| !jobs.is_empty());
    untangle(&mut found, jobs, index);
    found
        .into_iter()
        .map(|jobs| Column {
            title: String::new(),
            jobs,
        })
        .collect()
}

/// Puts each job at the height of what it needs, so that few arrows cross.
fn untangle(columns: &mut [Vec<usize>], jobs: &[GraphJob], index: &HashMap<&str, usize>) {
    let mut row = vec![0; jobs.len()];
    for column in columns {
        for (place, &job) in column.iter().enumerate() {
            row[job] = place;
        }
        // In thousandths of a row: the mean of its needs, or where it stands.
        let height = |job: usize| {
            let needs = jobs[job].needs.iter().flatten();
            let rows = needs.filter_map(|need| Some(row[*index.get(need.as_str())?]));
            let (sum, count) = rows.fold((0, 0), |(sum, count), row| (sum + row, count + 1));
            (sum * 1000).checked_div(count).unwrap_or(row[job] * 1000)
        };
        column.sort_by_cached_key(|&job| height(job));
        for (place, &job) in column.iter().enumerate() {
            row[job] = place;
        }
    }
}

/// Finds the rank of a job after those of its needs, without recursion: chains may be long.
fn settle(
    job: usize,
    jobs: &[GraphJob],
    index: &HashMap<&str, usize>,
    stages: &[usize],
    rank: &mut [Option<usize>],
    highest: &[usize],
) {
    let mut stack = vec![job];
    while let Some(&job) = stack.last() {
        if rank[job].is_some() {
            stack.pop();
            continue;
        }
        let Some(needs) = &jobs[job].needs else {
            rank[job] = Some(highest[stages[job]]);
            continue;
        };
        let needs = needs.iter().filter_map(|need| index.get(need.as_str()));
        let needs: Vec<usize> = needs.copied().collect();
        let open = needs.iter().find(|&&need| rank[need].is_none());
        match open {
            // The configuration has no circles; should one come, it ends here.
            Some(need) if !stack.contains(need) => stack.push(*need),
            _ => {
                let last = needs.iter().filter_map(|&need| rank[need]).max();
                rank[job] = Some(last.map_or(0, |rank| rank + 1));
            }
        }
    }
}
