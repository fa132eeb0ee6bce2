//! Rules that can never match, and rules that make two pipelines of one push.

use std::collections::HashMap;

use crate::expression::{Expression, Operator, Tree};
use crate::{Config, Diagnostic, Job, When};

/// Every value of `CI_PIPELINE_SOURCE`.
const SOURCES: [&str; 15] = [
    "api",
    "chat",
    "external",
    "external_pull_request_event",
    "merge_request_event",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "parent_pipeline",
    "pipeline",
    "push",
    "schedule",
    "security_orchestration_policy",
    "trigger",
    "web",
    "webide",
];
/// Variables of which only one is ever set.
const EXCLUSIVE: [(&str, &str); 3] = [
    ("CI_COMMIT_BRANCH", "CI_COMMIT_TAG"),
    ("CI_COMMIT_BRANCH", "CI_MERGE_REQUEST_IID"),
    ("CI_COMMIT_TAG", "CI_MERGE_REQUEST_IID"),
];

/// What a rule depends on.
#[derive(PartialEq)]
struct Conditions<'r> {
    condition: Option<&'r str>,
    changes: Option<&'r crate::Changes>,
    exists: Option<&'r crate::Exists>,
}

impl Conditions<'_> {
    fn is_empty(&self) -> bool {
        self.condition.is_none() && self.changes.is_none() && self.exists.is_none()
    }
}

/// Tells of rules that can never match.
pub(super) fn never_matching(config: &Config, found: &mut Vec<Diagnostic>) {
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    let rules = workflow.into_iter().flatten().map(|rule| Conditions {
        condition: rule.condition.as_deref(),
        changes: rule.changes.as_ref(),
        exists: rule.exists.as_ref(),
    });
    list(config, &["workflow", "rules"], rules.collect(), None, found);
    for job in super::jobs(config) {
        let rules = job.rules.iter().flatten().map(|rule| Conditions {
            condition: rule.condition.as_deref(),
            changes: rule.changes.as_ref(),
            exists: rule.exists.as_ref(),
        });
        let path = ["jobs", job.key.as_str(), "rules"];
        list(config, &path, rules.collect(), Some(&job.key), found);
    }
}

fn list(
    config: &Config,
    path: &[&str],
    rules: Vec<Conditions<'_>>,
    job: Option<&str>,
    found: &mut Vec<Diagnostic>,
) {
    for (index, rule) in rules.iter().enumerate() {
        let earlier = rules[..index]
            .iter()
            .position(|one| one.is_empty() || one == rule);
        let reason = match (earlier, rule.condition) {
            (Some(before), _) if rules[before].is_empty() => {
                format!("rule {} before it always matches", before + 1)
            }
            (Some(before), _) => format!("rule {} before it has the same condition", before + 1),
            (None, Some(condition)) => match contradiction(condition) {
                Some(reason) => reason,
                None => continue,
            },
            (None, None) => continue,
        };
        let number = index.to_string();
        let at = [path, &[number.as_str()]].concat();
        let condition = [path, &[number.as_str(), "if"]].concat();
        let span = config.origin(&condition).or_else(|| config.origin(&at));
        let text = format!("rule {} can never match", index + 1);
        // A list that several jobs share is told once.
        let is_told = |one: &Diagnostic| one.span == span && one.message == text;
        if let Some(span) = span
            && !found.iter().any(is_told)
        {
            let fault = Diagnostic::warning(text, span)
                .label(reason)
                .keyword("rules");
            found.push(match job {
                Some(job) => fault.job(job),
                None => fault.keyword("workflow:rules"),
            });
        }
    }
}

/// Why an expression is never true, whatever the variables.
fn contradiction(condition: &str) -> Option<String> {
    never(Expression::parse(condition).ok()?.tree())
}

