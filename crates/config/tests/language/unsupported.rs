//! Keywords of GitLab that cannot be honoured yet are refused by name and place.

use crate::support::{errors, load_text, with_job};

#[test]
fn keywords_of_jobs() {
    for (lines, keyword) in [
        ("run: [{name: a, script: b}]", "run"),
        ("hooks: {pre_get_sources_script: [a]}", "hooks"),
        ("release: {tag_name: v1}", "release"),
        ("pages: true", "pages"),
        ("secrets: {A: {vault: a}}", "secrets"),
        ("id_tokens: {T: {aud: a}}", "id_tokens"),
        ("identity: google_cloud", "identity"),
        ("inputs: {a: {default: b}}", "inputs"),
        ("manual_confirmation: sure?", "manual_confirmation"),
        ("dast_configuration: {}", "dast_configuration"),
        ("rules: [{changes: [a]}]", "rules:changes"),
        ("rules: [{exists: [a]}]", "rules:exists"),
        ("only: {changes: [a]}", "only:changes"),
        ("except: {kubernetes: active}", "except:kubernetes"),
        ("parallel: {matrix: [{A: [b]}]}", "parallel:matrix"),
        (
            "environment: {name: p, kubernetes: {agent: a}}",
            "environment:kubernetes",
        ),
        (
            "image: {name: a, kubernetes: {user: 1}}",
            "image:kubernetes",
        ),
        ("services: [{name: a, ports: [1]}]", "services:ports"),
        (
            "cache: {key: {files_commits: [a], files: null}}",
            "cache:key:files_commits",
        ),
        ("needs: [{pipeline: $P, job: a}]", "needs:pipeline"),
        ("needs: [{project: g/p, job: a}]", "needs:project"),
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
        "rules: [{if: $A, changes: null}]",
        "only: {refs: [a], changes: null}",
    ] {
        assert_eq!(errors(&with_job(lines)), [""; 0], "{lines}");
    }
}

#[test]
fn whole_entries() {
    for (yaml, expected) in [
        (
            "go: {trigger: g/p}",
            "1:6 `trigger` is not supported by shipway yet",
        ),
        (
            "pages: {script: m}",
            "1:1 `pages` is not supported by shipway yet",
        ),
        (
            "spec: {inputs: {}}\n---\nx: {script: m}",
            "1:1 `spec` is not supported by shipway yet",
        ),
        (
            "include: https://host/a.yml\nx: {script: m}",
            "1:10 `include:remote` is not supported by shipway yet",
        ),
        (
            "include: {template: A.gitlab-ci.yml}\nx: {script: m}",
            "1:11 `include:template` is not supported by shipway yet",
        ),
        (
            "include: {component: h/g/p@1}\nx: {script: m}",
            "1:11 `include:component` is not supported by shipway yet",
        ),
        (
            "include: {project: g/p, ref: v1, file: a.yml}\nx: {script: m}",
            "1:11 `include:project` is not supported by shipway yet",
        ),
        (
            "include: {local: a.yml, rules: [{if: $A}]}\nx: {script: m}",
            "1:25 `include:rules` is not supported by shipway yet",
        ),
        (
            "include: $DIR/a.yml\nx: {script: m}",
            "1:10 `variables in include:local` is not supported by shipway yet",
        ),
        (
            "workflow: {rules: [{changes: [a]}]}\nx: {script: m}",
            "1:21 `workflow:rules:changes` is not supported by shipway yet",
        ),
        (
            "default: {id_tokens: {A: {aud: a}}}\nx: {script: m}",
            "1:11 `default:id_tokens` is not supported by shipway yet",
        ),
        (
            "go: {trigger: g/p, script: m}",
            "1:6 jobs:go config contains unknown keys: trigger",
        ),
    ] {
        assert_eq!(errors(yaml), [expected], "{yaml}");
    }
}
