//! Globs of `rules:changes`, `rules:exists` and `only:changes`: Ruby's `File.fnmatch?` with
//! `FNM_PATHNAME`, `FNM_DOTMATCH` and `FNM_EXTGLOB`, as GitLab calls it.
//!
//! `*` and `?` stay in one folder and match leading dots; `**/` is any number of folders, none
//! included; `[a-z]`, `[^a]` and `{a,b}` do what they do in a shell; `\` takes the next
//! character as it is. There is no other dialect like it: `include:local` and artifacts have
//! their own.

/// Alternatives a pattern may have after its braces are expanded.
const MAX_ALTERNATIVES: usize = 1000;

/// A pattern that is ready to be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    alternatives: Vec<Vec<char>>,
    /// There are more alternatives than are tried, so the pattern matches everything, as
    /// GitLab lets a rule match that would compare too much.
    too_many: bool,
}

impl Glob {
    /// Reads a pattern. Every text is one; a brace that is not closed matches nothing.
    pub fn new(pattern: &str) -> Self {
        let mut alternatives = Vec::new();
        let complete = expand(pattern.chars().collect(), &mut alternatives);
        Self {
            alternatives,
            too_many: !complete,
        }
    }

    /// Whether a path fits, folders separated by `/`.
    pub fn is_match(&self, path: &str) -> bool {
        if self.too_many {
            return true;
        }
        let path: Vec<char> = path.chars().collect();
        self.alternatives
            .iter()
            .any(|pattern| matches(pattern, &path))
    }
}

/// Collects the alternatives of a pattern, the leftmost braces first; false where there are
/// too many.
fn expand(pattern: Vec<char>, found: &mut Vec<Vec<char>>) -> bool {
    let mut queue = vec![pattern];
    while let Some(pattern) = queue.pop() {
        if found.len() + queue.len() >= MAX_ALTERNATIVES {
            return false;
        }
        match braces(&pattern) {
            Braces::None => found.push(pattern),
            Braces::Open => {}
            Braces::Closed { open, close } => {
                for choice in choices(&pattern[open + 1..close]) {
                    queue.push([&pattern[..open], choice, &pattern[close + 1..]].concat());
                }
            }
        }
    }
    true
}

enum Braces {
    None,
    /// One that is not closed.
    Open,
    Closed {
        open: usize,
        close: usize,
    },
}

/// The first pair of braces, those inside it skipped.
fn braces(pattern: &[char]) -> Braces {
    let mut open = None;
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        match (c, open) {
            ('{', _) => {
                open.get_or_insert(at);
                depth += 1;
            }
            ('}', Some(open)) => {
                depth -= 1;
                if depth == 0 {
                    return Braces::Closed { open, close: at };
                }
            }
            ('\\', _) => at += 1,
            _ => {}
        }
        at += 1;
    }
    if open.is_some() {
        Braces::Open
    } else {
        Braces::None
    }
}

