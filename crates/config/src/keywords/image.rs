//! `image` and `services`.

use super::place::{Keys, Place};
use super::values::{string_or_strings, value};
use super::variables;
use crate::yaml::{Map, Node, Value};
use crate::{Image, PullPolicy, Service, Variables};

const IMAGE: Keys = Keys {
    known: &["name", "entrypoint", "pull_policy", "docker", "kubernetes"],
    later: &["ports"],
};

const SERVICE: Keys = Keys {
    known: &[
        "name",
        "alias",
        "entrypoint",
        "command",
        "variables",
        "pull_policy",
        "docker",
        "kubernetes",
    ],
    later: &["ports"],
};

/// `image`: a name, or a map.
pub(crate) fn image(node: &Node, at: &Place<'_>) -> Option<Image> {
    if let Some(name) = node.as_text() {
        return name_of(name, node, at);
    }
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash or a string");
        return None;
    };
    at.check_keys(map, &IMAGE);
    from_map(map, node, at)
}

/// `services`: a list of names and maps.
pub(crate) fn services(node: &Node, at: &Place<'_>) -> Option<Vec<Service>> {
    let Some(list) = node.as_list() else {
        at.config(node, "should be a array")
            .hint("write a list: `services: [postgres:16]`");
        return None;
    };
    let item = at.item("service");
    list.iter().map(|node| service(node, &item)).collect()
}

fn service(node: &Node, at: &Place<'_>) -> Option<Service> {
    if let Some(name) = node.as_text() {
        return Some(Service {
            image: name_of(name, node, at)?,
            ..Service::default()
        });
    }
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash or a string");
        return None;
    };
    at.check_keys(map, &SERVICE);
    let variables = match value(map, "variables") {
        Some(node) => variables::of_job(node, &at.key("variables")),
        None => Variables::default(),
    };
    Some(Service {
        image: from_map(map, node, at)?,
        alias: at.text(map, "alias"),
        command: at.string_or_strings(map, "command"),
        variables,
    })
}

fn name_of(name: &str, node: &Node, at: &Place<'_>) -> Option<Image> {
    if name.trim().is_empty() {
        at.config(node, "can't be blank");
        return None;
    }
    Some(Image {
        name: name.to_owned(),
        ..Image::default()
    })
}

fn from_map(map: &Map, node: &Node, at: &Place<'_>) -> Option<Image> {
    let name = match value(map, "name") {
        Some(_) => at.text(map, "name"),
        None => {
            at.attribute(node, "name", "can't be blank");
            None
        }
    };
    let (platform, user) = match value(map, "docker") {
        Some(node) => docker(node, at),
        None => (None, None),
    };
    let kubernetes_user = value(map, "kubernetes").and_then(|node| kubernetes_user(node, at));
    let entrypoint = at.string_or_strings(map, "entrypoint");
    let pull_policy = match value(map, "pull_policy") {
        Some(node) => pull_policy(node, &at.key("pull_policy")),
        None => Vec::new(),
    };
    Some(Image {
        name: name?,
        entrypoint,
        pull_policy,
        platform,
        user,
        kubernetes_user,
    })
}

/// `kubernetes: {user}`: a number, or a text of one or two.
fn kubernetes_user(node: &Node, at: &Place<'_>) -> Option<String> {
    let Some(map) = node.as_map() else {
        let reason = "value at `/kubernetes` is not an object";
        at.attribute(node, "executor_opts", reason);
        return None;
    };
    for (key, entry) in map {
        if key.as_str() != "user" {
            let reason = format!(
                "object property at `/kubernetes/{}` is a disallowed additional property",
                key.as_str()
            );
            at.attribute(&Node::null(entry.key_span), "executor_opts", &reason)
                .label("unknown key");
        }
    }
    let node = value(map, "user")?;
    match &node.value {
        Value::Text(_) | Value::Integer(_) => node.scalar_text(),
        _ => {
            let reason = "value at `/kubernetes/user` is not a string or an integer";
            at.attribute(node, "executor_opts", reason);
            None
        }
    }
}

/// `docker: {platform, user}`. GitLab checks it with a JSON schema, whose words these are.
fn docker(node: &Node, at: &Place<'_>) -> (Option<String>, Option<String>) {
    let Some(map) = node.as_map() else {
        at.attribute(node, "executor_opts", "value at `/docker` is not an object");
        return (None, None);
    };
    let text = |key: &str| {
        let node = value(map, key)?;
        let text = node.as_text().map(str::to_owned);
        let most = if key == "platform" { 64 } else { 255 };
        let reason = match &text {
            None => format!("value at `/docker/{key}` is not a string"),
            Some(text) if text.is_empty() => {
                format!("string length at `/docker/{key}` is less than: 1")
            }
            Some(text) if text.chars().count() > most => {
                format!("string length at `/docker/{key}` is greater than: {most}")
            }
            Some(_) => return text,
        };
        at.attribute(node, "executor_opts", &reason);
        text
    };
    for (key, entry) in map {
        if !matches!(key.as_str(), "platform" | "user") {
            let reason = format!(
                "object property at `/docker/{}` is a disallowed additional property",
                key.as_str()
            );
            at.attribute(&Node::null(entry.key_span), "executor_opts", &reason)
                .label("unknown key")
                .did_you_mean(Some(key.as_str()), &["platform", "user"]);
        }
    }
    (text("platform"), text("user"))
}

fn pull_policy(node: &Node, at: &Place<'_>) -> Vec<PullPolicy> {
    const NAMES: [&str; 3] = ["always", "if-not-present", "never"];
    let Ok(words) = string_or_strings(node) else {
        at.config(node, "should be a string or an array of strings");
        return Vec::new();
    };
    let mut unknown = Vec::new();
    let mut policies = Vec::new();
    for word in words {
        match word.as_str() {
            "always" => policies.push(PullPolicy::Always),
            "if-not-present" => policies.push(PullPolicy::IfNotPresent),
            "never" => policies.push(PullPolicy::Never),
            _ => unknown.push(word),
        }
    }
    if let Some(first) = unknown.first() {
        at.config(
            node,
            &format!("contains unknown values: {}", unknown.join(", ")),
        )
        .label(format!("may be {}", NAMES.join(", ")))
        .did_you_mean(Some(first), &NAMES);
    }
    policies
}
