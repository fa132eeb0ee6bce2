//! Parameters: the query and the body of a request, coerced as GitLab does.

use std::collections::BTreeMap;

use axum::extract::Request;
use jiff::Timestamp;
use serde_json::{Map, Value};
use shipway_config::InputValues;

use super::request_body;
use crate::error::ApiError;
use crate::limits::{self, too_long};

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads query and body.
    pub(super) async fn read(request: Request) -> Result<Self, ApiError> {
        Ok(Self(request_body::read(request).await?))
    }

    /// Whether it is given, even if empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Everything but these parameters, as JSON.
    pub(super) fn to_json(&self, without: &[&str]) -> String {
        let mut all = self.0.clone();
        all.retain(|name, _| !without.contains(&name.as_str()));
        Value::Object(all).to_string()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text, if it is given; it may be empty.
    pub(super) fn given(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.given_up_to(name, limits::TEXT)
    }

    /// A text of so many bytes at most; it may be empty.
    pub(super) fn given_up_to(
        &self,
        name: &str,
        longest: usize,
    ) -> Result<Option<String>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let text = scalar(value).ok_or_else(|| invalid(name))?;
        match text.len() > longest {
            true => Err(too_long(name, longest)),
            false => Ok(Some(text)),
        }
    }

    /// A text; an empty one is not given.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        Ok(self.given(name)?.filter(|text| !text.is_empty()))
    }

    /// A short text, as names and descriptions are.
    pub(super) fn short(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.up_to(name, limits::SHORT)
    }

    /// A text of so many characters at most.
    pub(super) fn up_to(&self, name: &str, longest: usize) -> Result<Option<String>, ApiError> {
        let text = self.given(name)?;
        match &text {
            Some(text) if text.chars().count() > longest => Err(too_long(name, longest)),
            _ => Ok(text),
        }
    }

    /// A text as long as a body may be.
    pub(super) fn whole_text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.given_up_to(name, limits::BODY)
    }

    /// A text that must be given.
    pub(super) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.required_up_to(name, limits::TEXT)
    }

    /// A text that must be given and may be longer than usual.
    pub(super) fn required_up_to(&self, name: &str, longest: usize) -> Result<String, ApiError> {
        match self.given_up_to(name, longest)? {
            Some(text) => Ok(text),
            None => Err(ApiError::parameter(format!("{name} is missing"))),
        }
    }

    /// A short text that must be given and not be empty.
    pub(super) fn required_short(&self, name: &str) -> Result<String, ApiError> {
        match self.short(name)? {
            Some(text) if text.trim().is_empty() => {
                Err(ApiError::parameter(format!("{name} is empty")))
            }
            Some(text) => Ok(text),
            None => Err(ApiError::parameter(format!("{name} is missing"))),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| invalid(name)),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| invalid(name)),
            Some(_) => Err(invalid(name)),
        }
    }

    /// Yes or no, in one of the ways in which clients write it.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "y" | "on" => Ok(Some(true)),
            "false" | "f" | "0" | "no" | "n" | "off" => Ok(Some(false)),
            _ => Err(invalid(name)),
        }
    }

    /// One of these names.
    pub(super) fn one_of(
        &self,
        name: &str,
        known: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == text);
        found.copied().map(Some).ok_or_else(|| no_such_value(name))
    }

    /// A name of a closed set.
    pub(super) fn name<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| no_such_value(name))
    }

    /// A time or a day, in microseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let time = text.parse::<Timestamp>().or_else(|_| {
            let day: jiff::civil::Date = text.parse()?;
            day.to_zoned(jiff::tz::TimeZone::UTC)
                .map(|zoned| zoned.timestamp())
        });
        let time = time.map_err(|_| invalid(name))?;
        Ok(Some(time.as_microsecond()))
    }

    /// Texts: a list, or a single one.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let texts = match items(value) {
            Some(items) => items.into_iter().map(scalar).collect(),
            None => scalar(value).map(|text| vec![text]),
        };
        let texts: Vec<String> = texts.ok_or_else(|| invalid(name))?;
        match texts.iter().any(|text| text.len() > limits::TEXT) {
            true => Err(too_long(name, limits::TEXT)),
            false => Ok(Some(texts)),
        }
    }

    /// As [`Params::list`], where `a,b` is a list too.
    pub(super) fn comma_list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let split = |texts: Vec<String>| -> Vec<String> {
            (texts.iter().flat_map(|text| text.split(',')))
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .collect()
        };
        Ok(self.list(name)?.map(split))
    }

    /// A map of texts.
    pub(super) fn map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                let pairs = map.iter().map(|(key, value)| {
                    let text = scalar(value).ok_or_else(|| invalid(name))?;
                    match text.len() > limits::TEXT {
                        true => Err(too_long(name, limits::TEXT)),
                        false => Ok((key.clone(), text)),
                    }
                });
                pairs.collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(invalid(name)),
        }
    }

    /// A value of any type that must be given.
    pub(super) fn any(&self, name: &str) -> Result<Value, ApiError> {
        let value = self.value(name).cloned();
        let value = value.ok_or_else(|| ApiError::parameter(format!("{name} is missing")))?;
        match value.to_string().len() > crate::limits::TEXT {
            true => Err(too_long(name, crate::limits::TEXT)),
            false => Ok(value),
        }
    }

    /// A map of values of any type, as inputs of a configuration are.
    pub(super) fn values(&self, name: &str) -> Result<InputValues, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(InputValues::new());
        };
        let map = value.as_object().ok_or_else(|| invalid(name))?;
        if map
            .values()
            .any(|value| value.to_string().len() > crate::limits::TEXT)
        {
            return Err(too_long(name, crate::limits::TEXT));
        }
        Ok(map.clone().into_iter().collect())
    }

    /// A parameter of a map: `filter[environment_scope]`.
    pub(super) fn nested(&self, name: &str) -> Result<Self, ApiError> {
        match self.value(name) {
            None => Ok(Self::default()),
            Some(Value::Object(map)) => Ok(Self(map.clone())),
            Some(_) => Err(invalid(name)),
        }
    }

    /// A list of maps.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(Vec::new());
        };
        let objects = items(value).ok_or_else(|| invalid(name))?;
        (objects.into_iter())
            .map(|object| match object {
                Value::Object(map) => Ok(Self(map.clone())),
                _ => Err(invalid(name)),
            })
            .collect()
    }
}

