//! Globs of `artifacts:paths`, `artifacts:exclude` and `cache:paths`.
//!
//! The dialect is doublestar's: `*` and `?` stay within one name, `**` as a whole name
//! crosses directories, `[a-z]` and `[^a-z]`, `{a,b}` anywhere, `\` takes the next
//! character as it is. Names that begin with a dot are names like any other.

/// Braces may multiply a pattern to this many.
const MAX_ALTERNATIVES: usize = 1000;

/// A glob, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    /// One list of segments for each way through the braces.
    pub alternatives: Vec<Vec<Segment>>,
}

/// One name of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `**`: any number of directories, none included.
    AnyDirectories,
    /// A name without wildcards.
    Literal(String),
    /// A name with wildcards.
    Wild(Vec<Token>),
}

/// One element of a name with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// `[…]`: whether it is negated, and its ranges.
    Class(bool, Vec<(char, char)>),
    /// A character.
    Char(char),
}

/// Why a glob cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GlobError {
    /// `[` or `{` without its end, or a backslash at the end.
    #[error("`{pattern}` is no valid pattern: `{token}` is not closed")]
    Unclosed { pattern: String, token: char },
    /// Too many braces.
    #[error("`{pattern}` stands for more than {MAX_ALTERNATIVES} patterns (limit of braces)")]
    TooMany { pattern: String },
}

impl Glob {
    /// Reads a glob; empty names and `.` are left out, so a trailing `/` means nothing.
    pub(crate) fn parse(pattern: &str) -> Result<Self, GlobError> {
        let mut texts = Vec::new();
        expand_braces(pattern, pattern, &mut texts)?;
        let alternatives = texts
            .iter()
            .map(|text| {
                split_names(text)
                    .into_iter()
                    .filter(|name| !name.is_empty() && name != ".")
                    .map(|name| segment(pattern, &name))
                    .collect()
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Whether the whole of a relative path fits.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        self.alternatives
            .iter()
            .any(|segments| segments_match(segments, &names))
    }
}

impl Segment {
    /// Whether one name fits; `**` as a segment fits every name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::AnyDirectories => true,
            Self::Literal(literal) => literal == name,
            Self::Wild(tokens) => {
                let characters: Vec<char> = name.chars().collect();
                tokens_match(tokens, &characters)
            }
        }
    }
}

/// Compares with one place to come back to, the last `**`: what an earlier one could take
/// more of, the last one can take as well.
fn segments_match(segments: &[Segment], names: &[&str]) -> bool {
    let (mut segment, mut name) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while name < names.len() || segment < segments.len() {
        match segments.get(segment) {
            Some(Segment::AnyDirectories) => {
                back = Some((segment, name));
                segment += 1;
                continue;
            }
            Some(one) if name < names.len() && one.matches(names[name]) => {
                segment += 1;
                name += 1;
                continue;
            }
            _ => {}
        }
        match &mut back {
            Some((at, taken)) if *taken < names.len() => {
                *taken += 1;
                (segment, name) = (*at + 1, *taken);
            }
            _ => return false,
        }
    }
    true
}

/// The same for the characters of a name and `*`.
fn tokens_match(tokens: &[Token], characters: &[char]) -> bool {
    let (mut token, mut position) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while position < characters.len() || token < tokens.len() {
        let fits = match tokens.get(token) {
            Some(Token::Any) => {
                back = Some((token, position));
                token += 1;
                continue;
            }
            Some(one) => characters
                .get(position)
                .is_some_and(|character| token_matches(one, *character)),
            None => false,
        };
        if fits {
            token += 1;
            position += 1;
            continue;
        }
        match &mut back {
            Some((at, taken)) if *taken < characters.len() => {
                *taken += 1;
                (token, position) = (*at + 1, *taken);
            }
            _ => return false,
        }
    }
    true
}

fn token_matches(token: &Token, character: char) -> bool {
    match token {
        Token::Any | Token::One => true,
        Token::Char(wanted) => *wanted == character,
        Token::Class(negated, ranges) => {
            let within = ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&character));
            within != *negated
        }
    }
}

/// The first pair of braces in a text.
struct Braces<'a> {
    before: &'a str,
    parts: Vec<&'a str>,
    after: &'a str,
}

/// Writes out the first pair of braces and what follows, until there are none.
fn expand_braces(pattern: &str, text: &str, output: &mut Vec<String>) -> Result<(), GlobError> {
    let unclosed = |token| GlobError::Unclosed {
        pattern: pattern.to_owned(),
        token,
    };
    let Some(braces) = find_braces(text).map_err(unclosed)? else {
        if output.len() >= MAX_ALTERNATIVES {
            return Err(GlobError::TooMany {
                pattern: pattern.to_owned(),
            });
        }
        output.push(text.to_owned());
        return Ok(());
    };
    for part in braces.parts {
        let text = format!("{}{part}{}", braces.before, braces.after);
        expand_braces(pattern, &text, output)?;
    }
    Ok(())
}

