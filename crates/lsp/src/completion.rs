//! What could be typed at the cursor.

use crate::names::{self, Kind};
use crate::outline::{Role, Spot, Style};
use crate::text::Encoding;
use crate::workspace::View;
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, MarkupContent,
    MarkupKind, TextEdit,
};
use shipway_config::vocabulary::{self, Known, PREDEFINED, Takes};
use std::collections::BTreeMap;
use std::ops::Range;

/// Proposals of one answer. What does not fit is found by typing more.
const MAX_ITEMS: usize = 500;

/// The proposals, and whether there are more.
pub(crate) fn complete(
    view: &View<'_>,
    offset: usize,
    encoding: Encoding,
) -> (Vec<CompletionItem>, bool) {
    let document = &view.document;
    let spot = document.outline.spot(&document.text, offset);
    let mut list = List {
        view,
        offset,
        items: Vec::new(),
        word: spot.word.clone(),
        encoding,
        is_incomplete: false,
    };
    list.fill(&spot);
    (list.items, list.is_incomplete)
}

struct List<'v> {
    view: &'v View<'v>,
    offset: usize,
    items: Vec<CompletionItem>,
    /// What a proposal replaces.
    word: Range<usize>,
    encoding: Encoding,
    is_incomplete: bool,
}

/// A proposal.
struct Proposal<'p> {
    label: &'p str,
    /// What is put in place of the word.
    text: String,
    kind: CompletionItemKind,
    /// A few words behind the label.
    detail: Option<String>,
    meaning: Option<&'p str>,
}

