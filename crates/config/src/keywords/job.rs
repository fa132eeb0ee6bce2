//! A job: its keys, and how they fit together.

use super::default::Inheritable;
use super::kind::{self, Kind};
use super::matrix::Parallel;
use super::place::Place;
use super::report::Report;
use super::values::value;
use super::{
    dast, environment, failure, flow, inherit, inputs, needs, pages, policy, release, rules, run,
    script, secrets, trigger, variables,
};
use crate::yaml::{Entry, Key, Map, Node, get};
use crate::{Job, Limits, Variables, When};

/// What jobs take from the rest of the configuration.
pub(crate) struct Surroundings<'s> {
    pub(crate) defaults: &'s Inheritable,
    /// With `workflow:rules` a job without rules has no `only` either.
    pub(crate) has_workflow_rules: bool,
    pub(crate) limits: &'s Limits,
}

/// A visible job and how many instances of it there are.
pub(crate) struct Read {
    pub(crate) job: Job,
    pub(crate) parallel: Option<Parallel>,
}

/// Reads a visible entry of the top level that is no global keyword.
pub(crate) fn job(
    key: &Key,
    entry: &Entry,
    around: &Surroundings<'_>,
    report: &Report,
) -> Option<Read> {
    let name = key.as_str();
    let at = Place::job(name, report);
    let is_named = check_name(key, entry, &at);
    let kind = kind::kind(&entry.node);
    if kind == Kind::Unknown && is_named {
        kind::without_commands(name, entry, &at);
    }
    // A job without commands is read on, for the rest of its faults and for the jobs that
    // need it.
    let map = entry.node.as_map().filter(|_| is_named)?;
    kind.check_keys(map, &at);
    check_rules_alone(map, &at);

    let (inherit_default, inherit_variables) = value(map, "inherit")
        .map(|node| inherit::inherit(node, &at.key("inherit")))
        .unwrap_or_default();
    let mut inherited = if kind == Kind::Trigger {
        Inheritable {
            interruptible: value(map, "interruptible")
                .and_then(|node| flow::interruptible(node, &at.key("interruptible"))),
            ..Inheritable::default()
        }
    } else {
        Inheritable::read(map, &at, around.limits)
    };
    // Of the defaults a trigger takes only this one.
    inherited.inherit(around.defaults, |keyword| {
        inherit_default.takes(keyword) && (kind != Kind::Trigger || keyword == "interruptible")
    });

    let own_rules = value(map, "rules");
    let when = match kind {
        Kind::Trigger => flow::when_of_trigger(map, &at),
        _ => flow::when(map, &at),
    };
    let commands = get(map, "script").and_then(|Entry { node, .. }| {
        if is_blank(node) && kind == Kind::Commands && get(map, "run").is_none() {
            at.attribute(node, "script", "can't be blank")
                .hint("write at least one command, `script: [\"true\"]` for example");
            return None;
        }
        script::commands(node, &at.key("script"))
    });
    let needs = value(map, "needs").and_then(|node| {
        let at = at.key("needs");
        match kind {
            Kind::Trigger => needs::of_trigger(node, &at),
            _ => needs::of_job(node, &at),
        }
    });
    let dependencies = at.strings(map, "dependencies");
    needs::check_dependencies(map, needs.as_ref(), dependencies.as_deref(), &at);
    let trigger = (kind == Kind::Trigger)
        .then(|| trigger::starts(map, needs.as_ref(), entry, &at))
        .flatten();
    let pages = (kind == Kind::Commands)
        .then(|| pages::pages(name, map, &at))
        .flatten();
    if let Some(pages) = &pages {
        pages::add_to_artifacts(pages, &mut inherited.artifacts);
    }
    let parallel = value(map, "parallel").and_then(|node| {
        let at = at.key("parallel");
        let parallel = flow::parallel(node, &at, around.limits);
        if kind == Kind::Trigger && matches!(parallel, Some(Parallel::Number(_))) {
            at.config(node, "cannot use \"parallel: <number>\".")
                .hint("a matrix is allowed: `parallel: {matrix: [{NAME: [one, two]}]}`");
            return None;
        }
        parallel
    });
    let (needs, cross_needs) = match needs {
        // A mirrored pipeline orders nothing.
        Some(needs) if needs.jobs.is_empty() && !needs.mirrors.is_empty() => (None, Vec::new()),
        Some(needs) => (Some(needs.jobs), needs.cross),
        None => (None, Vec::new()),
    };
    let job = Job {
        name: name.to_owned(),
        key: name.to_owned(),
        stage: value(map, "stage")
            .map(|node| flow::stage(node, &at.key("stage")).unwrap_or_default())
            .unwrap_or_else(|| "test".to_owned()),
        before_script: inherited.before_script.unwrap_or_default(),
        script: commands.unwrap_or_default(),
        run: run::run(map, &at),
        after_script: inherited.after_script.unwrap_or_default(),
        image: inherited.image,
        services: inherited.services.unwrap_or_default(),
        variables: match value(map, "variables") {
            Some(node) => variables::of_job(node, &at.key("variables")),
            None => Variables::default(),
        },
        inherit_variables,
        rules: own_rules.and_then(|node| rules::rules(node, &at)),
        only: policy::only(map, &at, own_rules.is_none() && !around.has_workflow_rules),
        except: value(map, "except").and_then(|node| policy::policy(node, &at.key("except"))),
        when,
        start_in: start_in(map, when, own_rules.is_some(), entry, &at),
        allow_failure: match kind {
            Kind::Trigger => at
                .boolean(map, "allow_failure")
                .map(crate::AllowFailure::Always),
            _ => failure::allow_failure(map, &at),
        },
        needs,
        cross_needs,
        dependencies,
        artifacts: inherited.artifacts,
        cache: inherited.cache.unwrap_or_default(),
        tags: inherited.tags.unwrap_or_default(),
        retry: inherited.retry,
        timeout: value(map, "timeout").and_then(|node| flow::timeout(node, &at.key("timeout"))),
        coverage: value(map, "coverage").and_then(|node| flow::coverage(node, &at.key("coverage"))),
        parallel: None,
        interruptible: inherited.interruptible,
        resource_group: at.text(map, "resource_group"),
        environment: value(map, "environment")
            .and_then(|node| environment::environment(node, &at.key("environment"))),
        trigger,
        pre_get_sources_script: inherited.hooks.unwrap_or_default(),
        release: value(map, "release").and_then(|node| release::release(node, &at.key("release"))),
        pages,
        secrets: value(map, "secrets")
            .map(|node| secrets::secrets(node, &at.key("secrets")))
            .unwrap_or_default(),
        id_tokens: inherited.id_tokens.unwrap_or_default(),
        identity: inherited.identity,
        inputs: value(map, "inputs")
            .map(|node| inputs::of_job(node, &at))
            .unwrap_or_default(),
        manual_confirmation: at.text(map, "manual_confirmation"),
        dast_configuration: value(map, "dast_configuration")
            .and_then(|node| dast::dast_configuration(node, &at.key("dast_configuration"))),
    };
    check_extends(map, &at);
    warn_of_double_pipelines(own_rules, &job, around, &at);
    Some(Read { job, parallel })
}

