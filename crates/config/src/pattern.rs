//! Regular expressions as GitLab writes them: `/text/flags`, in the RE2 dialect.
//!
//! The engine underneath is the `regex` crate, which is linear in time like RE2 and differs
//! from it in a few spellings; [`compile`] bridges these.

use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use thiserror::Error;

/// Bytes a compiled expression may take.
const SIZE_LIMIT: usize = 2 * 1024 * 1024;

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
        /// The expression.
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
    let translated = translate(pattern);
    let source = if flags.is_empty() {
        translated
    } else {
        format!("(?{flags}){translated}")
    };
    build(source).map_err(|reason| PatternError::Invalid {
        pattern: pattern.to_owned(),
        reason,
    })
}

/// Jobs share their rules, so the same few expressions come by hundreds of times, and
/// building one costs more than all the rest of reading a rule.
fn build(source: String) -> Result<Regex, String> {
    const KEPT: usize = 256;
    static BUILT: LazyLock<Mutex<HashMap<String, Result<Regex, String>>>> =
        LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(result) = built.get(&source) {
        return result.clone();
    }
    let result = RegexBuilder::new(&source)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| reason(&error));
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

/// An expression of RE2 in the spelling of the `regex` crate, for those who build it with
/// settings of their own: `\d`, `\s`, `\w` and `\b` are ASCII only,
/// `\Q…\E` quotes, and inside `[…]` neither `[` nor `&&`, `--`, `~~` is special.
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('s') => out.push_str(r"[\t\n\f\r ]"),
                Some('S') => out.push_str(r"[^\t\n\f\r ]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('b') if !in_class => out.push_str("(?-u:\\b)"),
                Some('Q') if !in_class => quote(&mut chars, &mut out),
                Some('/') => out.push('/'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that comes first is a member of the class.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                while let Some(inner) = chars.next() {
                    out.push(inner);
                    if inner == ':' && chars.next_if_eq(&']').is_some() {
                        out.push(']');
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            other => out.push(other),
        }
    }
    out
}

fn quote(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }
}

#[cfg(test)]
mod tests {
    use super::{compile, compile_literal};

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
