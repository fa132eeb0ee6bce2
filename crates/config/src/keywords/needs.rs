//! `needs`, of jobs and of rules.

use super::place::{Keys, Place};
use super::values::value;
use crate::Need;
use crate::yaml::Node;

const KEYS: Keys = Keys {
    known: &["job", "artifacts", "optional"],
    later: &["parallel", "project", "ref", "pipeline"],
};

/// `needs`: a list of names and maps, or one map. Names are still the keys of the file.
pub(crate) fn needs(node: &Node, at: &Place<'_>) -> Option<Vec<Need>> {
    let item = at.item("need");
    if node.as_map().is_some() {
        return need(node, &item).map(|need| vec![need]);
    }
    let Some(list) = node.as_list() else {
        let fault = at.config(node, "can only be a hash or an array");
        if let Some(name) = node.as_text() {
            fault.hint(format!("write a list: `needs: [{name}]`"));
        }
        return None;
    };
    list.iter().map(|node| need(node, &item)).collect()
}

fn need(node: &Node, at: &Place<'_>) -> Option<Need> {
    if let Some(name) = node.as_text() {
        if name.trim().is_empty() {
            at.config(node, "can't be blank");
            return None;
        }
        return Some(Need {
            job: name.to_owned(),
            artifacts: true,
            optional: false,
        });
    }
    let Some(map) = node.as_map() else {
        at.form(node, "has an unsupported type")
            .hint("a need is the name of a job or a map with `job`");
        return None;
    };
    at.check_keys(map, &KEYS);
    let job = match value(map, "job") {
        Some(node) => match at.text(map, "job") {
            Some(name) if name.trim().is_empty() => {
                at.attribute(node, "job", "can't be blank");
                None
            }
            name => name,
        },
        None => {
            // `project` and `pipeline` have been refused already.
            if value(map, "project").is_none() && value(map, "pipeline").is_none() {
                at.attribute(node, "job", "can't be blank");
            }
            None
        }
    };
    let artifacts = at.boolean(map, "artifacts").unwrap_or(true);
    let optional = at.boolean(map, "optional").unwrap_or(false);
    Some(Need {
        job: job?,
        artifacts,
        optional,
    })
}
