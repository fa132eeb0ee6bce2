//! Tokens to a tree. Parentheses bind tightest, then `!`, comparisons, `&&`, `||`; operators
//! of one strength group from the left.

use super::lexer::Token;
use super::{ExpressionError, Operator, Tree};

pub(super) fn parse(text: &str, tokens: &[(usize, Token)]) -> Result<Tree, ExpressionError> {
    let mut parser = Parser {
        tokens,
        next: 0,
        end: text.len(),
    };
    let tree = parser.binary(0)?;
    match parser.peek() {
        None => Ok(tree),
        Some(Token::Close) => Err(parser.error("`)` without `(`")),
        Some(_) => Err(parser.error("an operator is missing between two values")),
    }
}

struct Parser<'t> {
    tokens: &'t [(usize, Token)],
    next: usize,
    end: usize,
}

/// How tightly an operator binds.
fn strength(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 0,
        Operator::And => 1,
        _ => 2,
    }
}

impl Parser<'_> {
    fn binary(&mut self, weakest: u8) -> Result<Tree, ExpressionError> {
        let mut left = self.operand()?;
        while let Some(Token::Operator(operator)) = self.peek() {
            let operator = *operator;
            if strength(operator) < weakest {
                break;
            }
            self.next += 1;
            let right = self.binary(strength(operator) + 1)?;
            left = Tree::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    // The lexer's limit of tokens bounds the depth of this recursion.
    fn operand(&mut self) -> Result<Tree, ExpressionError> {
        let tree = match self.peek() {
            Some(Token::Null) => Tree::Null,
            Some(Token::Bool(value)) => Tree::Bool(*value),
            Some(Token::Text(text)) => Tree::Text(text.clone()),
            Some(Token::Variable(name)) => Tree::Variable(name.clone()),
            Some(Token::Input(name)) => Tree::Input(name.clone()),
            Some(Token::Pattern(pattern)) => Tree::Pattern(pattern.clone()),
            Some(Token::Not) => {
                self.next += 1;
                return Ok(Tree::Not(Box::new(self.operand()?)));
            }
            Some(Token::Open) => {
                let opened = self.next;
                self.next += 1;
                let tree = self.binary(0)?;
                if self.peek() != Some(&Token::Close) {
                    self.next = opened;
                    return Err(self.error("`(` without `)`"));
                }
                tree
            }
            Some(Token::Operator(_)) => {
                return Err(self.error("an operator stands where a value should be"));
            }
            Some(Token::Close) => return Err(self.error("`)` stands where a value should be")),
            None => return Err(self.error("the expression ends where a value should be")),
        };
        self.next += 1;
        Ok(tree)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn error(&self, message: &str) -> ExpressionError {
        ExpressionError {
            message: message.to_owned(),
            at: self.tokens.get(self.next).map_or(self.end, |(at, _)| *at),
        }
    }
}
