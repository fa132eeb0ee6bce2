//! `parallel`: a job becomes instances, and whoever needs it needs all of them, or those that
//! it names.

use crate::keywords::place::Place;
use crate::keywords::report::Report;
use crate::keywords::{Matrix, Parallel, ReadJob, instance_count};
use crate::yaml::{Map, get};
use crate::{Diagnostic, Job, Limits, Need, ParallelInstance, Span, VariableValue};
use indexmap::{IndexMap, IndexSet};
use std::collections::HashMap;

/// Needs of one list after all instances are put in. More than a few dozen are refused anyway;
/// this only keeps a hostile file from taking memory before it is.
const MAX_NEEDS: usize = 1000;

/// One combination of a matrix: values by name.
type Combination = Vec<(String, String)>;

/// All jobs with their instances in place, in file order.
///
/// # Errors
/// When the jobs need each other more often than allowed.
pub(crate) fn expand(
    jobs: Vec<ReadJob>,
    root: &Map,
    limits: &Limits,
    report: &Report,
) -> Result<IndexMap<String, Job>, Box<Diagnostic>> {
    let names: HashMap<String, Vec<String>> = jobs
        .iter()
        .filter_map(|read| {
            let names = instances(&read.job.key, read.parallel.as_ref()?);
            Some((
                read.job.key.clone(),
                names.into_iter().map(|(name, _)| name).collect(),
            ))
        })
        .collect();
    let mut expanded = IndexMap::with_capacity(jobs.len());
    let mut needs = 0;
    for ReadJob { job, parallel } in jobs {
        let mut unknown = IndexSet::new();
        let repeated = parallel.as_ref().map_or(1, instance_count);
        needs += needs_of(&job, &names).saturating_mul(repeated);
        if needs > limits.all_needs {
            let text = format!(
                "The `needs` and `dependencies` of all jobs come to more than {} with the \
                 instances of parallel jobs",
                limits.all_needs
            );
            return Err(Box::new(
                Diagnostic::error(text, place_of(&job.key, "needs", root))
                    .job(&job.key)
                    .keyword("needs")
                    .hint("let one job stand between two parallel ones"),
            ));
        }
        let Some(parallel) = parallel else {
            let job = finished(job, &names, &mut unknown);
            tell(&unknown, &job, root, report);
            expanded.insert(job.name.clone(), job);
            continue;
        };
        let instances = instances(&job.key, &parallel);
        let total = u32::try_from(instances.len()).unwrap_or(u32::MAX);
        for (index, (name, combination)) in (1..).zip(instances) {
            let mut instance = Job {
                name: name.clone(),
                parallel: Some(ParallelInstance { index, total }),
                ..job.clone()
            };
            for (key, value) in combination {
                instance
                    .variables
                    .insert(key, VariableValue { value, raw: false });
            }
            let instance = finished(instance, &names, &mut unknown);
            expanded.insert(name, instance);
        }
        tell(&unknown, &job, root, report);
    }
    Ok(expanded)
}

/// How many jobs one instance will need, at most.
fn needs_of(job: &Job, names: &HashMap<String, Vec<String>>) -> usize {
    let of_rules = job
        .rules
        .iter()
        .flatten()
        .filter_map(|rule| rule.needs.as_ref());
    let needs = of_rules.chain(job.needs.as_ref()).flatten();
    let needed = needs.map(|need| &need.job);
    needed
        .chain(job.dependencies.iter().flatten())
        .map(|name| names.get(name).map_or(1, Vec::len))
        .fold(0, usize::saturating_add)
}

/// Where a keyword of a job is written, or the job.
fn place_of(job: &str, keyword: &str, root: &Map) -> Span {
    get(root, job)
        .map(|entry| {
            entry
                .node
                .get(keyword)
                .map_or(entry.key_span, |node| node.span)
        })
        .unwrap_or_default()
}

