//! `trigger`: a job that starts another pipeline.

use super::needs::Needs;
use super::place::{Keys, Place};
use super::values::value;
use crate::include::entry;
use crate::yaml::{self, Entry, Map, Node};
use crate::{Forward, Strategy, Trigger};

const PROJECT: Keys = Keys {
    known: &["project", "branch", "strategy", "forward", "inputs"],
    later: &[],
};

const CHILD: Keys = Keys {
    known: &["include", "strategy", "forward"],
    later: &[],
};

/// Files of one child pipeline.
const MAX_INCLUDES: usize = 3;

/// `trigger`: the path of a project, or a map.
pub(crate) fn trigger(node: &Node, at: &Place<'_>) -> Option<Trigger> {
    if let Some(path) = node.as_text() {
        if path.trim().is_empty() {
            at.config(node, "can't be blank");
            return None;
        }
        check_path(path, node, at)?;
        return Some(Trigger::Project {
            project: path.to_owned(),
            branch: None,
            inputs: Default::default(),
            strategy: None,
            forward: Forward::default(),
        });
    }
    let Some(map) = node.as_map() else {
        at.form(node, "has to be either a string or a hash");
        return None;
    };
    if map.is_empty() {
        at.config(node, "can't be blank");
        return None;
    }
    if map.keys().any(|key| key.as_str() == "include") {
        child(map, node, at)
    } else {
        project(map, node, at)
    }
}

fn project(map: &Map, node: &Node, at: &Place<'_>) -> Option<Trigger> {
    at.check_keys(map, &PROJECT);
    let project = match value(map, "project") {
        None => {
            at.attribute(node, "project", "can't be blank");
            None
        }
        Some(node) => match at.text(map, "project") {
            Some(path) if path.trim().is_empty() => {
                at.attribute(node, "project", "can't be blank");
                None
            }
            path => path.filter(|path| check_path(path, node, at).is_some()),
        },
    };
    let inputs = value(map, "inputs").and_then(|node| match node.as_map() {
        Some(map) => Some(
            map.iter()
                .map(|(key, entry)| (key.as_str().to_owned(), yaml::json(&entry.node)))
                .collect(),
        ),
        None => {
            at.attribute(node, "inputs", "should be a hash");
            None
        }
    });
    let branch = at.text(map, "branch");
    let strategy = strategy(map, at);
    let forward = forward(map, at);
    Some(Trigger::Project {
        project: project?,
        branch,
        inputs: inputs.unwrap_or_default(),
        strategy,
        forward,
    })
}

fn child(map: &Map, node: &Node, at: &Place<'_>) -> Option<Trigger> {
    at.check_keys(map, &CHILD);
    let strategy = strategy(map, at);
    let forward = forward(map, at);
    let place = at.key("include");
    let Some(include) = value(map, "include") else {
        place.config(node, "can't be blank");
        return None;
    };
    let nodes = entry::entries(include);
    if nodes.len() > MAX_INCLUDES {
        let reason = format!("is too long (maximum is {MAX_INCLUDES})");
        place.config(include, &reason).label("too many files");
        return None;
    }
    for node in &nodes {
        check_include(node, &place);
    }
    Some(Trigger::Child {
        include: nodes.into_iter().map(yaml::json).collect(),
        strategy,
        forward,
    })
}

/// Its files are read when the job runs; what can be told of an entry now is told.
fn check_include(node: &Node, at: &Place<'_>) {
    if node.as_text().is_some() {
        return;
    }
    let Some(map) = node.as_map() else {
        at.config(node, "should be a string or a hash");
        return;
    };
    let mut faults = entry::shape(node, map);
    if faults.is_empty()
        && let Err(others) = entry::entry(node, &Default::default())
    {
        faults = others;
    }
    for fault in faults {
        let told = at.message(
            fault.span,
            format!("{}:{}", at.parent_location(), fault.message),
        );
        if let Some(hint) = fault.hint {
            told.hint(hint);
        }
    }
}

fn check_path(path: &str, node: &Node, at: &Place<'_>) -> Option<()> {
    if entry::is_project_path(path) {
        return Some(());
    }
    at.config(node, &format!("`{path}` is not the path of a project"))
        .label("has no group")
        .hint("a path has a group and a name: `group/project`");
    None
}

fn strategy(map: &Map, at: &Place<'_>) -> Option<Strategy> {
    let node = value(map, "strategy")?;
    match node.as_text() {
        Some("depend") => Some(Strategy::Depend),
        Some("mirror") => Some(Strategy::Mirror),
        text => {
            at.attribute(node, "strategy", "should be depend or mirror")
                .did_you_mean(text, &["depend", "mirror"]);
            None
        }
    }
}

fn forward(map: &Map, at: &Place<'_>) -> Forward {
    const KEYS: Keys = Keys {
        known: &["yaml_variables", "pipeline_variables"],
        later: &[],
    };
    let default = Forward::default();
    let at = at.key("forward");
    let Some(map) = value(map, "forward").and_then(|node| at.map(node, &KEYS)) else {
        return default;
    };
    Forward {
        yaml_variables: at
            .boolean(map, "yaml_variables")
            .unwrap_or(default.yaml_variables),
        pipeline_variables: at
            .boolean(map, "pipeline_variables")
            .unwrap_or(default.pipeline_variables),
    }
}

/// What a job without commands does.
pub(crate) fn starts(
    map: &Map,
    needs: Option<&Needs>,
    entry: &Entry,
    at: &Place<'_>,
) -> Option<Trigger> {
    let owner = Node::null(entry.key_span);
    let mirrors = needs
        .map(|needs| needs.mirrors.as_slice())
        .unwrap_or_default();
    if mirrors.len() > 1 {
        at.config(&owner, "should contain at most one bridge need")
            .label("mirrors several pipelines");
    }
    if let Some(node) = value(map, "trigger") {
        return trigger(node, &at.key("trigger"));
    }
    if let [pipeline, ..] = mirrors {
        return Some(Trigger::Mirror {
            pipeline: pipeline.clone(),
        });
    }
    // Needs that are wrong have been told.
    if needs.is_some() || value(map, "needs").is_none() {
        at.config(
            &owner,
            "should contain either a trigger or a needs:pipeline",
        )
        .label("no `script`")
        .hint("add `script`, `run` or `trigger`");
    }
    None
}