fn never(tree: &Tree) -> Option<String> {
    if let Tree::Binary(Operator::Or, left, right) = tree {
        return never(left).and(never(right));
    }
    let mut parts = Vec::new();
    conjuncts(tree, &mut parts);
    let mut equal: HashMap<&str, &str> = HashMap::new();
    for part in &parts {
        if let Some((name, text)) = equality(part) {
            if name == "CI_PIPELINE_SOURCE" && !SOURCES.contains(&text) {
                return Some(format!("no pipeline has the source \"{text}\""));
            }
            if let Some(other) = equal.insert(name, text)
                && other != text
            {
                return Some(format!("${name} cannot be \"{other}\" and \"{text}\""));
            }
        }
    }
    for (one, other) in EXCLUSIVE {
        let is_set = |name: &str| {
            equal.contains_key(name)
                || parts.iter().any(|part| match part {
                    Tree::Variable(found) => found == name,
                    Tree::Binary(Operator::Matches, left, _) => {
                        matches!(&**left, Tree::Variable(found) if found == name)
                    }
                    _ => false,
                })
        };
        if is_set(one) && is_set(other) {
            return Some(format!("${one} and ${other} are never set together"));
        }
    }
    for part in &parts {
        if let Tree::Binary(Operator::Or, ..) = part {
            if let Some(reason) = never(part) {
                return Some(reason);
            }
            continue;
        }
        if names(part).iter().all(|name| equal.contains_key(name)) {
            let lookup = |name: &str| equal.get(name).copied();
            if !is_true(part, &lookup) {
                return Some(match names(part).first() {
                    None => "it does not depend on anything, and is false".to_owned(),
                    Some(name) => {
                        format!("it contradicts ${name} == \"{}\"", equal[name])
                    }
                });
            }
        }
    }
    None
}

/// Whether a part is true; its own variables live as long as the part does.
fn is_true<'t>(tree: &'t Tree, lookup: &dyn Fn(&str) -> Option<&'t str>) -> bool {
    tree.evaluate(lookup).is_present()
}

fn conjuncts<'t>(tree: &'t Tree, parts: &mut Vec<&'t Tree>) {
    if let Tree::Binary(Operator::And, left, right) = tree {
        conjuncts(left, parts);
        conjuncts(right, parts);
    } else {
        parts.push(tree);
    }
}

fn equality(tree: &Tree) -> Option<(&str, &str)> {
    let Tree::Binary(Operator::Equals, left, right) = tree else {
        return None;
    };
    match (&**left, &**right) {
        (Tree::Variable(name), Tree::Text(text)) | (Tree::Text(text), Tree::Variable(name)) => {
            Some((name, text))
        }
        _ => None,
    }
}

fn names(tree: &Tree) -> Vec<&str> {
    match tree {
        Tree::Variable(name) => vec![name],
        Tree::Not(operand) => names(operand),
        Tree::Binary(_, left, right) => [names(left), names(right)].concat(),
        _ => Vec::new(),
    }
}

/// A pushed branch that has a merge request, and the pipeline of that merge request.
const PUSH: [(&str, &str); 5] = [
    ("CI_PIPELINE_SOURCE", "push"),
    ("CI_COMMIT_BRANCH", "a-branch"),
    ("CI_COMMIT_REF_NAME", "a-branch"),
    ("CI_DEFAULT_BRANCH", "main"),
    ("CI_OPEN_MERGE_REQUESTS", "group/project!1"),
];
const MERGE_REQUEST: [(&str, &str); 8] = [
    ("CI_PIPELINE_SOURCE", "merge_request_event"),
    ("CI_COMMIT_REF_NAME", "a-branch"),
    ("CI_DEFAULT_BRANCH", "main"),
    ("CI_MERGE_REQUEST_ID", "1"),
    ("CI_MERGE_REQUEST_IID", "1"),
    ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "a-branch"),
    ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
    ("CI_MERGE_REQUEST_EVENT_TYPE", "detached"),
];

