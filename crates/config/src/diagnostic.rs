//! What is wrong with a configuration, and where.

use serde::Serialize;

/// A stretch of one file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Which file, an index into [`crate::Files`].
    #[serde(skip)]
    pub file: crate::FileId,
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
