//! What is tried while conditions are decided, step by step, for those who explain a plan.

use serde::Serialize;
use shipway_config::conditions::{ConditionError, Paths};
use shipway_config::expression::{Expression, Operator, Tree, Value};
use shipway_config::{Changes, Config, Exists, Job, Source, Variables, When};

use super::conditions::{self, Facts};
use super::scope::{Level, Scope};
use super::{Context, Excluded, PlanError, Reason, workflow};

/// Whether a job is in a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// It is, for this reason.
    In(Reason, When),
    /// It is not, for this reason.
    Out(Excluded),
    /// There is no pipeline.
    NoPipeline,
}

/// A rule that was tried, or would have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Its number, from 1.
    pub rule: usize,
    /// What became of it.
    pub outcome: Tried,
    /// Its conditions; none means that it always matches.
    pub parts: Vec<PartTrace>,
    /// What `when` it says; `None`: the job's own.
    pub when: Option<String>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// All its conditions hold; it decides.
    Matched,
    /// A condition does not hold.
    Failed,
    /// An earlier rule had decided.
    NotTried,
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartTrace {
    /// `if`, `changes` or `exists`.
    pub clause: &'static str,
    /// As it was written.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// The parts of an expression with their values, outer ones first.
    pub values: Vec<ValueTrace>,
}

/// A part of an expression with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueTrace {
    /// How deep it is in the expression.
    pub depth: usize,
    /// The part.
    pub text: String,
    /// Its value: `true`, `false`, `null` or a quoted text.
    pub value: String,
}

/// A variable that conditions look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariableUse {
    /// Its name.
    pub name: String,
    /// Its value, as conditions see it; `None` where it is not defined or masked.
    pub value: Option<String>,
    /// Whether the value is kept secret.
    pub masked: bool,
    /// Where the value came from; `None`: it is not defined.
    pub level: Option<Level>,
}

/// Everything that was tried for a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    pub(crate) workflow: Vec<RuleTrace>,
    pub(crate) rules: Vec<RuleTrace>,
    pub(crate) variables: Vec<VariableUse>,
}

/// The one decision of [`super::create`] that is about `job`.
pub(crate) fn verdict(
    config: &Config,
    context: &Context,
    source: &dyn Source,
    job: &Job,
) -> Result<Verdict, ConditionError> {
    let paths = Paths::new(source);
    let decision = match workflow::decide(config, context, &paths) {
        Ok(decision) => decision,
        Err(PlanError::Condition { reason, .. }) => return Err(reason),
        Err(_) => return Ok(Verdict::NoPipeline),
    };
    let scope = Scope::of_job(context, &decision.variables, job);
    let facts = Facts {
        context,
        scope: &scope,
        paths: &paths,
    };
    Ok(match conditions::decide(job, &facts)? {
        Ok((rule, reason)) => {
            let when = rule.and_then(|rule| rule.when).or(job.when);
            Verdict::In(reason, when.unwrap_or_default())
        }
        Err(excluded) => Verdict::Out(excluded),
    })
}

/// Tries everything that decides about a job, and keeps what was seen.
pub(crate) fn trace(
    config: &Config,
    context: &Context,
    source: &dyn Source,
    job: &Job,
) -> Result<Trace, ConditionError> {
    let paths = Paths::new(source);
    let mut names = Vec::new();
    let mut variables = config.variables.clone();
    let mut found = None;
    let workflow = {
        let scope = Scope::of_pipeline(context, &config.variables);
        let facts = Facts {
            context,
            scope: &scope,
            paths: &paths,
        };
        let rules = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
        let rules = rules.into_iter().flatten().map(|rule| Conditions {
            condition: rule.condition.as_deref(),
            changes: rule.changes.as_ref(),
            exists: rule.exists.as_ref(),
            when: rule.when,
        });
        try_all(rules, &facts, &mut names)?
    };
    if let Some(rule) = matched(&workflow)
        && let Some(rules) = config.workflow.as_ref().and_then(|one| one.rules.as_ref())
    {
        let own: &Variables = &rules[rule - 1].variables;
        variables.extend(own.clone());
        found = Some((rule, own));
    }
    let scope = Scope::of_job(context, &variables, job);
    let facts = Facts {
        context,
        scope: &scope,
        paths: &paths,
    };
    let rules = job.rules.iter().flatten().map(|rule| Conditions {
        condition: rule.condition.as_deref(),
        changes: rule.changes.as_ref(),
        exists: rule.exists.as_ref(),
        when: rule.when,
    });
    let rules = try_all(rules, &facts, &mut names)?;
    for policy in [&job.only, &job.except].into_iter().flatten() {
        for condition in policy.variables.iter().flatten() {
            note_names(condition, &mut names);
        }
    }
    let variables = names
        .into_iter()
        .map(|name| {
            let mut level = scope.level(&name);
            if let (Some(Level::Pipeline), Some((rule, own))) = (&level, found)
                && own.contains_key(&name)
            {
                level = Some(Level::WorkflowRule { rule });
            }
            let masked = context.outer.get(&name).is_some_and(|one| one.masked);
            VariableUse {
                value: scope.value(&name).filter(|_| !masked).map(str::to_owned),
                masked,
                level,
                name,
            }
        })
        .collect();
    Ok(Trace {
        workflow,
        rules,
        variables,
    })
}

