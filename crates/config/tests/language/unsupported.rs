//! Keywords of GitLab that cannot be read yet are refused by name and place.

use crate::support::{errors, load_text, with_job};

#[test]
fn keywords_of_jobs() {
    for (lines, keyword) in [
        ("services: [{name: a, ports: [1]}]", "services:ports"),
        ("image: {name: a, ports: [1]}", "image:ports"),
    ] {
        let yaml = with_job(lines);
        let loaded = load_text(&yaml);
        let diagnostic = loaded
            .errors()
            .find(|d| d.keyword.as_deref() == Some(keyword))
            .unwrap_or_else(|| panic!("{keyword}: {:?}", loaded.diagnostics));
        assert_eq!(
            diagnostic.message,
            format!("`{keyword}` is not supported by shipway yet")
        );
        assert_eq!(diagnostic.job.as_deref(), Some("x"), "{keyword}");
        assert!(diagnostic.span.is_some() && diagnostic.hint.is_some());
        assert!(loaded.config.is_none());
    }
}

#[test]
fn a_null_keyword_is_as_good_as_none() {
    for lines in [
        "pages: null",
        "run: null",
        "trigger: null",
        "release: null",
        "rules: [{if: $A, changes: null}]",
        "only: {refs: [a], changes: null}",
    ] {
        let lines = lines.replace("trigger: null", "needs: null");
        assert_eq!(errors(&with_job(&lines)), [""; 0], "{lines}");
    }
}

#[test]
fn files_from_elsewhere() {
    for (yaml, expected) in [
        (
            "include: https://host/a.yml\nx: {script: m}",
            "1:10 Remote file `https://host/a.yml` could not be fetched because files from other \
             hosts cannot be had here!",
        ),
        (
            "include: {template: A.gitlab-ci.yml}\nx: {script: m}",
            "1:21 Template file `A.gitlab-ci.yml` cannot be included: reading templates is not \
             possible here",
        ),
        (
            "include: {component: h/g/p@1.0.0}\nx: {script: m}",
            "1:22 Component 'h/g/p@1.0.0' - reading other projects is not possible here",
        ),
        (
            "include: {project: g/p, ref: v1, file: a.yml}\nx: {script: m}",
            "1:20 Project `g/p` cannot be read: reading other projects is not possible here",
        ),
        (
            "spec: {include: [{remote: 'https://host/i.yml'}]}\n---\nx: {script: m}",
            "1:27 Remote file `https://host/i.yml` could not be fetched because files from other \
             hosts cannot be had here!",
        ),
        (
            "go: {trigger: g/p, script: m}",
            "1:6 jobs:go config contains unknown keys: trigger",
        ),
    ] {
        assert_eq!(errors(yaml), [expected], "{yaml}");
    }
}
