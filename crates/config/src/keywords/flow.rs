//! Keywords that say when a job runs and what its failure means: `when`, `start_in`,
//! `allow_failure`, `retry`, `timeout`, `interruptible`, `parallel`, `tags`, `coverage`,
//! `stage`, `inherit`.

use super::place::{Keys, Place, string_or_strings, strings, value};
use crate::yaml::{Map, Node, Value};
use crate::{AllowFailure, Inherit, Limits, Retry, When, duration, pattern};

const WEEK: u64 = 604_800;
/// The longest time-out GitLab allows: the mean length of a month.
const MONTH: u64 = 2_629_746;

const WHENS: [&str; 5] = ["on_success", "on_failure", "always", "manual", "delayed"];

/// A word of `when`.
pub(crate) fn when_of(text: &str) -> Option<When> {
    Some(match text {
        "on_success" => When::OnSuccess,
        "on_failure" => When::OnFailure,
        "always" => When::Always,
        "manual" => When::Manual,
        "delayed" => When::Delayed,
        "never" => When::Never,
        _ => return None,
    })
}

/// `when` of a job.
pub(crate) fn when(map: &Map, at: &Place<'_>) -> Option<When> {
    let node = value(map, "when")?;
    let Some(text) = node.as_text() else {
        at.attribute(node, "when", "should be a string");
        return None;
    };
    if WHENS.contains(&text) {
        return when_of(text);
    }
    let reason = format!("should be one of: {}", WHENS.join(", "));
    let fault = at.attribute(node, "when", &reason);
    if text == "never" {
        fault.hint("`never` is for rules; to switch a job off, put a dot before its name");
    } else {
        fault.did_you_mean(Some(text), &WHENS);
    }
    None
}

/// `start_in`: seconds, at most a week.
pub(crate) fn start_in(
    node: Option<&Node>,
    owner: &Node,
    at: &Place<'_>,
    missing: &str,
) -> Option<u64> {
    let Some(node) = node else {
        at.attribute(owner, "start_in", missing)
            .label("delayed, without a delay")
            .hint("add `start_in`, `start_in: 30 minutes` for example");
        return None;
    };
    match node.as_text().and_then(duration::parse_seconds) {
        None => {
            at.attribute(node, "start_in", "should be a duration")
                .hint("write a duration in quotes or with its unit, `30 minutes` for example");
            None
        }
        Some(seconds) if seconds > WEEK => {
            at.attribute(node, "start_in", "should not exceed the limit")
                .label("more than one week");
            None
        }
        seconds => seconds,
    }
}

/// `allow_failure`: true, false, or exit codes.
pub(crate) fn allow_failure(map: &Map, at: &Place<'_>) -> Option<AllowFailure> {
    const KEYS: Keys = Keys {
        known: &["exit_codes"],
        later: &[],
    };
    let node = value(map, "allow_failure")?;
    match &node.value {
        Value::Bool(allowed) => Some(AllowFailure::Always(*allowed)),
        Value::Map(inner) => {
            let at = at.key("allow_failure");
            at.check_keys(inner, &KEYS);
            exit_codes(inner, &at).map(AllowFailure::ExitCodes)
        }
        _ => {
            at.attribute(node, "allow_failure", "should be a hash or a boolean value");
            None
        }
    }
}

fn exit_codes(map: &Map, at: &Place<'_>) -> Option<Vec<i32>> {
    let node = value(map, "exit_codes")?;
    let code = |node: &Node| match node.value {
        Value::Integer(code) => i32::try_from(code).ok(),
        _ => None,
    };
    let codes = match node.as_list() {
        Some(list) => list.iter().map(code).collect(),
        None => code(node).map(|code| vec![code]),
    };
    if codes.is_none() {
        at.attribute(
            node,
            "exit_codes",
            "should be an array of integers or an integer",
        );
    }
    codes
}

/// What `retry:when` may name.
const RETRY_WHEN: [&str; 16] = [
    "always",
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "runner_unsupported",
    "stale_schedule",
    "job_execution_timeout",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
];

/// `retry`: a number, or a map.
pub(crate) fn retry(node: &Node, at: &Place<'_>) -> Option<Retry> {
    const KEYS: Keys = Keys {
        known: &["max", "when", "exit_codes"],
        later: &[],
    };
    match &node.value {
        Value::Integer(_) | Value::Float(_) => Some(Retry {
            max: number(node, 0, 2, |reason| {
                at.config(node, reason);
            })? as u8,
            ..Retry::default()
        }),
        Value::Map(map) => {
            at.check_keys(map, &KEYS);
            let max = match value(map, "max") {
                Some(node) => number(node, 0, 2, |reason| {
                    at.attribute(node, "max", reason);
                })?,
                // GitLab takes a map without `max` for no retries at all.
                None => 0,
            };
            Some(Retry {
                max: max as u8,
                when: retry_when(map, at),
                exit_codes: exit_codes(map, at).unwrap_or_default(),
            })
        }
        _ => {
            at.form(node, "has to be either an integer or a hash");
            None
        }
    }
}

fn retry_when(map: &Map, at: &Place<'_>) -> Vec<String> {
    let Some(node) = value(map, "when") else {
        return Vec::new();
    };
    let Ok(reasons) = string_or_strings(node) else {
        at.attribute(node, "when", "should be an array of strings or a string");
        return Vec::new();
    };
    let unknown: Vec<&str> = reasons
        .iter()
        .map(String::as_str)
        .filter(|reason| !RETRY_WHEN.contains(reason))
        .collect();
    if let Some(first) = unknown.first() {
        let text = if node.as_list().is_some() {
            format!("contains unknown values: {}", unknown.join(", "))
        } else {
            "is not included in the list".to_owned()
        };
        at.attribute(node, "when", &text)
            .label("no failure reason that can be retried")
            .did_you_mean(Some(first), &RETRY_WHEN);
    }
    reasons
}

