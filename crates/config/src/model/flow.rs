//! When a job starts, and what its failure means.

use serde::{Deserialize, Serialize};

/// When a job starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// What came before succeeded.
    #[default]
    OnSuccess,
    /// Something before failed.
    OnFailure,
    /// Whatever happened, unless cancelled.
    Always,
    /// When a person plays it.
    Manual,
    /// Some time after what came before succeeded.
    Delayed,
    /// Not at all; only in rules.
    Never,
}

impl When {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnSuccess => "on_success",
            Self::OnFailure => "on_failure",
            Self::Always => "always",
            Self::Manual => "manual",
            Self::Delayed => "delayed",
            Self::Never => "never",
        }
    }
}

/// `allow_failure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowFailure {
    /// Every failure, or none.
    Always(bool),
    /// Failures with one of these exit codes.
    ExitCodes(Vec<i32>),
}

/// `retry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// 0, 1 or 2.
    pub max: u8,
    /// Failure reasons or `always`; empty means always unless exit codes are given.
    pub when: Vec<String>,
    /// Exit codes.
    pub exit_codes: Vec<i32>,
}

/// Which instance of a parallel job this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParallelInstance {
    /// From 1.
    pub index: u32,
    /// How many there are.
    pub total: u32,
}
