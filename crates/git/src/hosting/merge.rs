//! Merging branches in a hosted repository, without a work tree.

use super::new_tag::Annotation;
use super::queries::QueryError;
use super::ref_name;
use super::repository::{BareRepository, checked_id};

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The branch is at this new commit.
    Commit(String),
    /// Both changed the same lines.
    Conflict,
    /// The branch moved meanwhile.
    Moved,
}

impl BareRepository {
    /// Merges the commit `source` into a branch that is at `target`, with a commit of two parents
    /// by whom and with the message that `by` says. Nothing is pushed: whoever merges follows up.
    ///
    /// # Errors
    ///
    /// When a name or an id is malformed, or git fails. Git is to be 2.38 or newer.
    pub async fn merge(
        &self,
        branch: &str,
        target: &str,
        source: &str,
        by: &Annotation,
    ) -> Result<Merged, QueryError> {
        let reference = format!("refs/heads/{branch}");
        if ref_name::refusal(&reference).is_some() {
            return Err(QueryError::RefName(reference));
        }
        let (target, source) = (checked_id(target)?, checked_id(source)?);
        let merge = self.call().args(["merge-tree", "--write-tree"]);
        let merge = merge.args(["--no-messages", &target, &source]);
        let Some(output) = merge.answer().await? else {
            return Ok(Merged::Conflict);
        };
        let output = String::from_utf8_lossy(&output);
        let tree = checked_id(output.lines().next().unwrap_or_default())?;
        let time = format!("{} +0000", by.at);
        let (name, email) = (plain(&by.name), plain(&by.email));
        let commit = self
            .call()
            .args(["commit-tree", &tree, "-p", &target, "-p", &source])
            .env("GIT_AUTHOR_NAME", &name)
            .env("GIT_AUTHOR_EMAIL", &email)
            .env("GIT_AUTHOR_DATE", &time)
            .env("GIT_COMMITTER_NAME", &name)
            .env("GIT_COMMITTER_EMAIL", &email)
            .env("GIT_COMMITTER_DATE", &time);
        let output = commit.output_with_input(by.message.as_bytes()).await?;
        let commit = checked_id(String::from_utf8_lossy(&output).trim_end())?;
        let input = format!("update {reference} {commit} {target}\n");
        let update = self.call().args(["update-ref", "--no-deref", "--stdin"]);
        match update.output_with_input(input.as_bytes()).await {
            Ok(_) => Ok(Merged::Commit(commit)),
            Err(_) if self.resolve(&reference).await?.as_deref() != Some(&target) => {
                Ok(Merged::Moved)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A name without what would end it in a commit; git refuses one that is empty.
fn plain(text: &str) -> String {
    let kept = (text.chars()).filter(|c| !c.is_control() && !"<>".contains(*c));
    match kept.collect::<String>().trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}
