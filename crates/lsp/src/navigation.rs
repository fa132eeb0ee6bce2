//! From the word at the cursor to where it is defined and used.

use crate::document::Document;
use crate::names::{self, Kind, Name};
use crate::outline::{Outline, Role, Spot, Style};
use crate::text::Encoding;
use crate::uri;
use crate::workspace::{Member, View};
use lsp_types::Location;
use shipway_config::vocabulary::{self, Takes};
use std::ops::Range;

/// What the word at the cursor names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A job, stage, variable or input.
    Named {
        kind: Kind,
        name: String,
        range: Range<usize>,
        /// Of a variable: the entry of the top level that it is used in.
        inside: Option<String>,
    },
    /// A key of an entry, in `!reference [entry, key]`.
    KeyOf { entry: String, key: String },
    /// An anchor of this file.
    Anchor(String),
    /// A file of the project, as it is written.
    File(String),
}

/// What the word at the cursor names, if anything.
pub(crate) fn target(document: &Document, offset: usize) -> Option<(Target, Spot)> {
    let text = &document.text;
    let spot = document.outline.spot(text, offset);
    let inside = spot.path.first().cloned();
    let named = |kind, range: Range<usize>| Target::Named {
        kind,
        name: text[range.clone()].to_owned(),
        range,
        inside: inside.clone(),
    };
    if let Some(range) = names::input_at(text, offset) {
        return Some((named(Kind::Input, range), spot));
    }
    if let Some(range) = names::variable_at(text, offset).filter(|range| !range.is_empty()) {
        return Some((named(Kind::Variable, range), spot));
    }
    let id = spot.current?;
    let all = (document.names.definitions.iter()).chain(&document.names.uses);
    let touched = all
        .filter(|name| name.node == id)
        .find(|name| name.range.start <= offset && offset <= name.range.end);
    if let Some(name) = touched {
        let inside = name.owner.clone();
        let target = Target::Named {
            kind: name.kind,
            name: name.text.clone(),
            range: name.range.clone(),
            inside,
        };
        return Some((target, spot));
    }
    if spot.style == Some(Style::Alias) {
        return Some((Target::Anchor(text[spot.word.clone()].to_owned()), spot));
    }
    let value = document.outline.nodes[id].value.as_ref()?;
    if spot.role == Role::Key {
        return None;
    }
    if let Some(key) = key_of(document, id, &value.text(text)) {
        return Some((key, spot));
    }
    let path: Vec<&str> = spot.path.iter().map(String::as_str).collect();
    let is_file = (vocabulary::takes(&path).iter()).any(|form| matches!(form, Takes::File));
    is_file.then(|| (Target::File(value.text(text).into_owned()), spot.clone()))
}

/// The second name in `!reference [entry, key]`.
fn key_of(document: &Document, id: usize, key: &str) -> Option<Target> {
    let (outline, text) = (&document.outline, &document.text);
    let list = outline.nodes[id].parent?;
    let mut items = outline.children(Some(list));
    let first = items.next()?;
    let is_second = items.next() == Some(id) && outline.tag(list, text) == "!reference";
    let entry = outline.nodes[first].value.as_ref()?.text(text);
    is_second.then(|| Target::KeyOf {
        entry: entry.into_owned(),
        key: key.to_owned(),
    })
}

/// Where what stands at the cursor is defined.
pub(crate) fn definitions(view: &View<'_>, offset: usize, encoding: Encoding) -> Vec<Location> {
    let Some((target, _)) = target(&view.document, offset) else {
        return Vec::new();
    };
    let places = Places { view, encoding };
    match &target {
        Target::Named {
            kind, name, inside, ..
        } => places.of_names(|member| defined(view, member, *kind, name, inside.as_deref())),
        Target::KeyOf { entry, key } => places.of(|document| {
            let (outline, text) = (&document.outline, &document.text);
            let id = outline
                .entry(None, entry, text)
                .and_then(|id| outline.entry(Some(id), key, text));
            let key = id.and_then(|id| outline.nodes[id].key.as_ref());
            key.map(|key| key.inner(text)).into_iter().collect()
        }),
        Target::Anchor(name) => {
            let anchor = |document: &Document| anchor(&document.outline, &document.text, name);
            let range = anchor(&view.document);
            let own = view
                .members
                .iter()
                .find(|member| member.path.as_ref() == Some(&view.path));
            match (range, own) {
                (Some(range), Some(own)) => places.location(own, range).into_iter().collect(),
                _ => Vec::new(),
            }
        }
        Target::File(name) => places.file(name, offset),
    }
}