fn invalid(name: &str) -> ApiError {
    ApiError::parameter(format!("{name} is invalid"))
}

fn no_such_value(name: &str) -> ApiError {
    ApiError::parameter(format!("{name} does not have a valid value"))
}

/// A text, number or truth value as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The items of a list, which may be written as a map from positions.
fn items(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(map) => {
            let mut items = Vec::new();
            for (key, item) in map {
                items.push((key.parse::<u32>().ok()?, item));
            }
            items.sort_by_key(|(position, _)| *position);
            Some(items.into_iter().map(|(_, item)| item).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn coercion() {
        let Value::Object(map) = json!({
            "yes": "True", "one": 1, "no": "off", "maybe": "maybe", "number": "17", "float": 1.5,
            "huge": "99999999999999999999", "empty": "", "null": null, "list": ["a", 1],
            "commas": "a, b,", "map": {"a": 1}, "day": "2026-01-02",
            "time": "2026-01-02T03:04:05.678+01:00", "indexed": {"1": "b", "0": "a"},
        }) else {
            unreachable!("it is an object");
        };
        let params = Params(map);
        let text = |name: &str| params.text(name).unwrap();
        assert_eq!(params.boolean("yes"), Ok(Some(true)));
        assert_eq!(params.boolean("one"), Ok(Some(true)));
        assert_eq!(params.boolean("no"), Ok(Some(false)));
        assert_eq!(params.boolean("empty"), Ok(None));
        assert!(params.boolean("maybe").is_err());
        assert_eq!(params.number("number"), Ok(Some(17)));
        assert_eq!(params.number("one"), Ok(Some(1)));
        for name in ["float", "huge", "maybe", "list", "map"] {
            assert!(params.number(name).is_err(), "{name}");
        }
        assert_eq!(text("one").as_deref(), Some("1"));
        assert_eq!(text("empty"), None);
        assert_eq!(text("null"), None);
        assert!(params.text("list").is_err());
        let list = |name: &str| params.list(name).unwrap().unwrap();
        assert_eq!(list("list"), ["a", "1"]);
        assert_eq!(list("indexed"), ["a", "b"]);
        assert_eq!(list("yes"), ["True"]);
        assert_eq!(params.comma_list("commas").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(params.map("map").unwrap().unwrap()["a"], "1");
        assert_eq!(params.time("day"), Ok(Some(1_767_312_000_000_000)));
        assert_eq!(params.time("time"), Ok(Some(1_767_319_445_678_000)));
        assert!(params.time("maybe").is_err());
        assert_eq!(params.one_of("no", &["on", "off"]), Ok(Some("off")));
        assert!(params.one_of("no", &["on"]).is_err());
    }
}
