//! Text to nodes: what Ruby's Psych, which GitLab reads YAML with, makes of a file, plus the
//! place of every value.

mod compose;
mod node;
mod scalar;

pub(crate) use compose::parse;
pub(crate) use node::{Entry, Key, Map, Node, Value, get};

#[cfg(test)]
mod tests;
