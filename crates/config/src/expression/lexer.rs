//! Text to tokens.

use super::{ExpressionError, Operator};
use crate::pattern;

/// GitLab gives up at this many tokens.
const MAX_TOKENS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Not,
    Operator(Operator),
    Null,
    Bool(bool),
    Text(String),
    Variable(String),
    Input(String),
    /// With its slashes and the flags RE2 knows.
    Pattern(String),
}

/// The tokens of an expression, each with the byte offset of its start.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            return Ok(tokens);
        }
        if tokens.len() + 1 >= MAX_TOKENS {
            return Err(ExpressionError {
                message: format!("more than {} tokens", MAX_TOKENS - 1),
                at,
            });
        }
        let (token, length) =
            token(&text[at..]).map_err(|message| ExpressionError { message, at })?;
        tokens.push((at, token));
        at += length;
    }
}

/// The token at the start of a text and its length in bytes.
fn token(text: &str) -> Result<(Token, usize), String> {
    const FIXED: [(&str, Token); 12] = [
        ("==", Token::Operator(Operator::Equals)),
        ("!=", Token::Operator(Operator::NotEquals)),
        ("=~", Token::Operator(Operator::Matches)),
        ("!~", Token::Operator(Operator::NotMatches)),
        ("&&", Token::Operator(Operator::And)),
        ("||", Token::Operator(Operator::Or)),
        ("(", Token::Open),
        (")", Token::Close),
        ("!", Token::Not),
        ("null", Token::Null),
        ("true", Token::Bool(true)),
        ("false", Token::Bool(false)),
    ];
    for (written, token) in FIXED {
        if text.starts_with(written) {
            return Ok((token, written.len()));
        }
    }
    match text.as_bytes()[0] {
        b'$' if text.starts_with("$[[") => input_token(text),
        b'$' => {
            let name: String = text[1..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if name.is_empty() {
                return Err("`$` without a name; write `$NAME`, not `${NAME}`".to_owned());
            }
            let length = name.len() + 1;
            Ok((Token::Variable(name), length))
        }
        quote @ (b'"' | b'\'') => match text[1..].find(char::from(quote)) {
            Some(end) => Ok((Token::Text(text[1..=end].to_owned()), end + 2)),
            None => Err("the quote is not closed".to_owned()),
        },
        b'/' => pattern_token(text),
        _ => {
            let word: String = text
                .chars()
                .take_while(|c| !c.is_whitespace())
                .take(40)
                .collect();
            Err(format!(
                "`{word}` is not an operator or a value; texts stand in quotes"
            ))
        }
    }
}

/// `$[[ inputs.name ]]`
fn input_token(text: &str) -> Result<(Token, usize), String> {
    let end = text.find("]]").map(|end| end + 2);
    let name = end.and_then(|end| {
        let inner = text[3..end - 2].trim();
        let name = inner.strip_prefix("inputs.")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        (!name.is_empty() && name.chars().all(fits)).then(|| name.to_owned())
    });
    match (name, end) {
        (Some(name), Some(end)) => Ok((Token::Input(name), end)),
        _ => Err("an input is written `$[[ inputs.NAME ]]`".to_owned()),
    }
}

/// `/text/flags`, ending at the first slash without a backslash. The text has at least two
/// characters; letters that are no flags of RE2 are dropped.
fn pattern_token(text: &str) -> Result<(Token, usize), String> {
    let mut end = None;
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '/' if !escaped => {
                end = Some(index);
                break;
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    let Some(end) = end else {
        return Err("the regular expression has no closing `/`".to_owned());
    };
    let body = &text[1..end];
    if body.chars().count() < 2 {
        return Err("a regular expression needs at least two characters".to_owned());
    }
    let letters: &str = &text[end + 1..];
    let letters = &letters[..letters
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(letters.len())];
    pattern::compile(body, letters).map_err(|error| error.to_string())?;
    let flags: String = letters.chars().filter(|c| "ismU".contains(*c)).collect();
    Ok((
        Token::Pattern(format!("/{body}/{flags}")),
        end + 1 + letters.len(),
    ))
}
