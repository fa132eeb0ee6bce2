//! Definitions of inputs, of files and of jobs.

use super::place::{Keys, Place};
use super::values::value;
use crate::expression::Expression;
use crate::inputs::check;
use crate::yaml::{self, Map, Node, get};
use crate::{Input, InputRule, InputType, graph};
use indexmap::IndexMap;

const FILE: Keys = Keys {
    known: &[
        "default",
        "description",
        "options",
        "regex",
        "type",
        "rules",
    ],
    later: &[],
};

const JOB: Keys = Keys {
    known: &["default", "description", "options", "regex", "type"],
    later: &[],
};

const RULE: Keys = Keys {
    known: &["if", "options", "default"],
    later: &[],
};

/// Options of one input.
const MAX_OPTIONS: usize = 50;

/// The inputs of `spec` or of a file for it.
pub(crate) fn of_file(map: &Map, at: &Place<'_>) -> IndexMap<String, Input> {
    let mut found = IndexMap::with_capacity(map.len());
    for (key, entry) in map {
        let place = at.key(key.as_str());
        let input = if entry.node.is_null() {
            Some(Input::default())
        } else {
            input(&entry.node, &place, &FILE)
        };
        found.extend(input.map(|input| (key.as_str().to_owned(), input)));
    }
    found
}

/// The inputs of a job. Each has a default, which is used as it stands and so is checked here;
/// those of files are checked with the values that are given.
pub(crate) fn of_job(node: &Node, job: &Place<'_>) -> IndexMap<String, Input> {
    let at = job.key("inputs");
    let mut found = IndexMap::new();
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash");
        return found;
    };
    for (key, entry) in map {
        let name = key.as_str();
        let place = at.key(name);
        let Some(input) = input(&entry.node, &place, &JOB) else {
            continue;
        };
        match entry.node.get("default") {
            None => {
                place.form(&entry.node, "must have a default value");
            }
            Some(default) => {
                let value = yaml::json(default);
                for reason in check(&input, input.options.as_deref(), &value, true) {
                    job.form(default, &format!("inputs `{name}`: {reason}"));
                }
            }
        }
        found.insert(name.to_owned(), input);
    }
    found
}

fn input(node: &Node, at: &Place<'_>, keys: &Keys) -> Option<Input> {
    let map = at.map(node, keys)?;
    let input = Input {
        kind: kind(map, at)?,
        default: get(map, "default").map(|entry| yaml::json(&entry.node)),
        options: options(map, at, "input_options"),
        regex: text(map, "regex", "input_regex", at),
        description: description(map, at),
        rules: rules(map, at),
    };
    for other in ["options", "default"] {
        let together: Vec<&str> = (map.keys().map(|key| key.as_str()))
            .filter(|key| *key == "rules" || *key == other)
            .collect();
        if together.len() > 1 {
            let reason = format!(
                "these keys cannot be used together: {}",
                together.join(", ")
            );
            at.config(node, &reason)
                .hint("put them into a rule without `if`, as the last one");
        }
    }
    Some(input)
}

fn kind(map: &Map, at: &Place<'_>) -> Option<InputType> {
    let Some(node) = value(map, "type") else {
        return Some(InputType::String);
    };
    let text = node.as_text();
    if let Some((kind, _)) = InputType::ALL
        .into_iter()
        .find(|(_, name)| text == Some(*name))
    {
        return Some(kind);
    }
    let names = InputType::ALL.map(|(_, name)| name);
    let written = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
    at.attribute(node, "input_type", &format!("unknown value: {written}"))
        .label(format!("may be {}", names.join(", ")))
        .did_you_mean(text, &names);
    None
}

fn options(map: &Map, at: &Place<'_>, attribute: &str) -> Option<Vec<serde_json::Value>> {
    let node = value(map, "options")?;
    let Some(list) = node.as_list() else {
        at.attribute(node, attribute, "should be a array")
            .hint("write a list: `options: [a, b]`");
        return None;
    };
    if list.len() > MAX_OPTIONS {
        let reason = format!("cannot define more than {MAX_OPTIONS} options");
        at.config(node, &reason);
    }
    if let Some(null) = list.iter().find(|option| option.is_null()) {
        at.config(null, "options array cannot contain null values");
    }
    Some(list.iter().map(yaml::json).collect())
}

fn text(map: &Map, key: &str, attribute: &str, at: &Place<'_>) -> Option<String> {
    let node = value(map, key)?;
    let text = node.as_text().map(str::to_owned);
    if text.is_none() {
        at.attribute(node, attribute, "should be a string");
    }
    text
}

fn description(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "description")?;
    let text = node.scalar_text();
    if text.is_none() {
        let reason = "must be an alphanumeric string";
        at.attribute(node, "input_description", reason);
    }
    text
}

fn rules(map: &Map, at: &Place<'_>) -> Vec<InputRule> {
    let Some(node) = value(map, "rules") else {
        return Vec::new();
    };
    let list = at.key("rules");
    let Some(nodes) = node.as_list() else {
        list.config(node, "should be a array");
        return Vec::new();
    };
    let item = list.item("rule");
    nodes.iter().filter_map(|node| rule(node, &item)).collect()
}

fn rule(node: &Node, at: &Place<'_>) -> Option<InputRule> {
    let map = at.map(node, &RULE)?;
    if map.is_empty() {
        at.config(node, "can't be blank");
        return None;
    }
    let condition = value(map, "if").and_then(|node| {
        let Some(text) = node.as_text() else {
            at.attribute(node, "if", "should be a string");
            return None;
        };
        if let Err(error) = Expression::parse(text) {
            at.attribute(node, "if", "invalid expression syntax")
                .label(error.message)
                .hint("inputs are written `$[[ inputs.NAME ]]`, texts stand in quotes");
        }
        Some(text.to_owned())
    });
    let options = options(map, at, "options");
    let default = get(map, "default").map(|entry| yaml::json(&entry.node));
    match (&condition, &options, &default) {
        (Some(_), None, None) => {
            at.config(node, "rule with 'if' must define 'options' or 'default'");
        }
        (None, None, _) => {
            at.config(node, "fallback rule must define 'options'");
        }
        _ => {}
    }
    Some(InputRule {
        condition,
        options,
        default,
    })
}

/// Rules name inputs that exist, and none that depend on their own.
pub(crate) fn check_rules(inputs: &IndexMap<String, Input>, map: &Map, at: &Place<'_>) {
    let mut children: Vec<Vec<usize>> = Vec::with_capacity(inputs.len());
    for (name, input) in inputs {
        let place = at.key(name);
        let node = get(map, name).map(|entry| &entry.node);
        let mut needed = Vec::new();
        for (index, rule) in input.rules.iter().enumerate() {
            let Some(Ok(expression)) = rule.condition.as_deref().map(Expression::parse) else {
                continue;
            };
            let (known, unknown): (Vec<&str>, Vec<&str>) = expression
                .inputs()
                .into_iter()
                .partition(|name| inputs.contains_key(*name));
            needed.extend(known.iter().filter_map(|name| inputs.get_index_of(*name)));
            if let Some(node) = node
                && !unknown.is_empty()
            {
                let reason = format!(
                    "rule[{index}] references undefined inputs: {}",
                    unknown.join(", ")
                );
                place.config(node, &reason);
            }
        }
        children.push(needed);
    }
    let itself = (children.iter().enumerate()).any(|(index, needed)| needed.contains(&index));
    if (itself || graph::sort(&children).is_err())
        && let Some((name, entry)) = map.first()
    {
        at.key(name.as_str())
            .config(&entry.node, "circular dependency detected");
    }
}
