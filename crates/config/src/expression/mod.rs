//! The language of `rules:if`, `only:variables` and `except:variables`.
//!
//! `&&` and `||` return one of their operands, as in Ruby: there only null and false are
//! false, an empty text is true. The value of the whole expression is true when it is
//! present: not null, not false, not blank.

mod lexer;
mod parser;

use crate::pattern;
use thiserror::Error;

/// An expression that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    root: Tree,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text.
    pub at: usize,
}

/// What an expression evaluates to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'v> {
    /// `null`, or a variable that is not defined.
    Null,
    /// The outcome of a comparison.
    Bool(bool),
    /// A text, or the value of a variable.
    Text(&'v str),
    /// A regular expression with its slashes.
    Pattern(&'v str),
    /// An input that is no text: a number, or a list as JSON. It equals only its like.
    Other(&'v str),
}

/// Two operands of one of these make an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equals,
    /// `!=`
    NotEquals,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// A part of an expression, for those who explain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    Null,
    /// `true` or `false`; no variable ever equals one, for variables are texts.
    Bool(bool),
    /// A quoted text.
    Text(String),
    /// The name behind `$`.
    Variable(String),
    /// The name in `$[[ inputs.name ]]`.
    Input(String),
    /// A regular expression with its slashes.
    Pattern(String),
    /// `!`
    Not(Box<Tree>),
    /// Two operands.
    Binary(Operator, Box<Tree>, Box<Tree>),
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let tokens = lexer::tokens(text)?;
        Ok(Self {
            root: parser::parse(text, &tokens)?,
        })
    }

    /// What it evaluates to. `lookup` gives the value of a variable, unexpanded.
    pub fn evaluate<'a>(&'a self, lookup: &dyn Fn(&str) -> Option<&'a str>) -> Value<'a> {
        self.root.evaluate(lookup)
    }

    /// The same with the values of inputs, for `spec:inputs:rules`.
    pub fn evaluate_with<'a>(
        &'a self,
        lookup: &dyn Fn(&str) -> Option<&'a str>,
        input: &dyn Fn(&str) -> Value<'a>,
    ) -> Value<'a> {
        self.root.evaluate_with(lookup, input)
    }

    /// Whether its value is present.
    pub fn is_true<'a>(&'a self, lookup: &dyn Fn(&str) -> Option<&'a str>) -> bool {
        self.evaluate(lookup).is_present()
    }

    /// The expression as a tree.
    pub fn tree(&self) -> &Tree {
        &self.root
    }

    /// The names of the variables in it, in order, each once.
    pub fn variables(&self) -> Vec<&str> {
        self.names(|tree| match tree {
            Tree::Variable(name) => Some(name),
            _ => None,
        })
    }

    /// The names of the inputs in it, in order, each once.
    pub fn inputs(&self) -> Vec<&str> {
        self.names(|tree| match tree {
            Tree::Input(name) => Some(name),
            _ => None,
        })
    }

    fn names(&self, name: impl Fn(&Tree) -> Option<&str>) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.walk(&mut |tree| match name(tree) {
            Some(name) if !names.contains(&name) => names.push(name),
            _ => {}
        });
        names
    }
}

impl Value<'_> {
    /// Whether a rule with this value matches.
    pub fn is_present(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Text(text) => !text.trim().is_empty(),
            Self::Pattern(_) | Self::Other(_) => true,
        }
    }

    /// Whether `&&` and `||` take it for true.
    fn is_truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }
}

impl Tree {
    /// What this part evaluates to.
    pub fn evaluate<'a>(&'a self, lookup: &dyn Fn(&str) -> Option<&'a str>) -> Value<'a> {
        self.evaluate_with(lookup, &|_| Value::Null)
    }

    fn evaluate_with<'a>(
        &'a self,
        lookup: &dyn Fn(&str) -> Option<&'a str>,
        input: &dyn Fn(&str) -> Value<'a>,
    ) -> Value<'a> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Text(text) => Value::Text(text),
            Self::Pattern(text) => Value::Pattern(text),
            Self::Variable(name) => lookup(name).map_or(Value::Null, Value::Text),
            Self::Input(name) => input(name),
            Self::Not(operand) => Value::Bool(!operand.evaluate_with(lookup, input).is_present()),
            Self::Binary(operator, left, right) => {
                let value = left.evaluate_with(lookup, input);
                let right = || right.evaluate_with(lookup, input);
                match operator {
                    Operator::And if !value.is_truthy() => value,
                    Operator::Or if value.is_truthy() => value,
                    Operator::And | Operator::Or => right(),
                    Operator::Equals => Value::Bool(value == right()),
                    Operator::NotEquals => Value::Bool(value != right()),
                    Operator::Matches => Value::Bool(matches(&value, &right())),
                    Operator::NotMatches => Value::Bool(!matches(&value, &right())),
                }
            }
        }
    }

    fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Not(operand) => operand.walk(visit),
            Self::Binary(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            _ => {}
        }
    }
}

/// `left =~ right`. A text on the right that looks like `/…/` is a pattern; any other text
/// is searched for the left one, as GitLab does.
fn matches(left: &Value<'_>, right: &Value<'_>) -> bool {
    let text = match left {
        Value::Text(text) | Value::Pattern(text) | Value::Other(text) => *text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null => return false,
    };
    match right {
        Value::Pattern(literal) => is_match(literal, text).unwrap_or(false),
        Value::Text(literal) => is_match(literal, text).unwrap_or_else(|| literal.contains(text)),
        Value::Null | Value::Bool(_) | Value::Other(_) => false,
    }
}

/// `None` where the literal is not of the form `/…/` or does not compile.
fn is_match(literal: &str, text: &str) -> Option<bool> {
    let (body, flags) = pattern::split_literal(literal)?;
    Some(pattern::compile(body, flags).ok()?.is_match(text))
}

#[cfg(test)]
mod tests;
