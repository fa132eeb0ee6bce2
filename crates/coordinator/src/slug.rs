//! GitLab's slugs: names made fit for host names and URLs (language inventory, 4).

use sha2::{Digest, Sha256};

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

/// Bytes of an environment's slug.
const ENVIRONMENT_LIMIT: usize = 24;
/// Bytes of the suffix that keeps names apart which would get the same slug.
const SUFFIX: usize = 7;

/// The slug of an environment: it begins with a letter, has at most 24 bytes and, where the
/// name had to be changed, ends with six letters or digits made from it.
pub(crate) fn environment_slug(name: &str) -> String {
    let mut slug = String::new();
    for byte in name.to_lowercase().bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' => slug.push(byte as char),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    if !slug.starts_with(|first: char| first.is_ascii_lowercase()) {
        slug.insert_str(0, "env-");
    }
    if slug.len() <= ENVIRONMENT_LIMIT && slug == name {
        return slug;
    }
    slug.truncate(ENVIRONMENT_LIMIT - SUFFIX);
    let slug = slug.trim_end_matches('-');
    let digest = Sha256::digest(name.as_bytes());
    let suffix = digest.iter().map(|byte| format!("{byte:02x}"));
    let suffix: String = suffix.collect();
    format!("{slug}-{}", &suffix[..SUFFIX - 1])
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

    #[test]
    fn environments_keep_short_plain_names_and_get_a_suffix_otherwise() {
        assert_eq!(environment_slug("production"), "production");
        for name in [
            "Production",
            "review/feature",
            "1st",
            "a-very-long-name-of-an-environment",
        ] {
            let slug = environment_slug(name);
            assert!(slug.len() <= 24, "{slug}");
            assert!(
                slug.starts_with(|first: char| first.is_ascii_lowercase()),
                "{slug}"
            );
            assert_ne!(slug, name);
        }
        assert_ne!(environment_slug("review/a"), environment_slug("review_a"));
    }
}
