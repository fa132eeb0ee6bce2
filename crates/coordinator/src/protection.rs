//! Protected branches and tags: which protection a ref falls under.

use shipway_store::{ProtectedRefRow, RefKind};

/// The protections that a branch or tag falls under; none means that it is not protected. Of
/// several the most lenient counts, as on GitLab.
pub fn protections<'a>(
    rows: &'a [ProtectedRefRow],
    kind: RefKind,
    name: &'a str,
) -> impl Iterator<Item = &'a ProtectedRefRow> {
    (rows.iter()).filter(move |row| row.kind == kind && wildcard_matches(&row.pattern, name))
}

/// A name against a pattern in which `*` stands for any characters, also none and also `/`.
pub fn wildcard_matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let table = [
            ("main", "main", true),
            ("main", "main2", false),
            ("main", "Main", false),
            ("release/*", "release/1/2", true),
            ("release/*", "release", false),
            ("*-stable", "1-0-stable", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a*a", "a", false),
            ("v*.*.*", "v1.2.3", true),
            ("v*.*.*", "v1.2", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                wildcard_matches(pattern, name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
