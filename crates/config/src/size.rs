//! How much a configuration comes to when every job has what it extends, inherits and repeats.
//!
//! Up to here nodes are shared, so a small file can say a lot: thirty thousand jobs that extend
//! one with a long script. What follows copies, so it is counted first.

use crate::keywords::{ReadJob, instance_count};
use crate::yaml::{Entry, Map, Node, Value, get};
use crate::{Diagnostic, Limits};
use std::collections::HashMap;

/// What a value takes beside its text, in bytes, roughly.
const NODE: usize = 48;

/// What a job takes beside its keywords.
const JOB: usize = 256;

/// Bytes of each job, by key.
pub(crate) type Sizes = HashMap<String, usize>;

/// Adds up the jobs as they are written.
///
/// # Errors
/// When they come to more than allowed. The counting ends there.
pub(crate) fn of_jobs(root: &Map, limits: &Limits) -> Result<Sizes, Box<Diagnostic>> {
    let mut left = limits.expanded_bytes;
    let mut sizes = Sizes::with_capacity(root.len());
    let inherited = match get(root, "default") {
        Some(entry) => node(&entry.node, left).unwrap_or(left),
        None => 0,
    };
    for (key, entry) in root {
        let size = node(&entry.node, left).map(|size| size + inherited + JOB);
        match size.and_then(|size| Some((size, left.checked_sub(size)?))) {
            Some((size, rest)) => {
                left = rest;
                sizes.insert(key.as_str().to_owned(), size);
            }
            None => return Err(too_much(key.as_str(), entry, limits)),
        }
    }
    Ok(sizes)
}

/// Adds up the jobs as often as `parallel` repeats them.
///
/// # Errors
/// When there are more than allowed, or they come to more than allowed.
pub(crate) fn of_instances(
    jobs: &[ReadJob],
    sizes: &Sizes,
    root: &Map,
    limits: &Limits,
) -> Result<(), Box<Diagnostic>> {
    let (mut count, mut bytes) = (0_usize, 0_usize);
    for job in jobs {
        let Some(entry) = get(root, &job.job.key) else {
            continue;
        };
        let instances = job.parallel.as_ref().map_or(1, instance_count);
        let size = sizes.get(&job.job.key).copied().unwrap_or_default();
        count = count.saturating_add(instances);
        bytes = bytes.saturating_add(size.saturating_mul(instances));
        if count > limits.jobs {
            let text = format!("The configuration has more than {} jobs", limits.jobs);
            return Err(Box::new(
                Diagnostic::error(text, entry.key_span)
                    .job(&job.job.key)
                    .label("the first one too many")
                    .hint("split the pipeline with `trigger:include`, or lower `parallel`"),
            ));
        }
        if bytes > limits.expanded_bytes {
            return Err(too_much(&job.job.key, entry, limits));
        }
    }
    Ok(())
}

fn too_much(job: &str, entry: &Entry, limits: &Limits) -> Box<Diagnostic> {
    let text = format!(
        "The configuration with everything that is extended, inherited and repeated is larger \
         than {} bytes",
        limits.expanded_bytes
    );
    Box::new(
        Diagnostic::error(text, entry.key_span)
            .job(job)
            .label("here the limit is reached")
            .hint("move long scripts to files of the project and call them"),
    )
}

/// Bytes of a value, or `None` where there are more than `most`.
fn node(node: &Node, most: usize) -> Option<usize> {
    let mut size = 0_usize;
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        size += NODE;
        match &node.value {
            Value::Text(text) | Value::Symbol(text) => size += text.len(),
            Value::List(list) | Value::Reference(list) => open.extend(list.iter()),
            Value::Map(map) => open.extend(map.iter().map(|(key, entry)| {
                size += key.as_str().len();
                &entry.node
            })),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
        }
        if size > most {
            return None;
        }
    }
    Some(size)
}
