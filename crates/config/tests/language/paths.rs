//! `changes` and `exists` of rules, and needs of other pipelines.

use crate::support::{Project, check_job_error, check_value, messages, with_job};
use serde_json::{Value, json};
use shipway_config::variables::{Collection, Variable};
use shipway_config::{Limits, LoadContext, Severity, load_for};

#[test]
fn changes_in_rules() {
    let rule = |changes: Value| {
        let mut rule = json!([{"condition": null, "changes": null, "exists": null, "when": null, "start_in": null,
            "allow_failure": null, "variables": {}, "needs": null, "interruptible": null}]);
        rule[0]["changes"] = changes;
        rule
    };
    check_value(
        "rules",
        &[
            (
                "rules: [{changes: [README.md]}]",
                rule(json!({"paths": ["README.md"], "regexp": null, "compare_to": null})),
            ),
            (
                "rules: [{changes: {paths: [a], compare_to: main}}]",
                rule(json!({"paths": ["a"], "regexp": null, "compare_to": "main"})),
            ),
            (
                "rules: [{changes: {regexp: '^src/'}}]",
                rule(json!({"paths": [], "regexp": "^src/", "compare_to": null})),
            ),
            ("rules: [{changes: null}]", rule(Value::Null)),
        ],
    );
    let many = format!("rules: [{{changes: [{}]}}]", "a,".repeat(51));
    check_job_error(&[
        (
            "rules: [{changes: [1, 2]}]",
            "jobs:x:rules:rule:changes config should be an array of strings",
        ),
        (
            "rules: [{changes: text}]",
            "jobs:x:rules:rule:changes config should be an array or a hash",
        ),
        (
            &many,
            "jobs:x:rules:rule:changes config has too many entries (maximum 50)",
        ),
        (
            "rules: [{changes: {paths: text}}]",
            "jobs:x:rules:rule:changes paths should be an array of strings",
        ),
        (
            "rules: [{changes: {paths: null}}]",
            "jobs:x:rules:rule:changes paths should be an array of strings",
        ),
        (
            "rules: [{changes: {paths: [a], compare_to: 1}}]",
            "jobs:x:rules:rule:changes compare to should be a string",
        ),
        (
            "rules: [{changes: {paths: [a], odd: 1}}]",
            "jobs:x:rules:rule:changes config contains unknown keys: odd",
        ),
        (
            "rules: [{changes: {paths: [a], regexp: b}}]",
            "jobs:x:rules:rule:changes config these keys cannot be used together: paths, regexp",
        ),
        (
            "only: {changes: [1]}",
            "jobs:x:only changes should be an array of strings",
        ),
        (
            "only: {kubernetes: something}",
            "jobs:x:only kubernetes unknown value: something",
        ),
    ]);
    check_value(
        "only",
        &[(
            "only: {changes: [a], kubernetes: active}",
            json!({"refs": ["branches", "tags"], "variables": null, "changes": ["a"], "kubernetes": true}),
        )],
    );
}

#[test]
fn exists_in_rules() {
    let exists = |paths: Value, project: Value, git_ref: Value| {
        json!([{"condition": null, "changes": null,
            "exists": {"paths": paths, "regexp": null, "project": project, "git_ref": git_ref},
            "when": null, "start_in": null, "allow_failure": null, "variables": {}, "needs": null, "interruptible": null}])
    };
    check_value(
        "rules",
        &[
            (
                "rules: [{exists: abc.txt}]",
                exists(json!(["abc.txt"]), Value::Null, Value::Null),
            ),
            (
                "rules: [{exists: []}]",
                exists(json!([]), Value::Null, Value::Null),
            ),
            (
                "rules: [{exists: {paths: null}}]",
                exists(json!([]), Value::Null, Value::Null),
            ),
            (
                "rules: [{exists: {paths: [a], project: g/p, ref: v1}}]",
                exists(json!(["a"]), json!("g/p"), json!("v1")),
            ),
        ],
    );
    let many = format!("rules: [{{exists: [{}]}}]", "a,".repeat(51));
    check_job_error(&[
        (
            "rules: [{exists: [1]}]",
            "jobs:x:rules:rule:exists config should be an array of strings",
        ),
        (
            &many,
            "jobs:x:rules:rule:exists config has too many entries (maximum 50)",
        ),
        (
            "rules: [{exists: {paths: text}}]",
            "jobs:x:rules:rule:exists paths should be an array of strings",
        ),
        (
            "rules: [{exists: {project: g/p}}]",
            "jobs:x:rules:rule:exists config missing required keys: paths",
        ),
        (
            "rules: [{exists: {paths: [a], ref: v1}}]",
            "jobs:x:rules:rule:exists config missing required keys: project",
        ),
        (
            "rules: [{exists: {paths: [a], project: g/p, ref: [v1]}}]",
            "jobs:x:rules:rule:exists ref should be a string",
        ),
        (
            "rules: [{exists: {paths: [a], odd: 1}}]",
            "jobs:x:rules:rule:exists config contains unknown keys: odd",
        ),
        (
            "rules: [{exists: 123}]",
            "jobs:x:rules:rule:exists should be a string, an array of strings, or a hash",
        ),
    ]);
}

