//! Where in the shape of a file the cursor is.

use super::{NodeId, Outline, Scalar, Style};
use std::ops::Range;

/// What stands at the cursor, or could be typed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A key of the map at the path.
    Key,
    /// The value at the path.
    Value,
    /// An item of the list at the path, which may be a scalar or begin with a key.
    Item,
}

/// The cursor's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) role: Role,
    /// Keys from the top. For [`Role::Key`] the map that the key is in, without the key.
    pub(crate) path: Vec<String>,
    /// The map or list that is typed into, or the node whose value it is; `None` at the top.
    pub(crate) node: Option<NodeId>,
    /// The node that is being typed.
    pub(crate) current: Option<NodeId>,
    /// The word under the cursor, without quotes.
    pub(crate) word: Range<usize>,
    /// Whether the word stands in quotes or in a block scalar.
    pub(crate) style: Option<Style>,
}

impl Outline {
    /// What the cursor at a byte of the text is at.
    pub(crate) fn spot(&self, text: &str, offset: usize) -> Spot {
        // All nodes that begin before the cursor, the last first.
        let behind = self
            .nodes
            .partition_point(|node| node.extent.start <= offset);
        let on = |scalar: &Scalar| {
            let range = &scalar.range;
            match scalar.style {
                // The end of a block is the start of the next line.
                Style::Block => range.start <= offset && offset < range.end,
                _ => range.start <= offset && offset <= range.end,
            }
        };
        let last = behind.checked_sub(1);
        let mut near = last;
        while let Some(id) = near {
            let node = &self.nodes[id];
            if let Some(key) = node.key.as_ref().filter(|key| on(key)) {
                return self.at_key(text, id, key);
            }
            if let Some(value) = node.value.as_ref().filter(|value| on(value)) {
                return self.at_value(text, id, value);
            }
            near = node.parent;
        }
        match last {
            Some(last) => self.between(text, offset, last),
            None => self.empty(Role::Key, None, text, offset),
        }
    }

    fn at_key(&self, text: &str, id: NodeId, key: &Scalar) -> Spot {
        let parent = self.nodes[id].parent;
        let is_list = parent.is_some_and(|parent| self.nodes[parent].key.is_none())
            && self.nodes[id].indent.is_some();
        let role = match is_list && self.is_first(id) {
            true => Role::Item,
            false => Role::Key,
        };
        Spot {
            role,
            path: parent.map_or_else(Vec::new, |parent| self.path(parent, text)),
            node: parent,
            current: Some(id),
            word: key.inner(text),
            style: Some(key.style),
        }
    }

    fn is_first(&self, id: NodeId) -> bool {
        let parent = self.nodes[id].parent;
        self.children(parent).next() == Some(id)
    }

    fn at_value(&self, text: &str, id: NodeId, value: &Scalar) -> Spot {
        let node = &self.nodes[id];
        let role = match node.key {
            Some(_) => Role::Value,
            None => Role::Item,
        };
        Spot {
            role,
            path: self.path(id, text),
            node: match role {
                Role::Item => node.parent,
                _ => Some(id),
            },
            current: Some(id),
            word: value.inner(text),
            style: Some(value.style),
        }
    }

    /// The cursor is on no word: what would be typed there.
    fn between(&self, text: &str, offset: usize, last: NodeId) -> Spot {
        // Inside brackets.
        let mut around = Some(last);
        while let Some(id) = around {
            let node = &self.nodes[id];
            if let Some(flow) = &node.flow
                && flow.inside.start <= offset
                && offset <= flow.inside.end
            {
                let open = self
                    .children(Some(id))
                    .filter(|child| self.nodes[*child].extent.start <= offset)
                    .last();
                if let Some(child) = open
                    && self.nodes[child].colon
                    && !text[self.nodes[child].extent.start..offset].contains(',')
                {
                    return self.empty(Role::Value, Some(child), text, offset);
                }
                let role = if flow.is_map { Role::Key } else { Role::Item };
                return self.empty(role, Some(id), text, offset);
            }
            around = node.parent;
        }

        let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line_start..offset];
        let column = before.len() - before.trim_start().len();
        let on_this_line = self.nodes[last].extent.start >= line_start;
        if on_this_line && !before.trim().is_empty() {
            let node = &self.nodes[last];
            return match node.key {
                Some(_) => self.empty(Role::Value, Some(last), text, offset),
                None => Spot {
                    current: Some(last),
                    ..self.empty(Role::Item, node.parent, text, offset)
                },
            };
        }
        // A blank line: the column says in what it is.
        let above = self.lineage(last).find(|id| {
            let node = &self.nodes[*id];
            node.indent.is_some_and(|indent| indent < column) && (node.colon || node.key.is_none())
        });
        self.empty(Role::Key, above, text, offset)
    }

    fn empty(&self, role: Role, node: Option<NodeId>, text: &str, offset: usize) -> Spot {
        Spot {
            role,
            path: node.map_or_else(Vec::new, |id| self.path(id, text)),
            node,
            current: None,
            word: offset..offset,
            style: None,
        }
    }
}
