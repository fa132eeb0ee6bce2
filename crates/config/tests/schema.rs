//! Entries that GitLab's editor schema accepts and rejects, where they are at hand. Each tests
//! the shape of one keyword, so what else a job needs is added.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test that does not run says so")]

use indexmap::IndexMap;
use shipway_config::{
    Limits, OtherProject, OtherProjectError, ProjectRequest, Severity, Source, SourceError, load,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A project in which every file is there.
struct AnyFile;

impl Source for AnyFile {
    fn local(&self, _path: &str) -> Result<String, SourceError> {
        Ok("included: {script: make}".to_owned())
    }

    fn list(&self) -> Vec<String> {
        Vec::new()
    }

    fn changes(&self, _compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        Ok(None)
    }

    fn project(&self, _request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        Ok(OtherProject {
            sha: None,
            files: Rc::new(AnyFile),
        })
    }
}

/// Entries the schema rejects and the server takes: the schema is stricter, or older.
const TAKEN_BY_THE_SERVER: [&str; 4] = [
    // A null is no value.
    "browser_performance no paths",
    "cyclonedx no paths",
    // The schema wants a list, the server takes a text too.
    "rules:exists as string",
    // A rule without conditions always holds.
    "rules-if-empty",
];

/// Entries the schema accepts and the server does not: a job has `script` or `trigger`.
const REFUSED_BY_THE_SERVER: [&str; 2] = [
    "trigger:include accepts project and file properties",
    "trigger:include accepts optional ref property",
];

fn files(kind: &str) -> Option<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/schema")
        .join(kind);
    let mut queue = vec![root];
    let mut found = Vec::new();
    while let Some(directory) = queue.pop() {
        for entry in std::fs::read_dir(directory).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                queue.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Some(found)
}

/// The top-level entries of a file, each with its lines.
fn entries(text: &str) -> IndexMap<String, String> {
    let mut entries: IndexMap<String, String> = IndexMap::new();
    for line in text.lines() {
        let is_key = !line.is_empty() && !line.starts_with([' ', '#', '-']);
        if is_key {
            let key = line.rsplit_once(": ").map_or(line, |(key, _)| key);
            let key = key.trim_end().trim_end_matches(':');
            entries.insert(key.to_owned(), String::new());
        }
        if let Some((_, lines)) = entries.last_mut() {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    entries
}

/// The file with one entry alone: a global keyword beside a job, a job with a script, and what
/// is wrapped one level too deep taken out.
fn alone(key: &str, lines: &str) -> String {
    const GLOBALS: [&str; 6] = [
        "include",
        "stages",
        "variables",
        "workflow",
        "spec",
        "default",
    ];
    if key == "spec" {
        return format!("{lines}---\nx: {{script: make}}\n");
    }
    if GLOBALS.contains(&key) {
        let stage = if key == "stages" { ", stage: .pre" } else { "" };
        return format!("{lines}x: {{script: make{stage}}}\n");
    }
    let inner: Vec<&str> = lines.lines().skip(1).collect();
    let mut inner_keys = inner
        .iter()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    if let Some(first) = inner_keys.next()
        && ["  workflow:", "  test-job:"].contains(&first.trim_end())
    {
        let inner: Vec<&str> = inner
            .iter()
            .map(|line| line.get(2..).unwrap_or(""))
            .collect();
        let x = if first.contains("workflow") {
            "x: {script: make}\n"
        } else {
            ""
        };
        return format!("{}\n{x}", inner.join("\n"));
    }
    let has = |keyword: &str| {
        inner
            .iter()
            .any(|line| line.starts_with(&format!("  {keyword}:")))
    };
    let mut text = lines.to_owned();
    if !has("script") && !has("trigger") && !has("run") {
        text.push_str("  script: make\n");
    }
    // Stages and other jobs that are named elsewhere.
    let mut stages = String::from(
        "stages: [build, test, deploy, prepare, dast, py-test, go-test, cloud, client]\n",
    );
    for template in ["deploy-template"] {
        if lines.contains(template) {
            stages.push_str(&format!(".t: &t {{script: make}}\n{template}: *t\n"));
        }
    }
    format!("{text}{stages}")
}

/// The faults of an entry, but for those about jobs that are not there and files that cannot
/// be had.
fn faults(text: &str) -> Vec<String> {
    let loaded = load("case.yml", text, &AnyFile, &Limits::default());
    (loaded.diagnostics.iter())
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.message.clone())
        .filter(|message| {
            !message.contains("undefined need:")
                && !message.contains("is not supported by shipway yet")
        })
        .collect()
}

/// Holds every entry of a folder against what is expected of it.
fn check(kind: &str, least: usize, is_accepted: impl Fn(&str) -> bool) -> Option<()> {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in files(kind)? {
        for (key, lines) in entries(&std::fs::read_to_string(&file).unwrap()) {
            let text = alone(&key, &lines);
            let faults = faults(&text);
            if faults.is_empty() != is_accepted(&key) {
                wrong.push(format!("{}: {key}: {faults:?}\n{text}", file.display()));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > least, "{seen} entries");
    Some(())
}

#[test]
fn what_the_schema_accepts_is_accepted() {
    let accepted = |key: &str| !REFUSED_BY_THE_SERVER.contains(&key);
    if check("positive", 80, accepted).is_none() {
        skip("what_the_schema_accepts_is_accepted");
    }
}

#[test]
fn what_the_schema_rejects_is_rejected() {
    let accepted = |key: &str| TAKEN_BY_THE_SERVER.contains(&key);
    if check("negative", 60, accepted).is_none() {
        skip("what_the_schema_rejects_is_rejected");
    }
}

/// Says that a test did not run: to the file the suite collects, or to the tester.
fn skip(test: &str) {
    use std::io::Write;
    let line = format!("{test}: the entries of the schema are not at hand\n");
    match std::env::var_os("SHIPWAY_TEST_SKIPS") {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .unwrap();
        }
        None => eprint!("skipped: {line}"),
    }
}
