//! The forms in which programs print a secret: encoded, escaped and quoted.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter secrets are looked for as they are alone: their forms are so short that innocent
/// text is like them. It is GitLab's least length of a masked variable.
const SHORTEST: usize = 8;

/// The secret and its forms; none for one that is empty.
pub(crate) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if secret.is_empty() {
        return forms;
    }
    forms.insert(secret.as_bytes().to_vec());
    if secret.len() < SHORTEST {
        return forms;
    }
    let texts = [
        percent_encoded(secret, false, "%20"),
        percent_encoded(secret, true, "%20"),
        percent_encoded(secret, false, "+"),
        json_escaped(secret),
        secret.replace('\'', r"'\''"),
        backslashed(secret),
        secret.replace("\r\n", "\n").replace('\n', "\r\n"),
    ];
    forms.extend(texts.map(String::into_bytes));
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        forms.extend(in_base64(secret.as_bytes(), &engine));
    }
    forms
}

/// In base64, by itself, as a line, and within a longer text: there the first and the last
/// characters depend on what is around, and three places are possible.
fn in_base64(secret: &[u8], engine: &impl Engine) -> Vec<Vec<u8>> {
    let alone = engine.encode(secret);
    let line = engine.encode([secret, b"\n"].concat());
    let within = (0..3).map(|before| {
        let text = engine.encode([&[0; 2][..before], secret].concat());
        // Each character is six bits: whole ones of the secret's alone are kept.
        let first = (before * 8).div_ceil(6);
        let last = (before + secret.len()) * 8 / 6;
        text[first..last].to_owned()
    });
    let all = [alone, line].into_iter().chain(within);
    all.filter(|text| text.len() >= SHORTEST)
        .map(String::into_bytes)
        .collect()
}

fn percent_encoded(secret: &str, lower: bool, space: &str) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        match byte {
            b' ' => text.push_str(space),
            b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ if lower => text.push_str(&format!("%{byte:02x}")),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn json_escaped(secret: &str) -> String {
    let text = serde_json::to_string(secret).unwrap_or_default();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// As `printf %q` writes it.
fn backslashed(secret: &str) -> String {
    let mut text = String::new();
    for character in secret.chars() {
        let is_plain = character.is_alphanumeric() || "_-./:=@%+".contains(character);
        if !is_plain {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_there_once() {
        let forms = forms("pa'ss \"w\\ö\n1");
        let has = |text: &str| forms.contains(text.as_bytes());
        for text in [
            "pa'ss \"w\\ö\n1",
            "pa%27ss%20%22w%5C%C3%B6%0A1",
            "pa%27ss%20%22w%5c%c3%b6%0a1",
            "pa%27ss+%22w%5C%C3%B6%0A1",
            "pa'ss \\\"w\\\\ö\\n1",
            "pa'\\''ss \"w\\ö\n1",
            "pa\\'ss\\ \\\"w\\\\ö\\\n1",
            "pa'ss \"w\\ö\r\n1",
        ] {
            assert!(has(text), "{text}: {forms:?}");
        }
    }

    #[test]
    fn a_short_secret_has_one_form_and_an_empty_one_none() {
        assert_eq!(forms("a b'c").len(), 1);
        assert!(forms("").is_empty());
    }

    #[test]
    fn base64_is_found_wherever_the_secret_stands() {
        let secret = "correct-horse?>";
        let forms = forms(secret);
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "\n", "z", "zz", " and more"] {
                let text = format!("{before}{secret}{after}");
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let found = forms.iter().any(|form| {
                        let form = String::from_utf8_lossy(form);
                        form.len() >= 16 && encoded.contains(&*form)
                    });
                    assert!(found, "{text:?} as {encoded}");
                }
            }
        }
    }
}
