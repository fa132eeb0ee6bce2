//! `changes` and `exists`: conditions on paths, in the rules of jobs, of `workflow` and of
//! `include`.

use crate::glob::Glob;
use crate::{Changes, Exists, Source, SourceError};
use regex::RegexBuilder;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use thiserror::Error;

/// Comparisons of a pattern with a path, of one rule. A rule that would need more holds.
const MAX_COMPARISONS: usize = 50_000;
/// Characters of a regular expression after its variables are put in.
const MAX_REGEXP: usize = 255;

/// Why a condition on paths cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// `compare_to` names no commit.
    #[error("rules:changes:compare_to is not a valid ref")]
    CompareTo {
        /// The ref, variables put in.
        git_ref: String,
    },
    /// `exists:project` names no project that can be read.
    #[error("rules:exists:project `{project}` is not a valid project path")]
    Project {
        /// The path, variables put in.
        project: String,
    },
    /// `exists:ref` names no commit of the project.
    #[error("rules:exists:ref `{git_ref}` is not a valid ref in project `{project}`")]
    Ref {
        /// The ref, variables put in.
        git_ref: String,
        /// The project's path.
        project: String,
    },
    /// `regexp` is not usable.
    #[error("rules:{clause}:regexp `{regexp}` cannot be used: {reason}")]
    Regexp {
        /// `changes` or `exists`.
        clause: &'static str,
        /// The expression, variables put in.
        regexp: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The paths cannot be had.
    #[error("rules:{clause} cannot be decided: {source}")]
    Paths {
        /// `changes` or `exists`.
        clause: &'static str,
        /// Why.
        source: SourceError,
    },
}

type Listing = Rc<Vec<String>>;

/// The files beside an included one.
#[derive(Clone)]
pub(crate) enum Tree {
    /// Those of the pipeline's project.
    Own,
    /// Those of another project.
    Other(Rc<dyn Source>),
    /// It came from no project.
    None,
}

/// The paths of a project and of what changed in it, each asked of the source once.
pub struct Paths<'s> {
    source: &'s dyn Source,
    tree: Tree,
    own: RefCell<Option<Listing>>,
    changed: RefCell<HashMap<Option<String>, Option<Listing>>>,
    others: RefCell<HashMap<(String, Option<String>), Listing>>,
}

impl<'s> Paths<'s> {
    /// Nothing is asked before a condition needs it.
    pub fn new(source: &'s dyn Source) -> Self {
        Self::of(source, Tree::Own)
    }

    /// Those of a pipeline in whose configuration a file of another tree is read: what exists
    /// is asked of that tree, what changed of the pipeline's own.
    pub(crate) fn of(source: &'s dyn Source, tree: Tree) -> Self {
        Self {
            source,
            tree,
            own: RefCell::default(),
            changed: RefCell::default(),
            others: RefCell::default(),
        }
    }

    /// All paths of the project, sorted.
    pub(crate) fn own(&self) -> Listing {
        let mut own = self.own.borrow_mut();
        own.get_or_insert_with(|| {
            let mut paths = match &self.tree {
                Tree::Own => self.source.list(),
                Tree::Other(files) => files.list(),
                Tree::None => Vec::new(),
            };
            paths.sort_unstable();
            Rc::new(paths)
        })
        .clone()
    }

    /// Whether any file that changed fits. Where there is nothing to compare with, it holds.
    ///
    /// `expand` puts variables in and leaves names alone that are not defined.
    ///
    /// # Errors
    /// [`ConditionError`]
    pub fn changes(
        &self,
        changes: &Changes,
        expand: &dyn Fn(&str) -> String,
    ) -> Result<bool, ConditionError> {
        let compare_to = changes.compare_to.as_deref().map(expand);
        let Some(paths) = self.changed(compare_to)? else {
            return Ok(true);
        };
        if paths.is_empty() {
            return Ok(false);
        }
        if let Some(regexp) = &changes.regexp {
            return regexp_fits("changes", &expand(regexp), &paths);
        }
        let globs: BTreeSet<String> = changes.paths.iter().map(|path| expand(path)).collect();
        if paths.len().saturating_mul(globs.len()) > MAX_COMPARISONS {
            return Ok(true);
        }
        let globs: Vec<Glob> = globs.iter().map(|glob| Glob::new(glob)).collect();
        Ok(paths
            .iter()
            .any(|path| globs.iter().any(|glob| glob.is_match(path))))
    }

