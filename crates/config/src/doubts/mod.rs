//! What GitLab accepts and surely nobody means: told as warnings, by `lint` and by editors.

mod circles;
mod misspelt;
mod patterns;
mod predefined;
mod rules;
mod scalars;
mod unused;
mod variables;

use crate::yaml::{Map, get};
use crate::{Config, Diagnostic, Files, Job, Span};

pub(crate) use unused::hidden_jobs;

/// All doubts about a configuration without faults, in the order of the file.
pub(crate) fn find(
    config: &Config,
    tree: &Map,
    files: &Files,
    unused: &[(String, Span)],
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, span) in unused {
        found.push(
            Diagnostic::warning(format!("hidden job `{name}` is not used"), *span)
                .label("nothing extends or references it")
                .hint("remove it, or remove the dot to make it a job")
                .job(name.as_str()),
        );
    }
    rules::never_matching(config, &mut found);
    rules::duplicate_pipelines(config, &mut found);
    let defined = variables::defined(config);
    variables::undefined(config, &defined, &mut found);
    patterns::as_texts(config, &mut found);
    scalars::turned(tree, files, &mut found);
    misspelt::texts(tree, &defined, &mut found);
    circles::variables(config, &mut found);
    artifacts(config, tree, &mut found);
    found.sort_by_key(|one| one.span.map(|span| (span.file.0, span.start)));
    found
}

/// One job for each key of the file: what is said of one instance holds for all.
fn jobs(config: &Config) -> impl Iterator<Item = &Job> {
    let jobs = config.jobs.values();
    jobs.filter(|job| job.parallel.is_none_or(|instance| instance.index == 1))
}

/// Archives that are asked for from jobs that keep nothing.
fn artifacts(config: &Config, tree: &Map, found: &mut Vec<Diagnostic>) {
    let makes_none = |name: &str| {
        let mut jobs = config.jobs.values();
        jobs.find(|job| job.name == name || job.key == name)
            .is_some_and(|job| job.artifacts.is_none())
    };
    for job in jobs(config) {
        let Some(entry) = get(tree, &job.key) else {
            continue;
        };
        let items = |keyword: &str| entry.node.get(keyword).and_then(|node| node.as_list());
        let dependencies = items("dependencies").into_iter().flatten();
        let dependencies = dependencies.filter_map(|node| Some((node.as_text()?, node)));
        let needs = items("needs").into_iter().flatten();
        let needs = needs.filter_map(|node| {
            let wanted = node.get("artifacts")?.as_bool()? && node.get("pipeline").is_none();
            let name = node.get("job")?.as_text()?;
            (wanted && node.get("project").is_none()).then_some((name, node))
        });
        let named = dependencies.map(|one| ("dependencies", one));
        for (keyword, (name, node)) in named.chain(needs.map(|one| ("needs", one))) {
            if makes_none(name) {
                let text = format!("job `{}` asks for artifacts of `{name}`", job.key);
                found.push(
                    Diagnostic::warning(text, node.span)
                        .label("that job keeps none")
                        .hint(format!("give `{name}` an `artifacts:paths`"))
                        .job(job.key.as_str())
                        .keyword(keyword),
                );
            }
        }
    }
}
