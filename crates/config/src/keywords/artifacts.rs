//! `artifacts`.

use super::place::{Keys, Place};
use super::values::{string_or_strings, strings, value};
use crate::yaml::{Map, Node};
use crate::{Artifacts, ResultWhen, duration};
use indexmap::IndexMap;

const KEYS: Keys = Keys {
    known: &[
        "name",
        "paths",
        "exclude",
        "untracked",
        "when",
        "expire_in",
        "reports",
        "expose_as",
        "access",
        "public",
    ],
    later: &[],
};

const REPORTS: Keys = Keys {
    known: &[
        "accessibility",
        "annotations",
        "api_fuzzing",
        "browser_performance",
        "cluster_image_scanning",
        "codequality",
        "container_scanning",
        "coverage_fuzzing",
        "coverage_report",
        "cyclonedx",
        "dast",
        "dependency_scanning",
        "dotenv",
        "junit",
        "license_scanning",
        "load_performance",
        "lsif",
        "metrics",
        "repository_xray",
        "requirements",
        "requirements_v2",
        "sarif",
        "sast",
        "secret_detection",
        "terraform",
    ],
    later: &[],
};

/// Reports of which a job has one file, so that a list makes no sense.
const SINGLE: [&str; 2] = ["browser_performance", "load_performance"];

const COVERAGE: Keys = Keys {
    known: &["coverage_format", "path"],
    later: &[],
};

/// When something is uploaded or saved.
pub(crate) fn result_when(map: &Map, at: &Place<'_>) -> ResultWhen {
    match at.one_of(map, "when", &["on_success", "on_failure", "always"]) {
        Some("on_failure") => ResultWhen::OnFailure,
        Some("always") => ResultWhen::Always,
        _ => ResultWhen::OnSuccess,
    }
}

/// `artifacts`
pub(crate) fn artifacts(node: &Node, at: &Place<'_>) -> Option<Artifacts> {
    let map = at.map(node, &KEYS)?;
    let paths = at.strings(map, "paths");
    let mut access = at
        .one_of(map, "access", &["none", "developer", "maintainer", "all"])
        .map(str::to_owned);
    if let Some(public) = at.boolean(map, "public") {
        if access.is_some() {
            at.config(node, "these keys cannot be used together: access, public")
                .hint("`public` is the old form of `access`");
        }
        // `public: false` keeps artifacts from people outside the project.
        access.get_or_insert_with(|| if public { "all" } else { "developer" }.to_owned());
    }
    let expose_as = expose_as(map, paths.as_deref(), node, at);
    Some(Artifacts {
        name: at.text(map, "name"),
        paths: paths.unwrap_or_default(),
        exclude: at.strings(map, "exclude").unwrap_or_default(),
        untracked: at.boolean(map, "untracked").unwrap_or(false),
        when: result_when(map, at),
        expire_in: expire_in(map, at),
        reports: match value(map, "reports") {
            Some(node) => reports(node, at),
            None => IndexMap::new(),
        },
        expose_as,
        access,
    })
}

fn expire_in(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "expire_in")?;
    let text = node.as_text();
    if let Some(text) = text
        && (text.eq_ignore_ascii_case("never") || duration::parse_seconds(text).is_some())
    {
        return Some(text.to_owned());
    }
    let fault = at.attribute(node, "expire_in", "should be a duration");
    if text.is_none() {
        fault.hint("write a duration with its unit, `3 days` for example");
    } else {
        fault.hint("write `30 mins`, `2h20min`, `3 weeks and 2 days` or `never`");
    }
    None
}

fn expose_as(map: &Map, paths: Option<&[String]>, node: &Node, at: &Place<'_>) -> Option<String> {
    let own = value(map, "expose_as")?;
    let text = at.text(map, "expose_as")?;
    if text.chars().count() > 100 {
        at.attribute(own, "expose_as", "is too long (maximum is 100 characters)");
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = |c: char| is_word(c) || matches!(c, '-' | ' ');
    if !text.starts_with(is_word) || !text.chars().all(fits) {
        at.attribute(
            own,
            "expose_as",
            "can contain only letters, digits, '-', '_' and spaces",
        );
    }
    match paths {
        None | Some([]) => {
            at.attribute(
                value(map, "paths").unwrap_or(node),
                "paths",
                "can't be blank",
            );
        }
        Some(paths) if paths.iter().any(|path| path.contains('*')) => {
            at.attribute(
                value(map, "paths").unwrap_or(node),
                "paths",
                "can't contain '*' when used with 'expose_as'",
            );
        }
        Some(_) => {}
    }
    Some(text)
}

fn reports(node: &Node, at: &Place<'_>) -> IndexMap<String, Vec<String>> {
    let mut reports = IndexMap::new();
    let Some(map) = node.as_map() else {
        at.attribute(node, "reports", "should be a hash");
        return reports;
    };
    let at = at.key("reports");
    at.check_keys(map, &REPORTS);
    for (key, entry) in map {
        let name = key.as_str();
        if entry.node.is_null() || !REPORTS.known.contains(&name) {
            continue;
        }
        if name == "coverage_report" {
            if let Some((format, path)) = coverage_report(&entry.node, &at.key(name)) {
                reports.insert(format, vec![path]);
            }
            continue;
        }
        let paths = if SINGLE.contains(&name) {
            entry
                .node
                .as_text()
                .map(|path| vec![path.to_owned()])
                .ok_or((&entry.node, "should be a string"))
        } else {
            string_or_strings(&entry.node)
                .map_err(|wrong| (wrong, "should be an array of strings or a string"))
        };
        match paths {
            Ok(paths) => {
                reports.insert(name.to_owned(), paths);
            }
            Err((wrong, reason)) => {
                at.attribute(wrong, name, reason);
            }
        }
    }
    reports
}

fn coverage_report(node: &Node, at: &Place<'_>) -> Option<(String, String)> {
    let map = at.map(node, &COVERAGE)?;
    let mut format = None;
    match value(map, "coverage_format") {
        None => {
            at.attribute(node, "coverage_format", "can't be blank");
        }
        Some(node) => match node.as_text() {
            Some(text @ ("cobertura" | "jacoco")) => format = Some(text.to_owned()),
            text => {
                at.attribute(
                    node,
                    "coverage_format",
                    "must be one of supported formats: cobertura, jacoco.",
                )
                .did_you_mean(text, &["cobertura", "jacoco"]);
            }
        },
    }
    if value(map, "path").is_none() {
        at.attribute(node, "path", "can't be blank");
    }
    let path = at.text(map, "path");
    Some((format?, path?))
}

/// Lists of texts with a name of their own below an entry: `cache:paths`, `cache:key:files`.
pub(crate) fn paths_entry(node: &Node, at: &Place<'_>) -> Option<Vec<String>> {
    match strings(node) {
        Ok(paths) => Some(paths),
        Err(wrong) => {
            at.config(wrong, "should be an array of strings");
            None
        }
    }
}
