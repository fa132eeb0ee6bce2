//! `stages`.

use super::place::Place;
use super::values::flattened;
use crate::yaml::Node;

/// The stages in order, `.pre` first and `.post` last wherever they were listed. `None` where
/// the list is wrong: nothing can be said of the stages of jobs then.
pub(crate) fn stages(node: Option<&Node>, at: &Place<'_>) -> Option<Vec<String>> {
    let mut stages = vec![".pre".to_owned()];
    match node {
        None => stages.extend(["build", "test", "deploy"].map(str::to_owned)),
        Some(node) => {
            for name in names(node, at)? {
                if name != ".pre" && name != ".post" && !stages.contains(&name) {
                    stages.push(name);
                }
            }
        }
    }
    stages.push(".post".to_owned());
    Some(stages)
}

fn names(node: &Node, at: &Place<'_>) -> Option<Vec<String>> {
    let reason = "should be an array of strings or a nested array of strings up to 10 levels deep";
    let nodes = match (node.as_list(), flattened(node, 11)) {
        (Some(_), Ok(nodes)) => nodes,
        (Some(_), Err(wrong)) => {
            at.config(wrong, reason);
            return None;
        }
        (None, _) => {
            let fault = at.config(node, reason);
            if let Some(name) = node.as_text() {
                fault.hint(format!("write a list: `stages: [{name}]`"));
            }
            return None;
        }
    };
    nodes
        .into_iter()
        .map(|node| {
            let name = node.as_text().map(str::to_owned);
            if name.is_none() {
                at.config(node, reason);
            }
            name
        })
        .collect()
}