fn check_name(key: &Key, entry: &Entry, at: &Place<'_>) -> bool {
    let name = Node::null(entry.key_span);
    if !key.is_text() {
        at.attribute(&name, "name", "should be a symbol")
            .label("not a text for YAML")
            .hint(match key.as_str() {
                // `on`, `yes` and others are the same to YAML.
                word @ ("true" | "false") => {
                    format!("put the name in quotes: without them it is the boolean {word}")
                }
                name => format!("put the name in quotes: '{name}'"),
            });
        return false;
    }
    if key.as_str().is_empty() {
        at.attribute(&name, "name", "can't be blank")
            .label("an empty name");
        return false;
    }
    if key.as_str().chars().count() > 255 {
        at.attribute(&name, "name", "is too long (maximum is 255 characters)");
    }
    true
}

/// `only`, `except` and `start_in` have no place next to `rules`.
fn check_rules_alone(map: &Map, at: &Place<'_>) {
    if value(map, "rules").is_none() {
        return;
    }
    let strangers: Vec<&str> = ["only", "except", "start_in"]
        .into_iter()
        .filter(|key| value(map, key).is_some())
        .collect();
    let Some(first) = strangers.first() else {
        return;
    };
    if let Some(entry) = get(map, first) {
        let reason = format!("key may not be used with `rules`: {}", strangers.join(", "));
        let fault = at
            .config(&Node::null(entry.key_span), &reason)
            .label("beside `rules`");
        if *first == "start_in" {
            fault.hint("put `when: delayed` and `start_in` into the rule");
        } else {
            fault.hint("say it with `rules:if`, `if: $CI_COMMIT_BRANCH == \"main\"` for example");
        }
    }
}

fn start_in(
    map: &Map,
    when: Option<When>,
    has_rules: bool,
    entry: &Entry,
    at: &Place<'_>,
) -> Option<u64> {
    let node = value(map, "start_in");
    if has_rules {
        return None;
    }
    if when == Some(When::Delayed) {
        let owner = get(map, "when").map_or(&entry.node, |entry| &entry.node);
        return flow::start_in(node, owner, at, "should be a duration");
    }
    if let Some(node) = node {
        at.attribute(node, "start_in", "must be blank")
            .hint("`start_in` belongs to `when: delayed`");
    }
    None
}

fn check_extends(map: &Map, at: &Place<'_>) {
    if let Some(node) = value(map, "extends")
        && let Err(wrong) = super::values::string_or_strings(node)
    {
        at.attribute(
            wrong,
            "extends",
            "should be an array of strings or a string",
        );
    }
}

/// Nothing, a text of blanks, or a list without items, as Ruby takes it.
fn is_blank(node: &Node) -> bool {
    match node.as_text() {
        Some(text) => text.trim().is_empty(),
        None => node.is_null() || node.as_list().is_some_and(<[Node]>::is_empty),
    }
}

/// The last rule, which may stand in a list that was referred to.
fn last_item(node: &Node) -> &Node {
    match node.as_list().and_then(<[Node]>::last) {
        Some(last) => last_item(last),
        None => node,
    }
}

/// A last rule with nothing but `when` lets a push run both a branch and a merge request
/// pipeline. GitLab warns; it is no fault.
fn warn_of_double_pipelines(
    node: Option<&Node>,
    job: &Job,
    around: &Surroundings<'_>,
    at: &Place<'_>,
) {
    let (Some(node), Some(rules)) = (node, &job.rules) else {
        return;
    };
    let Some(last) = rules.last() else {
        return;
    };
    let is_open = last.is_only_when() && last.when != Some(When::Never);
    if is_open && !around.has_workflow_rules {
        let text = format!(
            "jobs:{} may allow multiple pipelines to run for a single action due to \
             `rules:when` clause with no `workflow:rules`",
            job.name.to_lowercase()
        );
        at.message(last_item(node).span, text)
            .warning()
            .label("the last rule has no condition")
            .hint(
                "add `workflow:rules` that choose branch or merge request pipelines; a first rule \
                 `if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS && $CI_PIPELINE_SOURCE == \"push\"` \
                 with `when: never` prevents two of one push",
            );
    }
}
