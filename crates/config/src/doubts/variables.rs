//! Variables in conditions that nothing defines.

use std::collections::HashSet;

use super::predefined;
use crate::expression::{Expression, Tree};
use crate::suggest::suggest_within;
use crate::{Config, Diagnostic, Span, suggest};

/// How many slips of the hand a misspelt name has, which is told by itself.
const SLIPS: usize = 2;

/// Tells of variables in conditions that are defined nowhere.
///
/// Whether a variable is there at all is a usual question to ask about those that come from
/// outside (`if: $DEPLOY`), so only comparisons count, and names that look like predefined or
/// misspelt ones. Those that may well come from outside are told together.
pub(super) fn undefined(config: &Config, defined: &HashSet<&str>, found: &mut Vec<Diagnostic>) {
    let mut told = HashSet::new();
    let mut outside: Vec<(String, Condition<'_>)> = Vec::new();
    for condition in conditions(config) {
        let Ok(expression) = Expression::parse(condition.text) else {
            continue;
        };
        let mut compared = HashSet::new();
        note_compared(expression.tree(), &mut compared);
        for name in expression.variables() {
            if defined.contains(name) || predefined::is_known(name) || told.contains(name) {
                continue;
            }
            let names = defined.iter().copied().chain(predefined::names());
            let is_ours = name.starts_with("CI_") || name.starts_with("GITLAB_");
            let near = match is_ours {
                true => suggest(name, names),
                false => suggest_within(name, names, SLIPS),
            };
            if near.is_none() && !is_ours && !compared.contains(name) {
                continue;
            }
            told.insert(name.to_owned());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if is_ours => "GitLab has no predefined variable of this name".to_owned(),
                None => {
                    outside.push((name.to_owned(), condition));
                    continue;
                }
            };
            let text = format!("variable `{name}` is never defined");
            found.push(condition.doubt(text).hint(hint));
        }
    }
    let Some((first, condition)) = outside.first() else {
        return;
    };
    let names: Vec<String> = outside
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let text = match names.as_slice() {
        [_] => format!("variable `{first}` is never defined"),
        [others @ .., last] => {
            format!(
                "variables {} and {last} are never defined",
                others.join(", ")
            )
        }
        [] => return,
    };
    found.push(condition.doubt(text).hint(
        "what comes from outside (the project's settings, a schedule, `--var`) can have a \
         default under `variables`",
    ));
}

fn note_compared<'t>(tree: &'t Tree, compared: &mut HashSet<&'t str>) {
    match tree {
        Tree::Not(operand) => note_compared(operand, compared),
        Tree::Binary(_, left, right) => {
            for (side, other) in [(left, right), (right, left)] {
                match (&**side, &**other) {
                    (Tree::Variable(name), Tree::Text(text)) if !text.is_empty() => {
                        compared.insert(name);
                    }
                    (Tree::Variable(name), Tree::Pattern(_)) => {
                        compared.insert(name);
                    }
                    _ => {}
                }
                note_compared(side, compared);
            }
        }
        _ => {}
    }
}

/// The names that the file defines anywhere.
pub(super) fn defined(config: &Config) -> HashSet<&str> {
    let mut names: HashSet<&str> = config.variables.keys().map(String::as_str).collect();
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    for rule in workflow.into_iter().flatten() {
        names.extend(rule.variables.keys().map(String::as_str));
    }
    for job in config.jobs.values() {
        names.extend(job.variables.keys().map(String::as_str));
        for rule in job.rules.iter().flatten() {
            names.extend(rule.variables.keys().map(String::as_str));
        }
    }
    names
}

/// An `if` of the file.
#[derive(Clone, Copy)]
pub(super) struct Condition<'c> {
    pub(super) text: &'c str,
    pub(super) span: Span,
    /// `None` in `workflow`.
    job: Option<&'c str>,
}

impl Condition<'_> {
    pub(super) fn doubt(&self, text: String) -> Diagnostic {
        let doubt = Diagnostic::warning(text, self.span).label("neither here nor by GitLab");
        match self.job {
            Some(job) => doubt.job(job).keyword("rules:if"),
            None => doubt.keyword("workflow:rules:if"),
        }
    }
}

/// Every `if` of the file with its place and its job.
pub(super) fn conditions(config: &Config) -> Vec<Condition<'_>> {
    let mut all = Vec::new();
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    for (index, rule) in workflow.into_iter().flatten().enumerate() {
        let path = ["workflow", "rules", &index.to_string(), "if"];
        if let (Some(condition), Some(span)) = (&rule.condition, config.origin(&path)) {
            all.push(Condition {
                text: condition,
                span,
                job: None,
            });
        }
    }
    for job in super::jobs(config) {
        for (index, rule) in job.rules.iter().flatten().enumerate() {
            let path = ["jobs", &job.key, "rules", &index.to_string(), "if"];
            if let (Some(condition), Some(span)) = (&rule.condition, config.origin(&path)) {
                all.push(Condition {
                    text: condition,
                    span,
                    job: Some(&job.key),
                });
            }
        }
    }
    all
}
