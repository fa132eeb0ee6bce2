//! Parameters: the query and the body of a request, merged and coerced as GitLab does.
//!
//! Nested names are read as Rack reads them: `a[b]=c` is a map, `a[]=c` a list, `a[0][k]=v` and
//! `a[][k]=v` lists of maps. The body wins over the query.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::identity::pairs;

/// The longest body in bytes.
const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// The longest text of one parameter in bytes, where a route names no other; GitLab's limit of
/// a variable's value.
pub(super) const LONGEST_TEXT: usize = 10_000;

/// So many parameters are read.
const MOST_PAIRS: usize = 4096;

/// Brackets of one name nest this deep at most.
const DEEPEST: usize = 8;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads query and body.
    pub(super) async fn read(request: Request) -> Result<Self, ApiError> {
        let mut all = Value::Object(Map::new());
        if let Some(query) = request.uri().query() {
            add_pairs(&mut all, query)?;
        }
        let kind = (request.headers().get(CONTENT_TYPE))
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .map(|kind| kind.trim().to_ascii_lowercase());
        let body = match kind.as_deref() {
            Some("multipart/form-data") => multipart(request).await?,
            kind => body(request, kind).await?,
        };
        let (Value::Object(mut all), Value::Object(body)) = (all, body) else {
            return Err(ApiError::parameter("body is not an object"));
        };
        all.extend(body);
        if all.values().any(has_nul) {
            return Err(ApiError::parameter("a parameter has a NUL character"));
        }
        Ok(Self(all))
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
        self.given_up_to(name, LONGEST_TEXT)
    }

    fn given_up_to(&self, name: &str, longest: usize) -> Result<Option<String>, ApiError> {
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
        let text = self.given(name)?;
        match &text {
            Some(text) if text.chars().count() > 255 => Err(too_long(name, 255)),
            _ => Ok(text),
        }
    }

    /// A text that must be given.
    pub(super) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.required_up_to(name, LONGEST_TEXT)
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
        match texts.iter().any(|text| text.len() > LONGEST_TEXT) {
            true => Err(too_long(name, LONGEST_TEXT)),
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
                    match text.len() > LONGEST_TEXT {
                        true => Err(too_long(name, LONGEST_TEXT)),
                        false => Ok((key.clone(), text)),
                    }
                });
                pairs.collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(invalid(name)),
        }
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

fn too_long(name: &str, longest: usize) -> ApiError {
    ApiError::invalid(
        name,
        format!("is too long (maximum is {longest} characters)"),
    )
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

/// No database keeps it, and no client means it.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => (map.iter()).any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

async fn body(request: Request, kind: Option<&str>) -> Result<Value, ApiError> {
    let bytes = to_bytes(request.into_body(), LONGEST_BODY).await;
    let bytes = bytes.map_err(|_| ApiError::too_large())?;
    let mut body = Value::Object(Map::new());
    // Clients say `application/json` where they send nothing.
    if bytes.is_empty() {
        return Ok(body);
    }
    match kind {
        Some("application/json") => {
            let parsed = serde_json::from_slice(&bytes);
            body = parsed.map_err(|_| ApiError::parameter("the body is not valid JSON"))?;
        }
        Some("application/x-www-form-urlencoded") => {
            let text = std::str::from_utf8(&bytes);
            let text = text.map_err(|_| ApiError::parameter("the body is not valid UTF-8"))?;
            add_pairs(&mut body, text)?;
        }
        None | Some("application/octet-stream") => {}
        Some(kind) => {
            return Err(ApiError::error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("The provided content-type '{kind}' is not supported."),
            ));
        }
    }
    Ok(body)
}

async fn multipart(request: Request) -> Result<Value, ApiError> {
    let mut body = Value::Object(Map::new());
    let refused = |_| ApiError::parameter("the body is not valid multipart/form-data");
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|_| ApiError::parameter("the body is not valid multipart/form-data"))?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(part) = parts.next_field().await.map_err(refused)? {
        let name = part.name().unwrap_or_default().to_owned();
        let content = part.bytes().await.map_err(refused)?;
        (count, bytes) = (count + 1, bytes + content.len());
        if bytes > LONGEST_BODY || count > MOST_PAIRS {
            return Err(ApiError::too_large());
        }
        let text = String::from_utf8(content.to_vec());
        let text = text.map_err(|_| ApiError::parameter(format!("{name} is not valid UTF-8")))?;
        insert(&mut body, &name, text)?;
    }
    Ok(body)
}

fn add_pairs(into: &mut Value, text: &str) -> Result<(), ApiError> {
    if has_invalid_utf8(text) {
        return Err(ApiError::parameter("a parameter is not valid UTF-8"));
    }
    for (position, (name, value)) in pairs(text).enumerate() {
        if position == MOST_PAIRS {
            return Err(ApiError::parameter("there are too many parameters"));
        }
        insert(into, &name, value)?;
    }
    Ok(())
}

