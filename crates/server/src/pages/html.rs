//! Markup made by code of ours, which templates put into pages as it is.

use std::fmt;

/// Markup: whatever came from outside is escaped in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Vouches for markup; everything that came from outside went through [`escape`].
    pub(super) fn trusted(markup: String) -> Self {
        Self(markup)
    }

    /// The markup.
    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// Text as markup, inside of elements and of quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A part of a path in an address: what is not a letter, a digit or one of `-._~` is encoded,
/// except the slash where `slashes` lets it stand.
fn encode(text: &str, slashes: bool) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A path in an address; slashes stay.
pub(super) fn path(text: &str) -> String {
    encode(text, true)
}

/// A value in a query or a single segment of a path.
pub(super) fn segment(text: &str) -> String {
    encode(text, false)
}

/// Text in which what stands between backquotes is code: our own sentences about jobs name
/// runners, tags and jobs like that.
pub(super) fn sentence(text: &str) -> Html {
    let mut markup = String::with_capacity(text.len() + 16);
    let mut pieces = text.split('`').peekable();
    let mut code = false;
    while let Some(piece) = pieces.next() {
        // The last quote of an odd number quotes nothing.
        if code && pieces.peek().is_some() {
            markup.push_str("<code>");
            markup.push_str(&escape(piece));
            markup.push_str("</code>");
        } else {
            if code {
                markup.push('`');
            }
            markup.push_str(&escape(piece));
        }
        code = !code;
    }
    Html(markup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_code_and_no_markup_of_others() {
        let table = [
            ("plain & simple", "plain &amp; simple"),
            (
                "runner `ci-1` lacks `arm`.",
                "runner <code>ci-1</code> lacks <code>arm</code>.",
            ),
            ("`<img>`", "<code>&lt;img&gt;</code>"),
            ("an odd ` quote", "an odd ` quote"),
            ("`a` and ` more", "<code>a</code> and ` more"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(sentence(text).as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_cannot_be_broken_out_of() {
        assert_eq!(path("feature/ä?#\"<"), "feature/%C3%A4%3F%23%22%3C");
        assert_eq!(segment("a/b c&d=e"), "a%2Fb%20c%26d%3De");
    }
}
