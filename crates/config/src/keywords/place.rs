//! Where in the configuration a keyword is being read, and how its faults are worded.
//!
//! GitLab builds its messages from the path of the entry (`jobs:test:cache:key`), the word
//! `config` where the value of the entry itself is wrong or the name of the attribute where
//! that is, and the reason; then it turns the whole into lower case.

use crate::expression::{Expression, ExpressionError};
use crate::yaml::{Map, Node, Value, get};
use crate::{Diagnostic, Limits, Severity, Span, suggest};
use std::cell::RefCell;
use std::collections::HashSet;

/// Collects the faults of one load.
#[derive(Debug)]
pub(crate) struct Report {
    diagnostics: RefCell<Vec<Diagnostic>>,
    limit: usize,
    /// Expressions that are known to be right: jobs share their rules.
    expressions: RefCell<HashSet<String>>,
}

impl Report {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            diagnostics: RefCell::default(),
            limit: limits.diagnostics,
            expressions: RefCell::default(),
        }
    }

    /// Whether a text is an expression of `rules:if`.
    fn check_expression(&self, text: &str) -> Result<(), ExpressionError> {
        let mut expressions = self.expressions.borrow_mut();
        if !expressions.contains(text) {
            Expression::parse(text)?;
            expressions.insert(text.to_owned());
        }
        Ok(())
    }

    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() < self.limit {
            diagnostics.push(diagnostic);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.borrow().iter().any(Diagnostic::is_error)
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}

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

    /// `jobs:test:cache:key`
    fn location(&self) -> String {
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
            Segment::Key(name) | Segment::Item(name) => location.push_str(name),
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
            Segment::Key(key) => Some(match above {
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
        self.fault(node.span, text).got(node).below(name)
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
        let Some(&(first, span)) = unknown.first() else {
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
        let candidates = keys.known.iter().chain(keys.later).copied();
        if let Some(near) = suggest(first, candidates) {
            fault.hint(format!("did you mean `{near}`?"));
        } else if first == "<<" {
            fault.hint("a merge key takes a map, an alias of one, or a list of them");
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

/// The value of a key that is there and not null.
pub(crate) fn value<'m>(map: &'m Map, key: &str) -> Option<&'m Node> {
    let node = &get(map, key)?.node;
    (!node.is_null()).then_some(node)
}

/// A list of texts, or the first value that spoils it.
pub(crate) fn strings(node: &Node) -> Result<Vec<String>, &Node> {
    node.as_list()
        .ok_or(node)?
        .iter()
        .map(|item| item.as_text().map(str::to_owned).ok_or(item))
        .collect()
}

/// A list of texts or a single one, or the first value that spoils it.
pub(crate) fn string_or_strings(node: &Node) -> Result<Vec<String>, &Node> {
    match node.as_text() {
        Some(text) => Ok(vec![text.to_owned()]),
        None => strings(node),
    }
}

/// Texts in lists of lists, flattened; an error is the first value that spoils it.
pub(crate) fn flattened(node: &Node, levels: usize) -> Result<Vec<&Node>, &Node> {
    fn collect<'n>(
        node: &'n Node,
        levels: usize,
        found: &mut Vec<&'n Node>,
    ) -> Result<(), &'n Node> {
        match node.as_list() {
            None => found.push(node),
            Some(_) if levels == 0 => return Err(node),
            Some(list) => {
                for item in list {
                    collect(item, levels - 1, found)?;
                }
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(node, levels, &mut found)?;
    Ok(found)
}

/// A fault that is told when it is dropped, so that a hint can still be added.
#[derive(Debug)]
pub(crate) struct Fault<'p> {
    report: &'p Report,
    diagnostic: Option<Diagnostic>,
}

impl Fault<'_> {
    fn change(mut self, change: impl FnOnce(&mut Diagnostic)) -> Self {
        if let Some(diagnostic) = &mut self.diagnostic {
            change(diagnostic);
        }
        self
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.change(|diagnostic| diagnostic.hint = Some(hint.into()))
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        self.change(|diagnostic| diagnostic.label = Some(label.into()))
    }

    pub(crate) fn related(self, span: Span, text: impl Into<String>) -> Self {
        self.change(|diagnostic| diagnostic.related.push((span, text.into())))
    }

    pub(crate) fn job(self, job: &str) -> Self {
        self.change(|diagnostic| diagnostic.job = Some(job.to_owned()))
    }

    pub(crate) fn warning(self) -> Self {
        self.change(|diagnostic| diagnostic.severity = Severity::Warning)
    }

    /// Suggests the nearest of the words that would have been right.
    pub(crate) fn did_you_mean(self, text: Option<&str>, words: &[&str]) -> Self {
        match text.and_then(|text| suggest(text, words.iter().copied())) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// The keyword is one level deeper.
    fn below(self, name: &str) -> Self {
        self.change(|diagnostic| {
            diagnostic.keyword = Some(match &diagnostic.keyword {
                Some(above) => format!("{above}:{name}"),
                None => name.to_owned(),
            });
        })
    }

    /// Labels the caret with what stands there, and knows the usual cure.
    fn got(self, node: &Node) -> Self {
        let wants_text = |message: &str| message.contains("string");
        self.change(|diagnostic| {
            diagnostic.label = Some(format!("this is {}", node.kind()));
            if matches!(
                node.value,
                Value::Integer(_) | Value::Float(_) | Value::Bool(_)
            ) && wants_text(&diagnostic.message)
            {
                diagnostic.hint = Some("put the value in quotes to make it a string".to_owned());
            }
        })
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        if let Some(diagnostic) = self.diagnostic.take() {
            self.report.push(diagnostic);
        }
    }
}
