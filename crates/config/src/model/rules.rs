//! Conditions under which a job, a pipeline or an include is there.

use super::{Need, Variables, When};
use serde::{Deserialize, Serialize};

/// One entry of `rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The expression's text; it has been checked to parse.
    pub condition: Option<String>,
    /// `changes`.
    #[serde(default)]
    pub changes: Option<Changes>,
    /// `exists`.
    #[serde(default)]
    pub exists: Option<Exists>,
    /// `when`.
    pub when: Option<When>,
    /// Seconds.
    pub start_in: Option<u64>,
    /// `allow_failure`.
    pub allow_failure: Option<bool>,
    /// Merged over the job's variables.
    pub variables: Variables,
    /// Replaces the job's needs.
    pub needs: Option<Vec<Need>>,
    /// `interruptible`.
    pub interruptible: Option<bool>,
}

impl Rule {
    /// Whether it has `when` and nothing else, so that it always matches.
    pub(crate) fn is_only_when(&self) -> bool {
        self.when.is_some()
            && *self
                == Self {
                    when: self.when,
                    ..Self::default()
                }
    }
}

/// `only` or `except`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Ref names, `/patterns/` and keywords; `None` when the sub-key is absent.
    pub refs: Option<Vec<String>>,
    /// `rules:if` expressions; `None` when the sub-key is absent.
    pub variables: Option<Vec<String>>,
    /// Globs of changed files; `None` when the sub-key is absent.
    #[serde(default)]
    pub changes: Option<Vec<String>>,
    /// `kubernetes: active`.
    #[serde(default)]
    pub kubernetes: bool,
}

/// `rules:changes`: whether any changed file fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Globs in the dialect of [`crate::glob`], with variables.
    pub paths: Vec<String>,
    /// A Ruby regular expression in their place, with variables.
    pub regexp: Option<String>,
    /// What the commit is compared with, with variables. `None`: what it follows.
    pub compare_to: Option<String>,
}

/// `rules:exists`: whether any file fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exists {
    /// Globs in the dialect of [`crate::glob`], with variables. A trailing `/` means a folder.
    pub paths: Vec<String>,
    /// A Ruby regular expression in their place, with variables.
    pub regexp: Option<String>,
    /// The project with the files, with variables. `None`: the pipeline's own.
    pub project: Option<String>,
    /// The ref of that project, with variables. `None`: its default branch.
    pub git_ref: Option<String>,
}
