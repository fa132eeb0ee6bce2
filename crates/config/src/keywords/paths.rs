//! `changes` and `exists` of rules.

use super::place::{Keys, Place};
use super::values::{strings, value};
use crate::yaml::{Map, Node, Value, get};
use crate::{Changes, Exists};

const CHANGES: Keys = Keys {
    known: &["paths", "regexp", "compare_to"],
    later: &[],
};

const EXISTS: Keys = Keys {
    known: &["paths", "regexp", "project", "ref"],
    later: &[],
};

/// Patterns of one rule.
const MAX_PATHS: usize = 50;

/// `changes` of a rule.
pub(crate) fn changes(map: &Map, at: &Place<'_>) -> Option<Changes> {
    let node = value(map, "changes")?;
    let at = at.key("changes");
    match &node.value {
        Value::List(_) => {
            let Ok(paths) = strings(node) else {
                at.config(node, "should be an array of strings");
                return None;
            };
            limit(&paths, node, &at);
            Some(Changes {
                paths,
                ..Changes::default()
            })
        }
        Value::Map(map) => {
            at.check_keys(map, &CHANGES);
            let regexp = at.text(map, "regexp");
            let paths = match value(map, "paths") {
                Some(_) => at.strings(map, "paths"),
                None if regexp.is_some() => None,
                None => {
                    if get(map, "paths").is_none() {
                        at.config(node, "missing required keys: paths");
                    }
                    at.attribute(node, "paths", "should be an array of strings");
                    return None;
                }
            };
            only_one(regexp.as_ref(), paths.as_ref(), node, &at);
            let paths = paths.unwrap_or_default();
            limit(&paths, node, &at);
            Some(Changes {
                paths,
                regexp,
                compare_to: at.text(map, "compare_to"),
            })
        }
        _ => {
            at.config(node, "should be an array or a hash")
                .hint("write a list: `changes: [src/**/*]`");
            None
        }
    }
}

/// `exists` of a rule.
pub(crate) fn exists(map: &Map, at: &Place<'_>) -> Option<Exists> {
    let node = value(map, "exists")?;
    let at = at.key("exists");
    match &node.value {
        Value::Text(path) => Some(Exists {
            paths: vec![path.to_string()],
            ..Exists::default()
        }),
        Value::List(_) => {
            let Ok(paths) = strings(node) else {
                at.config(node, "should be an array of strings");
                return None;
            };
            limit(&paths, node, &at);
            Some(Exists {
                paths,
                ..Exists::default()
            })
        }
        Value::Map(map) => {
            at.check_keys(map, &EXISTS);
            let regexp = at.text(map, "regexp");
            if get(map, "paths").is_none() && regexp.is_none() {
                at.config(node, "missing required keys: paths");
            }
            if value(map, "ref").is_some() && value(map, "project").is_none() {
                at.config(node, "missing required keys: project").hint(
                    "`ref` is one of another project; the own project has that of the pipeline",
                );
            }
            let paths = at.strings(map, "paths");
            only_one(regexp.as_ref(), paths.as_ref(), node, &at);
            let paths = paths.unwrap_or_default();
            limit(&paths, node, &at);
            Some(Exists {
                paths,
                regexp,
                project: at.text(map, "project"),
                git_ref: at.text(map, "ref"),
            })
        }
        _ => {
            at.form(node, "should be a string, an array of strings, or a hash");
            None
        }
    }
}

/// Globs of `only:changes` and `except:changes`.
pub(crate) fn of_policy(map: &Map, at: &Place<'_>) -> Option<Vec<String>> {
    at.strings(map, "changes")
}

fn limit(paths: &[String], node: &Node, at: &Place<'_>) {
    if paths.len() > MAX_PATHS {
        let reason = format!("has too many entries (maximum {MAX_PATHS})");
        at.config(node, &reason).label("too many patterns");
    }
}

fn only_one(regexp: Option<&String>, paths: Option<&Vec<String>>, node: &Node, at: &Place<'_>) {
    if regexp.is_some() && paths.is_some() {
        at.config(node, "these keys cannot be used together: paths, regexp");
    }
}
