//! `spec:inputs`, `$[[ … ]]` and the inputs of jobs.

use crate::support::{Project, accepted, check_job_error, check_value, errors, messages};
use serde_json::{Value, json};
use shipway_config::variables::{Collection, Variable};
use shipway_config::{InputValues, Limits, LoadContext, NoFiles, Severity, load_for};

/// Includes `t.yml` with these arguments and gives the jobs as `name: script`, or the faults.
fn included(arguments: &str, template: &str) -> Vec<String> {
    let main = format!("include: [{{local: t.yml, inputs: {arguments}}}]\nmain: {{script: m}}");
    let loaded = Project(&[(".gitlab-ci.yml", &main), ("t.yml", template)]).load();
    match &loaded.config {
        None => messages(&loaded, Severity::Error),
        Some(config) => (config.jobs.values())
            .filter(|job| job.name != "main")
            .map(|job| format!("{}: {}", job.name, job.script.join("; ")))
            .collect(),
    }
}

#[test]
fn values_are_put_into_the_text() {
    let header = "spec: {inputs: {env: , n: {type: number, default: 3}, flag: {type: boolean, \
                  default: true}, list: {type: array, default: [a, b]}, text: {default: 'x: y'}}}\n---\n";
    for (arguments, content, expected) in [
        (
            "{env: prod}",
            "ship: {script: 'deploy $[[ inputs.env ]]'}",
            "ship: deploy prod",
        ),
        (
            "{env: abc}",
            "'$[[ inputs.env ]]-job': {script: 'a-$[[ inputs.env ]]-b'}",
            "abc-job: a-abc-b",
        ),
        (
            "{env: a}",
            "x: {script: ['$[[ inputs.n ]]', '$[[ inputs.flag ]]']}",
            "x: 3; true",
        ),
        ("{env: a}", "x: {script: $[[ inputs.list ]]}", "x: a; b"),
        (
            "{env: a}",
            "x: {script: 'all $[[ inputs.list ]]'}",
            "x: all [\"a\",\"b\"]",
        ),
        ("{env: a}", "x: {script: ['$[[ inputs.list[1] ]]']}", "x: b"),
        ("{env: $CI}", "x: {script: '$[[ inputs.env ]]'}", "x: $CI"),
        ("{env: 5}", "x: {script: 'v$[[ inputs.env ]]'}", "x: v5"),
        (
            "{env: a, n: 4}",
            "x: {script: a, parallel: $[[ inputs.n ]]}",
            "x 1/4: a|x 2/4: a|x 3/4: a|x 4/4: a",
        ),
        (
            "{env: 'it is so'}",
            "x: {script: 'say $[[ inputs.env | truncate(0,2) ]]'}",
            "x: say it",
        ),
        (
            "{env: a}",
            "x: {script: '$[[ matrix.A ]]'}",
            "x: $[[ matrix.A ]]",
        ),
    ] {
        let found = included(arguments, &format!("{header}{content}"));
        assert_eq!(found.join("|"), expected, "{content}");
    }
    // Without a header nothing is replaced.
    let plain = crate::support::config("x: {script: 'a $[[ inputs.a ]]'}");
    assert_eq!(plain.jobs["x"].script, ["a $[[ inputs.a ]]"]);
}

