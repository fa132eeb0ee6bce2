//! The runners of a project as far as it matters for why a job waits.

use shipway_coordinator::candidate;
use shipway_pipeline::Candidate;
use shipway_store::{ProjectId, RunnerRow, Store, StoreError};

/// A runner is online when it called within this time, in microseconds: GitLab's two hours,
/// because an idle runner may be told to ask seldom.
pub(super) const ONLINE: i64 = 2 * 3600 * 1_000_000;

/// Whether a runner was heard of lately.
pub(super) fn is_online(runner: &RunnerRow, now: i64) -> bool {
    runner.contacted_at.is_some_and(|at| now - at < ONLINE)
}

/// The runners that a project's jobs may run on, tags and the like aside.
pub(super) async fn of_project(
    store: &Store,
    project: ProjectId,
    now: i64,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = store.runners_for_project(project).await?;
    // A runner of projects was found because it has this one.
    let candidate = |row: &RunnerRow| candidate(row, &[project], is_online(row, now));
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
