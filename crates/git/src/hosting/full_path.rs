//! Paths of projects as they stand in an address, `group/subgroup/project`.

use std::fmt;

/// Groups nest at most this deep in GitLab; with the project that is one name more.
const MOST_NAMES: usize = 21;

/// A name may have this many characters, as in GitLab.
const LONGEST_NAME: usize = 255;

/// A well-formed path of a project: at least a namespace and a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FullPath(String);

/// Why a text is no path of a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FullPathError {
    /// There is no namespace, or nothing at all.
    #[error("`{0}` is not the path of a project; it needs a namespace and a name: `group/project`")]
    TooShort(String),
    /// More groups than may nest.
    #[error("`{0}` has more than {MOST_NAMES} names; groups nest at most 20 deep")]
    TooDeep(String),
    /// One of the names breaks the rules.
    #[error(
        "`{name}` cannot be a name in the path of a project: {rule}; choose letters, digits, `_`, `-` and `.`"
    )]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        rule: &'static str,
    },
}

impl FullPath {
    /// Reads a path without the slash before it and without `.git` after it.
    ///
    /// # Errors
    ///
    /// When it breaks one of GitLab's rules for names; the text says which.
    pub fn parse(text: &str) -> Result<Self, FullPathError> {
        let names: Vec<&str> = text.split('/').collect();
        if names.len() < 2 {
            return Err(FullPathError::TooShort(text.to_owned()));
        }
        if names.len() > MOST_NAMES {
            return Err(FullPathError::TooDeep(text.to_owned()));
        }
        for name in names {
            if let Some(rule) = broken_rule(name) {
                return Err(FullPathError::Name {
                    name: name.to_owned(),
                    rule,
                });
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before the project's name.
    pub fn namespace(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for FullPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    Some(if name.is_empty() {
        "it is empty"
    } else if name.len() > LONGEST_NAME {
        "it has more than 255 characters"
    } else if !name.chars().all(|c| alphanumeric(c) || "_-.".contains(c)) {
        "it has another character"
    } else if !name.starts_with(|c| alphanumeric(c) || c == '_') {
        "it begins with `-` or `.`"
    } else if name.ends_with('.') {
        "it ends with `.`"
    } else if name.contains("..") {
        "it has two dots in a row"
    } else if [".git", ".atom", ".lock"]
        .iter()
        .any(|end| lower.ends_with(end))
    {
        "it ends with `.git`, `.atom` or `.lock`"
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_paths() {
        for (text, namespace, name) in [
            ("group/project", "group", "project"),
            ("a/b/c", "a/b", "c"),
            ("_x/1.0-rc", "_x", "1.0-rc"),
        ] {
            let path = FullPath::parse(text).expect(text);
            assert_eq!((path.namespace(), path.name()), (namespace, name));
        }
    }

    #[test]
    fn bad_paths() {
        let deep = vec!["a"; 22].join("/");
        let long = format!("a/{}", "b".repeat(256));
        for text in [
            "", "project", "/a/b", "a/b/", "a//b", "../a", "a/..", "a/.b", "a/-b", "a/b.",
            "a/b..c", "a/b.git", "a/B.GIT", "a/b.lock", "a/b.atom", "a/b\0", "a/b c", "a/ü",
            "a/b%2f", "a\\b/c", &deep, &long,
        ] {
            assert!(FullPath::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_path_has_no_way_out(text in "[a-zA-Z0-9_./\\\\\0 -]{0,40}") {
            if let Ok(path) = FullPath::parse(&text) {
                for name in path.as_str().split('/') {
                    prop_assert!(!name.is_empty() && !name.starts_with('.'));
                }
            }
        }
    }
}
