//! The patterns of `only:refs` and `except:refs`: a name, a `/regular expression/`, either
//! with `@group/project` behind it. Keywords (`branches`, `tags`, `web` …) depend on the
//! pipeline and are decided there; [`split_path`] takes the project off them too.

use crate::pattern;

/// Takes the project off a pattern: `main@group/project` is `main` in `group/project`.
pub fn split_path(pattern: &str) -> (&str, Option<&str>) {
    match pattern.split_once('@') {
        Some((name, path)) => (name, Some(path)),
        None => (pattern, None),
    }
}

/// Whether a pattern names the ref of a pipeline in the project with this full path.
///
/// An expression that RE2 does not understand matches nothing.
pub fn matches(pattern: &str, ref_name: &str, project_path: &str) -> bool {
    let (name, path) = split_path(pattern);
    path.is_none_or(|path| path == project_path) && name_matches(name, ref_name)
}

/// The same without the project.
pub fn name_matches(name: &str, ref_name: &str) -> bool {
    if is_expression(name) {
        pattern::compile_literal(name).is_ok_and(|regex| regex.is_match(ref_name))
    } else {
        name == ref_name
    }
}

/// Whether a text of `only` or `except` is acceptable: a name, or an expression of RE2.
pub fn is_valid(pattern: &str) -> bool {
    let (name, _) = split_path(pattern);
    !is_expression(name) || pattern::compile_literal(name).is_ok()
}

fn is_expression(name: &str) -> bool {
    name.starts_with('/') && pattern::split_literal(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::{is_valid, matches};

    #[test]
    fn patterns_name_refs() {
        for (pattern, ref_name, expected) in [
            ("main", "main", true),
            ("deploy", "main", false),
            ("/docs-.*/", "docs-x", true),
            ("/DOCS-.*/i", "docs-x", true),
            ("/DOCS-.*/", "docs-x", false),
            ("/fix-.*/", "docs-x", false),
            ("/^v/", "a-v", false),
            ("/^(?!main).+/", "docs-x", false),
            ("main@g/p", "main", true),
            ("main@g/other", "main", false),
            ("/^ma/@g/p", "main", true),
            ("/^a\\x40b$/", "a@b", true),
        ] {
            assert_eq!(matches(pattern, ref_name, "g/p"), expected, "{pattern}");
        }
    }

    #[test]
    fn broken_expressions_are_told() {
        for (pattern, expected) in [
            ("main", true),
            ("/^v/", true),
            ("/*bad/", false),
            ("/^(?!main).+/", false),
            ("/open", true),
        ] {
            assert_eq!(is_valid(pattern), expected, "{pattern}");
        }
    }
}
