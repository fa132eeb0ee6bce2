//! Variables whose values refer to each other in a circle: none of them is expanded then.

use crate::variables::{CircularReference, Collection, FileReferences, Undefined, Variable};
use crate::{Config, Diagnostic, Variables};

/// Tells of the first circle of the top level, and of the first that each job closes.
pub(super) fn variables(config: &Config, found: &mut Vec<Diagnostic>) {
    if let Some(circle) = circle(&config.variables, None) {
        found.extend(told(config, &circle, None));
        return;
    }
    for job in super::jobs(config).filter(|job| !job.variables.is_empty()) {
        if let Some(circle) = circle(&config.variables, Some(&job.variables)) {
            found.extend(told(config, &circle, Some(&job.key)));
        }
    }
}

fn circle(global: &Variables, job: Option<&Variables>) -> Option<CircularReference> {
    let all = global.iter().chain(job.into_iter().flatten());
    let collection: Collection = all
        .map(|(name, value)| Variable {
            raw: value.raw,
            ..Variable::new(name, &value.value)
        })
        .collect();
    let expanded = collection.expand_all(Undefined::Keep, FileReferences::Keep);
    expanded.err()
}

fn told(config: &Config, circle: &CircularReference, job: Option<&str>) -> Option<Diagnostic> {
    let place = |name: &str| match job {
        Some(job) => config.origin(&["jobs", job, "variables", name]),
        None => config.origin(&["variables", name]),
    };
    let span = circle.names.iter().find_map(|name| place(name))?;
    let doubt = Diagnostic::warning(circle.to_string(), span)
        .label("all variables stay as they are written")
        .keyword("variables")
        .hint("give one of them a value without a reference to the others");
    Some(match job {
        Some(job) => doubt.job(job),
        None => doubt,
    })
}
