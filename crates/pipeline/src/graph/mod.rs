//! A plan as a picture: which jobs stand where, and what leads to what. Plain data, and its
//! renderings as text: SVG, Mermaid, Graphviz, and lines for a terminal.

mod dot;
mod mermaid;
mod svg;
mod tree;

use std::collections::HashMap;

use serde::Serialize;
use shipway_config::{AllowFailure, When};

use crate::Plan;

/// Arrows for the order of stages in a picture by needs; beyond that they would hide it.
const MOST_STAGE_EDGES: usize = 400;

/// A plan as a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The stages that have jobs, in order.
    pub stages: Vec<String>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<GraphJob>,
    /// What leads to what.
    pub edges: Vec<Edge>,
    /// The jobs in columns from left to right, as indices.
    #[serde(skip)]
    columns: Vec<Column>,
}

/// A job of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// When it starts.
    pub when: String,
    /// Its failure is overlooked.
    pub allow_failure: bool,
    /// What it needs; `None` for a job ordered by its stage.
    pub needs: Option<Vec<String>>,
}

/// One job comes before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The earlier job.
    pub from: String,
    /// The later job.
    pub to: String,
    /// Why.
    pub kind: EdgeKind,
    #[serde(skip)]
    ends: (usize, usize),
}

/// Why a job comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The later one names it in `needs`.
    Need,
    /// It is of the stage before.
    Stage,
}

/// How jobs are put into columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// A column for each stage; arrows for `needs` only.
    #[default]
    Stages,
    /// As early as `needs` and the order of stages allow; arrows for both.
    Needs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    title: String,
    jobs: Vec<usize>,
}

impl Graph {
    /// The picture of a plan.
    pub fn of(plan: &Plan, view: View) -> Self {
        let jobs: Vec<GraphJob> = plan.jobs.iter().map(graph_job).collect();
        let index: HashMap<&str, usize> = jobs
            .iter()
            .enumerate()
            .map(|(index, job)| (job.name.as_str(), index))
            .collect();
        let stages: Vec<usize> = plan.jobs.iter().map(|job| job.stage).collect();
        let mut edges = need_edges(&jobs, &index);
        let columns = match view {
            View::Stages => by_stage(plan, &stages),
            View::Needs => {
                let found = stage_edges(&jobs, &stages);
                if found.len() <= MOST_STAGE_EDGES {
                    edges.extend(found);
                }
                by_needs(&jobs, &index, &stages)
            }
        };
        Self {
            stages: plan.stages.clone(),
            jobs,
            edges,
            columns,
        }
    }

    /// As a picture that stands alone, readable on light and dark ground.
    pub fn svg(&self) -> String {
        svg::svg(self)
    }

    /// As a flowchart of Mermaid, which GitLab and GitHub show in Markdown.
    pub fn mermaid(&self) -> String {
        mermaid::mermaid(self)
    }

    /// As a graph of Graphviz.
    pub fn dot(&self) -> String {
        dot::dot(self)
    }

    /// As lines of text: stages with their jobs, or a tree of what leads to what.
    pub fn text(&self, view: View) -> String {
        match view {
            View::Stages => tree::stages(self),
            View::Needs => tree::needs(self),
        }
    }
}

impl GraphJob {
    /// What is unusual about it in a few words; empty where nothing is.
    fn note(&self) -> String {
        let mut words = Vec::new();
        if self.when != When::OnSuccess.as_str() {
            words.push(self.when.replace('_', " "));
        }
        if self.allow_failure && self.when != When::Manual.as_str() {
            words.push("may fail".to_owned());
        }
        if self.allow_failure && self.when == When::Manual.as_str() {
            words.push("optional".to_owned());
        }
        words.join(", ")
    }
}

fn graph_job(job: &crate::PlannedJob) -> GraphJob {
    let needs = job.spec.needs.as_ref();
    GraphJob {
        name: job.spec.name.clone(),
        stage: job.spec.stage.clone(),
        when: job.when.as_str().to_owned(),
        allow_failure: job.allow_failure == AllowFailure::Always(true),
        needs: needs.map(|needs| needs.iter().map(|need| need.job.clone()).collect()),
    }
}

fn need_edges(jobs: &[GraphJob], index: &HashMap<&str, usize>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (to, job) in jobs.iter().enumerate() {
        for need in job.needs.iter().flatten() {
            if let Some(&from) = index.get(need.as_str()) {
                edges.push(edge(jobs, from, to, EdgeKind::Need));
            }
        }
    }
    edges
}

/// From all jobs of a stage to those of the next that have no `needs`.
fn stage_edges(jobs: &[GraphJob], stages: &[usize]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (to, job) in jobs.iter().enumerate() {
        if job.needs.is_some() {
            continue;
        }
        for (from, stage) in stages.iter().enumerate() {
            if stage + 1 == stages[to] {
                edges.push(edge(jobs, from, to, EdgeKind::Stage));
            }
        }
        if edges.len() > MOST_STAGE_EDGES {
            break;
        }
    }
    edges
}

fn edge(jobs: &[GraphJob], from: usize, to: usize, kind: EdgeKind) -> Edge {
    Edge {
        from: jobs[from].name.clone(),
        to: jobs[to].name.clone(),
        kind,
        ends: (from, to),
    }
}

fn by_stage(plan: &Plan, stages: &[usize]) -> Vec<Column> {
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
fn by_needs(jobs: &[GraphJob], index: &HashMap<&str, usize>, stages: &[usize]) -> Vec<Column> {
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
    (0..columns)
        .map(|column| Column {
            title: String::new(),
            jobs: (order.iter().copied())
                .filter(|&job| rank[job] == Some(column))
                .collect(),
        })
        .collect()
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
