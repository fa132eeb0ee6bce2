//! Whether a job is in the pipeline: `rules`, or `only` and `except`
//! (language inventory, 2.1 and 2.6).

use shipway_config::conditions::{ConditionError, Paths};
use shipway_config::expression::Expression;
use shipway_config::{Changes, Exists, Job, Policy, Rule, refs};

use super::scope::Scope;
use super::{Context, Excluded, Reason, RefKind};

/// How variables are looked up in conditions: by name, never expanded.
type Lookup<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Refs a job without any condition runs for.
const DEFAULT_REFS: [&str; 2] = ["branches", "tags"];

/// The rule that let a job in, where there is one, and why; or why it is left out.
type Verdict<'job> = Result<(Option<&'job Rule>, Reason), Excluded>;

/// What conditions are decided with.
pub(super) struct Facts<'f> {
    pub(super) context: &'f Context,
    pub(super) scope: &'f Scope<'f>,
    pub(super) paths: &'f Paths<'f>,
}

/// Decides about one job.
pub(super) fn decide<'job>(
    job: &'job Job,
    facts: &Facts<'_>,
) -> Result<Verdict<'job>, ConditionError> {
    match &job.rules {
        Some(rules) => first_match(rules, job, facts),
        None => Ok(policies(job, facts)?.map(|reason| (None, reason))),
    }
}

fn first_match<'job>(
    rules: &'job [Rule],
    job: &Job,
    facts: &Facts<'_>,
) -> Result<Verdict<'job>, ConditionError> {
    let mut found = None;
    for (index, rule) in rules.iter().enumerate() {
        if facts.hold(
            rule.condition.as_deref(),
            rule.changes.as_ref(),
            rule.exists.as_ref(),
        )? {
            found = Some((index, rule));
            break;
        }
    }
    let Some((index, rule)) = found else {
        return Ok(Err(Excluded::NoRule { rules: rules.len() }));
    };
    let condition = words(rule);
    let when = rule.when.or(job.when).unwrap_or_default();
    let rule_number = index + 1;
    Ok(if when == shipway_config::When::Never {
        Err(Excluded::Never {
            rule: rule_number,
            condition,
        })
    } else {
        let reason = Reason::Rule {
            rule: rule_number,
            condition,
        };
        Ok((Some(rule), reason))
    })
}

/// The conditions of a rule in a few words; `None` where it has none.
fn words(rule: &Rule) -> Option<String> {
    let paths = |name: &str, paths: &[String], regexp: Option<&String>| match regexp {
        Some(regexp) => format!("{name} /{regexp}/"),
        None => format!("{name} {}", paths.join(" or ")),
    };
    let changes = (rule.changes.as_ref())
        .map(|changes| paths("changes in", &changes.paths, changes.regexp.as_ref()));
    let exists = (rule.exists.as_ref())
        .map(|exists| paths("there is", &exists.paths, exists.regexp.as_ref()));
    let parts: Vec<String> = (rule.condition.clone().into_iter())
        .chain(changes)
        .chain(exists)
        .collect();
    (!parts.is_empty()).then(|| parts.join(", and "))
}

impl Facts<'_> {
    /// Whether all conditions of a rule hold.
    pub(super) fn hold(
        &self,
        condition: Option<&str>,
        changes: Option<&Changes>,
        exists: Option<&Exists>,
    ) -> Result<bool, ConditionError> {
        let expand = |text: &str| self.scope.expand_existing(text);
        Ok(condition.is_none_or(|condition| self.is_true(condition))
            && match changes {
                Some(changes) => self.paths.changes(changes, &expand)?,
                None => true,
            }
            && match exists {
                Some(exists) => self.paths.exists(exists, &expand)?,
                None => true,
            })
    }

    fn is_true(&self, condition: &str) -> bool {
        is_true(condition, &|name| self.scope.value(name))
    }

    /// Whether `changes` of `only` or `except` fits, where it is given.
    fn any_changed(&self, policy: &Policy) -> Result<Option<bool>, ConditionError> {
        let Some(paths) = &policy.changes else {
            return Ok(None);
        };
        let changes = Changes {
            paths: paths.clone(),
            ..Changes::default()
        };
        self.hold(None, Some(&changes), None).map(Some)
    }

    fn has_cluster(&self) -> bool {
        self.scope.value("CI_KUBERNETES_ACTIVE") == Some("true")
    }
}

fn policies(job: &Job, facts: &Facts<'_>) -> Result<Result<Reason, Excluded>, ConditionError> {
    let only = job.only.as_ref();
    if let Some(only) = only
        && let Some(excluded) = shut_out(only, facts)?
    {
        return Ok(Err(excluded));
    }
    if let Some(except) = &job.except
        && let Some(condition) = kept_out(except, facts)?
    {
        return Ok(Err(Excluded::Except { condition }));
    }
    let restricted = only.is_some_and(|only| {
        only.variables.is_some()
            || only.changes.is_some()
            || only.kubernetes
            || only.refs.as_ref().is_some_and(|refs| *refs != DEFAULT_REFS)
    });
    Ok(Ok(if restricted || job.except.is_some() {
        Reason::OnlyExcept
    } else {
        Reason::Unconditional
    }))
}

/// The part of `only` that does not fit: all must.
fn shut_out(only: &Policy, facts: &Facts<'_>) -> Result<Option<Excluded>, ConditionError> {
    let default: Vec<String> = DEFAULT_REFS.map(str::to_owned).to_vec();
    let refs = only.refs.as_ref().unwrap_or(&default);
    if !(refs.iter()).any(|pattern| ref_matches(pattern, facts.context)) {
        return Ok(Some(Excluded::OnlyRefs { refs: refs.clone() }));
    }
    if let Some(conditions) = &only.variables
        && !conditions.iter().any(|condition| facts.is_true(condition))
    {
        return Ok(Some(Excluded::OnlyVariables {
            conditions: conditions.clone(),
        }));
    }
    if only.kubernetes && !facts.has_cluster() {
        return Ok(Some(Excluded::OnlyKubernetes));
    }
    Ok(match facts.any_changed(only)? {
        Some(false) => Some(Excluded::OnlyChanges {
            paths: only.changes.clone().unwrap_or_default(),
        }),
        _ => None,
    })
}

/// The part of `except` that fits: one is enough.
fn kept_out(except: &Policy, facts: &Facts<'_>) -> Result<Option<String>, ConditionError> {
    let mut refs = except.refs.iter().flatten();
    if let Some(pattern) = refs.find(|pattern| ref_matches(pattern, facts.context)) {
        return Ok(Some(pattern.clone()));
    }
    let mut conditions = except.variables.iter().flatten();
    if let Some(condition) = conditions.find(|condition| facts.is_true(condition)) {
        return Ok(Some(condition.clone()));
    }
    if except.kubernetes && facts.has_cluster() {
        return Ok(Some("kubernetes: active".to_owned()));
    }
    Ok(match facts.any_changed(except)? {
        Some(true) => {
            let paths = except.changes.clone().unwrap_or_default();
            Some(format!("changes in {}", paths.join(" or ")))
        }
        _ => None,
    })
}

/// The configuration has checked that conditions parse; one that does not is false.
fn is_true(condition: &str, lookup: &Lookup<'_>) -> bool {
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
