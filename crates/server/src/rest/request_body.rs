//! The query and the body of a request as one map.
//!
//! Nested names are read as Rack reads them: `a[b]=c` is a map, `a[]=c` a list, `a[0][k]=v` and
//! `a[][k]=v` lists of maps. The body wins over the query.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::nested_names::insert;
use crate::error::ApiError;
use crate::identity::pairs;
use crate::limits;

/// So many parameters are read.
const MOST_PAIRS: usize = 4096;

/// Reads query and body.
pub(super) async fn read(request: Request) -> Result<Map<String, Value>, ApiError> {
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
    Ok(all)
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
    let bytes = to_bytes(request.into_body(), limits::BODY).await;
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
        if bytes > limits::BODY || count > MOST_PAIRS {
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::json;

    use super::*;

    async fn read(
        query: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> Result<Map<String, Value>, ApiError> {
        let mut request = Request::builder().uri(format!("/x?{query}"));
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        super::read(request.body(Body::from(body.to_vec())).unwrap()).await
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
            assert_eq!(Value::Object(read), expected, "{query}");
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
        let long = vec![b'a'; limits::BODY + 1];
        let refused = read("", form, &long).await.unwrap_err();
        assert_eq!(refused.status().as_u16(), 413);
    }
}
