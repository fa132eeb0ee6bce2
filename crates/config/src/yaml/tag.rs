//! What a tag makes of a scalar.

use super::node::Value;
use super::scalar::resolve;
use crate::{Diagnostic, Span};

/// The value of a scalar, by its tag where it has one.
pub(super) fn scalar(
    text: String,
    tag: Option<&str>,
    is_text: bool,
    span: Span,
) -> Result<Value, Diagnostic> {
    if is_text {
        return Ok(Value::Text(text.into()));
    }
    match tag {
        Some("tag:yaml.org,2002:str") => return Ok(Value::Text(text.into())),
        Some(tag) if tag == "!str" || tag.starts_with("!str:") => {
            return Ok(Value::Text(text.into()));
        }
        Some("!ruby/symbol" | "!ruby/sym") => return Ok(Value::Symbol(text.into())),
        Some(tag) if tag.starts_with("!ruby/") => {
            return Err(disallowed(&tag["!ruby/".len()..], span));
        }
        Some("!binary" | "tag:yaml.org,2002:binary") => {
            return Err(Diagnostic::error(
                "`!binary` is not supported by shipway yet",
                span,
            ));
        }
        Some("!reference") => {
            return Err(Diagnostic::error("`!reference` needs a list", span)
                .hint("write `!reference [job, key]`"));
        }
        Some("tag:yaml.org,2002:float" | "!float") => {
            let number = match resolve(&text) {
                Ok(Value::Integer(value)) => Some(value as f64),
                Ok(Value::Float(value)) => Some(value),
                _ => text.parse().ok(),
            };
            return number.map(Value::Float).ok_or_else(|| {
                Diagnostic::error(format!("invalid value for Float(): {text:?}"), span)
            });
        }
        _ => {}
    }
    resolve(&text).map_err(|class| {
        disallowed(class.0, span).hint("put the value in quotes to keep it a text")
    })
}

/// Psych refuses to make such an object. `class` is the name of a Ruby class, or the kind of object before it: `object:Foo`.
pub(super) fn disallowed(class: &str, span: Span) -> Diagnostic {
    let class = class.split_once(':').map_or(class, |(_, name)| name);
    Diagnostic::error(format!("Tried to load unspecified class: {class}"), span)
}
