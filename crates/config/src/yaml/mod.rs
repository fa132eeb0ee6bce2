//! Text to nodes: what Ruby's Psych, which GitLab reads YAML with, makes of a file, plus the
//! place of every value.

mod compose;
mod document;
mod json;
mod node;
mod scalar;
mod tag;

pub(crate) use document::{Part, parts};
pub(crate) use json::json;
pub(crate) use node::{Entry, Key, Map, Node, Value, float_text, get};
pub(crate) use scalar::plain_is_text;

#[cfg(test)]
mod tests;