    fn changed(&self, compare_to: Option<String>) -> Result<Option<Listing>, ConditionError> {
        if let Some(known) = self.changed.borrow().get(&compare_to) {
            return Ok(known.clone());
        }
        let found = match (self.source.changes(compare_to.as_deref()), &compare_to) {
            (Ok(found), _) => found.map(Rc::new),
            (Err(SourceError::NotFound), Some(git_ref)) => {
                return Err(ConditionError::CompareTo {
                    git_ref: git_ref.clone(),
                });
            }
            (Err(source), _) => {
                return Err(ConditionError::Paths {
                    clause: "changes",
                    source,
                });
            }
        };
        self.changed.borrow_mut().insert(compare_to, found.clone());
        Ok(found)
    }

    /// Whether any file or, behind a `/`, any folder fits.
    ///
    /// # Errors
    /// [`ConditionError`]
    pub fn exists(
        &self,
        exists: &Exists,
        expand: &dyn Fn(&str) -> String,
    ) -> Result<bool, ConditionError> {
        if exists.paths.is_empty() && exists.regexp.is_none() {
            return Ok(false);
        }
        let paths = match &exists.project {
            None => self.own(),
            Some(project) => self.other(expand(project), exists.git_ref.as_deref().map(expand))?,
        };
        if let Some(regexp) = &exists.regexp {
            return regexp_fits("exists", &expand(regexp), &paths);
        }
        let patterns: Vec<String> = exists.paths.iter().map(|path| expand(path)).collect();
        let (exact, globs): (Vec<&String>, Vec<&String>) = patterns
            .iter()
            .partition(|pattern| !pattern.contains(['*', '?', '[', '{']));
        let is_there = |pattern: &&String| match pattern.strip_suffix('/') {
            Some(_) => paths.iter().any(|path| path.starts_with(pattern.as_str())),
            None => paths.binary_search(pattern).is_ok(),
        };
        if exact.iter().any(is_there) {
            return Ok(true);
        }
        if paths.len().saturating_mul(globs.len()) > MAX_COMPARISONS {
            return Ok(true);
        }
        Ok(globs.iter().any(|pattern| match pattern.strip_suffix('/') {
            Some(folder) => {
                let glob = Glob::new(folder);
                folders(&paths).iter().any(|folder| glob.is_match(folder))
            }
            None => {
                let glob = Glob::new(pattern);
                paths.iter().any(|path| glob.is_match(path))
            }
        }))
    }

    fn other(&self, project: String, git_ref: Option<String>) -> Result<Listing, ConditionError> {
        let key = (project, git_ref);
        if let Some(known) = self.others.borrow().get(&key) {
            return Ok(known.clone());
        }
        let (project, git_ref) = &key;
        let found = self.source.list_of(project, git_ref.as_deref());
        let mut paths = found.map_err(|error| match (error, git_ref) {
            (OtherProjectError::Project | OtherProjectError::Host, _) => ConditionError::Project {
                project: project.clone(),
            },
            (OtherProjectError::Ref, git_ref) => ConditionError::Ref {
                git_ref: git_ref.clone().unwrap_or_default(),
                project: project.clone(),
            },
            (OtherProjectError::Source(source), _) => ConditionError::Paths {
                clause: "exists",
                source,
            },
        })?;
        paths.sort_unstable();
        let paths = Rc::new(paths);
        self.others.borrow_mut().insert(key, paths.clone());
        Ok(paths)
    }
}

/// Why the files of another project cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OtherProjectError {
    /// There is no such project, or it may not be read.
    #[error("there is no such project")]
    Project,
    /// The project has no such ref.
    #[error("the project has no such ref")]
    Ref,
    /// The component's host is another than this one.
    #[error("projects of other hosts cannot be read")]
    Host,
    /// Other projects cannot be read from here.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Every folder above the paths.
fn folders(paths: &[String]) -> BTreeSet<&str> {
    paths
        .iter()
        .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
        .collect()
}

/// GitLab takes expressions of Ruby here; those that need its look-around are refused.
fn regexp_fits(
    clause: &'static str,
    regexp: &str,
    paths: &[String],
) -> Result<bool, ConditionError> {
    let fault = |reason: String| ConditionError::Regexp {
        clause,
        regexp: regexp.to_owned(),
        reason,
    };
    if regexp.chars().count() > MAX_REGEXP {
        return Err(fault(format!("it has more than {MAX_REGEXP} characters")));
    }
    if paths.len() > MAX_COMPARISONS {
        return Ok(true);
    }
    // In Ruby `^` and `$` are the ends of lines.
    let regex = RegexBuilder::new(regexp)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            fault(text.lines().last().unwrap_or_default().trim().to_owned())
        })?;
    Ok(paths.iter().any(|path| regex.is_match(path)))
}
