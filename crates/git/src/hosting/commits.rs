//! Commits as they are shown: who wrote them, when and why.

use super::call::Call;
use super::queries::QueryError;
use super::repository::{BareRepository, checked_id};
use crate::message;

/// Fields of a commit, each ended by NUL; dates with the offsets that they have.
const FORMAT: &str = "--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00";

const FIELDS: usize = 9;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// The full id.
    pub id: String,
    /// The ids of the commits before it.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// When it was written, in ISO 8601 with the author's offset.
    pub authored_date: String,
    /// Who committed it.
    pub committer_name: String,
    /// The committer's address.
    pub committer_email: String,
    /// When it was committed, in ISO 8601 with the committer's offset.
    pub committed_date: String,
    /// The whole message.
    pub message: String,
}

impl CommitInfo {
    /// The first line of the message.
    pub fn title(&self) -> &str {
        message::title(&self.message)
    }

    /// The first eight digits of the id.
    pub fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

/// Which part of a history is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Only commits that this one, by its full id, does not descend from; nor this one itself.
    pub without: Option<String>,
    /// Only commits that change this file or directory.
    pub path: Option<String>,
    /// Only commits from this time on, in seconds since 1970.
    pub since: Option<i64>,
    /// Only commits up to this time, in seconds since 1970.
    pub until: Option<i64>,
    /// After so many commits.
    pub skip: u64,
    /// At most so many commits.
    pub limit: u64,
}

impl BareRepository {
    /// The commits of these ids, in no order; one that does not exist is left out.
    ///
    /// # Errors
    ///
    /// When an id is malformed, or git fails.
    pub async fn commits(&self, ids: &[&str]) -> Result<Vec<CommitInfo>, QueryError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut input = String::new();
        for id in ids {
            input.push_str(&checked_id(id)?);
            input.push('\n');
        }
        let call = log(self).args(["--no-walk=unsorted", "--ignore-missing", "--stdin"]);
        let output = call.output_with_input(input.as_bytes()).await?;
        Ok(parse(&output))
    }

    /// The commits that a commit descends from, newest first and with itself.
    ///
    /// # Errors
    ///
    /// When the id is malformed or does not exist, or git fails.
    pub async fn history(
        &self,
        from: &str,
        wanted: &History,
    ) -> Result<Vec<CommitInfo>, QueryError> {
        let from = checked_id(from)?;
        let mut call = log(self).args([
            format!("--skip={}", wanted.skip),
            format!("--max-count={}", wanted.limit),
        ]);
        for (name, time) in [("since", wanted.since), ("until", wanted.until)] {
            if let Some(time) = time {
                call = call.args([format!("--{name}=@{time}")]);
            }
        }
        call = call.args(["--end-of-options", &from]);
        if let Some(without) = &wanted.without {
            call = call.args([format!("^{}", checked_id(without)?)]);
        }
        call = call.args(["--"]);
        if let Some(path) = &wanted.path {
            // A path and no pattern: every call of git is made with `--literal-pathspecs`.
            call = call.args([path]);
        }
        Ok(parse(&call.output().await?))
    }
}

fn log(repository: &BareRepository) -> Call {
    let call = repository.call();
    call.args(["log", "--no-show-signature", "--no-patch"])
        .args(["--encoding=UTF-8", FORMAT])
}

fn parse(output: &[u8]) -> Vec<CommitInfo> {
    let text = String::from_utf8_lossy(output);
    let fields: Vec<&str> = text.split('\0').collect();
    let commits = fields.chunks_exact(FIELDS);
    commits
        .map(|fields| CommitInfo {
            // Git ends each commit by a line break.
            id: fields[0].trim_start_matches('\n').to_owned(),
            parents: fields[1].split_whitespace().map(str::to_owned).collect(),
            author_name: fields[2].to_owned(),
            author_email: fields[3].to_owned(),
            authored_date: fields[4].to_owned(),
            committer_name: fields[5].to_owned(),
            committer_email: fields[6].to_owned(),
            committed_date: fields[7].to_owned(),
            message: fields[8].trim_end_matches('\n').to_owned() + "\n",
        })
        .collect()
}
