//! Keywords of one value each: `when`, `start_in`, `timeout`, `interruptible`, `parallel`,
//! `tags`, `coverage`, `stage`.

use super::matrix::{Parallel, matrix};
use super::place::{Keys, Place};
use super::values::{strings, value, whole_number};
use crate::yaml::{Map, Node, Value};
use crate::{Limits, When, duration, pattern};

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
    when_among(map, at, &WHENS)
}

/// `when` of a job that triggers, which cannot be delayed.
pub(crate) fn when_of_trigger(map: &Map, at: &Place<'_>) -> Option<When> {
    when_among(map, at, &WHENS[..4])
}

fn when_among(map: &Map, at: &Place<'_>, words: &[&str]) -> Option<When> {
    let node = value(map, "when")?;
    let Some(text) = node.as_text() else {
        at.attribute(node, "when", "should be a string");
        return None;
    };
    if words.contains(&text) {
        return when_of(text);
    }
    let reason = format!("should be one of: {}", words.join(", "));
    let fault = at.attribute(node, "when", &reason);
    if text == "never" {
        fault.hint("`never` is for rules; to switch a job off, put a dot before its name");
    } else {
        fault.did_you_mean(Some(text), words);
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

/// `parallel`: a number, or a matrix.
pub(crate) fn parallel(node: &Node, at: &Place<'_>, limits: &Limits) -> Option<Parallel> {
    const KEYS: Keys = Keys {
        known: &["matrix"],
        later: &[],
    };
    match &node.value {
        Value::Integer(_) | Value::Float(_) => {
            whole_number(node, 1, i128::from(limits.parallel), |reason| {
                at.config(node, reason);
            })
            .map(|number| Parallel::Number(number as u32))
        }
        Value::Map(map) => {
            at.check_keys(map, &KEYS);
            let Some(node) = value(map, "matrix") else {
                at.config(node, "missing required keys: matrix");
                return None;
            };
            matrix(node, &at.key("matrix"), limits.parallel as usize).map(Parallel::Matrix)
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