impl List<'_> {
    fn fill(&mut self, spot: &Spot) {
        let text = &self.view.document.text;
        if let Some(input) = names::input_at(text, self.offset) {
            self.word = input;
            return self.names(Kind::Input, "", "");
        }
        if let Some(variable) = names::variable_at(text, self.offset) {
            self.word = variable;
            return self.variables(spot);
        }
        if spot.style == Some(Style::Block) || spot.style == Some(Style::Alias) {
            return;
        }
        if spot.role == Role::Item && self.reference(spot) {
            return;
        }
        let path: Vec<&str> = spot.path.iter().map(String::as_str).collect();
        for form in vocabulary::takes(&path) {
            match spot.role {
                Role::Key => self.key(spot, form),
                Role::Value => self.value(form, ""),
                Role::Item => {
                    self.value(form, "");
                    if let Takes::Maps(block) = form {
                        self.keywords(spot, block, "");
                    }
                }
            }
        }
    }

    /// The names in `!reference [entry, key]`; whether the cursor is in one.
    fn reference(&mut self, spot: &Spot) -> bool {
        let document = &self.view.document;
        let Some(list) = spot.node else {
            return false;
        };
        if document.outline.tag(list, &document.text) != "!reference" {
            return false;
        }
        let mut before = document.outline.children(Some(list)).filter(|child| {
            let extent = &document.outline.nodes[*child].extent;
            extent.end < self.word.start
        });
        let first = before.next();
        match (first, before.next()) {
            (None, _) => self.names(Kind::Job, "", ""),
            (Some(first), None) => {
                let name = document.outline.nodes[first].value.as_ref();
                let name = name.map(|name| name.text(&document.text).into_owned());
                self.keys_of(&name.unwrap_or_default());
            }
            _ => {}
        }
        true
    }

    /// The keys that an entry of the top level has.
    fn keys_of(&mut self, entry: &str) {
        let mut found = Vec::new();
        for member in &self.view.members {
            let document = &member.document;
            let Some(id) = document.outline.entry(None, entry, &document.text) else {
                continue;
            };
            for child in document.outline.children(Some(id)) {
                let key = document.outline.nodes[child].key.as_ref();
                found.extend(key.map(|key| key.text(&document.text).into_owned()));
            }
        }
        for key in found {
            let keyword = vocabulary::keyword(&[entry, &key]);
            self.add(Proposal {
                label: &key,
                text: key.clone(),
                kind: CompletionItemKind::PROPERTY,
                detail: None,
                meaning: keyword.map(|keyword| keyword.meaning),
            });
        }
    }

    /// On a line of its own: a key, or the first item of a list.
    fn key(&mut self, spot: &Spot, form: Takes) {
        match form {
            Takes::Map(block) => self.keywords(spot, block, ""),
            Takes::Maps(block) if self.has_colon() || self.is_item(spot) => {
                self.keywords(spot, block, "");
            }
            Takes::Maps(block) => self.keywords(spot, block, "- "),
            Takes::Named(_) | Takes::Texts | Takes::Variables | Takes::Script => {}
            form if spot.node.is_some() && !self.has_colon() && !self.is_item(spot) => {
                self.value(form, "- ");
            }
            _ => {}
        }
    }

    /// Whether the cursor is in an item of a list that has keys, and not in the list.
    fn is_item(&self, spot: &Spot) -> bool {
        let nodes = &self.view.document.outline.nodes;
        spot.node
            .is_some_and(|id| nodes[id].key.is_none() || nodes[id].flow.is_some())
    }

    fn keywords(&mut self, spot: &Spot, block: &'static vocabulary::Block, before: &str) {
        let document = &self.view.document;
        let outline = &document.outline;
        // The keys that are there already. Those of another item of a list do not count.
        let parent = spot.node.filter(|_| before.is_empty());
        let there: Vec<_> = match spot.role {
            Role::Item => Vec::new(),
            _ => outline
                .children(parent)
                .filter(|child| Some(*child) != spot.current)
                .filter_map(|child| Some(outline.nodes[child].key.as_ref()?.text(&document.text)))
                .collect(),
        };
        let has_colon = self.has_colon();
        for keyword in block.0 {
            if there.iter().any(|key| key == keyword.name) {
                continue;
            }
            let is_nested = keyword.takes.iter().all(|form| !is_scalar(form));
            let behind = match (has_colon, is_nested) {
                (true, _) => "",
                (false, true) => ":",
                (false, false) => ": ",
            };
            self.add(Proposal {
                label: keyword.name,
                text: format!("{before}{}{behind}", keyword.name),
                kind: CompletionItemKind::PROPERTY,
                detail: None,
                meaning: Some(keyword.meaning),
            });
        }
    }

    /// Whether the word is a key with its colon already.
    fn has_colon(&self) -> bool {
        let rest = &self.view.document.text[self.word.end..];
        rest.trim_start_matches(['"', '\'', ' ']).starts_with(':')
    }

    fn value(&mut self, form: Takes, before: &str) {
        match form {
            Takes::Words(words) => self.words(words, before),
            Takes::Flag if before.is_empty() => self.words(&["true", "false"], ""),
            Takes::Stage | Takes::Stages => self.stages(before),
            Takes::Jobs => self.names(Kind::Job, before, "."),
            Takes::Entries => self.names(Kind::Job, before, ""),
            Takes::File => self.files(before),
            _ => {}
        }
    }

    fn words(&mut self, words: &[&str], before: &str) {
        for word in words {
            self.add(Proposal {
                label: word,
                text: format!("{before}{word}"),
                kind: CompletionItemKind::ENUM_MEMBER,
                detail: None,
                meaning: None,
            });
        }
    }

    fn stages(&mut self, before: &str) {
        let mut stages: Vec<&str> = Vec::new();
        // The file that includes comes first, and its list is the one that counts.
        for member in &self.view.members {
            let defined = member.document.names.definitions.iter();
            let defined = defined.filter(|name| name.kind == Kind::Stage);
            stages.extend(defined.map(|name| name.text.as_str()));
            if !stages.is_empty() {
                break;
            }
        }
        if stages.is_empty() {
            stages = vec!["build", "test", "deploy"];
        }
        stages.extend([".pre", ".post"]);
        for stage in stages {
            self.add(Proposal {
                label: stage,
                text: format!("{before}{stage}"),
                kind: CompletionItemKind::ENUM_MEMBER,
                detail: Some("stage".to_owned()),
                meaning: None,
            });
        }
    }

    /// Defined names, without those that begin with `hidden`.
    fn names(&mut self, kind: Kind, before: &str, hidden: &str) {
        let mut found: BTreeMap<&str, String> = BTreeMap::new();
        let own = self.own_entry();
        for member in &self.view.members {
            for name in &member.document.names.definitions {
                let is_hidden = !hidden.is_empty() && name.text.starts_with(hidden);
                if name.kind != kind || is_hidden || own.as_deref() == Some(&name.text) {
                    continue;
                }
                let place = member.path.as_ref().and_then(|path| path.file_name());
                let place = place.and_then(|name| name.to_str()).unwrap_or_default();
                found.entry(&name.text).or_insert_with(|| place.to_owned());
            }
        }
        for (name, place) in found {
            self.add(Proposal {
                label: name,
                text: format!("{before}{}", quoted(name, before)),
                kind: CompletionItemKind::REFERENCE,
                detail: Some(place),
                meaning: None,
            });
        }
    }

    /// The entry of the top level in which the cursor is.
    fn own_entry(&self) -> Option<String> {
        let document = &self.view.document;
        let spot = document.outline.spot(&document.text, self.offset);
        spot.path.into_iter().next()
    }

    /// Files of YAML beside this one, from the root on.
    fn files(&mut self, before: &str) {
        let mut found = BTreeMap::new();
        for member in &self.view.members {
            if let Some(path) = self.view.below_root(member) {
                found.insert(path, ());
            }
        }
        for path in self.view.yaml_files() {
            found.insert(path, ());
        }
        for path in found.keys() {
            self.add(Proposal {
                label: path,
                text: format!("{before}{path}"),
                kind: CompletionItemKind::FILE,
                detail: None,
                meaning: None,
            });
        }
    }

    fn variables(&mut self, spot: &Spot) {
        let path: Vec<&str> = spot.path.iter().map(String::as_str).collect();
        let in_rules = path.contains(&"rules") || path.first() == Some(&"workflow");
        let own = path.first().copied();
        let mut found: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for variable in PREDEFINED {
            if variable.known == Known::Creation || !in_rules {
                found.insert(variable.name, Some(variable.meaning));
            }
        }
        let bases = self.view.bases(own.unwrap_or_default());
        for member in &self.view.members {
            for name in &member.document.names.definitions {
                let reaches = match name.owner.as_deref() {
                    None => true,
                    owner => owner == own || owner.is_some_and(|owner| bases.contains(owner)),
                };
                if name.kind == Kind::Variable && reaches {
                    found.entry(&name.text).or_default();
                }
            }
        }
        let text = &self.view.document.text;
        let is_open =
            text[..self.word.start].ends_with("${") && !text[self.word.end..].starts_with('}');
        let behind = if is_open { "}" } else { "" };
        for (name, meaning) in found {
            self.add(Proposal {
                label: name,
                text: format!("{name}{behind}"),
                kind: CompletionItemKind::VARIABLE,
                detail: meaning.is_some().then(|| "predefined".to_owned()),
                meaning,
            });
        }
    }

    fn add(&mut self, proposal: Proposal<'_>) {
        let document = &self.view.document;
        let typed_end = self.offset.clamp(self.word.start, self.word.end);
        let typed = document.slice(self.word.start..typed_end);
        if !fits(proposal.label, typed) {
            return;
        }
        if self.items.len() >= MAX_ITEMS {
            self.is_incomplete = true;
            return;
        }
        if self.items.iter().any(|item| item.label == proposal.label) {
            return;
        }
        let range = document.range(self.word.clone(), self.encoding);
        self.items.push(CompletionItem {
            label: proposal.label.to_owned(),
            kind: Some(proposal.kind),
            detail: proposal.detail,
            documentation: proposal.meaning.map(|meaning| {
                Documentation::MarkupContent(MarkupContent {
                    kind: MarkupKind::Markdown,
                    value: meaning.to_owned(),
                })
            }),
            // In the order of the table, which is that of use.
            sort_text: Some(format!("{:04}", self.items.len())),
            filter_text: Some(proposal.label.to_owned()),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
                range,
                proposal.text,
            ))),
            ..Default::default()
        });
    }
}

