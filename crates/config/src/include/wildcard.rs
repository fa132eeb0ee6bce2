//! Wildcards of `include:local`, a dialect of their own: `*` is any text without `/`, `**` any
//! text at all.

use regex::Regex;

/// Whether a path may name several files.
pub(super) fn is_wildcard(path: &str) -> bool {
    path.contains('*')
}

/// The paths that fit a pattern, in their order.
pub(super) fn matching<'p>(pattern: &str, paths: &'p [String]) -> Vec<&'p str> {
    let escaped = regex::escape(pattern)
        .replace(r"\*\*", ".*?")
        .replace(r"\*", "[^/]*");
    match Regex::new(&format!("^{escaped}$")) {
        Ok(regex) => (paths.iter().map(String::as_str))
            .filter(|path| regex.is_match(path))
            .collect(),
        // Only a pattern that is too long for the engine comes here.
        Err(_) => Vec::new(),
    }
}
