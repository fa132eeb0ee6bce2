//! `environment`.

use super::kubernetes;
use super::place::{Keys, Place};
use super::values::value;
use crate::yaml::{Map, Node};
use crate::{Environment, duration};

const KEYS: Keys = Keys {
    known: &[
        "name",
        "url",
        "action",
        "on_stop",
        "auto_stop_in",
        "deployment_tier",
        "kubernetes",
    ],
    later: &[],
};

const ACTIONS: [&str; 5] = ["start", "stop", "prepare", "verify", "access"];
const TIERS: [&str; 5] = ["production", "staging", "testing", "development", "other"];

/// What GitLab says of a name that is none.
const NAME: &str = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and \
                    spaces, but it cannot start or end with '/'";

/// `environment`: a name, or a map.
pub(crate) fn environment(node: &Node, at: &Place<'_>) -> Option<Environment> {
    if let Some(name) = node.as_text() {
        return Some(Environment {
            name: check_name(name, node, at)?,
            action: "start".to_owned(),
            ..Environment::default()
        });
    }
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash or a string");
        return None;
    };
    at.check_keys(map, &KEYS);
    let name = match value(map, "name") {
        None => {
            at.attribute(node, "name", "can't be blank");
            None
        }
        Some(node) => match node.as_text() {
            Some(name) => check_name(name, node, at),
            None => {
                at.attribute(node, "name", NAME);
                None
            }
        },
    };
    let environment = Environment {
        name: String::new(),
        url: url(map, at),
        action: action(map, at).unwrap_or_else(|| "start".to_owned()),
        on_stop: at.text(map, "on_stop"),
        auto_stop_in: auto_stop_in(map, at),
        deployment_tier: tier(map, at),
        kubernetes: value(map, "kubernetes")
            .and_then(|node| kubernetes::kubernetes(node, &at.key("kubernetes"))),
    };
    Some(Environment {
        name: name?,
        ..environment
    })
}

fn check_name(name: &str, node: &Node, at: &Place<'_>) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_/${}. ".contains(c);
    if name.trim().is_empty() {
        at.attribute(node, "name", "can't be blank");
        return None;
    }
    if name.chars().count() > 255 {
        at.attribute(node, "name", "is too long (maximum is 255 characters)");
        return None;
    }
    if !name.chars().all(fits) || name.starts_with('/') || name.ends_with('/') {
        at.attribute(node, "name", NAME);
        return None;
    }
    Some(name.to_owned())
}

fn url(map: &Map, at: &Place<'_>) -> Option<String> {
    let text = at.text(map, "url")?;
    if text.chars().count() > 255 {
        at.attribute(
            value(map, "url")?,
            "url",
            "is too long (maximum is 255 characters)",
        );
    }
    Some(text)
}

fn action(map: &Map, at: &Place<'_>) -> Option<String> {
    let text = at.text(map, "action")?;
    if ACTIONS.contains(&text.as_str()) {
        return Some(text);
    }
    at.attribute(
        value(map, "action")?,
        "action",
        "should be start, stop, prepare, verify, or access",
    )
    .did_you_mean(Some(&text), &ACTIONS);
    None
}

fn auto_stop_in(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "auto_stop_in")?;
    let text = at.text(map, "auto_stop_in")?;
    // With variables it is known only when the pipeline is created.
    if text.contains('$')
        || text.eq_ignore_ascii_case("never")
        || duration::parse_seconds(&text).is_some()
    {
        return Some(text);
    }
    at.attribute(node, "auto_stop_in", "should be a duration");
    None
}

fn tier(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "deployment_tier")?;
    match node.as_text() {
        Some(text) if TIERS.contains(&text) || text.contains('$') => Some(text.to_owned()),
        text => {
            let reason = format!("must be one of {}", TIERS.join(", "));
            at.attribute(node, "deployment_tier", &reason)
                .did_you_mean(text, &TIERS);
            None
        }
    }
}
