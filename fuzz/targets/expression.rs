//! The small languages inside values: expressions with their patterns, and beside them
//! durations, globs and names of refs. The first line is the text of a variable or a path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shipway_config::expression::Expression;
use shipway_config::glob::Glob;
use shipway_config::{duration, pattern, refs};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (value, text) = text.split_once('\n').unwrap_or(("", text));
    if let Ok(expression) = Expression::parse(text) {
        let lookup = |name: &str| (name != "UNDEFINED").then_some(value);
        let present = expression.evaluate(&lookup).is_present();
        assert_eq!(present, expression.is_true(&lookup));
        expression.variables();
        expression.inputs();
    }
    if let Ok(regex) = pattern::compile_literal(text) {
        regex.is_match(value);
    }
    Glob::new(text).is_match(value);
    let _ = duration::parse_seconds(text);
    let _ = refs::matches(text, value, "group/project");
});
