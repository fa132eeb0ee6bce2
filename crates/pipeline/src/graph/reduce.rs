//! Leaves out the arrows that others imply.

use super::{Edge, EdgeKind, Graph};

/// Jobs up to which it is worked out; the work grows with their square.
const MOST_JOBS: usize = 5000;

/// The edges that have to be drawn: where a job needs another that needs a third, an arrow from
/// the third to the first says nothing new.
pub(super) fn edges(graph: &Graph) -> Vec<&Edge> {
    let count = graph.jobs.len();
    if count > MOST_JOBS {
        return graph.edges.iter().collect();
    }
    let mut before = vec![Vec::new(); count];
    for edge in graph
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::Need)
    {
        before[edge.ends.1].push(edge.ends.0);
    }
    let mut earlier = Earlier {
        words: count.div_ceil(64),
        sets: vec![None; count],
        begun: vec![false; count],
    };
    for job in 0..count {
        earlier.settle(job, &before);
    }
    let is_implied = |edge: &Edge| {
        let (from, to) = edge.ends;
        before[to].iter().any(|&via| earlier.holds(via, from))
    };
    let edges = graph.edges.iter();
    edges
        .filter(|edge| edge.kind != EdgeKind::Need || !is_implied(edge))
        .collect()
}

/// All that comes before each job, as sets of bits.
struct Earlier {
    words: usize,
    sets: Vec<Option<Vec<u64>>>,
    begun: Vec<bool>,
}

impl Earlier {
    fn holds(&self, job: usize, earlier: usize) -> bool {
        let set = self.sets[job].as_ref();
        set.is_some_and(|set| set[earlier / 64] >> (earlier % 64) & 1 == 1)
    }

    /// Works one job out after those before it, without recursion: chains may be long.
    fn settle(&mut self, job: usize, before: &[Vec<usize>]) {
        let mut stack = vec![job];
        while let Some(&job) = stack.last() {
            if self.sets[job].is_some() {
                stack.pop();
                continue;
            }
            // The configuration has no circles; should one come, it ends here.
            if !std::mem::replace(&mut self.begun[job], true) {
                stack.extend(before[job].iter().filter(|&&one| !self.begun[one]));
                continue;
            }
            let mut set = vec![0; self.words];
            for &one in &before[job] {
                set[one / 64] |= 1 << (one % 64);
                for (word, more) in set.iter_mut().zip(self.sets[one].iter().flatten()) {
                    *word |= more;
                }
            }
            self.sets[job] = Some(set);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::{GraphJob, columns, need_edges};
    use super::*;

    /// `(job, its needs)`.
    fn graph(jobs: &[(&str, &[&str])]) -> Graph {
        let jobs: Vec<GraphJob> = jobs
            .iter()
            .map(|(name, needs)| GraphJob {
                name: (*name).to_owned(),
                stage: "test".to_owned(),
                when: "on_success".to_owned(),
                allow_failure: false,
                needs: Some(needs.iter().map(|need| (*need).to_owned()).collect()),
            })
            .collect();
        let names = jobs.iter().enumerate();
        let index: HashMap<&str, usize> = names
            .map(|(place, job)| (job.name.as_str(), place))
            .collect();
        Graph {
            stages: vec!["test".to_owned()],
            edges: need_edges(&jobs, &index),
            columns: columns::by_needs(&jobs, &index, &vec![0; jobs.len()]),
            jobs,
        }
    }

    #[test]
    fn arrows_that_others_imply_are_not_drawn() {
        let graph = graph(&[
            ("ship", &["test", "build", "lint"]),
            ("test", &["build"]),
            ("build", &[]),
            ("lint", &[]),
        ]);
        let drawn: Vec<(&str, &str)> = edges(&graph)
            .iter()
            .map(|edge| (edge.from.as_str(), edge.to.as_str()))
            .collect();
        assert_eq!(
            drawn,
            [("test", "ship"), ("lint", "ship"), ("build", "test")]
        );
        assert_eq!(graph.edges.len(), 4);
    }

    #[test]
    fn jobs_stand_at_the_height_of_what_they_need() {
        let graph = graph(&[
            ("a", &[]),
            ("b", &[]),
            ("c", &[]),
            ("of c", &["c"]),
            ("of b", &["b"]),
            ("of a", &["a"]),
            ("last", &["of b"]),
        ]);
        let columns: Vec<Vec<&str>> = graph
            .columns
            .iter()
            .map(|column| {
                let jobs = column.jobs.iter();
                jobs.map(|&job| graph.jobs[job].name.as_str()).collect()
            })
            .collect();
        assert_eq!(
            columns,
            [
                vec!["a", "b", "c"],
                vec!["of a", "of b", "of c"],
                vec!["last"]
            ]
        );
    }
}
