//! The GitLab CI language: bytes in, checked and typed configuration out.
//!
//! The modules read in the order in which a line of YAML travels. Nothing here knows
//! pipelines, states of jobs, the clock, the network or the disk: files come in through
//! [`Source`].

mod diagnostic;
mod model;

pub use diagnostic::{Diagnostic, Severity, Span};
pub use model::*;

/// Which of the loaded files a position is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileId(pub u32);
