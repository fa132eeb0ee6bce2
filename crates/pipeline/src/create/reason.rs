//! Why a job is in a pipeline, or is not.

use std::fmt;

/// Why a job is in the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Neither `rules` nor `only` nor `except` restrict it.
    Unconditional,
    /// This rule matched.
    Rule {
        /// Its number, from 1.
        rule: usize,
        /// Its `if`.
        condition: Option<String>,
    },
    /// `only` and `except` let it in.
    OnlyExcept,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconditional => formatter.write_str("no condition keeps it out"),
            Self::Rule {
                rule,
                condition: Some(condition),
            } => write!(formatter, "rule {rule} matched: {condition}"),
            Self::Rule {
                rule,
                condition: None,
            } => write!(formatter, "rule {rule} has no condition"),
            Self::OnlyExcept => formatter.write_str("`only` and `except` let it in"),
        }
    }
}

/// Why a job is not in the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excluded {
    /// No rule matched.
    NoRule {
        /// How many there are.
        rules: usize,
    },
    /// The first rule that matched says `when: never`.
    Never {
        /// Its number, from 1.
        rule: usize,
        /// Its `if`.
        condition: Option<String>,
    },
    /// No entry of `only:refs` fits.
    OnlyRefs {
        /// The entries.
        refs: Vec<String>,
    },
    /// No expression of `only:variables` is true.
    OnlyVariables {
        /// The expressions.
        conditions: Vec<String>,
    },
    /// No file that changed fits `only:changes`.
    OnlyChanges {
        /// The globs.
        paths: Vec<String>,
    },
    /// `only:kubernetes` wants a cluster.
    OnlyKubernetes,
    /// An entry of `except` fits.
    Except {
        /// That entry.
        condition: String,
    },
    /// It was not asked for.
    NotSelected,
}

impl fmt::Display for Excluded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule { rules: 0 } => formatter.write_str("its list of rules is empty"),
            Self::NoRule { rules: 1 } => formatter.write_str("its rule did not match"),
            Self::NoRule { rules } => write!(formatter, "none of its {rules} rules matched"),
            Self::Never {
                rule,
                condition: Some(condition),
            } => write!(formatter, "rule {rule} says never: {condition}"),
            Self::Never {
                rule,
                condition: None,
            } => write!(formatter, "rule {rule} says never"),
            Self::OnlyRefs { refs } => write!(formatter, "`only` wants {}", refs.join(" or ")),
            Self::OnlyVariables { conditions } => {
                write!(formatter, "`only` wants {}", conditions.join(" or "))
            }
            Self::OnlyChanges { paths } => {
                write!(formatter, "`only` wants changes in {}", paths.join(" or "))
            }
            Self::OnlyKubernetes => formatter.write_str("`only` wants a Kubernetes cluster"),
            Self::Except { condition } => write!(formatter, "`except` names {condition}"),
            Self::NotSelected => formatter.write_str("it was not asked for"),
        }
    }
}
