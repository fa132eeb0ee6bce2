//! Commits as GitLab's API shows them.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shipway_git::hosting::CommitInfo;
use shipway_store::ProjectRow;

use crate::app::App;
use crate::error::ApiError;

/// GitLab's `Commit`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Commit {
    pub(super) id: String,
    short_id: String,
    created_at: String,
    parent_ids: Vec<String>,
    title: String,
    message: String,
    author_name: String,
    author_email: String,
    authored_date: String,
    committer_name: String,
    committer_email: String,
    committed_date: String,
    trailers: BTreeMap<String, String>,
    extended_trailers: BTreeMap<String, Vec<String>>,
    web_url: String,
}

impl Commit {
    pub(super) fn new(app: &App, project: &ProjectRow, info: &CommitInfo) -> Self {
        let base = &app.settings().external_url;
        Self {
            id: info.id.clone(),
            short_id: info.short_id().to_owned(),
            created_at: date(&info.committed_date),
            parent_ids: info.parents.clone(),
            title: info.title().to_owned(),
            message: info.message.clone(),
            author_name: info.author_name.clone(),
            author_email: info.author_email.clone(),
            authored_date: date(&info.authored_date),
            committer_name: info.committer_name.clone(),
            committer_email: info.committer_email.clone(),
            committed_date: date(&info.committed_date),
            trailers: BTreeMap::new(),
            extended_trailers: BTreeMap::new(),
            web_url: format!("{base}/{}/-/commit/{}", project.full_path, info.id),
        }
    }
}

/// A date of git with the milliseconds that GitLab writes: `2026-01-02T03:04:05.000+01:00`.
pub(super) fn date(text: &str) -> String {
    let (time, offset) = match text.strip_suffix('Z') {
        Some(time) => (time, "+00:00"),
        None => text.split_at_checked(19).unwrap_or((text, "")),
    };
    format!("{time}.000{offset}")
}

/// The commits of these ids, by id; those that are gone are missing.
pub(super) async fn commits(
    app: &App,
    project: &ProjectRow,
    ids: impl IntoIterator<Item = &str>,
) -> Result<HashMap<String, Commit>, ApiError> {
    let mut ids: Vec<&str> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let repository = app.coordinator().repository(project).await?;
    let found = repository.commits(&ids).await?;
    let commits = found.iter().map(|info| Commit::new(app, project, info));
    Ok(commits.map(|commit| (commit.id.clone(), commit)).collect())
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_keep_their_offset() {
        let table = [
            ("2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05.000+01:00"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000+00:00"),
        ];
        for (git, gitlab) in table {
            assert_eq!(date(git), gitlab);
        }
    }
}
