//! What a person most likely meant by something that is wrong.

use super::{default, kind};
use crate::suggest;

/// Keys that people use for others, too far from them to be slips of the hand: where (the last
/// word of the place), the key, and the right one.
const MEANT: [(&str, &str, &str); 6] = [
    ("need", "name", "job"),
    ("service", "image", "name"),
    ("artifacts", "files", "paths"),
    ("cache", "files", "key:files"),
    ("environment", "stop", "on_stop"),
    ("retry", "count", "max"),
];

/// The cure for keys that an entry at `location` (`jobs:test:cache`) does not know.
pub(super) fn unknown_keys<'k>(
    location: &str,
    unknown: &[&str],
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<String> {
    let place = location.rsplit(':').next().unwrap_or_default();
    let first = *unknown.first()?;
    let is_job = location.starts_with("jobs:") && location.matches(':').count() == 1;
    if is_job && unknown.contains(&"trigger") {
        return Some("a job has either `script` or `trigger`".to_owned());
    }
    if place == "trigger" && matches!(first, "project" | "branch") {
        return Some("a trigger has either `include` or `project`".to_owned());
    }
    if first == "<<" {
        return Some("a merge key takes a map, an alias of one, or a list of them".to_owned());
    }
    let is_of_jobs = |name: &str| kind::KEYS.known.contains(&name);
    if location == "default" && is_of_jobs(first) && !default::KEYS.known.contains(&first) {
        return Some(format!("`{first}` has no default; it belongs to a job"));
    }
    let right = |name: &str| -> Option<&str> {
        let meant = MEANT
            .iter()
            .find(|(at, key, _)| *at == place && *key == name);
        // A trigger is told by the keys that it has, so that it does not know those of the other
        // kind.
        let others = (place == "trigger").then_some("include");
        meant
            .map(|(.., right)| *right)
            .or_else(|| suggest(name, known.clone().chain(others)))
    };
    let right: Vec<String> = unknown
        .iter()
        .filter_map(|name| right(name))
        .map(|name| format!("`{name}`"))
        .collect();
    match right.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [others @ .., last] => Some(format!("did you mean {} and {last}?", others.join(", "))),
    }
}

/// The cure for an expression that cannot be read.
pub(super) fn expression(text: &str) -> &'static str {
    let has_word = |word: &str| text.split_whitespace().any(|one| one == word);
    if text.contains("(?") {
        "the dialect is RE2, which has no look-ahead, look-behind or back-references"
    } else if text.contains("${") {
        "variables are written `$NAME` here, never `${NAME}`"
    } else if text.contains(" = ") {
        "equality is written `==`"
    } else if has_word("and") || has_word("or") || has_word("AND") || has_word("OR") {
        "`and` is written `&&`, `or` is written `||`"
    } else if has_word("not") || has_word("in") {
        "there is no `not` and no `in`; compare with `!=`, or match a pattern: `=~ /^(one|two)$/`"
    } else if pattern_has_slash(text) {
        "a slash inside of a pattern is written `\\/`"
    } else {
        "values are `$NAME`, quoted texts, `null` and `/patterns/`; operators are ==, !=, =~, !~, &&, ||"
    }
}

/// Whether a pattern goes on behind its second slash, up to a third one.
fn pattern_has_slash(text: &str) -> bool {
    text.split(['~']).skip(1).any(|behind| {
        let pattern = behind.trim_start();
        let pattern = &pattern[..pattern.find("&&").unwrap_or(pattern.len())];
        let pattern = &pattern[..pattern.find(" ||").unwrap_or(pattern.len())];
        let slashes = pattern.matches('/').count() - pattern.matches("\\/").count();
        pattern.starts_with('/') && slashes > 2
    })
}

#[cfg(test)]
mod tests {
    use super::{expression, unknown_keys};

    #[test]
    fn keys_that_are_meant() {
        let known = ["paths", "expire_in", "name", "job", "project", "script"];
        for (location, unknown, expected) in [
            (
                "jobs:a:artifacts",
                &["path", "expires_in"][..],
                Some("did you mean `paths` and `expire_in`?"),
            ),
            ("jobs:a:needs:need", &["name"], Some("did you mean `job`?")),
            ("services:service", &["image"], Some("did you mean `name`?")),
            ("jobs:a", &["scripts"], Some("did you mean `script`?")),
            (
                "jobs:a",
                &["trigger"],
                Some("a job has either `script` or `trigger`"),
            ),
            (
                "jobs:a:trigger",
                &["incldue"],
                Some("did you mean `include`?"),
            ),
            (
                "jobs:a:trigger",
                &["project"],
                Some("a trigger has either `include` or `project`"),
            ),
            (
                "default",
                &["stage"],
                Some("`stage` has no default; it belongs to a job"),
            ),
            ("default", &["zzz"], None),
        ] {
            let hint = unknown_keys(location, unknown, known.into_iter());
            assert_eq!(hint.as_deref(), expected, "{location} {unknown:?}");
        }
    }

    #[test]
    fn expressions_that_are_meant() {
        for (text, word) in [
            ("$A = \"b\"", "`==`"),
            ("$A and $B", "`&&`"),
            ("$A || $B or $C", "`||`"),
            ("not $A", "no `not`"),
            ("$A =~ /^a/b/", "`\\/`"),
            ("$A =~ /^a/ && $B =~ /x/y/", "`\\/`"),
            ("$A =~ /^a/* && $B =~ /x/", "operators are"),
            ("$A =~ /a\\/b/ main", "operators are"),
            ("${A}", "never `${NAME}`"),
            ("$A =~ /(?!x)/", "RE2"),
        ] {
            assert!(
                expression(text).contains(word),
                "{text}: {}",
                expression(text)
            );
        }
    }
}
