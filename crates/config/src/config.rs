//! The way of a configuration from its text to checked data.

use crate::include::Loader;
use crate::keywords::report::Report;
use crate::yaml::Map;
use crate::{
    Diagnostic, ExpandOptions, Expanded, Files, Input, Job, Limits, LoadContext, PrefilledVariable,
    Source, Span, Variables, Workflow, checks, doubts, expand, extends, keywords, origin, parallel,
    partial, references, size,
};
use indexmap::IndexMap;
use std::sync::Arc;

/// What came out of a load.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The files that were read; diagnostics point into them.
    pub files: Files,
    /// The configuration, or `None` where any error was found.
    pub config: Option<Config>,
    /// All faults and warnings, in the order in which a reader meets them.
    pub diagnostics: Vec<Diagnostic>,
    /// What the first file takes as inputs, known also where the rest is wrong.
    pub inputs: IndexMap<String, Input>,
}

impl Loaded {
    /// The faults that make it invalid.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.is_error())
    }

    /// What is allowed and surely not meant.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| !d.is_error())
    }
}

/// A configuration without faults.
#[derive(Debug, Clone)]
pub struct Config {
    /// All stages in order, from `.pre` to `.post`.
    pub stages: Vec<String>,
    /// The top-level variables.
    pub variables: Variables,
    /// What the form for manual runs shows about them.
    pub prefilled: IndexMap<String, PrefilledVariable>,
    /// `workflow`, where it is given.
    pub workflow: Option<Workflow>,
    /// The visible jobs by name, in file order, parallel ones as their instances.
    pub jobs: IndexMap<String, Job>,
    tree: Arc<Map>,
    /// Hidden jobs that nothing uses, with their places.
    unused: Vec<(String, Span)>,
}

impl Config {
    /// Where a value was written, through includes and `extends`: `["variables", "A"]`,
    /// `["jobs", "test", "rules", "0", "if"]`. Jobs go by their key in the file
    /// ([`Job::key`]). What a job takes from `default` is found there.
    pub fn origin(&self, path: &[&str]) -> Option<Span> {
        origin::find(&self.tree, path)
    }

    /// The whole configuration as one YAML text, after includes, references and `extends`;
    /// hidden jobs are still in it.
    pub fn merged_yaml(&self) -> String {
        expand::merged(&self.tree)
    }

    /// What GitLab accepts and surely nobody means, as warnings: rules that can never match, two
    /// pipelines of one push, unused hidden jobs, undefined variables, numbers that lose a zero,
    /// patterns in quotes, artifacts that nobody makes. A run does not ask for them. `files` are
    /// those of the load.
    pub fn doubts(&self, files: &Files) -> Vec<Diagnostic> {
        doubts::find(self, &self.tree, files, &self.unused)
    }

    /// The merged configuration as YAML and JSON, with the places its parts came from.
    pub fn expand(&self, files: &Files, options: &ExpandOptions) -> Expanded {
        expand::expand(&self.tree, files, options)
    }

    /// The keys of the top level: jobs, hidden ones too, and global keywords.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tree.keys().map(|key| key.as_str())
    }
}

/// Reads a configuration: `path` is its name in messages, `text` its content.
///
/// All faults are told at once. Only while files are read, includes resolved, and references
/// and `extends` followed does a fault end the load, because what lies behind would be judged
/// on half of the text.
///
/// It is read for nobody in particular: see [`load_for`].
pub fn load(path: &str, text: &str, source: &dyn Source, limits: &Limits) -> Loaded {
    load_for(path, text, source, limits, &LoadContext::default())
}

/// The same for a pipeline whose variables and inputs are known.
pub fn load_for(
    path: &str,
    text: &str,
    source: &dyn Source,
    limits: &Limits,
    context: &LoadContext,
) -> Loaded {
    let mut loader = Loader::new(source, context, limits);
    let tree = loader.main(path, text);
    finish(loader, tree, limits)
}

/// Reads a file that holds a configuration under one of its keys, as a mapping: a script of
/// `shipway simulate`. Returns also what the file says besides, as JSON. Places in the
/// diagnostics are those of the file.
pub fn load_within(
    path: &str,
    text: &str,
    key: &str,
    source: &dyn Source,
    limits: &Limits,
    context: &dyn Fn(&serde_json::Value) -> LoadContext,
) -> (Loaded, serde_json::Value) {
    let nothing = LoadContext::default();
    let mut outer = Loader::new(source, &nothing, limits);
    let Some((root, around)) = outer.within(path, text, key) else {
        return (finish(outer, None, limits), serde_json::Value::Null);
    };
    let context = context(&around);
    let mut loader = Loader::new(source, &context, limits);
    (loader.files, loader.diagnostics) = (outer.files, outer.diagnostics);
    let tree = loader.included_by(root);
    (finish(loader, tree, limits), around)
}

/// From the merged tree to checked data.
fn finish(loader: Loader<'_>, tree: Option<Map>, limits: &Limits) -> Loaded {
    let loaded = Loaded {
        files: loader.files,
        config: None,
        diagnostics: loader.diagnostics,
        inputs: loader.inputs,
    };
    match tree {
        Some(root) if loader.is_partial => partial::judge_rest(root, limits, loaded),
        Some(root) => judge(root, limits, loaded),
        None => loaded,
    }
}

/// Follows references and `extends`, and reads and checks every key.
pub(crate) fn judge(mut root: Map, limits: &Limits, mut loaded: Loaded) -> Loaded {
    let unused = doubts::hidden_jobs(&root, &loaded.files);
    for step in [references::resolve, extends::resolve] {
        if loaded.errors().next().is_some() {
            return loaded;
        }
        step(&mut root, limits, &mut loaded.diagnostics);
    }
    if loaded.errors().next().is_some() {
        return loaded;
    }

    let sizes = match size::of_jobs(&root, limits) {
        Ok(sizes) => sizes,
        Err(fault) => {
            loaded.diagnostics.push(*fault);
            return loaded;
        }
    };
    let report = Report::new(limits);
    let read = keywords::read(&root, limits, &report);
    let fits = size::of_instances(&read.jobs, &sizes, &root, limits);
    let jobs = match fits.and_then(|()| parallel::expand(read.jobs, &root, limits, &report)) {
        Ok(jobs) => jobs,
        Err(fault) => {
            loaded.diagnostics.extend(report.into_diagnostics());
            loaded.diagnostics.push(*fault);
            return loaded;
        }
    };
    checks::check(&jobs, &read.stages, &root, limits, &report);
    if !report.has_errors() {
        loaded.config = Some(Config {
            stages: read.stages,
            variables: read.variables,
            prefilled: read.form,
            workflow: read.workflow,
            jobs,
            tree: Arc::new(root),
            unused,
        });
    }
    loaded.diagnostics.extend(report.into_diagnostics());
    loaded
}
