//! Files of others that cannot be had are left out, and what builds on them.

use shipway_config::{Limits, Severity, Source, SourceError, load};

use crate::support::messages;

/// Has no file of others; leaves them out if it is told to.
struct Alone(bool);

impl Source for Alone {
    fn local(&self, _: &str) -> Result<String, SourceError> {
        Err(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        Vec::new()
    }

    fn leaves_out_missing(&self) -> bool {
        self.0
    }
}

const INCLUDE: &str = "include:\n- project: group/lib\n  file: ci.yml\n\
                       - remote: https://ci.example/a.yml\n- template: Bash.gitlab-ci.yml\n";

#[test]
fn the_rest_is_read() {
    for (own, expected, told) in [
        ("a: {script: x}", &["a"][..], &[][..]),
        // Templates of theirs, over one of ours, by reference, needed by others.
        (
            ".t: {extends: .theirs}\na: {extends: .t, script: x}\nb: {script: [!reference [.theirs, script]]}\n\
             c: {needs: [a], script: x}\nd: {needs: [{job: c, optional: true}], script: x}\ne: {stage: build, script: x}",
            &["d", "e"],
            &[
                "job `.t` is left out: .t: unknown keys in `extends` (.theirs)",
                "job `b` is left out: !reference [\".theirs\", \"script\"] could not be found",
                "job `a` is left out: a: unknown keys in `extends` (.t)",
                "job `c` is left out: c job: undefined need: a",
            ],
        ),
        // Their values in a keyword of the top level.
        (
            "variables: {A: !reference [.theirs, A]}\na: {script: x}",
            &["a"],
            &["`variables` is left out: !reference [\".theirs\", \"A\"] could not be found"],
        ),
        // A change to a job of theirs.
        (
            "theirs: {variables: {A: b}}\na: {script: x, parallel: 2, needs: [theirs]}\nb: {script: x}",
            &["b"],
            &[
                "job `theirs` is left out: jobs theirs config should implement the script:, run:, \
                 or trigger: keyword",
                "job `a` is left out: a 1/2 job: undefined need: theirs",
            ],
        ),
    ] {
        let yaml = format!("{INCLUDE}{own}");
        let loaded = load("x.yml", &yaml, &Alone(true), &Limits::default());
        let warnings = messages(&loaded, Severity::Warning);
        let config = loaded.config.as_ref();
        let config = config.unwrap_or_else(|| panic!("{own}: {:#?}", loaded.diagnostics));
        let jobs: Vec<&str> = config.jobs.keys().map(String::as_str).collect();
        assert_eq!(jobs, expected, "{own}");
        for what in [
            "group/lib",
            "https://ci.example/a.yml",
            "Bash.gitlab-ci.yml",
        ] {
            assert!(
                warnings.iter().any(|one| one.contains(what)),
                "{warnings:#?}"
            );
        }
        let left_out = warnings.iter().filter(|one| one.contains("is left out:"));
        assert_eq!(left_out.count(), told.len(), "{warnings:#?}");
        for text in told {
            assert!(
                warnings.iter().any(|one| one.ends_with(text)),
                "{text}: {warnings:#?}"
            );
        }
    }
}

#[test]
fn what_is_wrong_outside_of_jobs_stays_so() {
    for own in [
        "variables: [a]\na: {script: x}",
        "a: {script: []}",
        "include: gone.yml",
    ] {
        let include = INCLUDE.replace("include:\n", "include:\n- local: x.yml\n");
        let (include, own) = match own.strip_prefix("include: gone.yml") {
            Some(_) => (include.as_str(), "a: {script: x}"),
            None => (INCLUDE, own),
        };
        let yaml = format!("{include}{own}");
        let loaded = load("x.yml", &yaml, &Alone(true), &Limits::default());
        assert!(loaded.config.is_none(), "{yaml}");
        assert!(!messages(&loaded, Severity::Error).is_empty(), "{yaml}");
    }
    // Without being told so, nothing is left out.
    let yaml = format!("{INCLUDE}a: {{script: x}}");
    let loaded = load("x.yml", &yaml, &Alone(false), &Limits::default());
    assert_eq!(messages(&loaded, Severity::Error).len(), 3);
}