fn anchor(outline: &Outline, text: &str, name: &str) -> Option<Range<usize>> {
    let mut anchors = outline.nodes.iter().filter_map(|node| node.anchor.clone());
    anchors.find(|range| text.get(range.clone()) == Some(name))
}

/// The definitions of a name in one file that count where it is used. The variables of an
/// entry hide none: a person wants to see all that may matter.
pub(crate) fn defined<'m>(
    view: &View<'_>,
    member: &'m Member,
    kind: Kind,
    name: &str,
    inside: Option<&str>,
) -> Vec<&'m Name> {
    let bases = match (kind, inside) {
        (Kind::Variable, Some(inside)) => view.bases(inside),
        _ => Default::default(),
    };
    let all = member.document.names.definitions.iter();
    all.filter(|found| found.kind == kind && found.text == name)
        .filter(|found| match (kind, found.owner.as_deref()) {
            (Kind::Variable, Some(owner)) => {
                inside.is_none_or(|inside| inside == owner || bases.contains(owner))
            }
            _ => true,
        })
        .collect()
}

/// Where the name at the cursor is used, and with `definitions` where it is defined.
pub(crate) fn references(
    view: &View<'_>,
    offset: usize,
    with_definitions: bool,
    encoding: Encoding,
) -> Vec<Location> {
    let Some((Target::Named { kind, name, .. }, _)) = target(&view.document, offset) else {
        return Vec::new();
    };
    let places = Places { view, encoding };
    places.of(|document| {
        let names = &document.names;
        let same = |found: &&Name| found.kind == kind && found.text == name;
        let mut ranges: Vec<Range<usize>> = Vec::new();
        if with_definitions {
            ranges.extend(
                names
                    .definitions
                    .iter()
                    .filter(same)
                    .map(|name| name.range.clone()),
            );
        }
        ranges.extend(
            names
                .uses
                .iter()
                .filter(same)
                .map(|name| name.range.clone()),
        );
        match kind {
            Kind::Variable => ranges.extend(names::variable_uses(&document.text, &name)),
            Kind::Input => ranges.extend(
                (document.text.match_indices(&name))
                    .filter_map(|(at, _)| names::input_at(&document.text, at))
                    .filter(|range| range.len() == name.len()),
            ),
            _ => {}
        }
        ranges.sort_by_key(|range| range.start);
        ranges
    })
}

struct Places<'p> {
    view: &'p View<'p>,
    encoding: Encoding,
}

impl Places<'_> {
    fn of(&self, ranges: impl Fn(&Document) -> Vec<Range<usize>>) -> Vec<Location> {
        let mut found = Vec::new();
        for member in &self.view.members {
            for range in ranges(&member.document) {
                self.add(&mut found, member, range);
            }
        }
        found
    }

    fn of_names<'m>(&'m self, names: impl Fn(&'m Member) -> Vec<&'m Name>) -> Vec<Location> {
        let mut found = Vec::new();
        for member in &self.view.members {
            for name in names(member) {
                self.add(&mut found, member, name.range.clone());
            }
        }
        found
    }

    /// A file that is included twice is told once.
    fn add(&self, found: &mut Vec<Location>, member: &Member, range: Range<usize>) {
        let location = self.location(member, range);
        found.extend(location.filter(|location| !found.contains(location)));
    }

    /// A place in a file; for one of another project, where it is included.
    fn location(&self, member: &Member, range: Range<usize>) -> Option<Location> {
        match &member.path {
            Some(path) => Some(Location::new(
                uri::of(path)?,
                member.document.range(range, self.encoding),
            )),
            None => {
                let (index, range) = member.included_from.clone()?;
                self.location(self.view.members.get(index)?, range)
            }
        }
    }

    /// The files that an `include` at the cursor brought, or the one of this path.
    fn file(&self, name: &str, offset: usize) -> Vec<Location> {
        let path = self.view.root.join(name.trim_start_matches('/'));
        let path = uri::real(&path);
        let members = self.view.members.iter();
        let mut paths: Vec<_> = members
            .filter(|member| {
                member.included_from.as_ref().is_some_and(|(index, range)| {
                    let from = self
                        .view
                        .members
                        .get(*index)
                        .and_then(|from| from.path.as_ref());
                    from == Some(&self.view.path) && range.start <= offset && offset <= range.end
                })
            })
            .filter_map(|member| member.path.clone())
            .collect();
        if path.is_file() {
            paths = vec![path];
        }
        let addresses = paths.iter().filter_map(|path| uri::of(path));
        addresses
            .map(|uri| Location::new(uri, lsp_types::Range::default()))
            .collect()
    }
}