fn matched(rules: &[RuleTrace]) -> Option<usize> {
    let found = rules.iter().find(|rule| rule.outcome == Tried::Matched);
    found.map(|rule| rule.rule)
}

struct Conditions<'r> {
    condition: Option<&'r str>,
    changes: Option<&'r Changes>,
    exists: Option<&'r Exists>,
    when: Option<When>,
}

fn try_all<'r>(
    rules: impl Iterator<Item = Conditions<'r>>,
    facts: &Facts<'_>,
    names: &mut Vec<String>,
) -> Result<Vec<RuleTrace>, ConditionError> {
    let mut decided = false;
    let mut traces = Vec::new();
    for (index, rule) in rules.enumerate() {
        let mut parts = Vec::new();
        if let Some(condition) = rule.condition {
            if !decided {
                note_names(condition, names);
            }
            parts.push(PartTrace {
                clause: "if",
                text: condition.to_owned(),
                holds: facts.hold(Some(condition), None, None)?,
                values: values(condition, facts),
            });
        }
        if let Some(changes) = rule.changes {
            parts.push(PartTrace {
                clause: "changes",
                text: paths_text(&changes.paths, changes.regexp.as_deref()),
                holds: facts.hold(None, Some(changes), None)?,
                values: Vec::new(),
            });
        }
        if let Some(exists) = rule.exists {
            parts.push(PartTrace {
                clause: "exists",
                text: paths_text(&exists.paths, exists.regexp.as_deref()),
                holds: facts.hold(None, None, Some(exists))?,
                values: Vec::new(),
            });
        }
        let outcome = if decided {
            Tried::NotTried
        } else if parts.iter().all(|part| part.holds) {
            Tried::Matched
        } else {
            Tried::Failed
        };
        decided |= outcome == Tried::Matched;
        traces.push(RuleTrace {
            rule: index + 1,
            outcome,
            parts,
            when: rule.when.map(|when| when.as_str().to_owned()),
        });
    }
    Ok(traces)
}

fn paths_text(paths: &[String], regexp: Option<&str>) -> String {
    match regexp {
        Some(regexp) => format!("/{regexp}/"),
        None => paths.join(", "),
    }
}

fn note_names(condition: &str, names: &mut Vec<String>) {
    let Ok(expression) = Expression::parse(condition) else {
        return;
    };
    for name in expression.variables() {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
}

fn values(condition: &str, facts: &Facts<'_>) -> Vec<ValueTrace> {
    let Ok(expression) = Expression::parse(condition) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let lookup = |name: &str| facts.scope.value(name);
    visit(expression.tree(), 0, &lookup, &mut out);
    out
}

fn visit<'t>(
    tree: &'t Tree,
    depth: usize,
    lookup: &dyn Fn(&str) -> Option<&'t str>,
    out: &mut Vec<ValueTrace>,
) {
    out.push(ValueTrace {
        depth,
        text: text(tree),
        value: value_text(&tree.evaluate(lookup)),
    });
    match tree {
        Tree::Not(operand) => visit(operand, depth + 1, lookup, out),
        Tree::Binary(operator, left, right) => {
            for side in [left, right] {
                operand(side, *operator, depth + 1, lookup, out);
            }
        }
        _ => {}
    }
}

/// A side of an operator; `a && b && c` has three of them.
fn operand<'t>(
    tree: &'t Tree,
    around: Operator,
    depth: usize,
    lookup: &dyn Fn(&str) -> Option<&'t str>,
    out: &mut Vec<ValueTrace>,
) {
    match tree {
        Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::Pattern(_) => {}
        Tree::Binary(operator @ (Operator::And | Operator::Or), left, right)
            if *operator == around =>
        {
            for side in [left, right] {
                operand(side, around, depth, lookup, out);
            }
        }
        _ => visit(tree, depth, lookup, out),
    }
}

fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Pattern(text) | Value::Other(text) => (*text).to_owned(),
    }
}

/// A part of an expression as one would write it.
fn text(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Bool(value) => value.to_string(),
        Tree::Text(text) => format!("{text:?}"),
        Tree::Variable(name) => format!("${name}"),
        Tree::Input(name) => format!("$[[ inputs.{name} ]]"),
        Tree::Pattern(pattern) => pattern.clone(),
        Tree::Not(operand) => format!("!{}", grouped(operand)),
        Tree::Binary(operator, left, right) => {
            let sign = match operator {
                Operator::Equals => "==",
                Operator::NotEquals => "!=",
                Operator::Matches => "=~",
                Operator::NotMatches => "!~",
                Operator::And => "&&",
                Operator::Or => "||",
            };
            let side = |tree: &Tree| match tree {
                Tree::Binary(inner, _, _) if inner != operator => grouped(tree),
                _ => text(tree),
            };
            let needs_group = matches!(operator, Operator::And | Operator::Or);
            let side = |tree: &Tree| match tree {
                Tree::Binary(Operator::And | Operator::Or, _, _) => side(tree),
                Tree::Binary(..) if needs_group => text(tree),
                _ => side(tree),
            };
            format!("{} {sign} {}", side(left), side(right))
        }
    }
}

fn grouped(tree: &Tree) -> String {
    match tree {
        Tree::Binary(..) => format!("({})", text(tree)),
        _ => text(tree),
    }
}
