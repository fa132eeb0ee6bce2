//! The helpers of the tables.

use serde_json::Value;
use shipway_config::{Config, Limits, Loaded, NoFiles, Severity, Source, SourceError, load};

/// Files of a project by path; the first is the configuration.
pub(crate) struct Project<'p>(pub(crate) &'p [(&'p str, &'p str)]);

impl Source for Project<'_> {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        self.0
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, text)| (*text).to_owned())
            .ok_or(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}

impl Project<'_> {
    pub(crate) fn load(&self) -> Loaded {
        load(self.0[0].0, self.0[0].1, self, &Limits::default())
    }
}

pub(crate) fn load_text(yaml: &str) -> Loaded {
    load(".gitlab-ci.yml", yaml, &NoFiles, &Limits::default())
}

/// The configuration, which must be without faults.
pub(crate) fn config(yaml: &str) -> Config {
    accepted(load_text(yaml), yaml)
}

pub(crate) fn accepted(loaded: Loaded, yaml: &str) -> Config {
    let messages = messages(&loaded, Severity::Error);
    loaded
        .config
        .unwrap_or_else(|| panic!("{yaml}\nwas refused: {messages:#?}"))
}

/// `line:column message` of every diagnostic of a severity, `- message` without a place.
pub(crate) fn messages(loaded: &Loaded, severity: Severity) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == severity)
        .map(|diagnostic| match diagnostic.span {
            Some(span) => format!("{}:{} {}", span.line, span.column, diagnostic.message),
            None => format!("- {}", diagnostic.message),
        })
        .collect()
}

/// Every error of a file, in order.
pub(crate) fn errors(yaml: &str) -> Vec<String> {
    let loaded = load_text(yaml);
    let messages = messages(&loaded, Severity::Error);
    assert_eq!(loaded.config.is_none(), !messages.is_empty(), "{yaml}");
    messages
}

pub(crate) fn warnings(yaml: &str) -> Vec<String> {
    messages(&load_text(yaml), Severity::Warning)
}

/// Checks files that have exactly one error each.
pub(crate) fn check_error(cases: &[(&str, &str)]) {
    for (yaml, expected) in cases {
        assert_eq!(errors(yaml), [*expected], "\n{yaml}");
    }
}

/// Checks the value of one keyword of a job `x` whose other lines are `script`: the message
/// without its place.
pub(crate) fn check_job_error(cases: &[(&str, &str)]) {
    for (lines, expected) in cases {
        let yaml = with_job(lines);
        let found: Vec<String> = errors(&yaml)
            .iter()
            .map(|message| {
                message
                    .split_once(' ')
                    .map_or("", |(_, text)| text)
                    .to_owned()
            })
            .collect();
        assert_eq!(found, [*expected], "\n{yaml}");
    }
}

/// A file with a job `x` that has a script and these lines.
pub(crate) fn with_job(lines: &str) -> String {
    let mut yaml = String::from("x:\n  script: m\n");
    for line in lines.lines() {
        yaml.push_str("  ");
        yaml.push_str(line);
        yaml.push('\n');
    }
    yaml
}

/// One keyword of a job as JSON.
pub(crate) fn job_value(yaml: &str, job: &str, keyword: &str) -> Value {
    let config = config(yaml);
    let job = config
        .jobs
        .get(job)
        .unwrap_or_else(|| panic!("no job {job} in\n{yaml}"));
    serde_json::to_value(job).expect("jobs are JSON")[keyword].take()
}

/// Checks a keyword of job `x`.
pub(crate) fn check_value(keyword: &str, cases: &[(&str, Value)]) {
    for (lines, expected) in cases {
        let yaml = with_job(lines);
        assert_eq!(job_value(&yaml, "x", keyword), *expected, "\n{yaml}");
    }
}

/// The names of the jobs, in order.
pub(crate) fn job_names(yaml: &str) -> Vec<String> {
    config(yaml).jobs.keys().cloned().collect()
}
