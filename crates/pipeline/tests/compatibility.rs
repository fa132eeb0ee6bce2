//! The table of `docs/compatibility.md` tells the truth: every row has a verdict, and every
//! test that it names exists.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const VERDICTS: [&str; 3] = ["same", "different", "unsupported"];

struct Row {
    id: String,
    verdict: String,
    tests: Vec<String>,
    notes: String,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn table() -> String {
    std::fs::read_to_string(root().join("docs/compatibility.md")).unwrap()
}

/// The rows: those whose first cell is letters, a dash and a number.
fn rows(table: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, _, verdict, notes] = cells[..] else {
            continue;
        };
        let Some((letters, number)) = id.split_once('-') else {
            continue;
        };
        if letters.is_empty() || number.parse::<u32>().is_err() {
            continue;
        }
        // Every second piece stands between backticks.
        let named = notes.split('`').skip(1).step_by(2);
        rows.push(Row {
            id: id.to_owned(),
            verdict: verdict.to_owned(),
            tests: (named.filter(|text| text.split("::").count() == 3))
                .map(str::to_owned)
                .collect(),
            notes: notes.to_owned(),
        });
    }
    rows
}

/// The tests of every file of every crate, as `crate::file::function`.
fn tests() -> HashSet<String> {
    let mut found = HashSet::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let mut queue = vec![entry.path()];
        while let Some(path) = queue.pop() {
            if path.is_dir() {
                queue.extend(std::fs::read_dir(path).unwrap().flatten().map(|e| e.path()));
                continue;
            }
            let Some(file) = path
                .file_name()
                .and_then(|file| file.to_str()?.strip_suffix(".rs"))
            else {
                continue;
            };
            let text = std::fs::read_to_string(&path).unwrap();
            for function in functions(&text) {
                found.insert(format!("{name}::{file}::{function}"));
            }
        }
    }
    found
}

/// The functions that have the attribute of a test, or that a suite of tests calls.
fn functions(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
        let signature = (line.strip_prefix("async fn "))
            .or_else(|| line.strip_prefix("fn "))
            .filter(|_| is_test)
            .or_else(|| line.strip_prefix("pub(crate) async fn "));
        if let Some(signature) = signature {
            found.extend(signature.split(['(', '<']).next());
            is_test = false;
        }
    }
    found
}

#[test]
fn every_row_has_a_verdict_and_its_tests_exist() {
    let tests = tests();
    let table = table();
    let rows = rows(&table);
    let mut faults = Vec::new();
    let mut seen = HashMap::new();
    for row in &rows {
        let is_planned = row
            .verdict
            .strip_prefix("planned (issue ")
            .and_then(|rest| rest.strip_suffix(')'))
            .is_some_and(|number| number.parse::<u32>().is_ok());
        if !is_planned && !VERDICTS.contains(&row.verdict.as_str()) {
            faults.push(format!("{}: `{}` is no verdict", row.id, row.verdict));
        }
        if row.verdict == "same" && row.tests.is_empty() {
            faults.push(format!("{}: no test proves it", row.id));
        }
        if row.notes.is_empty() {
            faults.push(format!("{}: nothing is said", row.id));
        }
        for test in row.tests.iter().filter(|test| !tests.contains(*test)) {
            faults.push(format!("{}: there is no test `{test}`", row.id));
        }
        if seen.insert(row.id.clone(), ()).is_some() {
            faults.push(format!("{} is there twice", row.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(rows.len(), 427);
}

#[test]
fn the_summary_counts_the_rows() {
    let table = table();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&table) {
        *counts.entry(row.verdict).or_default() += 1;
    }
    let line = table.lines().find(|line| line.starts_with("Of ")).unwrap();
    for (verdict, count) in counts {
        let expected = format!("{count} {verdict}");
        assert!(line.contains(&expected), "{expected}: {line}");
    }
}
