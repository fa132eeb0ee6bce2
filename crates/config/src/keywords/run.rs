//! `run`: steps in place of a script. GitLab checks it with a JSON schema, whose words these
//! are; a place in it is a JSON pointer.

use super::place::Place;
use super::values::value;
use crate::yaml::{self, Map, Node, get};

/// `func` is the newer name of `step`.
const KEYS: [&str; 7] = ["name", "step", "func", "script", "action", "env", "inputs"];
/// One of these makes a step.
const KINDS: [&str; 4] = ["step", "func", "script", "action"];
const GIT: [&str; 5] = ["url", "rev", "dir", "file", "commit"];
const OCI: [&str; 7] = [
    "registry",
    "repository",
    "tag",
    "digest",
    "dir",
    "file",
    "auth",
];

/// `run` of a job, which takes the place of its scripts.
pub(crate) fn run(map: &Map, at: &Place<'_>) -> Option<serde_json::Value> {
    let node = value(map, "run")?;
    let together: Vec<&str> = map
        .iter()
        .filter(|(_, entry)| !entry.node.is_null())
        .map(|(key, _)| key.as_str())
        .filter(|key| ["run", "script", "before_script", "after_script"].contains(key))
        .collect();
    if together.len() > 1 {
        let reason = format!(
            "these keys cannot be used together: {}",
            together.join(", ")
        );
        at.config(node, &reason).label("beside a script");
    }
    let check = Check { at };
    let Some(list) = node.as_list() else {
        check.fault(node, "value at root is not an array");
        return None;
    };
    for (index, step) in list.iter().enumerate() {
        check.step(step, &format!("/{index}"));
    }
    Some(yaml::json(node))
}

struct Check<'c> {
    at: &'c Place<'c>,
}

impl Check<'_> {
    fn fault(&self, node: &Node, reason: &str) {
        self.at.attribute(node, "run", reason);
    }

    fn step(&self, node: &Node, path: &str) {
        let Some(map) = self.object(node, path, &KEYS) else {
            return;
        };
        self.required(map, node, path, &["name"]);
        self.texts(map, path, &["name", "script", "action"]);
        let kinds: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| get(map, kind).is_some())
            .collect();
        match kinds[..] {
            [] => self.required(map, node, path, &["step"]),
            [_] => {}
            _ => {
                let reason = format!(
                    "value at `{path}` has more than one of {}",
                    KINDS.join(", ")
                );
                self.fault(node, &reason);
            }
        }
        for key in ["step", "func"] {
            if let Some(entry) = get(map, key)
                && entry.node.as_text().is_none()
            {
                self.reference(&entry.node, &format!("{path}/{key}"));
            }
        }
        if let Some(entry) = get(map, "env") {
            let path = format!("{path}/env");
            match entry.node.as_map() {
                None => self.not_an_object(&entry.node, &path),
                Some(env) => {
                    let names: Vec<&str> = env.keys().map(|key| key.as_str()).collect();
                    self.texts(env, &path, &names);
                }
            }
        }
        if let Some(entry) = get(map, "inputs") {
            let path = format!("{path}/inputs");
            if entry.node.as_map().is_none() {
                self.not_an_object(&entry.node, &path);
            } else if get(map, "script").is_some() {
                let reason =
                    format!("object property at `{path}` is a disallowed additional property");
                self.fault(&Node::null(entry.key_span), &reason);
            }
        }
    }

    /// A step that lies in a git repository or a registry.
    fn reference(&self, node: &Node, path: &str) {
        let Some(map) = self.object(node, path, &["git", "oci"]) else {
            return;
        };
        if let Some(entry) = get(map, "git") {
            let path = format!("{path}/git");
            if let Some(git) = self.object(&entry.node, &path, &GIT) {
                self.required(git, &entry.node, &path, &["url", "rev"]);
                self.texts(git, &path, &GIT);
            }
        } else if let Some(entry) = get(map, "oci") {
            let path = format!("{path}/oci");
            if let Some(oci) = self.object(&entry.node, &path, &OCI) {
                self.required(oci, &entry.node, &path, &["registry", "repository"]);
                self.texts(
                    oci,
                    &path,
                    &["registry", "repository", "tag", "dir", "file"],
                );
            }
        } else {
            self.required(map, node, path, &["git"]);
        }
    }

    fn object<'n>(&self, node: &'n Node, path: &str, keys: &[&str]) -> Option<&'n Map> {
        let Some(map) = node.as_map() else {
            self.not_an_object(node, path);
            return None;
        };
        for (key, entry) in map {
            if !keys.contains(&key.as_str()) {
                let reason = format!(
                    "object property at `{path}/{}` is a disallowed additional property",
                    key.as_str()
                );
                self.at
                    .attribute(&Node::null(entry.key_span), "run", &reason)
                    .label("unknown key")
                    .did_you_mean(Some(key.as_str()), keys);
            }
        }
        Some(map)
    }

    fn not_an_object(&self, node: &Node, path: &str) {
        self.fault(node, &format!("value at `{path}` is not an object"));
    }

    fn required(&self, map: &Map, node: &Node, path: &str, keys: &[&str]) {
        let missing: Vec<&str> = keys
            .iter()
            .copied()
            .filter(|key| get(map, key).is_none())
            .collect();
        if !missing.is_empty() {
            let reason = format!(
                "object at `{path}` is missing required properties: {}",
                missing.join(", ")
            );
            self.fault(node, &reason);
        }
    }

    fn texts(&self, map: &Map, path: &str, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = get(map, key)
                && entry.node.as_text().is_none()
            {
                self.fault(
                    &entry.node,
                    &format!("value at `{path}/{key}` is not a string"),
                );
            }
        }
    }
}
