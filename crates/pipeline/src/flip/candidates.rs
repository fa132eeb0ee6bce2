//! Changes made up from what a job's conditions speak of.

use shipway_config::expression::{Expression, Operator, Tree};
use shipway_config::{Config, Job, pattern};

use super::{Difference, sample};
use crate::create::{Context, Source};

/// How many are made up.
const MOST: usize = 60;

/// What could be otherwise, the most telling first.
pub(super) fn candidates(config: &Config, context: &Context, job: &Job) -> Vec<Difference> {
    let mut found = Candidates {
        context,
        config,
        job,
        changes: Vec::new(),
    };
    for rule in job.rules.iter().flatten() {
        found.condition(rule.condition.as_deref());
        if let Some(changes) = &rule.changes {
            found.changed(&changes.paths, changes.regexp.as_deref());
        }
        if let Some(exists) = &rule.exists {
            for glob in &exists.paths {
                found.add(Difference::Exists {
                    path: sample::of_glob(glob),
                });
            }
        }
    }
    for policy in [&job.only, &job.except].into_iter().flatten() {
        for entry in policy.refs.iter().flatten() {
            found.reference(entry);
        }
        for condition in policy.variables.iter().flatten() {
            found.condition(Some(condition));
        }
        found.changed(policy.changes.as_deref().unwrap_or_default(), None);
    }
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    for rule in workflow.into_iter().flatten() {
        found.condition(rule.condition.as_deref());
        if let Some(changes) = &rule.changes {
            found.changed(&changes.paths, changes.regexp.as_deref());
        }
    }
    found.changes.truncate(MOST);
    found.changes
}

struct Candidates<'c> {
    context: &'c Context,
    config: &'c Config,
    job: &'c Job,
    changes: Vec<Difference>,
}

impl Candidates<'_> {
    fn add(&mut self, change: Difference) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn changed(&mut self, globs: &[String], regexp: Option<&str>) {
        for glob in globs {
            self.add(Difference::Changed {
                path: sample::of_glob(glob),
            });
        }
        if let Some(path) = regexp.and_then(sample::of_regex) {
            self.add(Difference::Changed { path });
        }
        if !globs.is_empty() || regexp.is_some() {
            self.add(Difference::NothingChanged);
        }
    }

    /// An entry of `only:refs` or `except:refs`.
    fn reference(&mut self, entry: &str) {
        let (name, _) = shipway_config::refs::split_path(entry);
        let source = Source::ALL.iter().find(|(_, _, keyword)| *keyword == name);
        match (name, source) {
            ("branches", _) => self.branch("a-branch"),
            ("tags", _) => self.tag("v1.0.0"),
            (_, Some((_, value, _))) => self.add(Difference::Source { name: value }),
            (name, None) => {
                let found = match pattern::split_literal(name) {
                    Some(_) => sample::of_pattern(name),
                    None => Some(name.to_owned()),
                };
                if let Some(found) = found {
                    self.branch(&found);
                    self.tag(&found);
                }
                self.branch("another-branch");
            }
        }
    }

    fn branch(&mut self, name: &str) {
        self.add(Difference::Branch {
            name: name.to_owned(),
        });
    }

    fn tag(&mut self, name: &str) {
        self.add(Difference::Tag {
            name: name.to_owned(),
        });
    }

    fn condition(&mut self, condition: Option<&str>) {
        let Some(Ok(expression)) = condition.map(Expression::parse) else {
            return;
        };
        self.tree(expression.tree());
    }

    fn tree(&mut self, tree: &Tree) {
        match tree {
            Tree::Variable(name) => self.plain(name),
            Tree::Not(operand) => self.tree(operand),
            Tree::Binary(Operator::And | Operator::Or, left, right) => {
                self.tree(left);
                self.tree(right);
            }
            Tree::Binary(_, left, right) => match (&**left, &**right) {
                (Tree::Variable(name), other) | (other, Tree::Variable(name)) => {
                    if let Some(value) = self.wanted(other) {
                        self.value(name, &value);
                    }
                    self.plain(name);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// What the other side of a comparison asks for.
    fn wanted(&self, other: &Tree) -> Option<String> {
        match other {
            Tree::Text(text) => Some(text.clone()),
            Tree::Pattern(literal) => sample::of_pattern(literal),
            Tree::Variable(name) => {
                let own = self.job.variables.get(name.as_str());
                let global = || self.config.variables.get(name.as_str());
                let in_file = own.or_else(global).map(|found| found.value.clone());
                let outer = self.context.outer.value(name);
                let predefined = || self.context.predefined.value(name).map(str::to_owned);
                outer.map(str::to_owned).or(in_file).or_else(predefined)
            }
            _ => None,
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        match name {
            "CI_COMMIT_BRANCH" | "CI_COMMIT_REF_NAME" => self.branch(value),
            "CI_COMMIT_TAG" => self.tag(value),
            "CI_PIPELINE_SOURCE" => {
                let found = Source::ALL.iter().find(|(_, name, _)| *name == value);
                if let Some((_, name, _)) = found {
                    self.add(Difference::Source { name });
                }
            }
            _ => self.add(Difference::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
        }
    }

    /// Values that are set, empty, or just others.
    fn plain(&mut self, name: &str) {
        match name {
            "CI_COMMIT_BRANCH" | "CI_COMMIT_REF_NAME" => {
                self.branch("another-branch");
                self.tag("v1.0.0");
            }
            "CI_COMMIT_TAG" => {
                self.tag("v1.0.0");
                self.branch("a-branch");
            }
            "CI_PIPELINE_SOURCE" => {
                for name in ["push", "web", "schedule", "merge_request_event"] {
                    self.add(Difference::Source { name });
                }
            }
            "CI_MERGE_REQUEST_ID" | "CI_MERGE_REQUEST_IID" => self.add(Difference::Source {
                name: "merge_request_event",
            }),
            _ => {
                for value in ["1", ""] {
                    self.add(Difference::Variable {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    });
                }
            }
        }
    }
}
