//! Which refs a person may push.

/// A ref's name in bytes at most; a file of that name has to be made on disk.
const LONGEST_NAME: usize = 1_000;

/// One part of a ref's name in bytes at most: the usual file system's limit of 255, less the
/// `.lock` that git appends.
const LONGEST_PART: usize = 250;

/// Why a ref cannot be pushed, in the words the pusher sees; `None` when it can.
pub(super) fn refusal(name: &str) -> Option<String> {
    let short = name
        .strip_prefix("refs/heads/")
        .map(|short| (short, "branch"))
        .or_else(|| name.strip_prefix("refs/tags/").map(|short| (short, "tag")));
    let Some((short, kind)) = short else {
        return Some(format!(
            "Only branches and tags can be pushed, not `{name}`."
        ));
    };
    if !is_well_formed(name) || short.starts_with('-') || short == "HEAD" {
        return Some(format!("`{short}` is not a valid {kind} name."));
    }
    // Such a branch would be taken for a commit wherever either may be named; GitLab refuses
    // it too.
    if kind == "branch" && short.len() == 40 && short.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(
            "A branch cannot have a name of 40 hexadecimal characters, which looks like a commit."
                .to_owned(),
        );
    }
    None
}

/// The rules of `git check-ref-format`, and limits of length.
pub(super) fn is_well_formed(name: &str) -> bool {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= LONGEST_PART
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    name.len() <= LONGEST_NAME
        && name.contains('/')
        && name.split('/').all(part)
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_tags_can_be_pushed() {
        for name in [
            "refs/heads/main",
            "refs/heads/feature/a-b_c.d@e",
            "refs/heads/größe",
            "refs/tags/v1.0",
            "refs/tags/0123456789012345678901234567890123456789",
        ] {
            assert_eq!(refusal(name), None, "{name}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("refs/heads/{}", "a".repeat(251));
        let deep = format!("refs/heads/{}a", "a/".repeat(500));
        for name in [
            "",
            "main",
            "HEAD",
            "refs/heads",
            "refs/heads/",
            "refs/pipelines/7",
            "refs/merge-requests/1/head",
            "refs/replace/0123456789012345678901234567890123456789",
            "refs/heads/../../config",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a/.b",
            "refs/heads/a.",
            "refs/heads/a//b",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/-a",
            "refs/heads/HEAD",
            "refs/heads/a b",
            "refs/heads/a\tb",
            "refs/heads/a\u{7f}",
            "refs/heads/a*",
            "refs/heads/a@{1}",
            "refs/heads/a\\b",
            "refs/heads/0123456789012345678901234567890123456789",
            &long,
            &deep,
        ] {
            assert!(refusal(name).is_some(), "{name}");
        }
    }
}
