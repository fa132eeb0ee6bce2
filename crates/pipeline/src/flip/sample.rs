//! Texts that fit a pattern.

use regex_syntax::hir::{Class, Hir, HirKind};
use shipway_config::pattern;

/// How long a text may become.
const MOST_BYTES: usize = 500;
/// What stands for a class of characters, the first that is in it.
const LETTERS: [char; 6] = ['x', '1', 'a', 'X', '-', ' '];

/// A short text that `/pattern/flags` fits; `None` where the pattern is wrong or asks for a
/// long one.
pub(super) fn of_pattern(literal: &str) -> Option<String> {
    of_regex(pattern::compile_literal(literal).ok()?.as_str())
}

/// The same for an expression without slashes, as `changes:regexp` has it.
pub(super) fn of_regex(regex: &str) -> Option<String> {
    let hir = regex_syntax::parse(regex).ok()?;
    let mut out = String::new();
    write(&hir, &mut out)?;
    Some(out)
}

/// Goes one way through the expression: the first of alternatives, and as few repetitions as
/// read well.
fn write(hir: &Hir, out: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => out.push(of_class(class)?),
        HirKind::Repetition(repetition) => {
            // `release-.*` asks for a name that does not end there.
            let is_open = out.ends_with(['-', '/', '.', '_']) && repetition.max != Some(0);
            let times = repetition
                .min
                .max(u32::from(is_open && repetition.min == 0));
            for _ in 0..times {
                write(&repetition.sub, out)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, out)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, out)?;
            }
        }
        HirKind::Alternation(parts) => write(parts.first()?, out)?,
    }
    (out.len() <= MOST_BYTES).then_some(())
}

fn of_class(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => (class.iter())
            .map(|range| (range.start(), range.end()))
            .collect(),
        Class::Bytes(class) => (class.iter())
            .map(|range| (char::from(range.start()), char::from(range.end())))
            .collect(),
    };
    let holds = |c: &char| ranges.iter().any(|(start, end)| (start..=end).contains(&c));
    let mut starts = ranges.iter().map(|(start, _)| *start);
    let small = || starts.clone().find(|start| start.is_lowercase());
    let found = LETTERS.into_iter().find(holds).or_else(small);
    found.or_else(|| starts.next())
}

/// A path that a glob fits: stars become a letter, alternatives their first, and folders for
/// any number of folders go away.
pub(super) fn of_glob(glob: &str) -> String {
    let mut out = String::new();
    let mut rest = glob.replace("**/", "");
    while let Some(at) = rest.find(['*', '?', '[', '{']) {
        out.push_str(&rest[..at]);
        let sign = rest.as_bytes()[at];
        let behind = rest.split_off(at + 1);
        rest = match sign {
            b'{' => {
                let (inner, behind) = behind.split_once('}').unwrap_or((&behind, ""));
                let first = inner.split(',').next().unwrap_or_default();
                format!("{first}{behind}")
            }
            b'[' => {
                let (inner, behind) = behind.split_once(']').unwrap_or((&behind, ""));
                out.extend(inner.chars().next());
                behind.to_owned()
            }
            b'*' => {
                out.push('x');
                behind.trim_start_matches('*').to_owned()
            }
            _ => {
                out.push('x');
                behind
            }
        };
    }
    out + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fit_their_patterns() {
        for (literal, expected) in [
            ("/^release-.*$/", "release-x"),
            (r"/^v\d+\.\d+(\.\d+)?$/", "v1.1"),
            ("/(main|master)/", "main"),
            ("/^(feature|fix)\\/[a-z]+/", "feature/x"),
            ("/[[:x]a]{2,3}b/", "xa]]b"),
            ("/abc|def/i", "abc"),
            (r"/\p{L}$/", "x"),
            ("/[^a-z]/", "1"),
            ("/.*/", ""),
            ("/a?b*c+/", "c"),
        ] {
            let text = of_pattern(literal).unwrap();
            let regex = pattern::compile_literal(literal).unwrap();
            assert!(regex.is_match(&text), "{text} for {literal}");
            assert_eq!(text, expected, "{literal}");
        }
        assert_eq!(of_pattern("/(/"), None);
        assert_eq!(of_pattern("/(a{50}){50}/"), None);
    }

    #[test]
    fn samples_fit_their_globs() {
        for glob in [
            "docs/**/*",
            "*.md",
            "src/{a,b}/*.rs",
            "a?c",
            "[ab]c",
            "**/x",
        ] {
            let path = of_glob(glob);
            let glob = shipway_config::glob::Glob::new(glob);
            assert!(glob.is_match(&path), "{path}");
        }
    }
}