#[test]
fn values_that_are_wrong_are_told_where_they_are_given() {
    for (arguments, template, expected) in [
        (
            "{}",
            "spec: {inputs: {env: }}\n---\nx: {script: m}",
            "1:19 `t.yml`: `env` input: required value has not been provided",
        ),
        (
            "{env: a, x: 1, y: 2}",
            "spec: {inputs: {env: }}\n---\nx: {script: m}",
            "1:19 `t.yml`: unknown input arguments: x, y",
        ),
        (
            "{env: a}",
            "x: {script: m}",
            "1:19 `t.yml`: Given inputs not defined in the `spec` section of the included \
                 configuration file",
        ),
        (
            "{n: text}",
            "spec: {inputs: {n: {type: number}}}\n---\nx: {script: m}",
            "1:19 `t.yml`: `n` input: provided value is not a number",
        ),
        (
            "{n: 2}",
            "spec: {inputs: {n: {type: number, default: x}}}\n---\nx: {script: m}",
            "1:19 `t.yml`: `n` input: default value is not a number",
        ),
        (
            "{s: c}",
            "spec: {inputs: {s: {options: [a, b]}}}\n---\nx: {script: m}",
            "1:19 `t.yml`: `s` input: `c` cannot be used because it is not in the list of \
                 allowed options",
        ),
        (
            "{s: c}",
            "spec: {inputs: {s: {regex: '^v'}}}\n---\nx: {script: m}",
            "1:19 `t.yml`: `s` input: provided value does not match required RegEx pattern",
        ),
        (
            "{}",
            "spec: {odd: 1}\n---\nx: {script: m}",
            "1:8 `t.yml`: header:spec config contains unknown keys: odd",
        ),
        (
            "{}",
            "spec: {}\nodd: 1\n---\nx: {script: m}",
            "2:1 `t.yml`: header config contains unknown keys: odd",
        ),
        (
            "{}",
            "spec: {inputs: [a]}\n---\nx: {script: m}",
            "1:16 `t.yml`: header:spec:inputs config should be a hash",
        ),
        (
            "{}",
            "spec: {inputs: {a: {odd: 1}}}\n---\nx: {script: m}",
            "1:21 `t.yml`: header:spec:inputs:a config contains unknown keys: odd",
        ),
        (
            "{}",
            "spec: {inputs: {a: {type: text}}}\n---\nx: {script: m}",
            "1:27 `t.yml`: header:spec:inputs:a input type unknown value: text",
        ),
        (
            "{}",
            "spec: {inputs: {a: {regex: 5}}}\n---\nx: {script: m}",
            "1:28 `t.yml`: header:spec:inputs:a input regex should be a string",
        ),
        (
            "{}",
            "spec: {inputs: {a: {options: b}}}\n---\nx: {script: m}",
            "1:30 `t.yml`: header:spec:inputs:a input options should be a array",
        ),
        (
            "{}",
            "spec: {component: [name, branch]}\n---\nx: {script: m}",
            "1:19 `t.yml`: header:spec:component config contains unknown values: branch",
        ),
        (
            "{}",
            "spec: {inputs: {a: {default: 1}}}\n---\nx: {script: '$[[ inputs.b ]]'}",
            "3:14 `t.yml`: unknown interpolation key: `b`",
        ),
        (
            "{}",
            "spec: {inputs: {a: {default: 1}}}\n---\nx: {script: '$[[ foo.bar ]]'}",
            "3:14 `t.yml`: unknown interpolation key: `foo`",
        ),
        (
            "{}",
            "spec: {inputs: {a: {default: 1}}}\n---\nx: {script: '$[[ inputs.a | shout ]]'}",
            "3:14 `t.yml`: no function matching `shout`: check that the function name, \
                 arguments, and types are correct",
        ),
    ] {
        assert_eq!(included(arguments, template), [expected], "{template}");
    }
    let many = format!(
        "spec: {{inputs: {{a: {{options: [{}]}}}}}}\n---\nx: {{script: m}}",
        "a,".repeat(51)
    );
    assert_eq!(
        included("{}", &many),
        ["1:30 `t.yml`: header:spec:inputs:a config cannot define more than 50 options"]
    );
}

#[test]
fn faults_behind_a_block_are_told_where_they_were_written() {
    let text = "spec:\n  inputs: {a: {default: 'a longer value'}}\n---\nx:\n  script: $[[ \
         inputs.a ]]\n  image: [$[[ inputs.a ]], 5]\n  odd: 1\n";
    assert_eq!(
        errors(text),
        [
            "6:10 jobs:x:image config should be a hash or a string",
            "7:3 jobs:x config contains unknown keys: odd",
        ]
        .map(str::to_owned)
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
    );
    // YAML that breaks only after values were put in is told at its block's line.
    let broken = "spec: {inputs: {a: {default: 'b: c: d'}}}\n---\nx: $[[ inputs.a ]]\n";
    let found = errors(broken);
    assert!(
        found[0].starts_with("3:4 (<unknown>): mapping values are not allowed"),
        "{found:?}"
    );
}

#[test]
fn rules_of_inputs() {
    let template = "spec:\n  inputs:\n    cloud: {options: [aws, gcp], default: aws}\n    \
         size:\n      rules:\n        - {if: \"$[[ inputs.cloud ]] == 'aws'\", \
         options: [s, m], default: s}\n        - {options: [big], default: \
         big}\n---\nx: {script: '$[[ inputs.cloud ]] $[[ inputs.size ]]'}";
    assert_eq!(included("{}", template), ["x: aws s"]);
    assert_eq!(included("{size: m}", template), ["x: aws m"]);
    assert_eq!(included("{cloud: gcp}", template), ["x: gcp big"]);
    assert_eq!(
        included("{cloud: gcp, size: m}", template),
        [
            "1:19 `t.yml`: `size` input: `m` cannot be used because it is not in the list \
                 of allowed options"
        ]
    );
    for (rules, expected) in [
        (
            "rules: x",
            "header:spec:inputs:a:rules config should be a array",
        ),
        (
            "rules: [{if: '$[[ inputs.b ]]'}]",
            "header:spec:inputs:a:rules:rule config rule with 'if' must define 'options' \
                 or 'default'",
        ),
        (
            "rules: [{default: b}]",
            "header:spec:inputs:a:rules:rule config fallback rule must define 'options'",
        ),
        (
            "rules: [{if: '$[[ inputs.b ]]', default: b, when: always}]",
            "header:spec:inputs:a:rules:rule config contains unknown keys: when",
        ),
        (
            "rules: [{if: 'a b', default: b}]",
            "header:spec:inputs:a:rules:rule if invalid expression syntax",
        ),
        (
            "rules: [{if: '$[[ inputs.gone ]]', default: b}]",
            "header:spec:inputs:a config rule[0] references undefined inputs: gone",
        ),
        (
            "rules: [{if: '$[[ inputs.a ]]', default: b}]",
            "header:spec:inputs:b config circular dependency detected",
        ),
        (
            "options: [b], rules: [{options: [b], default: b}]",
            "header:spec:inputs:a config these keys cannot be used together: options, rules",
        ),
    ] {
        let text = format!(
            "spec: {{inputs: {{b: {{default: x}}, a: {{{rules}}}}}}}\n---\nx: {{script: m}}"
        );
        let found = errors(&text);
        let texts: Vec<&str> = found
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.1))
            .collect();
        assert_eq!(texts, [expected], "{rules}");
    }
}

