//! `parallel:matrix`, of jobs and of needs.

use super::place::Place;
use super::values::value;
use crate::yaml::{Node, Value};
use indexmap::IndexMap;

/// The entries of a matrix: values by name, in the order of the file.
pub(crate) type Matrix = Vec<IndexMap<String, Vec<String>>>;

/// How often a job runs.
#[derive(Debug, Clone)]
pub(crate) enum Parallel {
    /// So many times.
    Number(u32),
    /// Once for every combination of values.
    Matrix(Matrix),
}

/// A list of maps from names to values or lists of values, which makes no more than so many
/// instances.
pub(crate) fn matrix(node: &Node, at: &Place<'_>, most: usize) -> Option<Matrix> {
    let list = node
        .as_list()
        .filter(|list| list.iter().all(|entry| entry.as_map().is_some()));
    let Some(list) = list else {
        at.config(node, "should be an array of hashes")
            .hint("write `matrix: [{NAME: [one, two]}]`");
        return None;
    };
    let place = at.key("variables");
    let entries: Option<Matrix> = list.iter().map(|node| entry(node, &place)).collect();
    let entries = entries?;
    let total = combination_count(&entries);
    if total > most {
        at.config(
            node,
            &format!("generates too many jobs (maximum is {most})"),
        )
        .label(format!("{total} jobs"));
        return None;
    }
    Some(entries)
}

/// How many instances a job has.
pub(crate) fn instance_count(parallel: &Parallel) -> usize {
    match parallel {
        Parallel::Number(total) => *total as usize,
        Parallel::Matrix(matrix) => combination_count(matrix),
    }
}

fn combination_count(matrix: &Matrix) -> usize {
    matrix
        .iter()
        .map(|entry| {
            (entry.values()).fold(1_usize, |product, values| {
                product.saturating_mul(values.len())
            })
        })
        .fold(0_usize, usize::saturating_add)
}

fn entry(node: &Node, at: &Place<'_>) -> Option<IndexMap<String, Vec<String>>> {
    let map = node.as_map()?;
    if map.is_empty() {
        at.config(node, "requires at least 1 items");
        return None;
    }
    let mut entry = IndexMap::with_capacity(map.len());
    for (key, written) in map {
        let values: Option<Vec<String>> = value(map, key.as_str())
            .filter(|_| key.is_text())
            .and_then(|node| match node.as_list() {
                Some(list) => list.iter().map(scalar).collect(),
                None => scalar(node).map(|value| vec![value]),
            })
            .filter(|values: &Vec<String>| !values.is_empty());
        let Some(values) = values else {
            let reason = "should be a hash of key value pairs, value can be an array";
            at.config(&written.node, reason)
                .hint("values are texts or numbers, one or a list of them, and not empty");
            return None;
        };
        entry.insert(key.as_str().to_owned(), values);
    }
    Some(entry)
}

fn scalar(node: &Node) -> Option<String> {
    match node.value {
        Value::Null => None,
        _ => node.scalar_text(),
    }
}
