//! Tags of runners and jobs, as rows and as people write them.

/// Tags as rows have them.
pub(super) fn tags(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Tags as people write them: separated by commas, each once.
pub(super) fn parse_tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_people_write_them() {
        assert_eq!(parse_tags(" docker, arm,, docker ,"), ["docker", "arm"]);
        assert!(parse_tags("").is_empty());
        assert!(tags("not json").is_empty());
    }
}
