//! Patterns that are compared as texts.

use super::variables::conditions;
use crate::expression::{Expression, Operator, Tree};
use crate::{Config, Diagnostic};

/// Tells of `=~ "^text"`, which looks for the text itself, and of `== "/^text/"`, which only the
/// pattern itself equals. A list of rules that several jobs share is told once.
pub(super) fn as_texts(config: &Config, found: &mut Vec<Diagnostic>) {
    for condition in conditions(config) {
        // Most conditions have neither.
        if !condition.text.contains(['~', '/']) {
            continue;
        }
        let Ok(expression) = Expression::parse(condition.text) else {
            continue;
        };
        let is_told = |one: &Diagnostic| {
            one.span == Some(condition.span) && one.message.starts_with("a pattern ")
        };
        if let Some(doubt) = doubtful(expression.tree())
            && !found.iter().any(is_told)
        {
            found.push(
                condition
                    .doubt(doubt.message)
                    .label(doubt.label)
                    .hint(doubt.hint),
            );
        }
    }
}

struct Doubt {
    message: String,
    label: String,
    hint: String,
}

fn doubtful(tree: &Tree) -> Option<Doubt> {
    let (operator, left, right) = match tree {
        Tree::Binary(operator, left, right) => (operator, left, right),
        Tree::Not(operand) => return doubtful(operand),
        _ => return None,
    };
    match (operator, &**left, &**right) {
        (Operator::Matches | Operator::NotMatches, _, Tree::Text(text))
            if !text.starts_with('/') && has_syntax(text) =>
        {
            Some(Doubt {
                message: "a pattern in quotes is taken for a text".to_owned(),
                label: format!("looks for `{text}` itself"),
                hint: format!(
                    "a pattern stands between slashes, without quotes: `/{}/`",
                    text.replace('/', "\\/")
                ),
            })
        }
        (Operator::Equals | Operator::NotEquals, Tree::Variable(name), Tree::Text(text))
            if is_pattern(text) =>
        {
            let operator = match operator {
                Operator::Equals => "=~",
                _ => "!~",
            };
            Some(Doubt {
                message: "a pattern in quotes is taken for a text".to_owned(),
                label: format!("${name} would have to be `{text}` itself"),
                hint: format!("write `${name} {operator} {text}`, without quotes"),
            })
        }
        _ => doubtful(left).or_else(|| doubtful(right)),
    }
}

/// Whether a text has what only a regular expression needs.
fn has_syntax(text: &str) -> bool {
    text.contains(['^', '$', '*', '\\', '|', '[', '+'])
}

/// `/^v\d/`, and not a path such as `/srv/www/`.
fn is_pattern(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|text| {
        let text = text.trim_end_matches(|c: char| "ismU".contains(c));
        text.strip_suffix('/')
    });
    inner.is_some_and(has_syntax)
}
