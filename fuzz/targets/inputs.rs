//! Interpolation of inputs: the text is what stands behind a header that defines one input of
//! each type. The first line, where it is a JSON object, gives values.

#![no_main]

#[path = "parser.rs"]
mod parser;

use libfuzzer_sys::fuzz_target;
use parser::tolerate_the_parser;
use shipway_config::variables::{Collection, Variable};
use shipway_config::{InputValues, Limits, LoadContext, NoFiles, load_for, render};

const HEADER: &str = r#"spec:
  inputs:
    text: {default: "a b"}
    number: {type: number, default: 7}
    flag: {type: boolean, default: true}
    list: {type: array, default: [a, [b, {c: d}], "$[[ inputs.text ]]"]}
    choice: {options: [x, y], default: x}
    checked: {regex: ^v\d, default: v1}
    either: {rules: [{if: '$[[ inputs.flag ]] == true', default: p, options: [p, q]}, {default: q}]}
---
"#;

fuzz_target!(init: tolerate_the_parser(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (first, rest) = text.split_once('\n').unwrap_or(("", text));
    let (inputs, body): (InputValues, &str) = match serde_json::from_str(first) {
        Ok(inputs) => (inputs, rest),
        Err(_) => (InputValues::default(), text),
    };
    let mut variables = Collection::new();
    variables.push(Variable::new("CI_COMMIT_BRANCH", "main$CI_COMMIT_BRANCH"));
    let context = LoadContext { variables, inputs };
    let yaml = format!("{HEADER}{body}");
    let loaded = load_for("x.yml", &yaml, &NoFiles, &Limits::default(), &context);
    assert_eq!(loaded.config.is_none(), loaded.errors().next().is_some());
    for diagnostic in &loaded.diagnostics {
        render(diagnostic, &loaded.files, true);
    }
});
