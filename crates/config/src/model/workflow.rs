//! Which pipelines are created at all, and how they behave as a whole.

use super::{Changes, Exists, Variables, When};
use serde::{Deserialize, Serialize};

/// `workflow`: which pipelines are created at all, and how they behave as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The pipeline's name, with variables.
    pub name: Option<String>,
    /// `None`: not given, every pipeline is created. The first rule that matches decides;
    /// none: no pipeline.
    pub rules: Option<Vec<WorkflowRule>>,
    /// What cancels jobs.
    pub auto_cancel: AutoCancel,
}

/// One entry of `workflow:rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRule {
    /// The expression's text; it has been checked to parse.
    pub condition: Option<String>,
    /// `changes`.
    #[serde(default)]
    pub changes: Option<Changes>,
    /// `exists`.
    #[serde(default)]
    pub exists: Option<Exists>,
    /// `Always` or `Never`; not given means `Always`.
    pub when: Option<When>,
    /// Become variables of the pipeline, over the top-level ones.
    pub variables: Variables,
    /// Replaces `workflow:auto_cancel` key by key.
    pub auto_cancel: AutoCancel,
}

/// `auto_cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoCancel {
    /// `conservative` (when not given), `interruptible` or `none`.
    pub on_new_commit: Option<String>,
    /// `none` (when not given) or `all`.
    pub on_job_failure: Option<String>,
}

/// What the form for manual runs shows about a top-level variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefilledVariable {
    /// Markdown.
    pub description: Option<String>,
    /// The values to choose from; empty means any.
    pub options: Vec<String>,
}
