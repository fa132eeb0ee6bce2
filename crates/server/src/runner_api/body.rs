//! The bodies of calls: JSON, or a form as some clients send it.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::header;
use crate::error::ApiError;
use crate::identity::is_text;

/// Reads a body. What is `null` is as if it were absent; an empty body is an empty object.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, ApiError> {
    let kind = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let mut value = if kind.starts_with("application/x-www-form-urlencoded") {
        let text = std::str::from_utf8(body).ok().filter(|text| is_text(text));
        form(text.ok_or_else(no_text)?)
    } else if body.iter().all(u8::is_ascii_whitespace) {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(body)
            .map_err(|error| ApiError::parameter(format!("the body is not JSON: {error}")))?
    };
    if !value.is_object() {
        return Err(ApiError::parameter("the body is not a JSON object"));
    }
    if has_nul(&value) {
        return Err(no_text());
    }
    without_nulls(&mut value);
    serde_json::from_value(value)
        .map_err(|error| ApiError::parameter(format!("a parameter is invalid: {error}")))
}

fn no_text() -> ApiError {
    ApiError::parameter("the body is not UTF-8 without NUL")
}

/// Whether a text in it holds a NUL, which no database keeps.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(object) => object
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// `a=1&info[name]=x`: words that are JSON's booleans are booleans, everything else is text.
fn form(text: &str) -> Value {
    let mut object = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key), decoded(value));
        let value = match value.as_str() {
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ => Value::String(value),
        };
        let mut names = key
            .split('[')
            .map(|name| name.trim_end_matches(']').to_owned());
        let first = names.next().unwrap_or_default();
        insert(&mut object, first, names.collect(), value);
    }
    Value::Object(object)
}

/// More levels than any parameter has.
const DEPTH: usize = 4;

fn insert(object: &mut Map<String, Value>, name: String, mut below: Vec<String>, value: Value) {
    if below.is_empty() || below.len() > DEPTH {
        object.insert(name, value);
        return;
    }
    let next = below.remove(0);
    if next.is_empty() {
        let list = object
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value);
        }
        return;
    }
    let inner = object
        .entry(name)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        insert(inner, next, below, value);
    }
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced);
    decoded.decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_as(kind: &str, body: &str) -> Result<Value, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        read(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn json_and_forms_are_read() {
        let table = [
            (
                "application/json",
                r#"{"a":null,"b":{"c":null,"d":1}}"#,
                json!({"b":{"d":1}}),
            ),
            ("application/json", " ", json!({})),
            ("text/plain", r#"{"a":1}"#, json!({"a":1})),
            (
                "application/x-www-form-urlencoded",
                "token=a%2Bb+c&info[name]=x&run_untagged=true&tag_list[]=a&tag_list[]=b",
                json!({"token":"a+b c","info":{"name":"x"},"run_untagged":true,"tag_list":["a","b"]}),
            ),
        ];
        for (kind, body, expected) in table {
            assert_eq!(read_as(kind, body).unwrap(), expected, "{body}");
        }
        for body in ["[]", "{", "1", "\"a\""] {
            let error = read_as("application/json", body).unwrap_err();
            assert_eq!(error.status().as_u16(), 400, "{body}");
        }
    }
}
