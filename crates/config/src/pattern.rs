//! Regular expressions as GitLab writes them: `/text/flags`, in the RE2 dialect.
//!
//! The engine underneath is the `regex` crate, which is linear in time like RE2 and differs
//! from it in many spellings; [`compile`] bridges these.

mod translate;

use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use thiserror::Error;

/// Bytes a compiled expression may take.
const SIZE_LIMIT: usize = 2 * 1024 * 1024;

/// Characters of an expression that a message shows.
const SHOWN: usize = 100;

/// Flags that RE2 knows and GitLab passes on.
const FLAGS: [char; 4] = ['i', 's', 'm', 'U'];

/// Why a text is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// It does not stand between slashes.
    #[error("`{0}` is not between slashes")]
    NoSlashes(String),
    /// The expression itself is wrong, or uses what RE2 does not have.
    #[error("`{pattern}` is not a regular expression of the RE2 dialect: {reason}")]
    Invalid {
        /// The expression, or its first part.
        pattern: String,
        /// The first wrong thing in it.
        reason: String,
    },
}

/// Splits `/text/flags`. `None` where the text has not this form or carries other flags.
pub fn split_literal(text: &str) -> Option<(&str, &str)> {
    let (body, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    (!body.contains('\n') && flags.chars().all(|flag| FLAGS.contains(&flag)))
        .then_some((body, flags))
}

/// Compiles `/text/flags`.
pub fn compile_literal(text: &str) -> Result<Regex, PatternError> {
    let (body, flags) =
        split_literal(text).ok_or_else(|| PatternError::NoSlashes(text.to_owned()))?;
    compile(body, flags)
}

/// Compiles an expression of the RE2 dialect. Flags that RE2 does not know are ignored.
pub fn compile(pattern: &str, flags: &str) -> Result<Regex, PatternError> {
    let flags: String = flags.chars().filter(|flag| FLAGS.contains(flag)).collect();
    build(&flags, pattern).map_err(|reason| PatternError::Invalid {
        pattern: match pattern.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &pattern[..end]),
            None => pattern.to_owned(),
        },
        reason,
    })
}

/// Jobs share their rules, so the same few expressions come by hundreds of times, and
/// building one costs more than all the rest of reading a rule.
fn build(flags: &str, pattern: &str) -> Result<Regex, String> {
    const KEPT: usize = 256;
    static BUILT: LazyLock<Mutex<HashMap<String, Result<Regex, String>>>> =
        LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let source = if flags.is_empty() {
        pattern.to_owned()
    } else {
        format!("(?{flags}){pattern}")
    };
    if let Some(result) = built.get(&source) {
        return result.clone();
    }
    let result = translate::translate(&source).and_then(|translated| {
        RegexBuilder::new(&translated)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(|error| reason(&error))
    });
    if built.len() >= KEPT {
        built.clear();
    }
    built.insert(source, result.clone());
    result
}

/// The last line of the engine's message: it says what is wrong without drawing it.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{compile, compile_literal};
    use crate::oracle::undump;

    #[test]
    fn literals_match_as_in_re2() {
        for (literal, text, expected) in [
            ("/bl.*e$/", "deep blue", true),
            ("/BLUE/", "deep blue", false),
            ("/BLUE/i", "deep blue", true),
            ("/^b$/", "a\nb", false),
            ("/^b$/m", "a\nb", true),
            ("/a.b/", "a\nb", false),
            ("/a.b/s", "a\nb", true),
            (r"/^\/src\//", "/src/x", true),
            (r"/\d/", "٣", false),
            (r"/^[\w.-]+$/", "a_b.c-d", true),
            (r"/[[]/", "[", true),
            (r"/[]]/", "]", true),
            (r"/[[:alpha:]]/", "x", true),
            (r"/^[a&&b]+$/", "&", true),
            (r"/\Qa.b\E+/", "a.bb", true),
            (r"/\Qa.b\E/", "axb", false),
            (r"/TOTAL.*\s+(\d+%)$/", "TOTAL 10 97%", true),
        ] {
            let regex = compile_literal(literal).unwrap();
            assert_eq!(regex.is_match(text), expected, "{literal} on {text:?}");
        }
    }

    /// What RE2 says: expression, text, and `true`, `false` or `error`, by `oracle.rb`.
    const ORACLE: &str = include_str!("pattern/oracle.tsv");

    #[test]
    fn expressions_find_what_they_find_in_re2() {
        let mut differences = Vec::new();
        let mut seen = 0;
        for line in ORACLE.lines() {
            let mut fields = line.split('\t');
            let (Some(pattern), Some(text), Some(expected)) =
                (fields.next(), fields.next(), fields.next())
            else {
                panic!("{line:?}");
            };
            let found = match compile(&undump(pattern), "") {
                Ok(regex) => regex.is_match(&undump(text)).to_string(),
                Err(_) => "error".to_owned(),
            };
            if pattern == r"\\B" {
                // The one difference: see `translate`.
                continue;
            }
            // Later releases of RE2, as GitLab has one, know this spelling of names.
            let expected = if pattern == "(?<n>a)" {
                (undump(text).contains('a')).to_string()
            } else {
                expected.to_owned()
            };
            if found != expected {
                differences.push(format!("{pattern} on {text}: {found}, RE2 says {expected}"));
            }
            seen += 1;
        }
        assert!(seen > 1000, "{seen} cases");
        assert!(differences.is_empty(), "{differences:#?}");
    }

    #[test]
    fn what_re2_lacks_is_refused() {
        for literal in [
            "/^(?!main)/",
            r"/(a)\1/",
            "/*bad/",
            "/some ( thin/i",
            "x",
            "/x",
        ] {
            assert!(compile_literal(literal).is_err(), "{literal}");
        }
    }

    #[test]
    fn an_unknown_flag_is_ignored_and_a_huge_one_refused() {
        assert!(compile("ab", "x").is_ok());
        assert!(compile("((a{1000}){1000}){1000}", "").is_err());
    }
}