/// A whole number in a range.
fn number(node: &Node, least: i128, most: i128, wrong: impl FnOnce(&str)) -> Option<i128> {
    let reason = match node.value {
        Value::Integer(number) if number < least => {
            format!("must be greater than or equal to {least}")
        }
        Value::Integer(number) if number > most => format!("must be less than or equal to {most}"),
        Value::Integer(number) => return Some(number),
        Value::Float(_) => "must be an integer".to_owned(),
        _ => "is not a number".to_owned(),
    };
    wrong(&reason);
    None
}

/// `timeout`: seconds.
pub(crate) fn timeout(node: &Node, at: &Place<'_>) -> Option<u64> {
    match node.as_text().and_then(duration::parse_seconds) {
        None => {
            at.config(node, "should be a duration")
                .hint("write a duration with its unit, `1h 30m` for example");
            None
        }
        Some(seconds) if seconds > MONTH => {
            at.config(node, "should not exceed the limit")
                .label("more than one month");
            None
        }
        seconds => seconds,
    }
}

/// `interruptible`
pub(crate) fn interruptible(node: &Node, at: &Place<'_>) -> Option<bool> {
    let flag = node.as_bool();
    if flag.is_none() {
        at.config(node, "should be a boolean value");
    }
    flag
}

/// `parallel: N`
pub(crate) fn parallel(node: &Node, at: &Place<'_>, limits: &Limits) -> Option<u32> {
    const KEYS: Keys = Keys {
        known: &[],
        later: &["matrix"],
    };
    match &node.value {
        Value::Integer(_) | Value::Float(_) => {
            number(node, 1, i128::from(limits.parallel), |reason| {
                at.config(node, reason);
            })
            .map(|number| number as u32)
        }
        Value::Map(map) => {
            at.check_keys(map, &KEYS);
            if value(map, "matrix").is_none() {
                at.config(node, "missing required keys: matrix");
            }
            None
        }
        _ => {
            at.form(node, "should be an integer or a hash");
            None
        }
    }
}

/// `tags`
pub(crate) fn tags(node: &Node, at: &Place<'_>, limits: &Limits) -> Option<Vec<String>> {
    let tags = match strings(node) {
        Ok(tags) => tags,
        Err(wrong) => {
            let fault = at.config(wrong, "should be an array of strings");
            if let Some(tag) = node.as_text() {
                fault.hint(format!("write a list: `tags: [{tag}]`"));
            }
            return None;
        }
    };
    if tags.len() >= limits.tags {
        let reason = format!("must be less than the limit of {} tags", limits.tags);
        at.config(node, &reason)
            .label(format!("{} tags", tags.len()));
        return None;
    }
    Some(tags)
}

/// `coverage`: the expression between its slashes.
pub(crate) fn coverage(node: &Node, at: &Place<'_>) -> Option<String> {
    let reason = "must be a regular expression using re2 syntax";
    let literal = node.as_text().filter(|text| text.len() > 2);
    let Some((body, flags)) = literal.and_then(pattern::split_literal) else {
        at.config(node, reason).hint(
            "write the expression between slashes and in single quotes: '/TOTAL.*\\s(\\d+)%/'",
        );
        return None;
    };
    if let Err(error) = pattern::compile(body, flags) {
        at.config(node, reason).label(error.to_string());
        return None;
    }
    Some(if flags.is_empty() {
        body.to_owned()
    } else {
        format!("(?{flags}){body}")
    })
}

/// `stage`
pub(crate) fn stage(node: &Node, at: &Place<'_>) -> Option<String> {
    match node.as_text() {
        None => {
            at.config(node, "should be a string");
            None
        }
        Some(text) if text.chars().count() > 255 => {
            at.config(node, "is too long (maximum is 255 characters)");
            None
        }
        Some(text) => Some(text.to_owned()),
    }
}

/// `inherit`: which defaults, and which top-level variables.
pub(crate) fn inherit(node: &Node, at: &Place<'_>) -> (Inherit, Inherit) {
    const KEYS: Keys = Keys {
        known: &["default", "variables"],
        later: &[],
    };
    let Some(map) = at.map(node, &KEYS) else {
        return Default::default();
    };
    let part = |key: &str, allowed: Option<&[&str]>| {
        let Some(node) = value(map, key) else {
            return Inherit::All;
        };
        let place = at.key(key);
        match node.as_bool() {
            Some(true) => return Inherit::All,
            Some(false) => return Inherit::None,
            None => {}
        }
        let Ok(names) = strings(node) else {
            place.form(node, "should be a bool or array of strings");
            return Inherit::All;
        };
        let unknown: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| allowed.is_some_and(|allowed| !allowed.contains(name)))
            .collect();
        if let (Some(first), Some(allowed)) = (unknown.first(), allowed) {
            let reason = format!("contains unknown values: {}", unknown.join(", "));
            place
                .config(node, &reason)
                .did_you_mean(Some(first), allowed);
        }
        Inherit::Only(names)
    };
    (
        part("default", Some(super::default::KEYS.known)),
        part("variables", None),
    )
}
