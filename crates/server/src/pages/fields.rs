//! The fields of a form; a name may be there several times.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;

use crate::app::App;
use crate::error::ApiError;
use crate::identity::{is_text, pairs};
use crate::limits::{of_field, too_long};

/// The fields, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl FromRequest<App> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(ApiError::message(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "415 Pages take forms of the type application/x-www-form-urlencoded",
            ));
        }
        let body = Bytes::from_request(request, app).await;
        let body = body.map_err(|_| ApiError::too_large())?;
        let text = std::str::from_utf8(&body);
        let text = text.ok().filter(|text| is_text(text));
        let text =
            text.ok_or_else(|| ApiError::bad_request("the form is not UTF-8 without NUL"))?;
        Self::parse(text).within_limits()
    }
}

impl Fields {
    /// Reads an encoded form. Lines end with a line feed alone, whatever the browser sent.
    pub(super) fn parse(text: &str) -> Self {
        let lines = |value: String| match value.contains('\r') {
            true => value.replace("\r\n", "\n"),
            false => value,
        };
        Self(
            pairs(text)
                .map(|(name, value)| (name, lines(value)))
                .collect(),
        )
    }

    /// The fields, where each is as long as it may be.
    fn within_limits(self) -> Result<Self, ApiError> {
        let long = |(name, value): &&(String, String)| value.chars().count() > of_field(name);
        match self.0.iter().find(long) {
            Some((name, _)) => Err(too_long(name, of_field(name))),
            None => Ok(self),
        }
    }

    /// The value of a field; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The value without blanks around it.
    pub(super) fn trimmed(&self, name: &str) -> &str {
        self.get(name).trim()
    }

    /// Whether a box is checked.
    pub(super) fn checked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// `key` and `value` fields side by side, without those that have no key.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        self.pairs("key", "value")
    }

    /// The same of `input` and `input_value` fields.
    pub(super) fn inputs(&self) -> Vec<(String, String)> {
        self.pairs("input", "input_value")
    }

    fn pairs(&self, key: &str, value: &str) -> Vec<(String, String)> {
        let keys = self.all(key).map(str::trim);
        let both = keys.zip(self.all(value));
        both.filter(|(key, _)| !key.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
}

/// Rows of an editor of variables: what is there, and three to fill in.
pub(super) fn editor_rows(variables: &[(String, String)]) -> Vec<(usize, String, String)> {
    let given = variables.iter().cloned();
    let empty = std::iter::repeat_n((String::new(), String::new()), 3);
    (given.chain(empty).enumerate())
        .map(|(index, (key, value))| (index, key, value))
        .collect()
}

/// Whether this can be the name of a variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_form() {
        let fields =
            Fields::parse("a=1&key=X&value=one+two&key=&value=3&key=Y&value=%C3%A4%0D%0Ab");
        assert_eq!(fields.get("a"), "1");
        assert_eq!(fields.get("missing"), "");
        assert!(fields.checked("a") && !fields.checked("b"));
        let expected = [("X", "one two"), ("Y", "ä\nb")];
        let expected: Vec<(String, String)> = (expected.iter())
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(fields.variables(), expected);
        assert_eq!(editor_rows(&expected).len(), 5);
    }

    #[test]
    fn a_field_has_its_limit() {
        for (name, longest) in [("description", 255), ("anything", 255), ("value", 10_000)] {
            let form = |length: usize| Fields::parse(&format!("{name}={}", "x".repeat(length)));
            assert!(form(longest).within_limits().is_ok(), "{name}");
            let error = form(longest + 1).within_limits().unwrap_err();
            let text = format!("{name} is too long (maximum is {longest} characters)");
            assert_eq!(error.text(), text);
        }
    }

    #[test]
    fn names_of_variables() {
        assert!(is_variable_name("DEPLOY_KEY2"));
        for wrong in ["", "a b", "a-b", "ä", &"x".repeat(256)] {
            assert!(!is_variable_name(wrong), "{wrong}");
        }
    }
}
