//! `workflow`: which pipelines are created at all.

use super::place::{Keys, Place};
use super::values::{flattened, value};
use super::{paths, rules, variables};
use crate::yaml::{Map, Node};
use crate::{AutoCancel, Variables, Workflow, WorkflowRule};

const KEYS: Keys = Keys {
    known: &["name", "rules", "auto_cancel"],
    later: &[],
};

/// `start_in`, `allow_failure`, `needs` and `interruptible` are tolerated by GitLab and mean
/// nothing.
const RULE: Keys = Keys {
    known: &[
        "if",
        "changes",
        "exists",
        "when",
        "variables",
        "auto_cancel",
        "start_in",
        "allow_failure",
        "needs",
        "interruptible",
    ],
    later: &[],
};

const AUTO_CANCEL: Keys = Keys {
    known: &["on_new_commit", "on_job_failure"],
    later: &[],
};

/// `workflow`
pub(crate) fn workflow(node: &Node, at: &Place<'_>) -> Option<Workflow> {
    let map = at.map(node, &KEYS)?;
    Some(Workflow {
        name: name(map, at),
        rules: value(map, "rules").map(|node| workflow_rules(node, at)),
        auto_cancel: value(map, "auto_cancel")
            .map(|node| auto_cancel(node, &at.key("auto_cancel")))
            .unwrap_or_default(),
    })
}

fn name(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "name")?;
    let text = at.text(map, "name")?;
    let length = text.chars().count();
    if length == 0 {
        at.attribute(node, "name", "is too short (minimum is 1 character)");
    } else if length > 255 {
        at.attribute(node, "name", "is too long (maximum is 255 characters)");
    }
    Some(text)
}

fn workflow_rules(node: &Node, at: &Place<'_>) -> Vec<WorkflowRule> {
    let list = at.key("rules");
    let nodes = match (node.as_list(), flattened(node, 11)) {
        (Some(_), Ok(nodes)) => nodes,
        _ => {
            at.attribute(
                node,
                "rules",
                "should be an array containing hashes and arrays of hashes",
            );
            return Vec::new();
        }
    };
    let item = list.item("rule");
    nodes
        .into_iter()
        .filter_map(|node| workflow_rule(node, &item))
        .collect()
}

fn workflow_rule(node: &Node, at: &Place<'_>) -> Option<WorkflowRule> {
    let map = at.map(node, &RULE)?;
    Some(WorkflowRule {
        condition: rules::condition(map, at),
        changes: paths::changes(map, at),
        exists: paths::exists(map, at),
        when: rules::when(map, at, &["always", "never"]),
        variables: match value(map, "variables") {
            Some(node) => variables::of_rule(node, &at.key("variables")),
            None => Variables::default(),
        },
        auto_cancel: value(map, "auto_cancel")
            .map(|node| auto_cancel(node, &at.key("auto_cancel")))
            .unwrap_or_default(),
    })
}

fn auto_cancel(node: &Node, at: &Place<'_>) -> AutoCancel {
    let Some(map) = at.map(node, &AUTO_CANCEL) else {
        return AutoCancel::default();
    };
    AutoCancel {
        on_new_commit: at
            .one_of(
                map,
                "on_new_commit",
                &["conservative", "interruptible", "none"],
            )
            .map(str::to_owned),
        on_job_failure: at
            .one_of(map, "on_job_failure", &["none", "all"])
            .map(str::to_owned),
    }
}
