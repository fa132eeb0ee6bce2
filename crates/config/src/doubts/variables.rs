//! Variables in conditions that nothing defines.

use std::collections::HashSet;

use super::predefined;
use crate::expression::{Expression, Tree};
use crate::{Config, Diagnostic, Span, suggest};

/// Tells of variables in conditions that are defined nowhere.
///
/// Whether a variable is there at all is a usual question to ask about those that come from
/// outside (`if: $DEPLOY`), so only comparisons count, and names that look like predefined ones.
pub(super) fn undefined(config: &Config, found: &mut Vec<Diagnostic>) {
    let defined = defined(config);
    let mut told = HashSet::new();
    for (condition, span, job) in conditions(config) {
        let Ok(expression) = Expression::parse(condition) else {
            continue;
        };
        let mut compared = HashSet::new();
        note_compared(expression.tree(), &mut compared);
        for name in expression.variables() {
            let is_known = defined.contains(name) || predefined::is_known(name);
            let is_ours = name.starts_with("CI_") || name.starts_with("GITLAB_");
            if is_known || !(is_ours || compared.contains(name)) || !told.insert(name.to_owned()) {
                continue;
            }
            let names = defined.iter().copied().chain(predefined::names());
            let fault = Diagnostic::warning(format!("variable `{name}` is never defined"), span)
                .label("neither here nor by GitLab");
            let fault = match suggest(name, names) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None if is_ours => fault.hint("GitLab has no predefined variable of this name"),
                None => fault.hint(
                    "give it a default under `variables`, if it comes from outside: the \
                     project's settings, a schedule, or `--var`",
                ),
            };
            found.push(match job {
                Some(job) => fault.job(job).keyword("rules:if"),
                None => fault.keyword("workflow:rules:if"),
            });
        }
    }
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

fn defined(config: &Config) -> HashSet<&str> {
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

type Condition<'c> = (&'c str, Span, Option<&'c str>);

/// Every `if` of the file with its place and its job.
fn conditions(config: &Config) -> Vec<Condition<'_>> {
    let mut all = Vec::new();
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    for (index, rule) in workflow.into_iter().flatten().enumerate() {
        let path = ["workflow", "rules", &index.to_string(), "if"];
        if let (Some(condition), Some(span)) = (&rule.condition, config.origin(&path)) {
            all.push((condition.as_str(), span, None));
        }
    }
    for job in super::jobs(config) {
        for (index, rule) in job.rules.iter().flatten().enumerate() {
            let path = ["jobs", &job.key, "rules", &index.to_string(), "if"];
            if let (Some(condition), Some(span)) = (&rule.condition, config.origin(&path)) {
                all.push((condition.as_str(), span, Some(job.key.as_str())));
            }
        }
    }
    all
}
