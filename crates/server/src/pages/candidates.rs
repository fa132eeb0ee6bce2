//! The runners of a project as far as it matters for why a job waits.

use shipway_coordinator::{candidate, is_online};
use shipway_pipeline::Candidate;
use shipway_store::{ProjectId, RunnerRow, Store, StoreError};

/// The runners that a project's jobs may run on, tags and the like aside.
pub(super) async fn of_project(
    store: &Store,
    project: ProjectId,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = store.runners_for_project(project).await?;
    // A runner of projects was found because it has this one.
    let candidate = |row: &RunnerRow| candidate(row, &[project], is_online(row));
    Ok(rows.iter().map(candidate).collect())
}

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
