//! The shape of a YAML file that may be half typed: every key and value with its place.
//!
//! The reader of `config` refuses a file at its first fault, and rightly so. An editor asks
//! about files that are wrong at this very moment, mostly at the line that is being typed. So
//! this one goes line by line and by indentation, takes a wrong line for what it looks like,
//! and never fails. It serves places and names only; what the file means is for `config`.

mod flow;
mod scan;
mod spot;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use spot::{Role, Spot};

/// The shape of one file.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) nodes: Vec<Node>,
}

/// The number of a node in its outline.
pub(crate) type NodeId = usize;

/// An entry of a map, or an item of a list.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it is in; `None` at the top.
    pub(crate) parent: Option<NodeId>,
    /// The key; `None` for an item of a list.
    pub(crate) key: Option<Scalar>,
    /// Whether a colon follows the key. Without one it may be a key that is being typed.
    pub(crate) colon: bool,
    /// The scalar behind it.
    pub(crate) value: Option<Scalar>,
    /// `reference` for `!reference`.
    pub(crate) tag: Option<Range<usize>>,
    /// The name of an anchor, without `&`.
    pub(crate) anchor: Option<Range<usize>>,
    /// Between the brackets of a flow list or map.
    pub(crate) flow: Option<Flow>,
    /// From the key or dash to the end of all that is in it.
    pub(crate) extent: Range<usize>,
    /// The column of the key or dash; nothing for what is inside brackets.
    indent: Option<usize>,
}

/// What is between brackets.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) inside: Range<usize>,
    pub(crate) is_map: bool,
}

/// A scalar as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// With quotes; of a block scalar its lines.
    pub(crate) range: Range<usize>,
    pub(crate) style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Single,
    Double,
    Block,
    /// `*name`; the range is without the star.
    Alias,
}

impl Scalar {
    /// Without quotes.
    pub(crate) fn inner(&self, text: &str) -> Range<usize> {
        let quote = match self.style {
            Style::Single => '\'',
            Style::Double => '"',
            _ => return self.range.clone(),
        };
        let start = self.range.start + 1;
        let closed = self.range.len() > 1 && text[..self.range.end].ends_with(quote);
        start..(self.range.end - usize::from(closed)).max(start)
    }

    /// What it says. Escapes other than those of quotes are left as they are.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let inner = text.get(self.inner(text)).unwrap_or_default();
        match self.style {
            Style::Single if inner.contains("''") => inner.replace("''", "'").into(),
            Style::Double if inner.contains('\\') => {
                inner.replace("\\\"", "\"").replace("\\\\", "\\").into()
            }
            _ => inner.into(),
        }
    }
}

impl Outline {
    /// The keys from the top to a node, its own included. Items of lists have none.
    pub(crate) fn path(&self, id: NodeId, text: &str) -> Vec<String> {
        let mut path: Vec<String> = self
            .lineage(id)
            .filter_map(|id| {
                let node = &self.nodes[id];
                Some(node.key.as_ref()?.text(text).into_owned())
            })
            .collect();
        path.reverse();
        path
    }

    /// A node, what it is in, and so on to the top.
    pub(crate) fn lineage(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id), |id| self.nodes[*id].parent)
    }

    /// What is directly in a node, or at the top.
    pub(crate) fn children(&self, parent: Option<NodeId>) -> impl Iterator<Item = NodeId> {
        // What is in a node stands behind it, and before what follows it.
        let first = parent.map_or(0, |id| id + 1);
        let end = parent.map_or(usize::MAX, |id| self.nodes[id].extent.end);
        (first..self.nodes.len())
            .take_while(move |id| parent.is_none() || self.nodes[*id].extent.start < end)
            .filter(move |id| self.nodes[*id].parent == parent)
    }

    /// The entry of a key in a node, or at the top.
    pub(crate) fn entry(&self, parent: Option<NodeId>, key: &str, text: &str) -> Option<NodeId> {
        self.children(parent).find(|id| {
            let found = self.nodes[*id].key.as_ref();
            found.is_some_and(|found| found.text(text) == key)
        })
    }

    /// The tag of a node, with its `!`.
    pub(crate) fn tag<'t>(&self, id: NodeId, text: &'t str) -> &'t str {
        let tag = self.nodes[id].tag.clone();
        tag.and_then(|range| text.get(range)).unwrap_or_default()
    }
}
