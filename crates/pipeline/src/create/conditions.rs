//! Whether a job is in the pipeline: `rules`, or `only` and `except`
//! (language inventory, 2.1 and 2.6).

use shipway_config::expression::Expression;
use shipway_config::{Job, Policy, Rule, refs};

use super::{Context, Excluded, Reason, RefKind};

/// How variables are looked up in conditions: by name, never expanded.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Refs a job without any condition runs for.
const DEFAULT_REFS: [&str; 2] = ["branches", "tags"];

/// Decides about one job: the rule that let it in where there is one, and why.
pub(super) fn decide<'job>(
    job: &'job Job,
    context: &Context,
    lookup: &Lookup<'_>,
) -> Result<(Option<&'job Rule>, Reason), Excluded> {
    match &job.rules {
        Some(rules) => first_match(rules, job, lookup),
        None => policies(job, context, lookup).map(|reason| (None, reason)),
    }
}

fn first_match<'job>(
    rules: &'job [Rule],
    job: &Job,
    lookup: &Lookup<'_>,
) -> Result<(Option<&'job Rule>, Reason), Excluded> {
    let holds = |rule: &Rule| {
        rule.condition
            .as_ref()
            .is_none_or(|condition| is_true(condition, lookup))
    };
    let Some(index) = rules.iter().position(holds) else {
        return Err(Excluded::NoRule { rules: rules.len() });
    };
    let rule = &rules[index];
    let condition = rule.condition.clone();
    let when = rule.when.or(job.when).unwrap_or_default();
    if when == shipway_config::When::Never {
        return Err(Excluded::Never {
            rule: index + 1,
            condition,
        });
    }
    Ok((
        Some(rule),
        Reason::Rule {
            rule: index + 1,
            condition,
        },
    ))
}

fn policies(job: &Job, context: &Context, lookup: &Lookup<'_>) -> Result<Reason, Excluded> {
    let only = job.only.as_ref();
    if let Some(only) = only {
        let default: Vec<String> = DEFAULT_REFS.map(str::to_owned).to_vec();
        let refs = only.refs.as_ref().unwrap_or(&default);
        if !refs.iter().any(|pattern| ref_matches(pattern, context)) {
            return Err(Excluded::OnlyRefs { refs: refs.clone() });
        }
        if let Some(variables) = &only.variables
            && !any_true(variables, lookup)
        {
            return Err(Excluded::OnlyVariables {
                conditions: variables.clone(),
            });
        }
    }
    if let Some(Policy { refs, variables }) = &job.except {
        let hit = (refs.iter().flatten()).find(|pattern| ref_matches(pattern, context));
        if let Some(pattern) = hit {
            return Err(Excluded::Except {
                condition: pattern.clone(),
            });
        }
        let hit = (variables.iter().flatten()).find(|condition| is_true(condition, lookup));
        if let Some(condition) = hit {
            return Err(Excluded::Except {
                condition: condition.clone(),
            });
        }
    }
    let restricted = only.is_some_and(|only| {
        only.variables.is_some() || only.refs.as_ref().is_some_and(|refs| *refs != DEFAULT_REFS)
    });
    Ok(if restricted || job.except.is_some() {
        Reason::OnlyExcept
    } else {
        Reason::Unconditional
    })
}

fn any_true(conditions: &[String], lookup: &Lookup<'_>) -> bool {
    conditions
        .iter()
        .any(|condition| is_true(condition, lookup))
}

/// The configuration has checked that conditions parse; one that does not is false.
pub(super) fn is_true(condition: &str, lookup: &Lookup<'_>) -> bool {
    Expression::parse(condition).is_ok_and(|expression| expression.is_true(&|name| lookup(name)))
}

fn ref_matches(text: &str, context: &Context) -> bool {
    let (name, path) = refs::split_path(text);
    if path.is_some_and(|path| path != context.project_path) {
        return false;
    }
    match name {
        "branches" => context.ref_kind == RefKind::Branch,
        "tags" => context.ref_kind == RefKind::Tag,
        word if word == context.source.keyword() => true,
        _ => {
            context.ref_kind != RefKind::MergeRequest && refs::name_matches(name, &context.ref_name)
        }
    }
}
