//! `needs`, of jobs, of rules and of jobs that trigger.

use super::place::{Keys, Place};
use super::values::value;
use super::{matrix, place};
use crate::yaml::{Map, Node};
use crate::{CrossNeed, Need};

const JOB: Keys = Keys {
    known: &["job", "artifacts", "optional", "parallel"],
    later: &[],
};

const PIPELINE: Keys = Keys {
    known: &["pipeline", "job", "artifacts", "optional"],
    later: &[],
};

const PROJECT: Keys = Keys {
    known: &["project", "job", "ref", "artifacts", "optional"],
    later: &[],
};

const MIRROR: Keys = Keys {
    known: &["pipeline"],
    later: &[],
};

/// Needs of one job from other projects.
const MAX_PROJECTS: usize = 5;

/// Instances that one need may name; no job has more.
const MAX_INSTANCES: usize = 200;

/// The needs of a job, sorted by their kind. Names are still the keys of the file.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) jobs: Vec<Need>,
    pub(crate) cross: Vec<CrossNeed>,
    /// Pipelines whose status is mirrored.
    pub(crate) mirrors: Vec<String>,
}

/// The kinds an entry may be of, by GitLab's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Job,
    CrossDependency,
    Bridge,
}

/// `needs` of a job with commands: a list of names and maps, or one map.
pub(crate) fn of_job(node: &Node, at: &Place<'_>) -> Option<Needs> {
    read(node, at, &[Kind::Job, Kind::CrossDependency])
}

/// `needs` of a rule.
pub(crate) fn of_rule(node: &Node, at: &Place<'_>) -> Option<Vec<Need>> {
    read(node, at, &[Kind::Job]).map(|needs| needs.jobs)
}

/// `needs` of a job that triggers.
pub(crate) fn of_trigger(node: &Node, at: &Place<'_>) -> Option<Needs> {
    read(node, at, &[Kind::Job, Kind::Bridge])
}

fn read(node: &Node, at: &Place<'_>, allowed: &[Kind]) -> Option<Needs> {
    let item = at.item("need");
    let nodes = match (node.as_list(), node.as_map()) {
        (Some(list), _) => list,
        (None, Some(_)) => std::slice::from_ref(node),
        (None, None) => {
            let fault = at.config(node, "can only be a hash or an array");
            if let Some(name) = node.as_text() {
                fault.hint(format!("write a list: `needs: [{name}]`"));
            }
            return None;
        }
    };
    let mut needs = Needs::default();
    let mut complete = true;
    let mut projects = 0;
    for node in nodes {
        let kind = kind(node);
        if !allowed.contains(&kind) {
            let name = match kind {
                Kind::Job => "job",
                Kind::CrossDependency => "cross_dependency",
                Kind::Bridge => "bridge",
            };
            at.config(node, &format!("uses invalid types: {name}"));
            complete = false;
            continue;
        }
        let read = match (kind, node.as_map()) {
            (Kind::Job, _) => job(node, &item).map(|need| needs.jobs.push(need)),
            (Kind::CrossDependency, Some(map)) => {
                projects += usize::from(value(map, "project").is_some());
                cross(node, map, &item).map(|need| needs.cross.push(need))
            }
            (Kind::Bridge, Some(map)) => {
                item.check_keys(map, &MIRROR);
                required(map, "pipeline", node, &item).map(|path| needs.mirrors.push(path))
            }
            (_, None) => None,
        };
        complete &= read.is_some();
    }
    if projects > MAX_PROJECTS {
        let reason = format!("must be less than or equal to {MAX_PROJECTS}");
        at.config(node, &reason)
            .label(format!("{projects} needs of other projects"));
    }
    complete.then_some(needs)
}

fn kind(node: &Node) -> Kind {
    let has = |key: &str| {
        node.as_map()
            .is_some_and(|map| map.keys().any(|written| written.as_str() == key))
    };
    if has("project") || (has("pipeline") && has("job")) {
        Kind::CrossDependency
    } else if has("pipeline") {
        Kind::Bridge
    } else {
        Kind::Job
    }
}

