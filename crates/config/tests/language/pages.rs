//! `pages`.

use crate::support::{check_job_error, config};

#[test]
fn pages() {
    let paths = |yaml: &str| -> Option<Vec<String>> {
        let config = config(yaml);
        let job = config.jobs.values().next().unwrap();
        assert_eq!(
            job.pages.is_some(),
            job.artifacts.is_some() && !yaml.contains("pages: false")
        );
        job.artifacts
            .as_ref()
            .map(|artifacts| artifacts.paths.clone())
    };
    for (yaml, expected) in [
        ("pages: {script: m}", Some(vec!["public"])),
        ("pages: {script: m, pages: true}", Some(vec!["public"])),
        ("pages: {script: m, pages: null}", Some(vec!["public"])),
        (
            "pages: {script: m, pages: {publish: out}}",
            Some(vec!["out"]),
        ),
        ("pages: {script: m, publish: out}", Some(vec!["out"])),
        (
            "pages: {script: m, artifacts: {paths: [a]}}",
            Some(vec!["a", "public"]),
        ),
        (
            "pages: {script: m, pages: {publish: out}, artifacts: {paths: [out]}}",
            Some(vec!["out"]),
        ),
        ("pages: {script: m, pages: false}", None),
        (
            "pages: {script: m, pages: false, artifacts: {paths: [a]}}",
            Some(vec!["a"]),
        ),
        ("site: {script: m, pages: true}", Some(vec!["public"])),
        (
            "site: {script: m, pages: {path_prefix: x, expire_in: 1 day}}",
            Some(vec!["public"]),
        ),
        ("site: {script: m, pages: false}", None),
        ("site: {script: m, pages: null}", None),
        ("'pages:staging': {script: m}", None),
    ] {
        let expected =
            expected.map(|paths| paths.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(paths(yaml), expected, "{yaml}");
    }
    check_job_error(&[
        (
            "publish: out",
            "jobs:x publish can only be used within a `pages` job",
        ),
        (
            "pages: text",
            "jobs:x:pages config should be a hash or a boolean value",
        ),
        (
            "pages: {odd: 1}",
            "jobs:x:pages config contains unknown keys: odd",
        ),
        (
            "pages: {expire_in: soon}",
            "jobs:x:pages expire in should be a duration",
        ),
        (
            "pages: {path_prefix: 5}",
            "jobs:x:pages path prefix should be a string",
        ),
    ]);
}