#[test]
fn inputs_of_the_pipeline_and_its_variables() {
    let text = "spec: {inputs: {who: {default: me}}}\n---\nx: {script: ['$[[ inputs.who | \
         expand_vars ]]']}";
    let script = |inputs: InputValues| {
        let context = LoadContext {
            inputs,
            variables: Collection::from_iter([Variable::new("NAME", "you")]),
        };
        let loaded = load_for("ci.yml", text, &NoFiles, &Limits::default(), &context);
        assert_eq!(loaded.inputs["who"].default, Some(json!("me")));
        accepted(loaded, text).jobs["x"].script.clone()
    };
    assert_eq!(script(InputValues::new()), ["me"]);
    assert_eq!(
        script([("who".to_owned(), json!("$NAME!"))].into()),
        ["you!"]
    );
}

#[test]
fn shared_inputs() {
    let shared = ("shared.yml", "inputs: {a: {default: one}}");
    let run = |main: &str, file: (&str, &str)| {
        let loaded = Project(&[(".gitlab-ci.yml", main), file]).load();
        match &loaded.config {
            Some(config) => config.jobs["x"].script.clone(),
            None => messages(&loaded, Severity::Error),
        }
    };
    let main = "spec: {include: [{local: shared.yml}], inputs: {b: {default: two}}}\n---\nx: \
         {script: ['$[[ inputs.a ]]', '$[[ inputs.b ]]']}";
    assert_eq!(run(main, shared), ["one", "two"]);
    let twice =
        "spec: {include: [{local: shared.yml}], inputs: {a: {default: two}}}\n---\nx: {script: m}";
    assert_eq!(
        run(twice, shared),
        [
            "1:26 Duplicate input keys found: a. Input keys must be unique across all \
                 included files and inline specifications."
        ]
    );
    assert_eq!(
        run(main, ("shared.yml", "inputs: {}\nx: {script: m}")),
        ["2:1 Header include file `shared.yml` contains unknown keys: [\"x\"]"]
    );
    assert_eq!(
        run(
            "spec: {include: [{template: A.yml}]}\n---\nx: {script: m}",
            shared
        ),
        ["1:19 header:spec:include config contains unknown keys: template"]
    );
}

#[test]
fn a_header_alone_is_checked() {
    let found = errors("spec: {interruptible: true}");
    assert_eq!(
        found,
        ["1:8 header:spec config contains unknown keys: interruptible"]
    );
    let found = errors("spec: {inputs: {a: {default: b}}}");
    assert_eq!(found, ["1:1 Invalid configuration format"]);
}

#[test]
fn a_header_and_a_matrix_together() {
    let config = crate::support::config(
        "spec: {inputs: {e: {default: prod}}}\n---\nb: {script: 'do $[[ inputs.e ]]', \
             parallel: {matrix: [{P: [aws]}]}}\nt: {script: m, parallel: {matrix: [{P: \
             [aws]}]}, needs: [{job: b, parallel: {matrix: [{P: ['$[[ matrix.P ]]']}]}}]}",
    );
    assert_eq!(config.jobs["b: [aws]"].script, ["do prod"]);
    assert_eq!(
        config.jobs["t: [aws]"].needs.as_ref().unwrap()[0].job,
        "b: [aws]"
    );
}

#[test]
fn inputs_of_jobs() {
    let input = |kind: &str, default: Value| json!({"type": kind, "default": default, "options": null, "regex": null, "description": null, "rules": []});
    check_value(
        "inputs",
        &[(
            "inputs: {a: {default: hi}, n: {type: number, default: 1}}",
            json!({"a": input("string", json!("hi")), "n": input("number", json!(1))}),
        )],
    );
    check_job_error(&[
        (
            "inputs: {a: {type: string}}",
            "jobs:x:inputs:a must have a default value",
        ),
        (
            "inputs: {a: {}}",
            "jobs:x:inputs:a must have a default value",
        ),
        (
            "inputs: {n: {type: number, default: text}}",
            "jobs:x inputs `n`: default value is not a number",
        ),
        (
            "inputs: {n: {type: object, default: {}}}",
            "jobs:x:inputs:n input type unknown value: object",
        ),
        (
            "inputs: {n: {default: a, odd: 1}}",
            "jobs:x:inputs:n config contains unknown keys: odd",
        ),
        ("inputs: text", "jobs:x:inputs config should be a hash"),
        (
            "inputs: {a: {default: b}}\nbefore_script: ['${{ job.inputs.c }}']",
            "jobs:x:inputs `${{ job.inputs.c }}` names no input of the job",
        ),
    ]);
}