/// The first pair of braces, or the brace that is not closed.
fn find_braces(text: &str) -> Result<Option<Braces<'_>>, char> {
    let mut depth = 0;
    let (mut open, mut part_start) = (0, 0);
    let mut parts = Vec::new();
    let mut in_class = false;
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, part_start) = (index, index + 1);
                }
            }
            ',' if depth == 1 => {
                parts.push(&text[part_start..index]);
                part_start = index + 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&text[part_start..index]);
                    return Ok(Some(Braces {
                        before: &text[..open],
                        parts,
                        after: &text[index + 1..],
                    }));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err('{') } else { Ok(None) }
}

/// Splits at `/`, not inside a class nor behind a backslash.
fn split_names(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut in_class = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '/' && !in_class {
            names.push(String::new());
            continue;
        }
        if let Some(name) = names.last_mut() {
            name.push(character);
            match character {
                '\\' => name.extend(characters.next()),
                '[' => in_class = true,
                ']' => in_class = false,
                _ => {}
            }
        }
    }
    names
}

fn segment(pattern: &str, name: &str) -> Result<Segment, GlobError> {
    if name == "**" {
        return Ok(Segment::AnyDirectories);
    }
    let unclosed = |token| GlobError::Unclosed {
        pattern: pattern.to_owned(),
        token,
    };
    let mut tokens = Vec::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(characters.next().ok_or_else(|| unclosed('\\'))?),
            '[' => {
                let negated = characters
                    .next_if(|next| matches!(next, '^' | '!'))
                    .is_some();
                let mut ranges = Vec::new();
                loop {
                    let first = match characters.next().ok_or_else(|| unclosed('['))? {
                        ']' if !ranges.is_empty() => break,
                        '\\' => characters.next().ok_or_else(|| unclosed('['))?,
                        other => other,
                    };
                    let mut last = first;
                    if characters.peek() == Some(&'-') {
                        let mut ahead = characters.clone();
                        ahead.next();
                        if let Some(end) = ahead.next().filter(|end| *end != ']') {
                            last = end;
                            characters = ahead;
                        }
                    }
                    ranges.push((first, last));
                }
                Token::Class(negated, ranges)
            }
            other => Token::Char(other),
        });
    }
    let literal: Option<String> = tokens
        .iter()
        .map(|token| match token {
            Token::Char(character) => Some(*character),
            _ => None,
        })
        .collect();
    Ok(literal.map_or(Segment::Wild(tokens), Segment::Literal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_with_doublestar() {
        for (pattern, matching, others) in [
            ("a", &["a"][..], &["b", "a/b", "aa"][..]),
            ("*", &["a", ".hidden"], &["a/b"]),
            ("*.txt", &["a.txt", ".txt"], &["a.txt2", "d/a.txt"]),
            ("**/*.txt", &["a.txt", "d/a.txt", "d/e/a.txt"], &["a.md"]),
            ("a/**", &["a", "a/b", "a/b/c"], &["b", "ab"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a", "b", "a/bb"]),
            ("**/a/**/b", &["a/b", "x/a/a/c/b"], &["a", "x/b"]),
            ("a**", &["a", "abc"], &["a/b", "b"]),
            ("dir/**/*", &["dir/a", "dir/a/b"], &["dir"]),
            ("a?c", &["abc", "aüc"], &["ac", "abbc"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x"]),
            ("[^a-c]x", &["dx", "üx"], &["ax"]),
            ("[!a]", &["b"], &["a"]),
            ("[]]", &["]"], &["["]),
            ("[a-]", &["a", "-"], &["b"]),
            ("{a,b}/c", &["a/c", "b/c"], &["c", "a"]),
            ("x{,y,{1,2}z}", &["x", "xy", "x1z", "x2z"], &["xz"]),
            ("{a/b,c}.d", &["a/b.d", "c.d"], &["a"]),
            ("\\*\\{", &["*{"], &["a{"]),
            ("./a//b/", &["a/b"], &["a"]),
            ("*a*b*c", &["abc", "xaxbxc", "aabbcc"], &["acb", "ab"]),
            ("a}b", &["a}b"], &["ab"]),
            ("[{]", &["{"], &["a"]),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            for path in matching {
                assert!(glob.matches(path), "{pattern} should match {path}");
            }
            for path in others {
                assert!(!glob.matches(path), "{pattern} should not match {path}");
            }
        }
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        for (pattern, message) in [
            ("[a", "`[a` is no valid pattern: `[` is not closed"),
            ("{a,b", "`{a,b` is no valid pattern: `{` is not closed"),
            ("a\\", "`a\\` is no valid pattern: `\\` is not closed"),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap_err().to_string(), message);
        }
        let many = "{a,b}".repeat(11);
        assert!(matches!(Glob::parse(&many), Err(GlobError::TooMany { .. })));
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let glob = Glob::parse(&"*a".repeat(40)).unwrap();
        assert!(!glob.matches(&"a".repeat(39)));
        let glob = Glob::parse(&"**/a/".repeat(40)).unwrap();
        assert!(!glob.matches(&"a/".repeat(39)));
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[a*?{},/\\[\\]\\\\!^-]{0,16}", path in "[a/.-]{0,8}") {
            if let Ok(glob) = Glob::parse(&pattern) {
                glob.matches(&path);
            }
        }
    }
}