/// The texts between the commas of a pair of braces.
fn choices(inside: &[char]) -> Vec<&[char]> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut depth = 0_i32;
    let mut at = 0;
    while at < inside.len() {
        match inside[at] {
            '{' => depth += 1,
            '}' => depth -= 1,
            '\\' => at += 1,
            ',' if depth == 0 => {
                found.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found.push(&inside[start..]);
    found
}

/// Matches folder by folder. Where that fails, the last `**/` swallows one folder more.
fn matches(pattern: &[char], path: &[char]) -> bool {
    let mut p = 0;
    let mut s = 0;
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern[p..].starts_with(&['*', '*', '/']) {
            while pattern[p..].starts_with(&['*', '*', '/']) {
                p += 3;
            }
            retry = Some((p, s));
        }
        if let Some((after, rest)) = segment(pattern, path, p, s) {
            p = after;
            s = rest;
            while path.get(s).is_some_and(|c| *c != '/') {
                s += 1;
            }
            match (p < pattern.len(), s < path.len()) {
                (true, true) => {
                    p += 1;
                    s += 1;
                    continue;
                }
                (false, false) => return true,
                _ => {}
            }
        }
        let Some((after, from)) = &mut retry else {
            return false;
        };
        let Some(folder) = path[*from..].iter().position(|c| *c == '/') else {
            return false;
        };
        *from += folder + 1;
        p = *after;
        s = *from;
    }
}

/// Matches up to the next `/` of both. Gives where pattern and path then stand: the path
/// possibly before the end of its folder's name, where a last `*` takes the rest.
fn segment(pattern: &[char], path: &[char], mut p: usize, mut s: usize) -> Option<(usize, usize)> {
    let is_end = |text: &[char], at: usize| text.get(at).is_none_or(|c| *c == '/');
    // A last backslash escapes the end.
    let unescape = |at: usize| at + usize::from(pattern.get(at) == Some(&'\\'));
    let mut star: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(p) {
            Some('*') => {
                while pattern.get(p) == Some(&'*') {
                    p += 1;
                }
                if is_end(pattern, unescape(p)) {
                    return Some((unescape(p), s));
                }
                if is_end(path, s) {
                    return None;
                }
                star = Some((p, s));
                continue;
            }
            Some('?') => {
                if is_end(path, s) {
                    return None;
                }
                p += 1;
                true
            }
            Some('[') => {
                if is_end(path, s) {
                    return None;
                }
                match bracket(pattern, p + 1, path[s]) {
                    Some(after) => {
                        p = after;
                        true
                    }
                    None => false,
                }
            }
            _ => {
                p = unescape(p);
                if is_end(path, s) {
                    return is_end(pattern, p).then_some((p, s));
                }
                let same = !is_end(pattern, p) && pattern[p] == path[s];
                p += usize::from(same);
                same
            }
        };
        if fits {
            s += 1;
        } else {
            // The last `*` takes one character more.
            let (after, from) = star.as_mut()?;
            *from += 1;
            p = *after;
            s = *from;
        }
    }
}

/// Whether a character is in the set that begins at `at`; where the pattern goes on then.
fn bracket(pattern: &[char], mut at: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let mut found = false;
    let member = |at: usize| {
        let at = at + usize::from(pattern.get(at) == Some(&'\\'));
        Some((*pattern.get(at)?, at + 1))
    };
    loop {
        if *pattern.get(at)? == ']' {
            return (found != negated).then_some(at + 1);
        }
        let (first, after) = member(at)?;
        at = after;
        let mut last = first;
        if *pattern.get(at)? == '-' && *pattern.get(at + 1)? != ']' {
            (last, at) = member(at + 1)?;
        }
        found |= c == first || c == last || (first..=last).contains(&c);
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    /// What Ruby says: pattern, path and `true` or `false` in each line, by `oracle.rb`.
    const ORACLE: &str = include_str!("glob/oracle.tsv");

    #[test]
    fn patterns_match_as_in_ruby() {
        let mut seen = 0;
        for line in ORACLE.lines() {
            let mut fields = line.split('\t');
            let (Some(pattern), Some(path), Some(expected)) =
                (fields.next(), fields.next(), fields.next())
            else {
                panic!("{line:?}");
            };
            let found = Glob::new(pattern).is_match(path);
            assert_eq!(found.to_string(), expected, "{pattern:?} on {path:?}");
            seen += 1;
        }
        assert!(seen > 1000, "{seen} cases");
    }

    #[test]
    fn a_pattern_with_too_many_alternatives_matches_everything() {
        assert!(Glob::new(&"{a,b}".repeat(40)).is_match("x"));
        assert!(!Glob::new(&"{a,b}".repeat(5)).is_match("x"));
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let path = "a/".repeat(2000) + &"a".repeat(2000);
        let pattern = "**/*a*a*a*a*a*a*a*b";
        assert!(!Glob::new(pattern).is_match(&path));
    }
}
