//! A commit's message, cut as GitLab cuts it.

/// Titles of this many characters and more are too long to stand for the rest of the message.
const LONG_TITLE: usize = 100;

/// The first line.
pub(crate) fn title(message: &str) -> &str {
    message.split(['\r', '\n']).next().unwrap_or_default()
}

/// `CI_COMMIT_DESCRIPTION`: the message without its first line when the title is shorter than
/// 100 characters, else the whole message (language inventory, predefined variables).
pub(crate) fn description(message: &str) -> &str {
    if title(message).chars().count() >= LONG_TITLE {
        return message;
    }
    let rest = message.split_once('\n').map_or("", |(_, rest)| rest);
    rest.strip_suffix('\n').unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_descriptions() {
        let long = "é".repeat(100);
        let whole = format!("{long}\n\nbody\n");
        for (message, expected_title, expected_description) in [
            ("", "", ""),
            ("One", "One", ""),
            ("One\n", "One", ""),
            ("One\n\nbody\nmore\n", "One", "\nbody\nmore"),
            ("One\r\nbody", "One", "body"),
            (whole.as_str(), long.as_str(), whole.as_str()),
        ] {
            assert_eq!(title(message), expected_title, "{message:?}");
            assert_eq!(description(message), expected_description, "{message:?}");
        }
    }
}
