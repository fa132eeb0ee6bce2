//! What a request brings to prove who asks, as plain data.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::session::COOKIE_NAME;

/// A longer secret is none of ours.
const LONGEST: usize = 1024;

/// One proof; the first in GitLab's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// A personal access token; behind `Bearer` it may be a job's.
    Token {
        secret: String,
        bearer: bool,
    },
    JobToken(String),
    Session(String),
}

/// The credential of a request, if it brings one.
pub(super) fn credential(headers: &HeaderMap, query: Option<&str>) -> Option<Credential> {
    let header = |name: &str| -> Option<String> {
        let text = headers.get(name)?.to_str().ok()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let parameter = |wanted: &[&str]| -> Option<String> {
        pairs(query?)
            .find(|(name, value)| wanted.contains(&name.as_str()) && !value.is_empty())
            .map(|(_, value)| value)
    };
    let bearer = || {
        let text = header(AUTHORIZATION.as_str())?;
        let (scheme, token) = text.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
    };
    let token = |bearer| move |secret| Credential::Token { secret, bearer };
    let found = header("private-token")
        .map(token(false))
        .or_else(|| bearer().map(token(true)))
        .or_else(|| parameter(&["private_token", "access_token"]).map(token(false)))
        .or_else(|| header("job-token").map(Credential::JobToken))
        .or_else(|| parameter(&["job_token"]).map(Credential::JobToken))
        .or_else(|| session_cookie(headers).map(Credential::Session))?;
    Some(match found {
        // Known to be wrong, and still something: not anonymous.
        Credential::Token { secret, bearer } if secret.len() > LONGEST => Credential::Token {
            secret: String::new(),
            bearer,
        },
        Credential::JobToken(secret) if secret.len() > LONGEST => {
            Credential::JobToken(String::new())
        }
        found => found,
    })
}

/// The secret of the session's cookie.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE_NAME && !value.is_empty() && value.len() <= LONGEST)
        .map(|(_, value)| value.to_owned())
}

/// User and password of `Authorization: Basic`.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2 * LONGEST {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Whether a query or a form holds nothing but text: no NUL, which is in no name and no value,
/// and no bytes that are not UTF-8.
pub(crate) fn is_text(form: &str) -> bool {
    let decoded = percent_decode_str(form).decode_utf8();
    decoded.is_ok_and(|text| !text.contains('\0'))
}

/// Names and values of a query or a form.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_first_in_order_counts() {
        let token = |secret: &str, bearer| {
            Some(Credential::Token {
                secret: secret.to_owned(),
                bearer,
            })
        };
        let job = |secret: &str| Some(Credential::JobToken(secret.to_owned()));
        let session = |secret: &str| Some(Credential::Session(secret.to_owned()));
        let cookie = ("cookie", "a=b; _shipway_session=s; c=d");
        type Row<'a> = (
            Vec<(&'static str, &'a str)>,
            Option<&'a str>,
            Option<Credential>,
        );
        let long = "x".repeat(LONGEST + 1);
        let table: Vec<Row<'_>> = vec![
            (vec![], None, None),
            (vec![("private-token", "p")], None, token("p", false)),
            (vec![("private-token", " ")], None, None),
            (vec![("authorization", "Bearer b")], None, token("b", true)),
            (
                vec![("authorization", "bearer  b ")],
                None,
                token("b", true),
            ),
            (vec![("authorization", "Basic b")], None, None),
            (vec![], Some("private_token=q%2B"), token("q+", false)),
            (vec![], Some("a=b&access_token=q"), token("q", false)),
            (vec![("job-token", "j")], None, job("j")),
            (vec![], Some("job_token=j"), job("j")),
            (vec![cookie], None, session("s")),
            (vec![cookie, ("job-token", "j")], None, job("j")),
            (
                vec![("job-token", "j"), ("private-token", "p")],
                Some("private_token=q"),
                token("p", false),
            ),
            (
                vec![("authorization", "Bearer b")],
                Some("private_token=q"),
                token("b", true),
            ),
            (vec![("private-token", &long)], None, token("", false)),
            (vec![("cookie", "_shipway_session=")], None, None),
        ];
        for (given, query, expected) in table {
            assert_eq!(
                credential(&headers(&given), query),
                expected,
                "{given:?} {query:?}"
            );
        }
    }

    #[test]
    fn basic_credentials() {
        for (value, expected) in [
            ("Basic YW5uOnA6dw==", Some(("ann", "p:w"))),
            ("basic YW5uOg==", Some(("ann", ""))),
            ("Basic YW5u", None),
            ("Basic !", None),
            ("Bearer YW5uOnB3", None),
        ] {
            let found = basic(&headers(&[("authorization", value)]));
            let expected = expected.map(|(user, word)| (user.to_owned(), word.to_owned()));
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn forms() {
        let read: Vec<_> = pairs("a=1&b=x+y%26&&c&a=2").collect();
        let expected = [("a", "1"), ("b", "x y&"), ("c", ""), ("a", "2")];
        assert_eq!(read, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
