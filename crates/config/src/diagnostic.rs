//! What is wrong with a configuration, and where.

use crate::FileId;
use serde::Serialize;

/// A stretch of one file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Which file, an index into [`crate::Files`].
    #[serde(skip)]
    pub file: FileId,
    /// Byte offset of the start.
    pub start: usize,
    /// Byte offset behind the end.
    pub end: usize,
    /// Line of the start.
    pub line: u32,
    /// Column of the start.
    pub column: u32,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// GitLab accepts it, yet it is surely not meant.
    Warning,
}

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The text GitLab prints for this fault, or ours where GitLab is silent.
    pub message: String,
    /// Where the fault is.
    pub span: Option<Span>,
    /// What the caret says, a few words.
    pub label: Option<String>,
    /// The job it is about, where there is one.
    pub job: Option<String>,
    /// The keyword it is about, `rules:if` for a nested one.
    pub keyword: Option<String>,
    /// What to do, where we know.
    pub hint: Option<String>,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A fault that makes the configuration invalid.
    pub fn error(message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Error, message.into(), Some(span))
    }

    /// Something that is allowed and surely not meant.
    pub fn warning(message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Warning, message.into(), Some(span))
    }

    /// A fault without a place.
    pub fn error_anywhere(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into(), None)
    }

    fn new(severity: Severity, message: String, span: Option<Span>) -> Self {
        Self {
            severity,
            message,
            span,
            label: None,
            job: None,
            keyword: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// Says something at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Names the job.
    #[must_use]
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// Names the keyword.
    #[must_use]
    pub fn keyword(mut self, keyword: impl Into<String>) -> Self {
        self.keyword = Some(keyword.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points to another place.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }

    /// Whether the configuration is invalid because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