fn has_invalid_utf8(encoded: &str) -> bool {
    percent_encoding::percent_decode_str(encoded)
        .decode_utf8()
        .is_err()
}

/// The parts of a name: `a[b][]` is `a`, `b` and nothing.
fn segments(name: &str) -> Option<Vec<&str>> {
    let Some((first, mut rest)) = name.split_once('[') else {
        return Some(vec![name]);
    };
    let mut segments = vec![first];
    loop {
        let (segment, behind) = rest.split_once(']')?;
        segments.push(segment);
        match behind.strip_prefix('[') {
            Some(next) => rest = next,
            None if behind.is_empty() => break,
            None => return None,
        }
    }
    (segments.len() <= DEEPEST).then_some(segments)
}

fn insert(into: &mut Value, name: &str, text: String) -> Result<(), ApiError> {
    let fault = || {
        let shown: String = name.chars().take(64).collect();
        ApiError::parameter(format!("{shown} is invalid"))
    };
    let segments = segments(name).ok_or_else(fault)?;
    place(into, &segments, text).ok_or_else(fault)
}

/// Puts a text at its place; `None` when something of another shape is there.
fn place(into: &mut Value, segments: &[&str], text: String) -> Option<()> {
    let Some((segment, rest)) = segments.split_first() else {
        *into = Value::String(text);
        return Some(());
    };
    if into.is_null() {
        *into = match *segment {
            "" => Value::Array(Vec::new()),
            _ => Value::Object(Map::new()),
        };
    }
    match into {
        Value::Object(map) => {
            let place_of = map.entry((*segment).to_owned()).or_insert(Value::Null);
            place(place_of, rest, text)
        }
        Value::Array(items) if segment.is_empty() => {
            let fresh = match (items.last(), rest.first()) {
                (Some(Value::Object(last)), Some(key)) => last.contains_key(*key),
                _ => true,
            };
            if fresh {
                items.push(Value::Null);
            }
            place(items.last_mut()?, rest, text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::json;

    use super::*;

    async fn read(query: &str, kind: Option<&str>, body: &[u8]) -> Result<Params, ApiError> {
        let mut request = Request::builder().uri(format!("/x?{query}"));
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        Params::read(request.body(Body::from(body.to_vec())).unwrap()).await
    }

    #[tokio::test]
    async fn shapes() {
        let form = Some("application/x-www-form-urlencoded");
        let json_kind = Some("application/json; charset=utf-8");
        let multipart = Some("multipart/form-data; boundary=X");
        let parts = b"--X\r\nContent-Disposition: form-data; name=\"a[b]\"\r\n\r\n1\r\n\
            --X\r\nContent-Disposition: form-data; name=\"avatar\"\r\n\r\n\r\n--X--\r\n";
        let table: [(&str, Option<&str>, &[u8], Value); 10] = [
            ("", None, b"", json!({})),
            ("a=1&b=%20x", None, b"", json!({"a": "1", "b": " x"})),
            ("a[]=1&a[]=2", None, b"", json!({"a": ["1", "2"]})),
            ("a%5Bb%5D=1", None, b"", json!({"a": {"b": "1"}})),
            ("a=1", json_kind, b"", json!({"a": "1"})),
            ("a=1", json_kind, br#"{"a": 2}"#, json!({"a": 2})),
            ("", form, b"a=1", json!({"a": "1"})),
            (
                "",
                form,
                b"v[][k]=1&v[][x]=2&v[][k]=3",
                json!({"v": [{"k": "1", "x": "2"}, {"k": "3"}]}),
            ),
            ("", form, b"v[0][k]=1", json!({"v": {"0": {"k": "1"}}})),
            ("", multipart, parts, json!({"a": {"b": "1"}, "avatar": ""})),
        ];
        for (query, kind, body, expected) in table {
            let read = read(query, kind, body).await.unwrap();
            assert_eq!(Value::Object(read.0), expected, "{query}");
        }
    }

    #[tokio::test]
    async fn refusals() {
        let form = Some("application/x-www-form-urlencoded");
        let json_kind = Some("application/json");
        let table: [(&str, Option<&str>, &[u8], u16); 10] = [
            ("a=%00", None, b"", 400),
            ("a=%ff", None, b"", 400),
            ("a[=1", None, b"", 400),
            ("a=1&a[b]=2", None, b"", 400),
            ("a[b][c][d][e][f][g][h][i]=1", None, b"", 400),
            ("", json_kind, b"{", 400),
            ("", json_kind, b"[1]", 400),
            ("", json_kind, br#"{"a": "\u0000"}"#, 400),
            ("", form, b"\xff", 400),
            ("", Some("text/plain"), b"x", 415),
        ];
        for (query, kind, body, status) in table {
            let refused = read(query, kind, body).await.unwrap_err();
            assert_eq!(refused.status().as_u16(), status, "{query}");
        }
        let long = vec![b'a'; LONGEST_BODY + 1];
        let refused = read("", form, &long).await.unwrap_err();
        assert_eq!(refused.status().as_u16(), 413);
    }

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
