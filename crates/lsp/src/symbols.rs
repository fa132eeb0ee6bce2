//! What is in a file, for the editor's outline.

use crate::document::Document;
use crate::outline::{NodeId, Style};
use crate::text::Encoding;
use lsp_types::{DocumentSymbol, SymbolKind};
use shipway_config::vocabulary;

/// The entries of the top level, each with its keys.
pub(crate) fn of(document: &Document, encoding: Encoding) -> Vec<DocumentSymbol> {
    // In one pass: to ask each entry for its children would go over the file for each.
    let mut symbols: Vec<DocumentSymbol> = Vec::new();
    let mut last = None;
    for (id, node) in document.outline.nodes.iter().enumerate() {
        match node.parent {
            None => {
                last = None;
                if let Some(symbol) = symbol(document, id, true, encoding) {
                    symbols.push(symbol);
                    last = Some(id);
                }
            }
            Some(parent) if Some(parent) == last => {
                let Some(symbol) = symbol(document, id, false, encoding) else {
                    continue;
                };
                if let Some(above) = symbols.last_mut() {
                    if symbol.name == "stage" {
                        above.detail.clone_from(&symbol.detail);
                    }
                    above.children.get_or_insert_default().push(symbol);
                }
            }
            Some(_) => {}
        }
    }
    symbols
}

#[expect(deprecated, reason = "the type has an old field that must be filled")]
fn symbol(
    document: &Document,
    id: NodeId,
    is_top: bool,
    encoding: Encoding,
) -> Option<DocumentSymbol> {
    let node = &document.outline.nodes[id];
    let key = node.key.as_ref().filter(|_| node.colon)?;
    let name = key.text(&document.text).into_owned();
    let kind = match is_top {
        false => SymbolKind::PROPERTY,
        true if vocabulary::globals().get(&name).is_some() => SymbolKind::MODULE,
        true if name.starts_with('.') => SymbolKind::INTERFACE,
        true => SymbolKind::FUNCTION,
    };
    let value = node
        .value
        .as_ref()
        .filter(|value| value.style != Style::Block);
    Some(DocumentSymbol {
        detail: value.map(|value| value.text(&document.text).into_owned()),
        kind,
        tags: None,
        deprecated: None,
        range: document.range(node.extent.clone(), encoding),
        selection_range: document.range(key.range.clone(), encoding),
        children: None,
        // An empty name is refused by editors.
        name: if name.is_empty() {
            "''".to_owned()
        } else {
            name
        },
    })
}
