//! A pipeline that is made for something else.

use serde::Serialize;
use shipway_config::variables::{Collection, Variable};
use shipway_config::{Source as Files, SourceError};

use crate::create::{Context, RefKind, Source};

/// One thing that could be otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// The pipeline is for this branch.
    Branch {
        /// Its name.
        name: String,
    },
    /// The pipeline is for this tag.
    Tag {
        /// Its name.
        name: String,
    },
    /// Something else makes the pipeline.
    Source {
        /// `CI_PIPELINE_SOURCE`.
        name: &'static str,
    },
    /// A variable has this value.
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A file is changed.
    Changed {
        /// Its path.
        path: String,
    },
    /// No file is changed.
    NothingChanged,
    /// A file is there.
    Exists {
        /// Its path.
        path: String,
    },
}

impl Difference {
    /// What two changes of one answer must not share.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Branch { .. } | Self::Tag { .. } => "ref",
            Self::Source { .. } => "source",
            Self::Variable { name, .. } => name,
            Self::Changed { .. } | Self::NothingChanged => "changes",
            Self::Exists { .. } => "files",
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch { name } => write!(formatter, "the branch were {name}"),
            Self::Tag { name } => write!(formatter, "it were for a tag such as {name}"),
            Self::Source { name } => write!(formatter, "CI_PIPELINE_SOURCE were \"{name}\""),
            Self::Variable { name, value } => write!(formatter, "{name} were {value:?}"),
            Self::Changed { path } => write!(formatter, "a file such as {path} had changed"),
            Self::NothingChanged => formatter.write_str("no file had changed"),
            Self::Exists { path } => write!(formatter, "there were a file {path}"),
        }
    }
}

impl Difference {
    /// Puts it in.
    pub(super) fn make(&self, context: &mut Context, overlay: &mut Overlay<'_>) {
        match self {
            Self::Branch { name } => {
                context.ref_name.clone_from(name);
                context.ref_kind = RefKind::Branch;
                set(&mut context.predefined, "CI_COMMIT_BRANCH", Some(name));
                set(&mut context.predefined, "CI_COMMIT_REF_NAME", Some(name));
                set(&mut context.predefined, "CI_COMMIT_TAG", None);
            }
            Self::Tag { name } => {
                context.ref_name.clone_from(name);
                context.ref_kind = RefKind::Tag;
                set(&mut context.predefined, "CI_COMMIT_TAG", Some(name));
                set(&mut context.predefined, "CI_COMMIT_REF_NAME", Some(name));
                set(&mut context.predefined, "CI_COMMIT_BRANCH", None);
            }
            Self::Source { name } => {
                if let Ok(source) = name.parse() {
                    context.source = source;
                }
                set(&mut context.predefined, "CI_PIPELINE_SOURCE", Some(name));
                if context.source == Source::MergeRequestEvent {
                    context.ref_kind = RefKind::MergeRequest;
                    set(&mut context.predefined, "CI_COMMIT_BRANCH", None);
                    for id in ["CI_MERGE_REQUEST_ID", "CI_MERGE_REQUEST_IID"] {
                        set(&mut context.predefined, id, Some("1"));
                    }
                }
            }
            Self::Variable { name, value } => {
                context.outer.push(Variable::new(name, value));
            }
            Self::Changed { path } => overlay.changed = Some(vec![path.clone()]),
            Self::NothingChanged => overlay.changed = Some(Vec::new()),
            Self::Exists { path } => overlay.extra.push(path.clone()),
        }
    }
}

/// Sets a predefined variable, or takes it away.
fn set(variables: &mut Collection, name: &str, value: Option<&str>) {
    let mut kept: Collection = variables
        .iter()
        .filter(|variable| variable.key != name)
        .cloned()
        .collect();
    if let Some(value) = value {
        kept.push(Variable::new(name, value));
    }
    *variables = kept;
}

/// The project's files with some differences.
pub(super) struct Overlay<'f> {
    files: &'f dyn Files,
    changed: Option<Vec<String>>,
    extra: Vec<String>,
}

impl<'f> Overlay<'f> {
    pub(super) fn new(files: &'f dyn Files) -> Self {
        Self {
            files,
            changed: None,
            extra: Vec::new(),
        }
    }
}

impl Files for Overlay<'_> {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        self.files.local(path)
    }

    fn list(&self) -> Vec<String> {
        let mut all = self.files.list();
        all.extend(self.extra.iter().cloned());
        all
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        match &self.changed {
            Some(paths) => Ok(Some(paths.clone())),
            None => self.files.changes(compare_to),
        }
    }

    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, shipway_config::conditions::OtherProjectError> {
        self.files.list_of(project, git_ref)
    }
}
