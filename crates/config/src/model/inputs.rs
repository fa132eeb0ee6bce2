//! Inputs of files and of jobs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a file or a job takes as a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What kind of value.
    #[serde(rename = "type")]
    pub kind: InputType,
    /// The value unless another is given. `None`: one must be given, unless a rule has one.
    pub default: Option<Value>,
    /// The values to choose from; `None`: any.
    pub options: Option<Vec<Value>>,
    /// A regular expression of RE2 that texts match.
    pub regex: Option<String>,
    /// What is shown about it.
    pub description: Option<String>,
    /// What decides about options and default in their place; the first that holds counts.
    pub rules: Vec<InputRule>,
}

/// The kind of an input's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// Any text.
    #[default]
    String,
    /// A whole number or a fraction.
    Number,
    /// True or false.
    Boolean,
    /// A list of anything.
    Array,
}

impl InputType {
    /// Every type with its name in the configuration.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Array, "array"),
        (Self::Boolean, "boolean"),
        (Self::Number, "number"),
        (Self::String, "string"),
    ];
}

/// An entry of an input's `rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputRule {
    /// An expression of other inputs; it has been checked to parse. `None`: always.
    pub condition: Option<String>,
    /// The values to choose from.
    pub options: Option<Vec<Value>>,
    /// The value unless another is given; null asks for one.
    pub default: Option<Value>,
}