#[test]
fn rules_of_includes() {
    let jobs = |include: &str| -> String {
        let main = format!("include: {include}\nx: {{script: m}}");
        let files = [
            ("main", main.as_str()),
            ("a.yml", "y: {script: m}"),
            ("docs/new.md", ""),
        ];
        let context = LoadContext {
            variables: Collection::from_iter([
                Variable::new("A", "yes"),
                Variable::new("DIR", "docs"),
                Variable::new("NAME", "a"),
            ]),
            ..LoadContext::default()
        };
        let loaded = load_for(
            "main",
            &main,
            &Project(&files),
            &Limits::default(),
            &context,
        );
        match &loaded.config {
            Some(config) => config.jobs.keys().cloned().collect::<Vec<_>>().join(" "),
            None => {
                let messages = messages(&loaded, Severity::Error);
                let texts = messages
                    .iter()
                    .filter_map(|line| Some(line.split_once(' ')?.1));
                texts.collect::<Vec<_>>().join("; ")
            }
        }
    };
    for (include, expected) in [
        ("{local: a.yml, rules: [{if: $A}]}", "y x"),
        ("{local: a.yml, rules: [{if: '$A == \"no\"'}]}", "x"),
        ("{local: a.yml, rules: [{if: $A, when: never}]}", "x"),
        (
            "{local: a.yml, rules: [{if: $A, when: always}, {when: never}]}",
            "y x",
        ),
        ("{local: a.yml, rules: [{if: $A, when: null}]}", "y x"),
        ("{local: a.yml, rules: []}", "x"),
        ("{local: a.yml, rules: [{exists: [docs/new.md]}]}", "y x"),
        ("{local: a.yml, rules: [{exists: ['$DIR/*.md']}]}", "y x"),
        ("{local: a.yml, rules: [{exists: [docs/]}]}", "y x"),
        ("{local: a.yml, rules: [{exists: [gone]}]}", "x"),
        ("{local: a.yml, rules: [{if: $A, exists: [gone]}]}", "x"),
        // Nothing to compare with: it counts as changed.
        ("{local: a.yml, rules: [{changes: [gone]}]}", "y x"),
        // A file that is left out need not be there.
        ("{local: gone.yml, rules: [{if: $NO}]}", "x"),
        ("'$NAME.yml'", "y x"),
        ("{local: '/${NAME}.yml'}", "y x"),
        ("$NO/a.yml", "y x"),
        (
            "{local: a.yml, rules: [{if: $A, odd: 1}]}",
            "include:rules:rule config contains unknown keys: odd",
        ),
        (
            "{local: a.yml, rules: [{if: $A, when: on_success}]}",
            "include:rules:rule when unknown value: on_success",
        ),
        (
            "{local: a.yml, rules: [{if: 'a b'}]}",
            "include:rules:rule if invalid expression syntax",
        ),
        (
            "{local: a.yml, rules: {if: $A}}",
            "include:rules config should be an array of hashes",
        ),
        (
            "{local: a.yml, rules: [{exists: {paths: [a], project: g/p}}]}",
            "include:rules:exists cannot be decided: reading other projects is not possible here",
        ),
        (
            "{local: a.yml, project: g/p, file: b.yml}",
            "Each include must use only one of: `local`, `project`, `remote`, `template`, \
                 `component`, `artifact`",
        ),
        (
            "{local: a.yml, odd: 1}",
            "include config contains unknown keys: odd",
        ),
        (
            "{local: a.yml, integrity: sha256-AAAA}",
            "include config integrity can only be specified for remote includes",
        ),
        (
            "{local: a.yml, inputs: text}",
            "include inputs should be a hash",
        ),
        ("{component: 5}", "Included file `5` needs to be a string"),
        (
            "{project: slug, file: a.yml}",
            "include:project `slug` is not the path of a project",
        ),
        (
            "{project: g/p}",
            "include config must specify the file where to fetch the config from",
        ),
    ] {
        assert_eq!(jobs(include), expected, "{include}");
    }
}

#[test]
fn needs_of_other_pipelines() {
    check_value(
        "cross_needs",
        &[
            (
                "needs: [{pipeline: $PID, job: a}]",
                json!([{"pipeline": {"pipeline": "$PID", "job": "a", "artifacts": true, "optional": false}}]),
            ),
            (
                "needs: [{pipeline: '123', job: a, optional: true}]",
                json!([{"pipeline": {"pipeline": "123", "job": "a", "artifacts": true, "optional": true}}]),
            ),
            (
                "needs: [{project: g/p, job: a, ref: main, artifacts: true}]",
                json!([{"project": {"project": "g/p", "job": "a", "git_ref": "main", "artifacts": true, "optional": false}}]),
            ),
        ],
    );
    // Nothing of its own pipeline is waited for.
    check_value("needs", &[("needs: [{pipeline: $PID, job: a}]", json!([]))]);
    let six = format!("needs: [{}]", "{project: g/p, job: a, ref: b},".repeat(6));
    check_job_error(&[
        (
            "needs: [{pipeline: $P, job: a, odd: 1}]",
            "jobs:x:needs:need config contains unknown keys: odd",
        ),
        (
            "needs: [{project: g/p, job: a}]",
            "jobs:x:needs:need ref can't be blank",
        ),
        (
            "needs: [{pipeline: g/p}]",
            "jobs:x:needs config uses invalid types: bridge",
        ),
        (
            "rules: [{if: $A, needs: [{pipeline: $P, job: a}]}]",
            "jobs:x:rules:rule:needs config uses invalid types: cross_dependency",
        ),
        (&six, "jobs:x:needs config must be less than or equal to 5"),
    ]);
    let yaml = with_job("needs: [{job: p, pipeline: other}]\ndependencies: [p]");
    let found = messages(&crate::support::load_text(&yaml), Severity::Error);
    let expected = "jobs:x needs corresponding to dependencies must be from the same pipeline";
    assert!(found[0].ends_with(expected), "{found:?}");
}
