//! Runner tokens: their kinds and the short form that may be shown.

/// Characters of a token that paths, container names and logs may show.
const SHORT: usize = 9;

/// Whether the token was made with the runner, in the web interface or by the API. Such a
/// runner is verified instead of registered, and removing it removes this manager only.
pub fn is_created_token(token: &str) -> bool {
    token.starts_with("glrt-")
}

/// What of a token may be shown: the first characters after its prefix.
pub fn short_token(token: &str) -> &str {
    let rest = strip_runner_prefix(token);
    let rest = rest.strip_prefix("glcbt-").unwrap_or(rest);
    let rest = strip_registration_prefix(rest);
    let end = rest
        .char_indices()
        .nth(SHORT)
        .map_or(rest.len(), |(end, _)| end);
    &rest[..end]
}

fn strip_runner_prefix(token: &str) -> &str {
    if let Some(rest) = token.strip_prefix("glrt-") {
        return strip_partition(rest).unwrap_or(rest);
    }
    strip_partition(token)
        .or_else(|| token.strip_prefix("glrtr-"))
        .unwrap_or(token)
}

/// `t1_`, `t2_`, `t3_`: instance, group, project.
fn strip_partition(token: &str) -> Option<&str> {
    ["t1_", "t2_", "t3_"]
        .iter()
        .find_map(|prefix| token.strip_prefix(prefix))
}

/// `GR` and seven hexadecimal digits, the key's date.
fn strip_registration_prefix(token: &str) -> &str {
    match token
        .strip_prefix("GR")
        .and_then(|rest| rest.split_at_checked(7))
    {
        Some((date, rest)) if date.bytes().all(|byte| byte.is_ascii_hexdigit()) => rest,
        _ => token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_shortened_as_gitlab_shortens_them() {
        for (token, short) in [
            ("glrt-abcdefghijklmnopqrst", "abcdefghi"),
            ("glrt-t1_abcdefghijklmnopqrst", "abcdefghi"),
            ("t3_abcdefghijklmnop", "abcdefghi"),
            ("glrtr-abcdefghijklm", "abcdefghi"),
            ("GR1348941ZyXwVuTsRqPoNm", "ZyXwVuTsR"),
            ("glcbt-64_abcdefghij", "64_abcdef"),
            ("short", "short"),
            ("", ""),
            ("ünïcödé-tökén", "ünïcödé-t"),
        ] {
            assert_eq!(short_token(token), short, "{token}");
        }
    }
}