fn job(node: &Node, at: &Place<'_>) -> Option<Need> {
    if let Some(name) = node.as_text() {
        if name.trim().is_empty() {
            at.config(node, "can't be blank");
            return None;
        }
        return Some(Need {
            job: name.to_owned(),
            artifacts: true,
            optional: false,
            matrix: None,
        });
    }
    let Some(map) = node.as_map() else {
        at.form(node, "has an unsupported type")
            .hint("a need is the name of a job or a map with `job`");
        return None;
    };
    at.check_keys(map, &JOB);
    let job = required(map, "job", node, at);
    let optional = at.boolean(map, "optional").unwrap_or(false);
    let matrix = match value(map, "parallel") {
        None => None,
        Some(node) => Some(instances(node, &at.key("parallel"))?),
    };
    let artifacts = at.boolean(map, "artifacts").unwrap_or(true);
    Some(Need {
        job: job?,
        artifacts,
        optional,
        matrix,
    })
}

/// `parallel: {matrix: …}` of a need: which instances are meant.
fn instances(node: &Node, at: &place::Place<'_>) -> Option<matrix::Matrix> {
    const KEYS: Keys = Keys {
        known: &["matrix"],
        later: &[],
    };
    let Some(map) = node.as_map() else {
        let reason = if matches!(node.value, crate::yaml::Value::Integer(_)) {
            "cannot use \"parallel: <number>\"."
        } else {
            "should be a hash"
        };
        at.config(node, reason)
            .hint("write `parallel: {matrix: [{NAME: [value]}]}`");
        return None;
    };
    at.check_keys(map, &KEYS);
    let Some(node) = value(map, "matrix") else {
        at.config(node, "missing required keys: matrix");
        return None;
    };
    matrix::matrix(node, &at.key("matrix"), MAX_INSTANCES)
}

fn cross(node: &Node, map: &Map, at: &Place<'_>) -> Option<CrossNeed> {
    let is_project = value(map, "project").is_some();
    at.check_keys(map, if is_project { &PROJECT } else { &PIPELINE });
    let artifacts = at.boolean(map, "artifacts").unwrap_or(true);
    let optional = at.boolean(map, "optional").unwrap_or(false);
    let job = required(map, "job", node, at);
    if is_project {
        let project = required(map, "project", node, at);
        let git_ref = required(map, "ref", node, at);
        return Some(CrossNeed::Project {
            project: project?,
            job: job?,
            git_ref: git_ref?,
            artifacts,
            optional,
        });
    }
    Some(CrossNeed::Pipeline {
        pipeline: required(map, "pipeline", node, at)?,
        job: job?,
        artifacts,
        optional,
    })
}

/// A text that must be there and not blank.
fn required(map: &Map, key: &str, owner: &Node, at: &Place<'_>) -> Option<String> {
    let Some(node) = value(map, key) else {
        at.attribute(owner, key, "can't be blank");
        return None;
    };
    let text = at.text(map, key)?;
    if text.trim().is_empty() {
        at.attribute(node, key, "can't be blank");
        return None;
    }
    Some(text)
}

/// Archives are downloaded from jobs that are needed.
pub(crate) fn check_dependencies(
    map: &Map,
    needs: Option<&Needs>,
    dependencies: Option<&[String]>,
    at: &Place<'_>,
) {
    let (Some(needs), Some(names), Some(node)) = (needs, dependencies, value(map, "dependencies"))
    else {
        return;
    };
    if names.is_empty() {
        return;
    }
    if needs.jobs.is_empty() && !needs.cross.is_empty() {
        let reason = "corresponding to dependencies must be from the same pipeline";
        at.attribute(value(map, "needs").unwrap_or(node), "needs", reason);
        return;
    }
    let outside: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !needs.jobs.iter().any(|need| need.job == *name))
        .collect();
    if !outside.is_empty() {
        let reason = format!("the {} should be part of needs", outside.join(", "));
        at.attribute(node, "dependencies", &reason)
            .label("not in `needs`");
    }
}
