//! What the entries of one file's `include` are resolved against.

use crate::conditions::{Paths, Tree};
use crate::variables::Collection;
use crate::{OtherProject, Reader, Source, SourceError};
use serde_json::{Value, json};

/// The project, the rights and the variables of the file in which an `include` stands.
pub(super) struct Scope<'l> {
    /// What exists beside the file, and what changed for the pipeline.
    pub(super) paths: Paths<'l>,
    /// Those that `include` may use.
    pub(super) variables: Collection,
    pub(super) reader: Reader,
    /// What the component, if it is in one, may know of itself.
    pub(super) component: Option<Value>,
    source: &'l dyn Source,
    tree: Tree,
    /// Before the paths of its files.
    label: String,
}

impl<'l> Scope<'l> {
    /// The pipeline's own project.
    pub(super) fn own(source: &'l dyn Source, variables: &Collection) -> Self {
        Self {
            paths: Paths::new(source),
            variables: variables.clone(),
            reader: Reader::User,
            component: None,
            source,
            tree: Tree::Own,
            label: String::new(),
        }
    }

    /// Another project, named in this one.
    pub(super) fn other(&self, project: OtherProject, label: String) -> Self {
        let tree = Tree::Other(project.files);
        Self {
            paths: Paths::of(self.source, tree.clone()),
            variables: self.variables.clone(),
            reader: self.reader,
            component: self.component.clone(),
            source: self.source,
            tree,
            label,
        }
    }

    /// A file from outside: it has no project and no variables, and reads what is public.
    pub(super) fn outside(&self) -> Self {
        Self {
            paths: Paths::of(self.source, Tree::None),
            variables: Collection::default(),
            reader: Reader::Anonymous,
            component: None,
            source: self.source,
            tree: Tree::None,
            label: String::new(),
        }
    }

    /// Whether there is a project at all.
    pub(super) fn has_project(&self) -> bool {
        !matches!(self.tree, Tree::None)
    }

    /// A file of the project. A path that leaves the project does not exist.
    pub(super) fn read(&self, path: &str) -> Result<String, SourceError> {
        let path = inside_project(path).ok_or(SourceError::NotFound)?;
        match &self.tree {
            Tree::Own => self.source.local(&path),
            Tree::Other(files) => files.local(&path),
            Tree::None => Err(SourceError::NotFound),
        }
    }

    /// What a file of it is called: `ci/a.yml`, `group/name@v1:ci/a.yml`.
    pub(super) fn place(&self, path: &str) -> String {
        format!("{}{path}", self.label)
    }

    /// A text without the values that must not be shown.
    pub(super) fn shown(&self, text: &str) -> String {
        self.variables
            .winners()
            .filter(|variable| variable.masked && !variable.value.is_empty())
            .fold(text.to_owned(), |text, variable| {
                text.replace(&variable.value, "[MASKED]")
            })
    }

    /// What blocks in a file may use: the inputs, and of the component what it declared.
    pub(super) fn interpolated(&self, inputs: Value, declared: &[String]) -> Value {
        let mut context = json!({ "inputs": inputs });
        if declared.is_empty() {
            return context;
        }
        let known = self.component.as_ref();
        context["component"] = declared
            .iter()
            .filter_map(|name| Some((name.clone(), known?.get(name)?.clone())))
            .collect();
        context
    }
}

/// The path without `.` and `..`; `None` where it would leave the project.
pub(super) fn inside_project(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