/// Whether a value of this form can stand behind the colon.
fn is_scalar(form: &Takes) -> bool {
    !matches!(
        form,
        Takes::Map(_)
            | Takes::Maps(_)
            | Takes::Named(_)
            | Takes::Texts
            | Takes::Variables
            | Takes::Script
            | Takes::Stages
    )
}

/// Whether the letters that were typed are in a proposal, in their order, from the start of
/// one of its words on.
fn fits(label: &str, typed: &str) -> bool {
    let label: Vec<char> = label.chars().flat_map(char::to_lowercase).collect();
    let begins = |at: usize| at == 0 || !label[at - 1].is_alphanumeric();
    (0..label.len().max(1)).filter(|at| begins(*at)).any(|at| {
        let mut letters = label[at..].iter();
        let mut typed = typed.chars().flat_map(char::to_lowercase);
        let first = typed.next();
        let begins_so = first.is_none_or(|first| letters.next() == Some(&first));
        begins_so && typed.all(|wanted| letters.any(|letter| *letter == wanted))
    })
}

/// A name in quotes where it would be read as something else.
fn quoted(name: &str, before: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_alphanumeric() || ".$_/".contains(c))
        && !name.contains(": ")
        && !name.contains(" #")
        && !name.ends_with(':')
        && (!before.is_empty() || !name.contains([',', '[', ']', '{', '}']));
    match is_plain {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fit_from_the_start_of_a_word() {
        for (label, typed, expected) in [
            ("script", "", true),
            ("script", "sc", true),
            ("script", "SPT", true),
            ("before_script", "sc", true),
            ("before_script", "bs", true),
            ("needs", "s", false),
            ("needs", "nd", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(label, typed), expected, "{label} {typed}");
        }
    }

    #[test]
    fn names_that_yaml_would_misread_get_quotes() {
        for (name, before, expected) in [
            ("build", "", "build"),
            (".base", "", ".base"),
            ("build: a", "", "'build: a'"),
            ("a, b", "", "'a, b'"),
            ("a, b", "- ", "a, b"),
            ("it's: ", "", "'it''s: '"),
            ("*x", "", "'*x'"),
        ] {
            assert_eq!(quoted(name, before), expected, "{name}");
        }
    }
}
