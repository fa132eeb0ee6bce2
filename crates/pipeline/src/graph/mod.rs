//! A plan as a picture: which jobs stand where, and what leads to what. Plain data, and its
//! renderings as text: SVG, Mermaid, Graphviz, and lines for a terminal.

mod columns;
mod dot;
mod mermaid;
mod reduce;
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
            View::Stages => columns::by_stage(plan, &stages),
            View::Needs => {
                let found = stage_edges(&jobs, &stages);
                if found.len() <= MOST_STAGE_EDGES {
                    edges.extend(found);
                }
                columns::by_needs(&jobs, &index, &stages)
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
