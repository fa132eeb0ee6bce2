//! Functions behind the pipes of a block: `$[[ inputs.x | expand_vars | truncate(0,8) ]]`.

use crate::variables::{Collection, FileReferences, Undefined};
use serde_json::Value;

/// Functions of one block.
const MAX_FUNCTIONS: usize = 3;

/// Puts a value through functions, each as it was written.
///
/// # Errors
/// GitLab's text for what is wrong.
pub(super) fn apply(
    value: &Value,
    functions: &[&str],
    variables: &Collection,
) -> Result<Value, String> {
    if functions.len() > MAX_FUNCTIONS {
        return Err("too many functions in interpolation block".to_owned());
    }
    let functions: Vec<Function> = functions
        .iter()
        .map(|written| {
            parse(written).ok_or_else(|| {
                format!(
                    "no function matching `{written}`: check that the function name, arguments, \
                     and types are correct"
                )
            })
        })
        .collect::<Result<_, _>>()?;
    functions.iter().try_fold(value.clone(), |value, function| {
        function
            .call(&value, variables)
            .map_err(|reason| format!("error in `{}` function: {reason}", function.name()))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Function {
    ExpandVars,
    PosixEscape,
    Truncate { offset: usize, length: usize },
    Split { separator: String },
}

fn parse(written: &str) -> Option<Function> {
    match written {
        "expand_vars" => return Some(Function::ExpandVars),
        "posix_escape" => return Some(Function::PosixEscape),
        _ => {}
    }
    if let Some(arguments) = written.strip_prefix("truncate(") {
        let (offset, length) = arguments.strip_suffix(')')?.split_once(',')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(usize::MAX))
        };
        return Some(Function::Truncate {
            offset: number(offset.trim())?,
            length: number(length.trim())?,
        });
    }
    let separator = written.strip_prefix("split('")?.strip_suffix("')")?;
    (!separator.contains('\'')).then(|| Function::Split {
        separator: separator.to_owned(),
    })
}

impl Function {
    fn name(&self) -> &'static str {
        match self {
            Self::ExpandVars => "expand_vars",
            Self::PosixEscape => "posix_escape",
            Self::Truncate { .. } => "truncate",
            Self::Split { .. } => "split",
        }
    }

    fn call(&self, value: &Value, variables: &Collection) -> Result<Value, String> {
        let Value::String(text) = value else {
            return Err(format!(
                "invalid input type: {} can only be used with string inputs",
                self.name()
            ));
        };
        Ok(match self {
            Self::ExpandVars => {
                let masked = variables
                    .references_of(text)
                    .into_iter()
                    .any(|variable| variable.masked);
                if masked {
                    return Err(
                        "variable expansion error: masked variables cannot be expanded".to_owned(),
                    );
                }
                variables
                    .expand(text, Undefined::Keep, FileReferences::Content)
                    .into()
            }
            Self::PosixEscape => escaped(text).into(),
            Self::Truncate { offset, length } => text
                .chars()
                .skip(*offset)
                .take(*length)
                .collect::<String>()
                .into(),
            Self::Split { separator } if separator.is_empty() => {
                return Err("invalid argument: separator cannot be empty".to_owned());
            }
            Self::Split { separator } => text
                .split(separator.as_str())
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect(),
        })
    }
}

/// A word for a POSIX shell, as Ruby's `Shellwords.shellescape` writes it: a backslash before
/// all that is not plain, line breaks in quotes, nothing as `''`.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("'\n'"),
            c if c.is_ascii_alphanumeric() || "_-.,:+/@".contains(c) => out.push(c),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::apply;
    use crate::variables::{Collection, Variable};
    use serde_json::{Value, json};

    fn variables() -> Collection {
        [
            Variable::new("A", "my value"),
            Variable::new("N", "$A"),
            Variable {
                masked: true,
                ..Variable::new("SECRET", "s")
            },
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn functions_change_values() {
        let call = |value: Value, functions: &[&str]| apply(&value, functions, &variables());
        for (value, functions, expected) in [
            (
                json!("test $A"),
                &["expand_vars"][..],
                json!("test my value"),
            ),
            (json!("$N $GONE"), &["expand_vars"], json!("$A $GONE")),
            (
                json!("test $A"),
                &["expand_vars", "truncate(5,8)"],
                json!("my value"),
            ),
            (json!("äöü"), &["truncate( 1 , 1 )"], json!("ö")),
            (json!("ab"), &["truncate(5,1)"], json!("")),
            (json!("it's $5"), &["posix_escape"], json!(r"it\'s\ \$5")),
            (json!(""), &["posix_escape"], json!("''")),
            (json!("a\nb"), &["posix_escape"], json!("a'\n'b")),
            (json!("a, b,,c"), &["split(',')"], json!(["a", "b", "c"])),
        ] {
            assert_eq!(call(value, functions), Ok(expected), "{functions:?}");
        }
        let no_function = |name: &str| {
            format!(
                "no function matching `{name}`: check that the function name, arguments, and \
                 types are correct"
            )
        };
        for (value, functions, expected) in [
            (json!("a"), &["shout"][..], no_function("shout")),
            (json!("a"), &["truncate(1)"], no_function("truncate(1)")),
            (json!("a"), &["expand_vars()"], no_function("expand_vars()")),
            (
                json!(5),
                &["truncate(0,1)"],
                "error in `truncate` function: invalid input type: truncate can only be used with \
                 string inputs"
                    .to_owned(),
            ),
            (
                json!("$SECRET"),
                &["expand_vars"],
                "error in `expand_vars` function: variable expansion error: masked variables \
                 cannot be expanded"
                    .to_owned(),
            ),
            (
                json!("a"),
                &["split('')"],
                "error in `split` function: invalid argument: separator cannot be empty".to_owned(),
            ),
            (
                json!("a"),
                &["expand_vars"; 4],
                "too many functions in interpolation block".to_owned(),
            ),
        ] {
            assert_eq!(call(value, functions), Err(expected), "{functions:?}");
        }
    }
}