/// The names of a job's instances with what each has of the matrix.
fn instances(key: &str, parallel: &Parallel) -> Vec<(String, Combination)> {
    match parallel {
        Parallel::Number(total) => (1..=*total)
            .map(|index| (format!("{key} {index}/{total}"), Combination::new()))
            .collect(),
        Parallel::Matrix(matrix) => combinations(matrix)
            .into_iter()
            .map(|combination| (instance_name(key, &combination), combination))
            .collect(),
    }
}

/// `job: [one, two]`
fn instance_name(key: &str, combination: &Combination) -> String {
    let values: Vec<&str> = combination
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    format!("{key}: [{}]", values.join(", "))
}

/// Every combination, entry after entry, the last name changing fastest.
fn combinations(matrix: &Matrix) -> Vec<Combination> {
    matrix
        .iter()
        .flat_map(|entry| {
            entry
                .iter()
                .fold(vec![Combination::new()], |rows, (name, values)| {
                    rows.iter()
                        .flat_map(|row| {
                            values.iter().map(|value| {
                                let mut row = row.clone();
                                row.push((name.clone(), value.clone()));
                                row
                            })
                        })
                        .collect()
                })
        })
        .collect()
}

/// The job with its needs and dependencies resolved to instances.
fn finished(
    mut job: Job,
    names: &HashMap<String, Vec<String>>,
    unknown: &mut IndexSet<String>,
) -> Job {
    // Lent out, because the rest of the job changes meanwhile.
    let variables = std::mem::take(&mut job.variables);
    let value = |name: &str| variables.get(name).map(|variable| variable.value.as_str());
    let needs = job
        .rules
        .iter_mut()
        .flatten()
        .filter_map(|rule| rule.needs.as_mut())
        .chain(job.needs.as_mut());
    for needs in needs {
        let written = std::mem::take(needs);
        for mut need in written {
            if needs.len() > MAX_NEEDS {
                break;
            }
            let known = unknown.len();
            with_matrix(&mut need.job, &value, unknown);
            let matrix = need.matrix.take();
            let Some(all) = names.get(&need.job) else {
                needs.push(need);
                continue;
            };
            let wanted = match matrix {
                None => all.clone(),
                Some(mut matrix) => {
                    let values = matrix.iter_mut().flat_map(|entry| entry.values_mut());
                    for text in values.flatten() {
                        with_matrix(text, &value, unknown);
                    }
                    // A name that means nothing is told; the job it makes would be told too.
                    if unknown.len() > known {
                        continue;
                    }
                    (combinations(&matrix).iter())
                        .map(|combination| instance_name(&need.job, combination))
                        .collect()
                }
            };
            needs.extend(wanted.into_iter().map(|job| Need {
                job,
                ..need.clone()
            }));
        }
    }
    if let Some(dependencies) = &mut job.dependencies {
        *dependencies = std::mem::take(dependencies)
            .into_iter()
            .flat_map(|name| names.get(&name).cloned().unwrap_or_else(|| vec![name]))
            .collect();
    }
    job.variables = variables;
    job
}

/// Replaces each `$[[ matrix.NAME ]]` of a text with the value this instance has.
fn with_matrix<'v>(
    text: &mut String,
    value: &impl Fn(&str) -> Option<&'v str>,
    unknown: &mut IndexSet<String>,
) {
    let mut from = 0;
    while let Some(start) = text[from..].find("$[[").map(|at| from + at) {
        let Some(end) = text[start..].find("]]").map(|at| start + at + 2) else {
            return;
        };
        from = end;
        let Some(name) = text[start + 3..end - 2].trim().strip_prefix("matrix.") else {
            continue;
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(fits) {
            continue;
        }
        match value(name) {
            Some(value) => {
                from = start + value.len();
                text.replace_range(start..end, value);
            }
            None => {
                unknown.insert(name.to_owned());
            }
        }
    }
}

fn tell(unknown: &IndexSet<String>, job: &Job, root: &Map, report: &Report) {
    let place = Place::job(&job.key, report);
    let at = place.key("needs");
    let span = place_of(&job.key, "needs", root);
    for name in unknown {
        let text = format!(
            "{} job: '{name}' does not exist in matrix configuration",
            job.key
        );
        at.message(span, text)
            .label("names what this job's matrix does not have");
    }
}
