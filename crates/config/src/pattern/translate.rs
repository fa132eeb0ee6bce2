//! An expression of RE2 in the spelling of the `regex` crate.
//!
//! The two dialects are close enough to look the same and differ in many corners: what a brace
//! is, which letters may follow a backslash, what a class may hold, which flags and names there
//! are. So every token is read by RE2's rules and written anew.

use std::iter::Peekable;
use std::str::Chars;

/// How often a part may be repeated, nested repetitions multiplied.
const MAX_REPEAT: u32 = 1000;

/// Names of classes like `[:alpha:]`.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The translation, or what RE2 does not take in the expression.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        chars: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        group: Group::default(),
        outer: Vec::new(),
    };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'p> {
    chars: Peekable<Chars<'p>>,
    out: String,
    /// The innermost group that is open, or the whole expression.
    group: Group,
    /// Those around it.
    outer: Vec<Group>,
}

/// What counts for the repetitions in a group.
#[derive(Clone, Copy)]
struct Group {
    /// The largest product of repetitions in it.
    repeats: u32,
    last: Last,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            repeats: 1,
            last: Last::Nothing,
        }
    }
}

/// What stands before the next token.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// Nothing that could be repeated.
    Nothing,
    /// A part with this product of repetitions in it.
    Part(u32),
    /// A repetition, which cannot be repeated.
    Repetition,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.out.push('|');
                    self.group.last = Last::Nothing;
                }
                '*' | '+' | '?' => self.repetition(&c.to_string(), 1)?,
                '{' => match self.bounds()? {
                    Some((text, count)) => self.repetition(&text, count)?,
                    None => self.literal('{'),
                },
                '^' | '$' | '.' => self.part(&c.to_string()),
                other => self.literal(other),
            }
        }
        if !self.outer.is_empty() {
            return Err("a `(` is not closed".to_owned());
        }
        Ok(())
    }

    fn part(&mut self, text: &str) {
        self.out.push_str(text);
        self.group.last = Last::Part(1);
    }

    fn literal(&mut self, c: char) {
        push_literal(&mut self.out, c);
        self.group.last = Last::Part(1);
    }

    fn repetition(&mut self, operator: &str, count: u32) -> Result<(), String> {
        let Last::Part(inside) = self.group.last else {
            let reason = match self.group.last {
                Last::Repetition => "repeats a repetition",
                _ => "has nothing to repeat",
            };
            return Err(format!("`{operator}` {reason}"));
        };
        let repeats = inside.saturating_mul(count.max(1));
        if repeats > MAX_REPEAT {
            return Err(format!("more than {MAX_REPEAT} repetitions"));
        }
        self.group.repeats = self.group.repeats.max(repeats);
        self.group.last = Last::Repetition;
        self.out.push_str(operator);
        if self.chars.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}` behind a brace, and how often that is; a brace before anything else
    /// is a character.
    fn bounds(&mut self) -> Result<Option<(String, u32)>, String> {
        let mut ahead = self.chars.clone();
        let mut inside = String::new();
        loop {
            match ahead.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => inside.push(c),
                _ => return Ok(None),
            }
        }
        let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
        if least.is_empty() || most.contains(',') {
            return Ok(None);
        }
        let read = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let least = read(least);
        let most = if most.is_empty() { least } else { read(most) };
        if most < least || most > MAX_REPEAT {
            return Err(format!(
                "`{{{inside}}}` is not between 0 and {MAX_REPEAT} in rising order"
            ));
        }
        self.chars = ahead;
        Ok(Some((format!("{{{inside}}}"), most)))
    }

    fn open(&mut self) -> Result<(), String> {
        if self.chars.next_if_eq(&'?').is_none() {
            self.out.push('(');
        } else if self.chars.next_if_eq(&'P').is_some() || self.chars.peek() == Some(&'<') {
            self.name()?;
        } else if !self.flags()? {
            return Ok(());
        }
        self.outer.push(std::mem::take(&mut self.group));
        Ok(())
    }

    /// `<name>` of a group. Nobody asks for groups by name, so it is left out.
    fn name(&mut self) -> Result<(), String> {
        let mut name = String::new();
        if self.chars.next_if_eq(&'<').is_some() {
            name = self.chars.by_ref().take_while(|c| *c != '>').collect();
        }
        if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_alphanumeric()) {
            return Err("look-around, references and such are no part of RE2".to_owned());
        }
        self.out.push('(');
        Ok(())
    }

    /// The flags of `(?flags:` (true: a group begins) or `(?flags)`.
    fn flags(&mut self) -> Result<bool, String> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut negated = false;
        loop {
            match self.chars.next() {
                Some(c @ ('i' | 'm' | 's' | 'U')) => {
                    on.retain(|flag| flag != c);
                    off.retain(|flag| flag != c);
                    if negated { &mut off } else { &mut on }.push(c);
                }
                Some('-') if !negated => negated = true,
                Some(end @ (':' | ')')) if !negated || !off.is_empty() => {
                    let off = if off.is_empty() {
                        off
                    } else {
                        format!("-{off}")
                    };
                    match (end, on.is_empty() && off.is_empty()) {
                        (')', true) => self.out.push_str("(?:)"),
                        _ => self.out.push_str(&format!("(?{on}{off}{end}")),
                    }
                    return Ok(end == ':');
                }
                Some(c) => return Err(format!("`(?` before `{c}` is no part of RE2")),
                None => return Err("a `(` is not closed".to_owned()),
            }
        }
    }

    fn close(&mut self) -> Result<(), String> {
        let outer = self.outer.pop().ok_or("`)` without `(`")?;
        let inside = self.group.repeats;
        self.group = Group {
            repeats: outer.repeats.max(inside),
            last: Last::Part(inside),
        };
        self.out.push(')');
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.chars.peek() {
            Some('A' | 'z') => {
                let text = format!("\\{}", self.chars.next().unwrap_or_default());
                self.part(&text);
            }
            // Only ASCII counts as part of a word. The opposite cannot be asked for so, as it
            // may be inside of a character; there the other letters count too.
            Some('b') => {
                self.chars.next();
                self.part("(?-u:\\b)");
            }
            Some('B') => {
                self.chars.next();
                self.part("\\B");
            }
            Some('C') => {
                self.chars.next();
                self.part("(?s:.)");
            }
            Some('Q') => {
                self.chars.next();
                self.quoted();
            }
            _ => match self.character()? {
                Member::Set(text) => self.part(&text),
                Member::One(c) => self.literal(c),
            },
        }
        Ok(())
    }

    /// `\Q…\E`, or `\Q…` to the end.
    fn quoted(&mut self) {
        while let Some(c) = self.chars.next() {
            if c == '\\' && self.chars.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    /// What a backslash and the characters behind it stand for, in a class or outside.
    fn character(&mut self) -> Result<Member, String> {
        let c = self.chars.next().ok_or("it ends with a backslash")?;
        let one = |c: char| Ok(Member::One(c));
        match c {
            'd' => set("[0-9]"),
            'D' => set("[^0-9]"),
            's' => set(r"[\t\n\f\r ]"),
            'S' => set(r"[^\t\n\f\r ]"),
            'w' => set("[0-9A-Za-z_]"),
            'W' => set("[^0-9A-Za-z_]"),
            'a' => one('\x07'),
            'f' => one('\x0c'),
            'n' => one('\n'),
            'r' => one('\r'),
            't' => one('\t'),
            'v' => one('\x0b'),
            'p' | 'P' => self.property(c == 'P').map(Member::Set),
            'x' => self.hexadecimal().map(Member::One),
            '0'..='7' => {
                let digit = |c: &char| c.is_digit(8);
                if c != '0' && !self.chars.peek().is_some_and(digit) {
                    return Err(format!("`\\{c}` refers back, which RE2 cannot"));
                }
                let mut code = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(next) = self.chars.next_if(digit) else {
                        break;
                    };
                    code = code * 8 + next.to_digit(8).unwrap_or_default();
                }
                one(char::from_u32(code).unwrap_or_default())
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => one(c),
            c => Err(format!("`\\{c}` is no part of RE2")),
        }
    }

    /// `\x41` or `\x{1F600}`.
    fn hexadecimal(&mut self) -> Result<char, String> {
        let digits = match self.chars.next_if_eq(&'{') {
            Some(_) => self.braced()?,
            None => self.chars.by_ref().take(2).collect(),
        };
        let code = match digits.len() {
            2.. if digits.chars().all(|c| c.is_ascii_hexdigit()) => &digits,
            _ => "",
        };
        u32::from_str_radix(code, 16)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| format!("`\\x{digits}` is no character"))
    }

    /// The text up to `}`.
    fn braced(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.chars.next() {
                Some('}') => return Ok(text),
                Some(c) => text.push(c),
                None => return Err("a `{` behind a backslash is not closed".to_owned()),
            }
        }
    }

    /// `\pL`, `\p{Lu}`, `\p{^Greek}`: general categories and scripts, spelled exactly.
    fn property(&mut self, negated: bool) -> Result<String, String> {
        let name = match self.chars.next().ok_or("`\\p` without a name")? {
            '{' => self.braced()?,
            name => name.to_string(),
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name.as_str(), negated),
        };
        let escape = if negated { 'P' } else { 'p' };
        let starts_parts_in_capitals = name.split('_').all(|part| {
            let mut chars = part.chars();
            chars.next().is_some_and(|c| c.is_ascii_uppercase())
                && chars.all(|c| c.is_ascii_lowercase())
        });
        match name.len() {
            _ if name == "Any" => Ok(format!("\\{escape}{{any}}")),
            1 | 2 if starts_parts_in_capitals => Ok(format!("\\{escape}{{gc={name}}}")),
            3.. if starts_parts_in_capitals => Ok(format!("\\{escape}{{sc={name}}}")),
            _ => Err(format!("`{name}` is neither a category nor a script")),
        }
    }

    fn class(&mut self) -> Result<(), String> {
        let mut out = String::from("[");
        if self.chars.next_if_eq(&'^').is_some() {
            out.push('^');
        }
        let mut first = true;
        loop {
            let c = *self.chars.peek().ok_or("a `[` is not closed")?;
            if c == ']' && !first {
                self.chars.next();
                break;
            }
            first = false;
            if let Some(name) = self.posix()? {
                out.push_str(&name);
                continue;
            }
            let low = match self.member()? {
                Member::Set(text) => {
                    out.push_str(&text);
                    continue;
                }
                Member::One(c) => c,
            };
            push_literal(&mut out, low);
            let mut ahead = self.chars.clone();
            if ahead.next() == Some('-') && !matches!(ahead.peek(), None | Some(']')) {
                self.chars = ahead;
                match self.member()? {
                    Member::One(high) if high >= low => {
                        out.push('-');
                        push_literal(&mut out, high);
                    }
                    _ => return Err(format!("a range from `{low}` that does not rise")),
                }
            }
        }
        out.push(']');
        self.part(&out);
        Ok(())
    }

    fn member(&mut self) -> Result<Member, String> {
        match self.chars.next() {
            Some('\\') => self.character(),
            Some(c) => Ok(Member::One(c)),
            None => Err("a `[` is not closed".to_owned()),
        }
    }

    /// `[:alpha:]` or `[:^alpha:]` inside of a class.
    fn posix(&mut self) -> Result<Option<String>, String> {
        let mut ahead = self.chars.clone();
        if ahead.next() != Some('[') || ahead.next() != Some(':') {
            return Ok(None);
        }
        let mut name = String::new();
        while !name.ends_with(":]") {
            match ahead.next() {
                Some(c) => name.push(c),
                None => return Ok(None),
            }
        }
        let name = name.trim_end_matches(":]");
        let (name, not) = match name.strip_prefix('^') {
            Some(name) => (name, "^"),
            None => (name, ""),
        };
        if !POSIX.contains(&name) {
            return Err(format!("`[:{not}{name}:]` is no class"));
        }
        self.chars = ahead;
        Ok(Some(format!("[:{not}{name}:]")))
    }
}

/// What a token can add to a class.
enum Member {
    One(char),
    Set(String),
}

fn set(text: &str) -> Result<Member, String> {
    Ok(Member::Set(text.to_owned()))
}

/// A character that means itself, also in a class.
fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}
