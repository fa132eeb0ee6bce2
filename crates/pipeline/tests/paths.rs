//! `changes` and `exists` while a pipeline is created, and what a plan cannot carry out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use shipway_config::conditions::OtherProjectError;
use shipway_config::variables::{Collection, Variable};
use shipway_config::{Config, Limits, NoFiles, Source, SourceError};
use shipway_pipeline::{Context, Host, Plan, create};

/// A project with files, of which some changed.
#[derive(Default)]
struct Project {
    files: Vec<&'static str>,
    /// `None`: nothing to compare with.
    changed: Option<Vec<&'static str>>,
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

impl Source for Project {
    fn local(&self, _path: &str) -> Result<String, SourceError> {
        Err(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        owned(&self.files)
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        match compare_to {
            None => Ok(self.changed.as_deref().map(owned)),
            Some("main") => Ok(Some(owned(&["since/main"]))),
            Some(_) => Err(SourceError::NotFound),
        }
    }

    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, OtherProjectError> {
        match (project, git_ref) {
            ("g/other", None) => Ok(owned(&["there"])),
            ("g/other", Some("v1")) => Ok(owned(&["once"])),
            ("g/other", Some(_)) => Err(OtherProjectError::Ref),
            _ => Err(OtherProjectError::Project),
        }
    }
}

fn config(text: &str) -> Config {
    let loaded = shipway_config::load(".gitlab-ci.yml", text, &NoFiles, &Limits::default());
    let messages: Vec<_> = loaded.diagnostics.iter().map(|one| &one.message).collect();
    loaded
        .config
        .unwrap_or_else(|| panic!("{text}: {messages:?}"))
}

/// The plan of a job `x` with these keys, beside one that is always there.
fn plan(keys: &str, project: &Project) -> Result<Plan, String> {
    let text = format!("base: {{script: m, rules: [when: always]}}\nx: {{script: m, {keys}}}");
    let context = Context {
        ref_name: "topic".to_owned(),
        outer: Collection::from_iter([
            Variable::new("DIR", "$SUB"),
            Variable::new("SUB", "helm"),
            Variable::new("A", "1"),
        ]),
        ..Context::default()
    };
    create(&config(&text), &context, project).map_err(|faults| faults[0].to_string())
}

#[track_caller]
fn check(project: &Project, cases: &[(&str, bool)]) {
    for (keys, expected) in cases {
        let plan = plan(keys, project).unwrap_or_else(|fault| panic!("{keys}: {fault}"));
        let found = plan.jobs.iter().any(|job| job.spec.name == "x");
        assert_eq!(found, *expected, "{keys}");
    }
}

#[test]
fn changed_files_let_jobs_in() {
    let project = Project {
        changed: Some(vec![
            "Makefile",
            "main.rs",
            "src/a/b/c.rs",
            "helm/x.txt",
            "a/$in/f",
            "app/settings.ini",
            ".github/x",
        ]),
        ..Project::default()
    };
    check(
        &project,
        &[
            ("rules: [{changes: [Makefile]}]", true),
            ("rules: [{changes: [go.mod]}]", false),
            ("rules: [{changes: [go.mod, 'Make*']}]", true),
            ("rules: [{changes: [app/settings.ini]}]", true),
            ("rules: [{changes: ['src/**/*.rs']}]", true),
            ("rules: [{changes: ['src/**/*.md']}]", false),
            ("rules: [{changes: ['src/*.rs']}]", false),
            ("rules: [{changes: ['*.rs']}]", true),
            ("rules: [{changes: ['/*.rs']}]", false),
            ("rules: [{changes: ['**/x']}]", true),
            ("rules: [{changes: ['$DIR/**/*']}]", true),
            ("rules: [{changes: ['a/$in/*']}]", true),
            ("rules: [{changes: []}]", false),
            ("rules: [{changes: {regexp: '\\Asrc/.*\\.rs\\z'}}]", true),
            ("rules: [{changes: {regexp: '^docs'}}]", false),
            (
                "rules: [{changes: {paths: [since/*], compare_to: main}}]",
                true,
            ),
            (
                "rules: [{changes: {paths: [Makefile], compare_to: main}}]",
                false,
            ),
            ("rules: [{if: $A, changes: [Makefile]}]", true),
            ("rules: [{if: $NO, changes: [Makefile]}]", false),
            ("rules: [{changes: [Makefile], when: never}]", false),
            ("only: {changes: [Makefile]}", true),
            ("only: {changes: [go.mod]}", false),
            ("only: {refs: [main], changes: [Makefile]}", false),
            ("except: {changes: [Makefile]}", false),
            ("except: {changes: [go.mod]}", true),
            ("except: {refs: [main], changes: [go.mod]}", true),
        ],
    );
    let nothing = Project {
        changed: Some(Vec::new()),
        ..Project::default()
    };
    check(&nothing, &[("rules: [{changes: ['**/*']}]", false)]);
    check(
        &Project::default(),
        &[
            ("rules: [{changes: [gone]}]", true),
            ("only: {changes: [gone]}", true),
            ("except: {changes: [gone]}", false),
        ],
    );
}

#[test]
fn too_many_comparisons_count_as_a_match() {
    let many: Vec<&'static str> = (0..2000)
        .map(|number| &*format!("f{number}").leak())
        .collect();
    let project = Project {
        files: many.clone(),
        changed: Some(many),
    };
    let globs: String = (0..26).map(|number| format!("no{number}*,")).collect();
    check(
        &project,
        &[
            (&format!("rules: [{{changes: [{globs}]}}]"), true),
            (&format!("rules: [{{exists: [{globs}]}}]"), true),
            ("rules: [{changes: ['no*']}]", false),
            ("rules: [{exists: ['no*']}]", false),
        ],
    );
}

#[test]
fn existing_files_let_jobs_in() {
    let project = Project {
        files: vec!["Dockerfile", "docs/a/b.md", "src/lib.rs", "helm/x"],
        ..Project::default()
    };
    check(
        &project,
        &[
            ("rules: [{exists: [Dockerfile]}]", true),
            ("rules: [{exists: dockerfile}]", false),
            ("rules: [{exists: ['*.md']}]", false),
            ("rules: [{exists: ['**/*.md']}]", true),
            ("rules: [{exists: [docs]}]", false),
            ("rules: [{exists: [docs/]}]", true),
            ("rules: [{exists: [docs/a/]}]", true),
            ("rules: [{exists: ['d*/']}]", true),
            ("rules: [{exists: ['x*/']}]", false),
            ("rules: [{exists: ['$DIR/x', '$SUB/x']}]", true),
            ("rules: [{exists: []}]", false),
            ("rules: [{exists: {regexp: 'lib\\.rs$'}}]", true),
            (
                "rules: [{exists: {paths: [there], project: g/other}}]",
                true,
            ),
            (
                "rules: [{exists: {paths: [there], project: g/other, ref: v1}}]",
                false,
            ),
            ("rules: [{exists: [Dockerfile], changes: [any]}]", true),
            ("rules: [{exists: [gone], changes: [any]}]", false),
        ],
    );
}

#[test]
fn what_cannot_be_decided_is_told() {
    let fault = |keys: &str| plan(keys, &Project::default()).unwrap_err();
    for (keys, expected) in [
        (
            "rules: [{changes: {paths: [a], compare_to: gone}}]",
            "rules:changes:compare_to is not a valid ref",
        ),
        (
            "rules: [{exists: {paths: [a], project: g/gone}}]",
            "rules:exists:project `g/gone` is not a valid project path",
        ),
        (
            "rules: [{exists: {paths: [a], project: g/other, ref: gone}}]",
            "rules:exists:ref `gone` is not a valid ref in project `g/other`",
        ),
        (
            "rules: [{exists: {regexp: '(?<!a)b'}}]",
            "rules:exists:regexp `(?<!a)b` cannot be used: error: look-around, including \
             look-ahead and look-behind, is not supported",
        ),
    ] {
        assert_eq!(fault(keys), expected, "{keys}");
    }
    let long = format!("rules: [{{exists: {{regexp: '{}'}}}}]", "a".repeat(256));
    assert!(fault(&long).ends_with("it has more than 255 characters"));
}

#[test]
fn workflow_sees_changes_too() {
    let text = "
workflow:
  auto_cancel: {on_new_commit: interruptible}
  rules:
    - {changes: [docs/*], when: never}
    - {exists: [ci/], auto_cancel: {on_new_commit: none}}
    - if: $CI
x: {script: m}
";
    let run = |files: Vec<&'static str>, changed: Option<Vec<&'static str>>, ci: bool| {
        let context = Context {
            outer: ci.then(|| Variable::new("CI", "1")).into_iter().collect(),
            ..Context::default()
        };
        create(&config(text), &context, &Project { files, changed })
            .map(|plan| plan.on_new_commit.unwrap())
            .map_err(|faults| faults[0].to_string())
    };
    let filtered = Err("Pipeline filtered out by workflow rules.".to_owned());
    assert_eq!(run(vec!["ci/a"], Some(vec!["docs/a"]), true), filtered);
    assert_eq!(
        run(vec!["ci/a"], Some(vec!["src/a"]), true),
        Ok("none".to_owned())
    );
    assert_eq!(
        run(vec![], Some(vec![]), true),
        Ok("interruptible".to_owned())
    );
    assert_eq!(run(vec![], Some(vec![]), false), filtered);
}

#[test]
fn clusters_are_known_by_their_variable() {
    let run = |active: bool, keys: &str| {
        let context = Context {
            predefined: active
                .then(|| Variable::new("CI_KUBERNETES_ACTIVE", "true"))
                .into_iter()
                .collect(),
            ..Context::default()
        };
        let text = format!("base: {{script: m, rules: [when: always]}}\nx: {{script: m, {keys}}}");
        let plan = create(&config(&text), &context, &NoFiles).unwrap();
        plan.jobs.len() == 2
    };
    assert!(run(true, "only: {kubernetes: active}"));
    assert!(!run(false, "only: {kubernetes: active}"));
    assert!(!run(true, "except: {kubernetes: active}"));
    assert!(run(false, "except: {kubernetes: active}"));
}

#[test]
fn each_instance_of_a_matrix_is_judged_by_its_own_values() {
    let text = r#"
x:
  script: m
  parallel: {matrix: [{OS: [linux, mac], V: ['1', '2']}]}
  rules:
    - {if: '$OS == "mac" && $V == "1"', when: never}
    - {if: '$OS == "mac"', when: manual}
    - when: always
"#;
    let plan = create(&config(text), &Context::default(), &NoFiles).unwrap();
    let found: Vec<String> = (plan.jobs.iter())
        .map(|job| format!("{} {}", job.spec.name, job.when.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            "x: [linux, 1] always",
            "x: [linux, 2] always",
            "x: [mac, 2] manual"
        ]
    );
}

#[test]
fn keywords_that_cannot_be_carried_out_are_named() {
    for (keys, expected) in [
        ("script: m, identity: google_cloud", "identity"),
        ("script: m, dast_configuration: {}", "dast_configuration"),
        (
            "script: m, needs: [{project: g/p, ref: r, job: a, artifacts: true}]",
            "needs:project",
        ),
        ("needs: {pipeline: g/p}", "needs:pipeline"),
        ("trigger: g/p", "trigger:project"),
    ] {
        let config = config(&format!("x: {{{keys}}}"));
        let plan = create(&config, &Context::default(), &NoFiles).unwrap();
        let found = plan.unsupported(Host::Local, &Context::default());
        assert_eq!(found.len(), 1, "{keys}");
        assert_eq!(
            found[0].to_string(),
            format!("job `x` uses `{expected}`, which is not supported by shipway yet")
        );
    }
    let fine = config(
        "x: {script: m, hooks: {pre_get_sources_script: [a]}, pages: true}
y: {trigger: {include: a.yml}}
z: {script: m, needs: [{pipeline: $P, job: a}]}",
    );
    let plan = create(&fine, &Context::default(), &NoFiles).unwrap();
    assert_eq!(plan.unsupported(Host::Local, &Context::default()), []);
    let releases = config("x: {script: m, release: {tag_name: v1, description: d}}");
    let plan = create(&releases, &Context::default(), &NoFiles).unwrap();
    assert_eq!(plan.unsupported(Host::Local, &Context::default()), []);
    for (step, expected) in [
        ("script: b", None),
        ("script: b, env: {A: b}", None),
        (
            "script: 'b ${{ env.A }}'",
            Some("uses an expression in the step `a`"),
        ),
        (
            "script: b, env: {A: '${{ job.B }}'}",
            Some("uses an expression"),
        ),
        ("step: ./here", Some("uses `step` in the step `a` of `run`")),
        ("action: a/b", Some("uses `action` in the step `a`")),
    ] {
        let config = config(&format!("x: {{run: [{{name: a, {step}}}]}}"));
        let plan = create(&config, &Context::default(), &NoFiles).unwrap();
        let found = plan.unsupported(Host::Server, &Context::default());
        let found = found.first().map(ToString::to_string);
        match expected {
            None => assert_eq!(found, None, "{step}"),
            Some(text) => assert!(found.clone().unwrap().contains(text), "{found:?}"),
        }
    }
    let elsewhere = config("x: {trigger: g/p}\ny: {needs: {pipeline: g/p}}");
    let plan = create(&elsewhere, &Context::default(), &NoFiles).unwrap();
    assert_eq!(plan.unsupported(Host::Server, &Context::default()), []);
}

#[test]
fn secrets_come_from_a_vault_or_from_outside() {
    let config = config(
        "x:
  script: m
  id_tokens: {T: {aud: a}}
  secrets: {A: {vault: a/b}, B: {azure_key_vault: {name: b}}}",
    );
    let told = |host: Host, given: &[&str]| -> Vec<String> {
        let mut context = Context::default();
        let given = given.iter().map(|name| Variable::new(*name, "v"));
        context.outer.extend(given);
        let plan = create(&config, &context, &NoFiles).unwrap();
        let faults = plan.unsupported(host, &context);
        faults.iter().map(ToString::to_string).collect()
    };
    let local = told(Host::Local, &[]);
    for (fault, (beginning, end)) in local.iter().zip([
        (
            "job `x` takes the secret `A` from `vault`",
            "`--var A=VALUE`",
        ),
        (
            "job `x` takes the secret `B` from `azure",
            "`--var B=VALUE`",
        ),
        ("job `x` takes the ID token `T`", "`--var T=TOKEN`"),
    ]) {
        assert!(
            fault.starts_with(beginning) && fault.contains(end),
            "{fault}"
        );
    }
    assert_eq!(local.len(), 3);
    assert_eq!(told(Host::Local, &["A", "B", "T"]), [""; 0]);
    let server = told(Host::Server, &["B"]);
    assert!(
        server[0].contains("`B` from `azure_key_vault`"),
        "{server:?}"
    );
    assert_eq!(server.len(), 1);
}
