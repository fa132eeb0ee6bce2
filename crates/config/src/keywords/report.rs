//! The faults of one load.

use crate::expression::{Expression, ExpressionError};
use crate::yaml::{Node, Value};
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
    pub(super) fn check_expression(&self, text: &str) -> Result<(), ExpressionError> {
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
/// A fault that is told when it is dropped, so that a hint can still be added.
#[derive(Debug)]
pub(crate) struct Fault<'p> {
    pub(super) report: &'p Report,
    pub(super) diagnostic: Option<Diagnostic>,
}

impl Fault<'_> {
    pub(super) fn change(mut self, change: impl FnOnce(&mut Diagnostic)) -> Self {
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
    pub(super) fn below(self, name: &str) -> Self {
        self.change(|diagnostic| {
            diagnostic.keyword = Some(match &diagnostic.keyword {
                Some(above) => format!("{above}:{name}"),
                None => name.to_owned(),
            });
        })
    }

    /// Labels the caret with what stands there where its kind is wrong, and knows the usual cure.
    pub(super) fn got(self, node: &Node) -> Self {
        const KINDS: [&str; 6] = ["string", "hash", "array", "boolean", "integer", "number"];
        let wants_text = |message: &str| message.contains("string");
        self.change(|diagnostic| {
            let is_scalar = matches!(
                node.value,
                Value::Text(_) | Value::Integer(_) | Value::Float(_)
            );
            let is_of_kind = KINDS.iter().any(|kind| diagnostic.message.contains(kind));
            if is_of_kind || !is_scalar {
                diagnostic.label = Some(format!("this is {}", node.kind()));
            }
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