/// Tells of jobs that one push to a branch with a merge request would run twice.
pub(super) fn duplicate_pipelines(config: &Config, found: &mut Vec<Diagnostic>) {
    if !has_pipeline(config, &PUSH) || !has_pipeline(config, &MERGE_REQUEST) {
        return;
    }
    let twice: Vec<&Job> = super::jobs(config)
        .filter(|job| !is_told(config, job))
        .filter(|job| runs(config, job, &PUSH) && runs(config, job, &MERGE_REQUEST))
        .collect();
    let Some(first) = twice.first() else { return };
    let keyword = if first.rules.is_some() {
        "rules"
    } else {
        "only"
    };
    let job = ["jobs", first.key.as_str()];
    let place = config.origin(&[job[0], job[1], keyword]);
    let Some(span) = place.or_else(|| config.origin(&job)) else {
        return;
    };
    let names: Vec<&str> = twice.iter().take(5).map(|job| job.key.as_str()).collect();
    let others = match twice.len().saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    found.push(
        Diagnostic::warning(
            format!(
                "jobs:{} may allow multiple pipelines to run for a single action",
                first.key
            ),
            span,
        )
        .label(format!(
            "a push to a branch with a merge request runs {}{others} twice",
            names.join(", ")
        ))
        .hint(
            "let `workflow:rules` choose one: a first rule \
             `if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS && $CI_PIPELINE_SOURCE == \"push\"` \
             with `when: never`",
        )
        .job(first.key.as_str())
        .keyword(keyword),
    );
}

/// Whether GitLab's own warning has told it: the last rule has no condition.
fn is_told(config: &Config, job: &Job) -> bool {
    let has_workflow = config
        .workflow
        .as_ref()
        .is_some_and(|one| one.rules.is_some());
    let last = job.rules.as_ref().and_then(|rules| rules.last());
    !has_workflow && last.is_some_and(|rule| rule.is_only_when() && rule.when != Some(When::Never))
}

fn has_pipeline(config: &Config, facts: &[(&str, &str)]) -> bool {
    let Some(rules) = config.workflow.as_ref().and_then(|one| one.rules.as_ref()) else {
        return true;
    };
    let holds = |condition: Option<&str>| holds(condition, config, None, facts);
    let first = rules.iter().find(|rule| holds(rule.condition.as_deref()));
    first.is_some_and(|rule| rule.when != Some(When::Never))
}

fn runs(config: &Config, job: &Job, facts: &[(&str, &str)]) -> bool {
    if let Some(rules) = &job.rules {
        let holds = |condition: Option<&str>| holds(condition, config, Some(job), facts);
        let first = rules.iter().find(|rule| holds(rule.condition.as_deref()));
        let when = first.map(|rule| rule.when.or(job.when));
        return when.is_some_and(|when| when != Some(When::Never));
    }
    let refs = job.only.as_ref().and_then(|only| only.refs.as_ref());
    let is_merge_request = facts
        .iter()
        .any(|(name, _)| *name == "CI_MERGE_REQUEST_IID");
    refs.is_some_and(|refs| {
        refs.iter().any(|name| match name.as_str() {
            "merge_requests" => is_merge_request,
            "branches" | "pushes" => !is_merge_request,
            _ => false,
        })
    })
}

/// Whether an `if` holds; what a rule says about paths is taken for true.
fn holds(
    condition: Option<&str>,
    config: &Config,
    job: Option<&Job>,
    facts: &[(&str, &str)],
) -> bool {
    let Some(condition) = condition else {
        return true;
    };
    let Ok(expression) = Expression::parse(condition) else {
        return false;
    };
    let lookup = |name: &str| -> Option<String> {
        let own = job.and_then(|job| job.variables.get(name));
        let in_file = own.or_else(|| config.variables.get(name));
        let fact = || facts.iter().find(|(fact, _)| *fact == name);
        in_file
            .map(|found| found.value.clone())
            .or_else(|| fact().map(|(_, value)| (*value).to_owned()))
    };
    let values: HashMap<&str, String> = expression
        .variables()
        .into_iter()
        .filter_map(|name| Some((name, lookup(name)?)))
        .collect();
    expression.is_true(&|name| values.get(name).map(String::as_str))
}
