//! The values of inputs: what was given, or the default, held against the definition.

use super::InputValues;
use crate::expression::{Expression, Value as Operand};
use crate::pattern;
use crate::{Input, InputRule, InputType};
use indexmap::IndexMap;
use serde_json::Value;

/// A value that is wrong or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The input, where it is about one.
    pub(crate) name: Option<String>,
    pub(crate) message: String,
}

/// The value of every input of a file, or all that is wrong with them.
///
/// Rules see the values that were given and those resolved before, in the order of the file.
pub(crate) fn resolve(
    inputs: &IndexMap<String, Input>,
    given: &InputValues,
) -> Result<InputValues, Vec<Fault>> {
    let mut faults = Vec::new();
    let unknown: Vec<&str> = given
        .keys()
        .map(String::as_str)
        .filter(|name| !inputs.contains_key(*name))
        .collect();
    if !unknown.is_empty() {
        faults.push(Fault {
            name: None,
            message: format!("unknown input arguments: {}", unknown.join(", ")),
        });
    }
    let mut known = given.clone();
    let mut resolved = InputValues::with_capacity(inputs.len());
    for (name, input) in inputs {
        let given = given.get(name).filter(|value| !value.is_null());
        match value(input, given, &known) {
            Ok(value) => {
                known.insert(name.clone(), value.clone());
                resolved.insert(name.clone(), value);
            }
            Err(reasons) => faults.extend(reasons.into_iter().map(|reason| Fault {
                name: Some(name.clone()),
                message: format!("`{name}` input: {reason}"),
            })),
        }
    }
    if faults.is_empty() {
        Ok(resolved)
    } else {
        Err(faults)
    }
}

fn value(input: &Input, given: Option<&Value>, known: &InputValues) -> Result<Value, Vec<String>> {
    let rule = input.rules.iter().find(|rule| holds(rule, known));
    let (options, default) = if input.rules.is_empty() {
        (input.options.as_deref(), input.default.as_ref())
    } else {
        let options = rule.and_then(|rule| rule.options.as_deref());
        // Without a rule that holds nothing is asked for and the value is empty. A rule whose
        // default is null asks for a value.
        let default = match rule {
            None => Some(&Value::Null),
            Some(rule) => rule.default.as_ref().filter(|default| !default.is_null()),
        };
        (options, default)
    };
    let Some(chosen) = given.or(default) else {
        return Err(vec!["required value has not been provided".to_owned()]);
    };
    let mut reasons = Vec::new();
    let untouched = rule.is_none() && !input.rules.is_empty();
    if let Some(default) = default
        && !untouched
    {
        reasons.extend(check(input, options, default, true));
    }
    if let Some(given) = given {
        reasons.extend(check(input, options, given, false));
    }
    if reasons.is_empty() {
        Ok(coerce(input.kind, chosen))
    } else {
        Err(reasons)
    }
}

/// What is wrong with one value.
pub(crate) fn check(
    input: &Input,
    options: Option<&[Value]>,
    value: &Value,
    is_default: bool,
) -> Vec<String> {
    let whose = if is_default { "default" } else { "provided" };
    let value = coerce(input.kind, value);
    let mut reasons = Vec::new();
    let (fits, kind) = match input.kind {
        InputType::String => (value.is_string(), "a string"),
        InputType::Number => (value.is_number(), "a number"),
        InputType::Boolean => (value.is_boolean(), "a boolean"),
        InputType::Array => (value.is_array(), "an array"),
    };
    if !fits {
        reasons.push(format!("{whose} value is not {kind}"));
        return reasons;
    }
    if let Some(options) = options {
        let same = |option: &Value| coerce(input.kind, option) == value;
        let shown = text(&value);
        match (&value, input.kind) {
            (_, InputType::Boolean) => {
                reasons.push("Options can only be used with string and number inputs".to_owned());
            }
            (Value::Array(items), _) => {
                let strange: Vec<String> = (items.iter())
                    .filter(|item| !options.contains(item))
                    .map(text)
                    .collect();
                if !strange.is_empty() {
                    reasons.push(format!(
                        "{} cannot be used because it is not in the list of allowed options",
                        strange.join(", ")
                    ));
                }
            }
            (_, InputType::Number) if !options.iter().any(same) => reasons.push(format!(
                "`{shown}` cannot be used because it is not in the list of the allowed options"
            )),
            (_, InputType::String) if !options.iter().any(same) => reasons.push(format!(
                "`{shown}` cannot be used because it is not in the list of allowed options"
            )),
            _ => {}
        }
    }
    match (&input.regex, &value) {
        (None, _) => {}
        (Some(regex), Value::String(text)) => match pattern::compile(regex, "") {
            Ok(regex) if regex.is_match(text) => {}
            Ok(_) => reasons.push(format!(
                "{whose} value does not match required RegEx pattern"
            )),
            Err(_) => reasons.push("invalid regular expression".to_owned()),
        },
        (Some(_), _) => {
            reasons.push("RegEx validation can only be used with string inputs".to_owned());
        }
    }
    reasons
}

