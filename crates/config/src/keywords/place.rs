//! Where in the configuration a keyword is being read, and how its faults are worded.
//!
//! GitLab builds its messages from the path of the entry (`jobs:test:cache:key`), the word
//! `config` where the value of the entry itself is wrong or the name of the attribute where
//! that is, and the reason; then it turns the whole into lower case.

use super::hints;
use super::report::{Fault, Report};
use super::values::{string_or_strings, strings, value};
use crate::expression::ExpressionError;
use crate::yaml::{Map, Node};
use crate::{Diagnostic, Severity, Span};

/// The keys of a map: those that are understood, and those that GitLab knows and we do not
/// yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) known: &'static [&'static str],
    pub(crate) later: &'static [&'static str],
}

/// A place in the configuration: a chain from the value up to the top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    segment: Segment<'p>,
    report: &'p Report,
}

#[derive(Debug, Clone, Copy)]
enum Segment<'p> {
    Job(&'p str),
    Key(&'p str),
    /// A key that GitLab prints without what it stands in.
    Bare(&'p str),
    /// The type name that GitLab prints for an item of a list.
    Item(&'p str),
}

impl<'p> Place<'p> {
    pub(crate) fn job(name: &'p str, report: &'p Report) -> Self {
        Self {
            parent: None,
            segment: Segment::Job(name),
            report,
        }
    }

    pub(crate) fn top(keyword: &'p str, report: &'p Report) -> Self {
        Self {
            parent: None,
            segment: Segment::Key(keyword),
            report,
        }
    }

    pub(crate) fn key<'c>(&'c self, key: &'c str) -> Place<'c>
    where
        'p: 'c,
    {
        self.below(Segment::Key(key))
    }

    /// As [`Place::key`], for the few entries whose messages do not say where they stand.
    pub(crate) fn bare_key<'c>(&'c self, key: &'c str) -> Place<'c>
    where
        'p: 'c,
    {
        self.below(Segment::Bare(key))
    }

    pub(crate) fn item<'c>(&'c self, kind: &'c str) -> Place<'c>
    where
        'p: 'c,
    {
        self.below(Segment::Item(kind))
    }

    fn below<'c>(&'c self, segment: Segment<'c>) -> Place<'c>
    where
        'p: 'c,
    {
        Place {
            parent: Some(self),
            segment,
            report: self.report,
        }
    }

    /// `jobs:test:trigger` for a place in `jobs:test:trigger:include`.
    pub(crate) fn parent_location(&self) -> String {
        self.parent.map(Place::location).unwrap_or_default()
    }

    /// `jobs:test:cache:key`
    fn location(&self) -> String {
        if let Segment::Bare(name) = self.segment {
            return name.to_owned();
        }
        let mut location = match self.parent {
            Some(parent) => parent.location() + ":",
            None => String::new(),
        };
        match self.segment {
            Segment::Job("") => location.push_str("jobs:job"),
            Segment::Job(name) => {
                location.push_str("jobs:");
                location.push_str(name);
            }
            Segment::Key(name) | Segment::Bare(name) | Segment::Item(name) => {
                location.push_str(name);
            }
        }
        location
    }

    /// The job, where the place is inside one.
    fn job_name(&self) -> Option<&'p str> {
        match (self.segment, self.parent) {
            (Segment::Job(name), _) => Some(name),
            (_, Some(parent)) => parent.job_name(),
            (_, None) => None,
        }
    }

    /// `cache:key`: the path below the job, without the types of items.
    fn keyword(&self) -> Option<String> {
        let above = self.parent.and_then(Place::keyword);
        match self.segment {
            Segment::Key(key) | Segment::Bare(key) => Some(match above {
                Some(above) => format!("{above}:{key}"),
                None => key.to_owned(),
            }),
            Segment::Job(_) | Segment::Item(_) => above,
        }
    }

    /// The value of this entry itself is wrong: `… config should be a hash`.
    pub(crate) fn config(&self, node: &Node, reason: &str) -> Fault<'p> {
        self.fault(node.span, format!("{} config {reason}", self.location()))
            .got(node)
    }

    /// The same without the word `config`, for entries that choose between several forms.
    pub(crate) fn form(&self, node: &Node, reason: &str) -> Fault<'p> {
        self.fault(node.span, format!("{} {reason}", self.location()))
            .got(node)
    }

    /// An attribute of this entry is wrong: `… expire in should be a duration`.
    pub(crate) fn attribute(&self, node: &Node, name: &str, reason: &str) -> Fault<'p> {
        let text = format!("{} {} {reason}", self.location(), name.replace('_', " "));
        let fault = self.fault(node.span, text).got(node).below(name);
        let is_missing =
            reason == "can't be blank" && node.as_map().is_some_and(|map| !map.is_empty());
        match is_missing {
            true => fault.label(format!("lacks `{name}`")),
            false => fault,
        }
    }

    /// Whether a text is an expression of `rules:if`.
    pub(crate) fn check_expression(&self, text: &str) -> Result<(), ExpressionError> {
        self.report.check_expression(text)
    }

    /// A key is used that GitLab has and we do not.
    pub(crate) fn unsupported(&self, key: &str, span: Span) {
        let keyword = match self.keyword() {
            Some(above) => format!("{above}:{key}"),
            None => key.to_owned(),
        };
        self.unsupported_as(&keyword, span);
    }

    /// The same with the whole keyword given.
    pub(crate) fn unsupported_as(&self, keyword: &str, span: Span) {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: format!("`{keyword}` is not supported by shipway yet"),
            span: Some(span),
            label: Some("cannot be honoured here".to_owned()),
            job: self.job_name().map(str::to_owned),
            keyword: Some(keyword.to_owned()),
            hint: Some(
                "GitLab knows this keyword; remove it, or keep it in a file that shipway does not \
                 read, to run the rest here"
                    .to_owned(),
            ),
            related: Vec::new(),
        };
        self.report.push(diagnostic);
    }

    /// Any other text, taken as it is.
    pub(crate) fn message(&self, span: Span, text: impl Into<String>) -> Fault<'p> {
        let fault = self.fault(span, String::new());
        fault.change(|diagnostic| diagnostic.message = text.into())
    }

    fn fault(&self, span: Span, text: String) -> Fault<'p> {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: text.to_lowercase(),
            span: Some(span),
            label: None,
            job: self.job_name().map(str::to_owned),
            keyword: self.keyword(),
            hint: None,
            related: Vec::new(),
        };
        Fault {
            report: self.report,
            diagnostic: Some(diagnostic),
        }
    }

    /// The map of this entry, after its keys have been checked.
    pub(crate) fn map<'n>(&self, node: &'n Node, keys: &Keys) -> Option<&'n Map> {
        match node.as_map() {
            Some(map) => {
                self.check_keys(map, keys);
                Some(map)
            }
            None => {
                self.config(node, "should be a hash");
                None
            }
        }
    }

    /// Tells of keys that nobody knows, and of those that we do not know yet.
    pub(crate) fn check_keys(&self, map: &Map, keys: &Keys) {
        let mut unknown = Vec::new();
        for (key, entry) in map {
            let name = key.as_str();
            if key.is_text() && keys.known.contains(&name) {
                continue;
            }
            if key.is_text() && keys.later.contains(&name) {
                if !entry.node.is_null() {
                    self.unsupported(name, entry.key_span);
                }
                continue;
            }
            unknown.push((name, entry.key_span));
        }
        let Some(&(_, span)) = unknown.first() else {
            return;
        };
        let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
        let mut fault = self
            .fault(
                span,
                format!(
                    "{} config contains unknown keys: {}",
                    self.location(),
                    names.join(", ")
                ),
            )
            .label("unknown key");
        for (_, span) in &unknown[1..] {
            fault = fault.related(*span, "unknown too");
        }
        let known = keys.known.iter().chain(keys.later).copied();
        if let Some(hint) = hints::unknown_keys(&self.location(), &names, known) {
            fault.hint(hint);
        }
    }

    // The checks that many keywords share. Each tells its fault and gives nothing then.

    /// An attribute that is a text.
    pub(crate) fn text(&self, map: &Map, key: &str) -> Option<String> {
        let node = value(map, key)?;
        match node.as_text() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.attribute(node, key, "should be a string");
                None
            }
        }
    }

    /// An attribute that is true or false.
    pub(crate) fn boolean(&self, map: &Map, key: &str) -> Option<bool> {
        let node = value(map, key)?;
        match node.as_bool() {
            Some(flag) => Some(flag),
            None => {
                self.attribute(node, key, "should be a boolean value");
                None
            }
        }
    }

    /// An attribute that is a list of texts.
    pub(crate) fn strings(&self, map: &Map, key: &str) -> Option<Vec<String>> {
        let node = value(map, key)?;
        match strings(node) {
            Ok(list) => Some(list),
            Err(wrong) => {
                self.attribute(wrong, key, "should be an array of strings");
                None
            }
        }
    }

    /// An attribute that is a text or a list of texts.
    pub(crate) fn string_or_strings(&self, map: &Map, key: &str) -> Option<Vec<String>> {
        let node = value(map, key)?;
        match string_or_strings(node) {
            Ok(list) => Some(list),
            Err(wrong) => {
                self.attribute(wrong, key, "should be an array of strings or a string");
                None
            }
        }
    }

    /// An attribute that is one of a few words.
    pub(crate) fn one_of<'w>(&self, map: &Map, key: &str, words: &[&'w str]) -> Option<&'w str> {
        let node = value(map, key)?;
        let text = node.as_text();
        if let Some(word) = words.iter().find(|word| text == Some(**word)) {
            return Some(word);
        }
        let reason = format!("should be one of: {}", words.join(", "));
        self.attribute(node, key, &reason).did_you_mean(text, words);
        None
    }
}
