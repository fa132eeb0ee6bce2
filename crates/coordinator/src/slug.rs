//! GitLab's slugs: names made fit for host names and URLs (language inventory, 4).

/// Bytes of a slug.
const LIMIT: usize = 63;

/// Lower case, at most 63 bytes, everything outside `0-9a-z` is `-`, none at the ends.
pub fn slug(text: &str) -> String {
    let mut slug: String = (text.to_lowercase().bytes())
        .map(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' => byte as char,
            _ => '-',
        })
        .collect();
    slug.truncate(LIMIT);
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let table = [
            ("main", "main"),
            ("Feature/New_Thing", "feature-new-thing"),
            ("-x-", "x"),
            ("v1.0", "v1-0"),
            ("", ""),
            ("é", ""),
        ];
        for (text, expected) in table {
            assert_eq!(slug(text), expected, "of {text:?}");
        }
        assert_eq!(slug(&"a".repeat(80)).len(), 63);
    }
}