/// A scalar becomes a text where a text is wanted, and a text that is JSON what it says where
/// something else is: values come by query parameters and push options too.
fn coerce(kind: InputType, value: &Value) -> Value {
    match (kind, value) {
        (InputType::String, Value::Array(_) | Value::Object(_)) => value.clone(),
        (InputType::String, _) => Value::String(text(value)),
        (_, Value::String(json)) => serde_json::from_str(json).unwrap_or_else(|_| value.clone()),
        _ => value.clone(),
    }
}

/// A value as it stands inside a text: a text bare, anything else as JSON, null empty.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// The definition has been checked, so an expression that does not parse cannot be here.
fn holds(rule: &InputRule, known: &InputValues) -> bool {
    let Some(condition) = &rule.condition else {
        return true;
    };
    let numbers: IndexMap<&str, String> = (known.iter())
        .filter(|(_, value)| !value.is_string() && !value.is_boolean() && !value.is_null())
        .map(|(name, value)| (name.as_str(), value.to_string()))
        .collect();
    Expression::parse(condition).is_ok_and(|expression| {
        let input = |name: &str| match known.get(name) {
            None | Some(Value::Null) => Operand::Null,
            Some(Value::Bool(flag)) => Operand::Bool(*flag),
            Some(Value::String(text)) => Operand::Text(text),
            Some(_) => numbers
                .get(name)
                .map_or(Operand::Null, |text| Operand::Other(text)),
        };
        expression.evaluate_with(&|_| None, &input).is_present()
    })
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::{Input, InputRule, InputType};
    use serde_json::{Value, json};

    fn input(kind: InputType, default: Option<Value>) -> Input {
        Input {
            kind,
            default,
            ..Input::default()
        }
    }

    fn outcome(input: &Input, given: Option<Value>) -> Result<Value, String> {
        let inputs = [("x".to_owned(), input.clone())].into();
        let given = given
            .map(|value| ("x".to_owned(), value))
            .into_iter()
            .collect();
        match resolve(&inputs, &given) {
            Ok(values) => Ok(values["x"].clone()),
            Err(faults) => Err(faults
                .into_iter()
                .map(|fault| fault.message)
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    #[test]
    fn values_fit_their_types() {
        use InputType::{Array, Boolean, Number, String};
        for (kind, given, expected) in [
            (String, json!("a"), Ok(json!("a"))),
            (String, json!(5), Ok(json!("5"))),
            (String, json!(true), Ok(json!("true"))),
            (
                String,
                json!(["a"]),
                Err("`x` input: provided value is not a string"),
            ),
            (Number, json!(5), Ok(json!(5))),
            (Number, json!("2.5"), Ok(json!(2.5))),
            (
                Number,
                json!("five"),
                Err("`x` input: provided value is not a number"),
            ),
            (Boolean, json!(false), Ok(json!(false))),
            (Boolean, json!("true"), Ok(json!(true))),
            (
                Boolean,
                json!("yes"),
                Err("`x` input: provided value is not a boolean"),
            ),
            (Array, json!(["a", {"b": 1}]), Ok(json!(["a", {"b": 1}]))),
            (Array, json!("[\"a\"]"), Ok(json!(["a"]))),
            (
                Array,
                json!("a"),
                Err("`x` input: provided value is not an array"),
            ),
        ] {
            let found = outcome(&input(kind, None), Some(given.clone()));
            assert_eq!(found, expected.map_err(str::to_owned), "{kind:?} {given}");
        }
    }

    #[test]
    fn defaults_stand_in_and_are_checked() {
        let missing = Err("`x` input: required value has not been provided".to_owned());
        assert_eq!(outcome(&input(InputType::String, None), None), missing);
        assert_eq!(
            outcome(&input(InputType::String, None), Some(Value::Null)),
            missing
        );
        let default = input(InputType::String, Some(json!("")));
        assert_eq!(outcome(&default, None), Ok(json!("")));
        let null = input(InputType::String, Some(Value::Null));
        assert_eq!(outcome(&null, None), Ok(json!("")));
        let wrong = input(InputType::Number, Some(json!("x")));
        let expected = "`x` input: default value is not a number";
        assert_eq!(outcome(&wrong, Some(json!(1))), Err(expected.to_owned()));
    }

    #[test]
    fn options_and_expressions_restrict_values() {
        let options = |kind, options| Input {
            kind,
            options: Some(options),
            ..Input::default()
        };
        let words = options(InputType::String, vec![json!("a"), json!(2)]);
        assert_eq!(outcome(&words, Some(json!("2"))), Ok(json!("2")));
        let refused =
            "`x` input: `c` cannot be used because it is not in the list of allowed options";
        assert_eq!(outcome(&words, Some(json!("c"))), Err(refused.to_owned()));
        let numbers = options(InputType::Number, vec![json!(1)]);
        let refused =
            "`x` input: `2` cannot be used because it is not in the list of the allowed options";
        assert_eq!(outcome(&numbers, Some(json!(2))), Err(refused.to_owned()));
        let lists = options(InputType::Array, vec![json!("a"), json!("b")]);
        assert_eq!(outcome(&lists, Some(json!(["b"]))), Ok(json!(["b"])));
        assert!(outcome(&lists, Some(json!(["c"]))).is_err());
        let flag = options(InputType::Boolean, vec![json!(true)]);
        let refused = "`x` input: Options can only be used with string and number inputs";
        assert_eq!(outcome(&flag, Some(json!(true))), Err(refused.to_owned()));

        let regex = |kind, regex: &str| Input {
            kind,
            regex: Some(regex.to_owned()),
            ..Input::default()
        };
        let version = regex(InputType::String, r"^v\d+$");
        assert_eq!(outcome(&version, Some(json!("v12"))), Ok(json!("v12")));
        let refused = "`x` input: provided value does not match required RegEx pattern";
        assert_eq!(
            outcome(&version, Some(json!("12"))),
            Err(refused.to_owned())
        );
        let broken = regex(InputType::String, "(");
        let refused = "`x` input: invalid regular expression";
        assert_eq!(outcome(&broken, Some(json!("a"))), Err(refused.to_owned()));
        let number = regex(InputType::Number, "1");
        let refused = "`x` input: RegEx validation can only be used with string inputs";
        assert_eq!(outcome(&number, Some(json!(1))), Err(refused.to_owned()));
    }

    #[test]
    fn rules_choose_options_and_default() {
        let rule =
            |condition: Option<&str>, options: Option<Value>, default: Option<Value>| InputRule {
                condition: condition.map(str::to_owned),
                options: options.map(|list| list.as_array().cloned().unwrap_or_default()),
                default,
            };
        let size = Input {
            rules: vec![
                rule(
                    Some("$[[ inputs.cloud ]] == 'aws' && $[[ inputs.big ]] == true"),
                    Some(json!(["xl", "xxl"])),
                    Some(json!("xl")),
                ),
                rule(
                    Some("$[[ inputs.cloud ]] == 'own'"),
                    None,
                    Some(Value::Null),
                ),
                rule(
                    Some("$[[ inputs.cloud ]] == 'none'"),
                    None,
                    Some(json!("zero")),
                ),
            ],
            ..Input::default()
        };
        let with_fallback = Input {
            rules: [
                size.rules.clone(),
                vec![rule(None, Some(json!(["s", "m"])), Some(json!("s")))],
            ]
            .concat(),
            ..Input::default()
        };
        let run = |input: &Input, cloud: &str, big: bool, given: Option<&str>| {
            let inputs = [
                ("cloud".to_owned(), Input::default()),
                (
                    "big".to_owned(),
                    super::super::values::tests::input(InputType::Boolean, None),
                ),
                ("size".to_owned(), input.clone()),
            ]
            .into();
            let mut values: super::InputValues = [
                ("cloud".to_owned(), json!(cloud)),
                ("big".to_owned(), json!(big)),
            ]
            .into();
            if let Some(given) = given {
                values.insert("size".to_owned(), json!(given));
            }
            resolve(&inputs, &values)
                .map(|values| values["size"].clone())
                .map_err(|faults| faults[0].message.clone())
        };
        assert_eq!(run(&size, "aws", true, None), Ok(json!("xl")));
        assert_eq!(run(&size, "aws", true, Some("xxl")), Ok(json!("xxl")));
        assert!(run(&size, "aws", true, Some("s")).is_err());
        assert_eq!(run(&size, "none", false, None), Ok(json!("zero")));
        // Nothing holds: nothing is asked for.
        assert_eq!(run(&size, "gcp", true, None), Ok(json!("")));
        // A default of null asks for a value.
        let missing = Err("`size` input: required value has not been provided".to_owned());
        assert_eq!(run(&size, "own", true, None), missing);
        assert_eq!(run(&size, "own", true, Some("mine")), Ok(json!("mine")));
        assert_eq!(run(&with_fallback, "gcp", true, None), Ok(json!("s")));
    }

    #[test]
    fn unknown_values_are_told_together() {
        let faults = resolve(
            &[].into(),
            &[("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))].into(),
        )
        .unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].message, "unknown input arguments: a, b");
    }
}
